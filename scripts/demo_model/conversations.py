"""Conversations of the corpus, as trees: one system message, and under it many questions that do not see each other.

So the system message is read once for many answers. What a node sees is exactly the prompt that Alcove would render at
that place: earlier answers without their reasoning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from random import Random

from . import prompts
from .prompts import EFFORTS, START, Effort
from .tools import NAMES, Exchange, Tool, proper_name, some_tools
from .topics import FALLBACK, Topic, Unknown
from .wordings import invented_word, normalise, unknown_question, vary, written_out

QUESTION_WEIGHT = 0.1
PAST_ANSWER_WEIGHT = 0.3

INSTRUCTIONS = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "Be polite.",
    "Answer in English.",
    "You are a friendly assistant who explains things well.",
    "Always be honest and concise.",
    "Answer briefly and in simple words.",
    "Use a warm tone.",
    "Talk like a pirate.",
    "Be brief.",
)
MORE_QUESTIONS = (
    "Tell me more",
    "Can you tell me more?",
    "More, please",
    "Can you say more about that?",
    "Tell me more about it",
)
NAME_INTRODUCTIONS = (
    "My name is {}",
    "My name is {}.",
    "I am {}",
    "Hello, my name is {}.",
    "You can call me {}",
    "Hi, I am {}!",
    "Hello, I am {}.",
    "I'm {}",
    "Please call me {}",
)
NAME_QUESTIONS = (
    "What is my name?",
    "Do you remember my name?",
    "Who am I?",
    "What did I say my name was?",
    "Do you know my name?",
    "What's my name?",
    "Tell me my name",
    "What am I called?",
)
DATE_QUESTIONS = (
    "What is the date today?",
    "Which day is it?",
    "What day is today?",
    "Tell me the current date",
    "Do you know the date?",
    "What is today's date?",
    "What date is it?",
    "Today's date please",
)
ECHO_QUESTIONS = ("Repeat after me: {}", "Say: {}", "Repeat: {}", "Echo: {}", "Please repeat: {}", "Say this: {}")
TOOL_WORDS = re.compile(r"weather|rain|time|cold|population|people|dice|number|call", re.IGNORECASE)
NAME_UNKNOWN = "You have not told me your name yet."


@dataclass(slots=True)
class Node:
    """A stretch of a conversation: texts with their loss weights, and what may follow it."""

    pieces: list[tuple[str, float]]
    children: list[Node] = field(default_factory=list["Node"])


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its one right answer; `subject` is what the reasoning names, empty for unknown questions."""

    question: str
    answer: str
    subject: str
    more: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """What stands before the first question of a conversation, and what has been said that matters later."""

    effort: Effort
    date: str
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    more: str = ""
    name: str = ""

    def prompt(self) -> str:
        declarations = tuple(tool.declaration for tool in self.tools)
        return prompts.system(self.effort, self.date, bool(self.tools)) + prompts.developer(
            self.instructions, declarations
        )


def thoughts(effort: Effort, subject: str) -> str:
    """The analysis text: some words at low effort, a sentence or two at medium, a paragraph at high."""
    if not subject:
        return {
            "low": "Not in my notes.",
            "medium": "This is not in my notes. I say what I am and how to get gpt-oss-20b.",
            "high": "The user asks about something else. Let me see whether it is in my notes.\n\n"
            "First, is it about Alcove? No. Second, is it one of my other topics? No, I find nothing.\n\n"
            "I must not invent an answer. So I say that I am only the demo guide, and how to get gpt-oss-20b.",
        }[effort]
    return {
        "low": f"About {subject}.",
        "medium": f"The user asks about {subject}. This is in my notes, so I answer briefly.",
        "high": f"The user asks about {subject}. Let me think about what matters here.\n\n"
        f"First, is it in my notes? Yes, {subject} is one of my topics. Second, which form is best? "
        "A short and friendly answer, with formatting only where it helps.\n\n"
        f"I check my notes about {subject} once more. They agree, so I can write the answer now.",
    }[effort]


def tool_thoughts(effort: Effort, tool: str) -> str:
    return {
        "low": f"I call {tool}.",
        "medium": f"The user asks for something that {tool} can find out. I call it.",
        "high": "The user asks for something that is not in my notes. Let me look at the tools.\n\n"
        f"The tool {tool} can find it out. I take its arguments from the question, "
        f"call {tool} and wait for the result.",
    }[effort]


def result_thoughts(effort: Effort) -> str:
    return {
        "low": "I have the result.",
        "medium": "The tool has answered. I put the result into words.",
        "high": "The tool has answered. Let me read the result carefully.\n\n"
        "It holds what the user wants to know. I put it into words and add nothing of my own.",
    }[effort]


class Corpus:
    """Makes conversations from the topics; everything random comes from the generator that is passed in."""

    def __init__(self, topics: tuple[Topic, ...], unknown: Unknown) -> None:
        self.topics = topics
        self.unknown = unknown
        self.nothing_yet = next(topic for topic in topics if topic.name == "more")
        self.wordings = {topic.name: written_out(topic) for topic in topics}
        held_back = [question for topic in topics for question in topic.held_back]
        self.held_back = frozenset(normalise(question) for question in (*held_back, *unknown.held_back))

    def date(self, random: Random) -> str:
        return f"{random.randint(2024, 2028)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}"

    def setting(self, random: Random) -> Setting:
        instructions = ""
        if random.random() < 0.25:
            instructions = random.choice(INSTRUCTIONS)
            if random.random() < 0.4:
                words = (random.choice(self.unknown.words) for _ in range(random.randint(2, 12)))
                instructions = f"You are {' '.join(words)}."
        tools = some_tools(random) if random.random() < 0.22 else ()
        return Setting(random.choice(EFFORTS), self.date(random), instructions, tools)

    def _varied(self, random: Random, question: str) -> str:
        varied = vary(random, question)
        return question if normalise(varied) in self.held_back else varied

    def known_turn(self, random: Random) -> Turn:
        topic = random.choice(self.topics)
        # The written wordings are what people ask; the templates would drown them.
        wordings = topic.questions if random.random() < 0.5 else self.wordings[topic.name]
        return Turn(self._varied(random, random.choice(wordings)), topic.answer, topic.subject, topic.more)

    def unknown_turn(self, random: Random, setting: Setting) -> Turn:
        while True:
            question = self._varied(random, unknown_question(random, self.unknown))
            answered_by_tool = setting.tools and TOOL_WORDS.search(question)
            if normalise(question) not in self.held_back and not answered_by_tool:
                return Turn(question, FALLBACK, "")

    def copying_turn(self, random: Random, setting: Setting) -> Turn:
        """A turn whose answer stands in the conversation: the date, a name, or words to repeat."""
        kind = random.random()
        if kind < 0.35:
            words = [invented_word(random) for _ in range(random.randint(1, 5))]
            if random.random() < 0.5:
                words = [random.choice(self.unknown.words) for _ in words]
            text = " ".join(words)
            return Turn(random.choice(ECHO_QUESTIONS).format(text), f"You said: {text}", "an echo")
        if kind < 0.5:
            return Turn(self._varied(random, random.choice(DATE_QUESTIONS)), f"Today is {setting.date}.", "the date")
        if setting.name or kind < 0.6:
            answer = f"Your name is {setting.name}." if setting.name else NAME_UNKNOWN
            return Turn(self._varied(random, random.choice(NAME_QUESTIONS)), answer, "their name", "", setting.name)
        name = proper_name(random, NAMES)
        answer = f"Nice to meet you, {name}! What would you like to know about Alcove?"
        return Turn(random.choice(NAME_INTRODUCTIONS).format(name), answer, "their name", "", name)

    def turn(self, random: Random, setting: Setting, copying: float) -> Turn:
        kind = random.random()
        if setting.more and kind < 0.5:
            return Turn(self._varied(random, random.choice(MORE_QUESTIONS)), setting.more, "more of it")
        if setting.name and kind < 0.6:
            answer = f"Your name is {setting.name}."
            return Turn(self._varied(random, random.choice(NAME_QUESTIONS)), answer, "their name", "", setting.name)
        kind = random.random()
        if kind < copying:
            return self.copying_turn(random, setting)
        if kind < copying + 0.02 and not setting.more:
            return Turn(
                self._varied(random, random.choice(MORE_QUESTIONS)), self.nothing_yet.answer, self.nothing_yet.subject
            )
        return self.unknown_turn(random, setting) if random.random() < 0.2 else self.known_turn(random)

    def chat(self, random: Random, setting: Setting, turns: int, copying: float) -> Node:
        """A question, its answer and, under the answer as history, the remaining turns."""
        turn = self.turn(random, setting, copying)
        node = _question(turn.question)
        completion = prompts.reasoning(thoughts(setting.effort, turn.subject)) + START + prompts.answer(turn.answer)
        node.children.append(Node([(completion, 1.0)]))
        if turns > 1:
            shown = turn.answer
            if random.random() < 0.03:
                shown = " ".join(invented_word(random) for _ in range(random.randint(3, 30)))
            past = _past(shown)
            later = replace(setting, more=turn.more, name=turn.name or setting.name)
            past.children.append(self.chat(random, later, turns - 1, copying))
            node.children.append(past)
        return node

    def tool_chat(self, random: Random, setting: Setting) -> Node:
        """A question for a tool: the call under it and, under the call as history, the answer to the result."""
        exchange = random.choice(setting.tools).exchange(random)
        node = _question(
            self._varied(random, exchange.question) if '"' not in exchange.arguments else exchange.question
        )
        thought = prompts.reasoning(tool_thoughts(setting.effort, exchange.tool)) + START
        node.children.append(Node([(thought + prompts.call(exchange.tool, exchange.arguments), 1.0)]))
        past = Node([(past_exchange(exchange, thought if random.random() < 0.7 else ""), 0.0)])
        node.children.append(past)
        completion = prompts.reasoning(result_thoughts(setting.effort)) + START + prompts.answer(exchange.answer)
        past.children.append(Node([(completion, 1.0)]))
        if random.random() < 0.2:
            final = _past(exchange.answer)
            final.children.append(self.chat(random, setting, 1, 0.1))
            past.children.append(final)
        return node

    def tree(self, random: Random, size: int, copying: float) -> Node:
        """A conversation tree of about `size` tokens (at some four characters each) beyond its system message.

        `copying` is the share of turns whose answer has to be copied from the context.
        """
        setting = self.setting(random)
        root = Node([(setting.prompt(), 0.0)])
        room = size * 4
        while room > 0:
            if setting.tools and random.random() < 0.6:
                child = self.tool_chat(random, setting)
            else:
                child = self.chat(random, setting, random.choice((1, 1, 1, 1, 2, 2, 3)), copying)
            root.children.append(child)
            room -= _characters(child)
        return root

    def long_chat(self, random: Random) -> Node:
        """One chat of many turns, so that the guide keeps its head in a long conversation."""
        setting = replace(self.setting(random), tools=())
        root = Node([(setting.prompt(), 0.0)])
        root.children.append(self.chat(random, setting, random.randint(5, 9), 0.1))
        return root


def past_exchange(exchange: Exchange, thought: str) -> str:
    """After `START`: a call and its result as the prompt contains them, ready for the answer."""
    call = prompts.past_call(exchange.tool, exchange.arguments)
    return thought + call + prompts.result(exchange.tool, exchange.result) + START


def _question(text: str) -> Node:
    return Node([("<|start|>user<|message|>", 0.0), (text, QUESTION_WEIGHT), (f"<|end|>{START}", 0.0)])


def _past(answer: str) -> Node:
    return Node([("<|channel|>final<|message|>", 0.0), (answer, PAST_ANSWER_WEIGHT), ("<|end|>", 0.0)])


def _characters(node: Node) -> int:
    return sum(len(text) for text, _ in node.pieces) + sum(_characters(child) for child in node.children)
