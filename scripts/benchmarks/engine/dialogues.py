"""Dialogues of a chosen length in tokens.

The words are noise of a fixed seed: what a model reads costs the same whatever it says. Lengths come from the engine's
own rendering, so they hold for any vocabulary.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from random import Random

from app.domain.conversation import Dialogue, Message, Role

Count = Callable[[Dialogue], int]
"""Gives the length of a dialogue's prompt in tokens."""

DATE = "2026-01-01"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
TURN_TOKENS = 400
SLACK = 4
"""How many tokens a sized text may be off, where the vocabulary allows no better."""


def words(seed: str, characters: int) -> str:
    """Lower-case words of one to nine letters."""
    random = Random(seed)
    parts: list[str] = []
    length = 0
    while length <= characters:
        word = "".join(random.choices(LETTERS, k=random.randint(1, 9)))
        parts.append(word)
        length += len(word) + 1
    return " ".join(parts)[:characters]


def sized(count: Count, make: Callable[[str], Dialogue], tokens: int, seed: str) -> Dialogue:
    """``make`` of a text with which the prompt has this many tokens. Raises ValueError when it has more without any."""
    if count(make("")) > tokens:
        raise ValueError(f"a prompt of {tokens} tokens is too short for what surrounds the text")
    characters = 16
    while count(make(words(seed, characters))) < tokens:
        characters *= 2
    text = words(seed, characters)
    low, high = 0, characters  # the shortest beginning that is long enough lies in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        if count(make(text[:middle])) < tokens:
            low = middle
        else:
            high = middle
    dialogue = make(text[:high])
    if count(dialogue) - tokens > SLACK:
        raise ValueError(f"no text gives a prompt of {tokens} tokens")
    return dialogue


def opening(count: Count, tokens: int, seed: str, date: str = DATE) -> Dialogue:
    """A first message, long enough that the prompt has this many tokens. It differs from the first word on, and with
    another ``date`` before that.
    """
    return sized(count, lambda text: Dialogue((Message(Role.USER, text),), date=date), tokens, seed)


def day(number: int) -> str:
    """A date for each number: prompts of different dates share next to nothing."""
    return (datetime.date(2026, 1, 1) + datetime.timedelta(days=number)).isoformat()


def history(count: Count, tokens: int, seed: str) -> Dialogue:
    """A chat of many turns that ends with the user's word, its prompt of this many tokens."""
    messages: list[Message] = []
    dialogue = Dialogue((Message(Role.USER, words(seed, TURN_TOKENS)),), date=DATE)
    turn = 0
    while count(dialogue) + 3 * TURN_TOKENS < tokens:
        turn += 1
        answer = Message(Role.ASSISTANT, words(f"{seed} answer {turn}", TURN_TOKENS))
        messages = [*dialogue.messages, answer, Message(Role.USER, words(f"{seed} {turn}", TURN_TOKENS))]
        dialogue = replace(dialogue, messages=tuple(messages))
    before = dialogue.messages[:-1]

    def ending(text: str) -> Dialogue:
        return replace(dialogue, messages=(*before, Message(Role.USER, text)))

    return sized(count, ending, tokens, f"{seed} last")


def answering(count: Count, dialogue: Dialogue, reasoning: int, answer: int, seed: str) -> Dialogue:
    """The dialogue with an answer of so many tokens, after so many of reasoning."""
    length = count(dialogue)

    def thinking(text: str) -> Dialogue:
        return replace(dialogue, messages=(*dialogue.messages, Message(Role.ASSISTANT, "", reasoning=text)))

    thought = sized(count, thinking, length + reasoning, f"{seed} reasoning") if reasoning else thinking("")
    length = count(thought)
    reasons = thought.messages[-1].reasoning

    def answered(text: str) -> Dialogue:
        return replace(dialogue, messages=(*dialogue.messages, Message(Role.ASSISTANT, text, reasoning=reasons)))

    return sized(count, answered, length + answer, f"{seed} answer")


def next_turn(count: Count, dialogue: Dialogue, tokens: int, seed: str) -> Dialogue:
    """The dialogue with one more message of the user, of so many tokens with what frames it."""

    def asking(text: str) -> Dialogue:
        return replace(dialogue, messages=(*dialogue.messages, Message(Role.USER, text)))

    return sized(count, asking, count(asking("")) + tokens, seed)
