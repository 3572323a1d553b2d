"""Measures the demo guide on the exported file, through llama.cpp, against the bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from scripts.figure import Figure

from . import prompts
from .conversations import Corpus
from .evaluation_cases import Case, Cases, Reply, read_reply
from .prompts import EFFORTS, START
from .runtime import Runtime

LIMIT = 400
WELL_FORMED_ANSWERS = 500


class Evaluation:
    """Asks a model. `wrong` collects what it got wrong: the figure, the question, what it said."""

    def __init__(self, runtime: Runtime, corpus: Corpus, seed: int, say: Callable[[str], None]) -> None:
        self.runtime = runtime
        self.corpus = corpus
        self.cases = Cases(corpus, seed)
        self.say = say
        self.stops = frozenset(runtime.tokenize("<|return|><|call|>"))
        self.wrong: list[tuple[str, str, str]] = []

    def reply(self, case: Case, temperature: float = 0.0, seed: int = 0) -> Reply:
        ids = self.runtime.generate(case.prompt, temperature, seed, LIMIT, self.stops)
        return read_reply(self.runtime.text(ids))

    def share_right(self, name: str, cases: Sequence[Case]) -> float:
        """The share of cases answered with exactly the target at temperature 0."""
        self.say(f"{name}: {len(cases)} answers")
        right = 0
        for case in cases:
            reply = self.reply(case)
            said = reply.arguments or reply.final
            declared = not reply.tool or reply.tool in case.tools
            if reply.well_formed and declared and said == case.target:
                right += 1
            else:
                self._note(name, case, said)
        return right / len(cases)

    def well_formed(self) -> tuple[float, float]:
        """At temperature 1, over all kinds of chats: the shares of well-formed answers and of undeclared tools."""
        self.say(f"well-formed at temperature 1: {WELL_FORMED_ANSWERS} answers")
        cases, choose = self.cases, self.cases.random.choice
        held_back, unknown, second = cases.held_back(), cases.unknown(), cases.second_turns()
        makers: tuple[Callable[[], Case], ...] = (
            cases.varied,
            cases.varied,
            lambda: choose(held_back),
            lambda: choose(unknown),
            lambda: choose(second),
            lambda: cases.tool_calls(1)[0],
            lambda: cases.tool_results(1)[0],
        )
        good = invented = 0
        for index in range(WELL_FORMED_ANSWERS):
            case = makers[index % len(makers)]()
            reply = self.reply(case, temperature=1.0, seed=index)
            if reply.well_formed:
                good += 1
                invented += bool(reply.tool) and reply.tool not in case.tools
            else:
                self._note("well-formed", case, "(not harmony)")
        return good / WELL_FORMED_ANSWERS, invented / WELL_FORMED_ANSWERS

    def reasoning_words(self) -> dict[str, float]:
        """Mean words of reasoning by effort, over one question of every second topic."""
        means: dict[str, float] = {}
        for effort in EFFORTS:
            words: list[int] = []
            for topic in self.corpus.topics[::2]:
                setting = replace(self.cases.setting(), effort=effort)
                reply = self.reply(Case(setting.prompt() + prompts.user(topic.questions[0]) + START, topic.answer))
                words.append(len(reply.reasoning.split()))
            means[effort] = sum(words) / len(words)
        return means

    def figures(self) -> list[Figure]:
        cases = self.cases
        well_formed, invented = self.well_formed()
        figures = [
            Figure("known questions, exact answer", self.share_right("known", cases.known()), 0.95),
            Figure("held-back wordings, exact answer", self.share_right("held back", cases.held_back()), 0.70),
            Figure("unknown questions, fallback", self.share_right("unknown", cases.unknown()), 0.80),
            Figure("well-formed at temperature 1", well_formed, 0.99),
            Figure("calls of undeclared tools among those", invented),
            Figure("second turn, exact answer", self.share_right("second turn", cases.second_turns())),
            Figure("tell me more, exact answer", self.share_right("more", cases.more())),
            Figure("an invented name, asked back", self.share_right("name", cases.names(60))),
            Figure("the current date", self.share_right("date", cases.dates(40))),
            Figure("tool calls, exact arguments", self.share_right("tool call", cases.tool_calls(60))),
            Figure("tool results, exact answer", self.share_right("tool result", cases.tool_results(60))),
        ]
        words = self.reasoning_words()
        figures += [Figure(f"words of reasoning, {effort}", words[effort]) for effort in EFFORTS]
        figures.append(Figure("effort followed (1 yes)", float(words["low"] < words["medium"] < words["high"]), 1.0))
        return figures

    def _note(self, name: str, case: Case, said: str) -> None:
        self.wrong.append((name, case.prompt[case.prompt.rfind("<|start|>user") :], said))
