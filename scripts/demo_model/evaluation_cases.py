"""What the demo guide is asked in its evaluation, and how a completion is taken apart. It needs no model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from random import Random

from . import prompts
from .conversations import (
    DATE_QUESTIONS,
    MORE_QUESTIONS,
    NAME_INTRODUCTIONS,
    NAME_QUESTIONS,
    Corpus,
    Setting,
    past_exchange,
    tool_thoughts,
)
from .prompts import START
from .tools import Exchange, some_tools
from .topics import FALLBACK
from .wordings import invented_word, vary

_ANSWER = re.compile(
    r"<\|channel\|>analysis<\|message\|>(?P<reasoning>(?:(?!<\|).)+)<\|end\|><\|start\|>assistant"
    r"(?:<\|channel\|>final<\|message\|>(?P<final>(?:(?!<\|).)+)<\|return\|>"
    r"|<\|channel\|>commentary to=functions\.(?P<tool>\w+) <\|constrain\|>json"
    r"<\|message\|>(?P<arguments>(?:(?!<\|).)+)<\|call\|>)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt, ready for generation, and the exact answer (or call arguments) that is right."""

    prompt: str
    target: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model wrote, taken apart; `well_formed` is false when it is not harmony."""

    well_formed: bool
    reasoning: str = ""
    final: str = ""
    tool: str = ""
    arguments: str = ""


def read_reply(text: str) -> Reply:
    """Takes a completion apart, strictly: analysis, then a final answer or a tool call with a JSON object."""
    match = _ANSWER.fullmatch(text)
    if match is None:
        return Reply(False)
    reply = Reply(True, match["reasoning"], match["final"] or "", match["tool"] or "", match["arguments"] or "")
    if reply.tool:
        try:
            arguments = json.loads(reply.arguments)
        except json.JSONDecodeError:
            return replace(reply, well_formed=False)
        return replace(reply, well_formed=isinstance(arguments, dict))
    return reply


class Cases:
    """Makes cases; all choices come from the seed, so a model file always gets the same ones."""

    def __init__(self, corpus: Corpus, seed: int) -> None:
        self.corpus = corpus
        self.random = Random(f"evaluation {seed}")

    def setting(self, tools: bool = False) -> Setting:
        while True:
            setting = self.corpus.setting(self.random)
            if bool(setting.tools) == tools:
                return setting

    def plain(self, question: str, answer: str) -> Case:
        return Case(self.setting().prompt() + prompts.user(question) + START, answer)

    def known(self) -> list[Case]:
        return [self.plain(question, topic.answer) for topic in self.corpus.topics for question in topic.questions]

    def held_back(self) -> list[Case]:
        return [self.plain(question, topic.answer) for topic in self.corpus.topics for question in topic.held_back]

    def unknown(self) -> list[Case]:
        return [self.plain(question, FALLBACK) for question in self.corpus.unknown.held_back]

    def second_turns(self) -> list[Case]:
        """A known question after another one."""
        cases: list[Case] = []
        for topic in self.corpus.topics:
            first = self.random.choice(self.corpus.topics)
            history = self._turn(self.random.choice(first.questions), first.answer)
            cases.append(
                Case(self.setting().prompt() + history + prompts.user(topic.questions[0]) + START, topic.answer)
            )
        return cases

    def more(self) -> list[Case]:
        """ "Tell me more", which means the topic of the turn before."""
        cases: list[Case] = []
        for topic in self.corpus.topics:
            if topic.more:
                history = self._turn(topic.questions[0], topic.answer)
                for question in MORE_QUESTIONS:
                    cases.append(Case(self.setting().prompt() + history + prompts.user(question) + START, topic.more))
        return cases

    def names(self, count: int) -> list[Case]:
        """A name told in the turn before, asked back; most of the names do not exist."""
        cases: list[Case] = []
        for _ in range(count):
            name = invented_word(self.random).capitalize()
            answer = f"Nice to meet you, {name}! What would you like to know about Alcove?"
            history = self._turn(self.random.choice(NAME_INTRODUCTIONS).format(name), answer)
            question = prompts.user(self.random.choice(NAME_QUESTIONS))
            cases.append(Case(self.setting().prompt() + history + question + START, f"Your name is {name}."))
        return cases

    def dates(self, count: int) -> list[Case]:
        cases: list[Case] = []
        for _ in range(count):
            setting = self.setting()
            question = prompts.user(self.random.choice(DATE_QUESTIONS))
            cases.append(Case(setting.prompt() + question + START, f"Today is {setting.date}."))
        return cases

    def tool_calls(self, count: int) -> list[Case]:
        cases: list[Case] = []
        for _ in range(count):
            setting, exchange = self._exchange()
            prompt = setting.prompt() + prompts.user(exchange.question) + START
            cases.append(Case(prompt, exchange.arguments, tuple(tool.name for tool in setting.tools)))
        return cases

    def tool_results(self, count: int) -> list[Case]:
        cases: list[Case] = []
        for _ in range(count):
            setting, exchange = self._exchange()
            thought = prompts.reasoning(tool_thoughts(setting.effort, exchange.tool)) + START
            prompt = setting.prompt() + prompts.user(exchange.question) + START + past_exchange(exchange, thought)
            cases.append(Case(prompt, exchange.answer))
        return cases

    def varied(self) -> Case:
        """A known question with prefixes, synonyms, other case or a typing error."""
        topic = self.random.choice(self.corpus.topics)
        return self.plain(vary(self.random, self.random.choice(topic.questions)), topic.answer)

    def _turn(self, question: str, answer: str) -> str:
        return prompts.user(question) + START + prompts.past_answer(answer)

    def _exchange(self) -> tuple[Setting, Exchange]:
        setting = replace(self.setting(), tools=some_tools(self.random))
        return setting, self.random.choice(setting.tools).exchange(self.random)
