"""Ways to ask: question templates, everyday variation of a wording, and made-up questions without an answer."""

from __future__ import annotations

import re
from random import Random

from .topics import Topic, Unknown

THING_TEMPLATES = (
    "What is {}?",
    "What's {}?",
    "Explain {}",
    "Explain {} to me",
    "Tell me about {}",
    "What does {} mean?",
    "Can you explain {}?",
    "What do you know about {}?",
    "Please explain {}",
    "{}?",
    "What about {}?",
    "I want to know more about {}",
    "Define {}",
    "What is meant by {}?",
    "Could you tell me what {} is?",
    "What exactly is {}?",
    "Describe {}",
    "What is {} good for?",
)
ACTION_TEMPLATES = (
    "How do I {}?",
    "How can I {}?",
    "Can I {}?",
    "I want to {}",
    "Is it possible to {}?",
    "Where can I {}?",
    "Is there a way to {}?",
    "How to {}?",
    "Please help me {}",
    "How does one {}?",
    "I would like to {}",
    "What do I have to do to {}?",
    "Which key do I press to {}?",
    "I need to {}",
    "How could I {}?",
    "Show me how to {}",
    "Am I able to {}?",
    "What is the way to {}?",
)
# A settings question is not answered by a key, so that template is for topics whose answer names one.
KEY_TEMPLATE = "Which key do I press to {}?"

PREFIXES = (
    "Hi, ",
    "Hello, ",
    "Hey, ",
    "Please tell me: ",
    "Quick question: ",
    "One question: ",
    "Sorry, ",
    "Ok, ",
    "And ",
    "So, ",
    "Hi Alcove, ",
    "I have a question. ",
    "Next question: ",
    "I would like to know: ",
    "Just curious: ",
    "Now ",
    "Please ",
    "Can you tell me: ",
    "Well, ",
    "But ",
    "Thanks. ",
    "I wonder: ",
)
SUFFIXES = (" Please.", " Thanks!", " please", " Thank you!", "??", " I am new here.", "!", "...", " :)", " in Alcove?")
SWAPS = (
    ("answer", "reply"),
    ("answer", "response"),
    ("chat", "conversation"),
    ("chats", "conversations"),
    ("program", "app"),
    ("app", "program"),
    ("this program", "Alcove"),
    ("delete", "remove"),
    ("How do I", "How can I"),
    ("How can I", "How do I"),
    ("What is", "What's"),
    ("memory", "RAM"),
    ("RAM", "memory"),
    ("computer", "machine"),
    ("computer", "laptop"),
    ("big", "large"),
    ("license", "licence"),
    ("model", "variant"),
    ("use", "take"),
    ("Where is", "Where do I find"),
    ("Does Alcove", "Does it"),
    ("Can I", "May I"),
    ("change", "adjust"),
    ("internet", "network"),
    ("need", "require"),
    ("Do you", "Does Alcove"),
    ("explain", "describe"),
)


def normalise(question: str) -> str:
    """The wording without case, punctuation and spacing, to tell whether two questions are the same."""
    return " ".join(re.findall(r"[^\W_]+", question.lower()))


def written_out(topic: Topic) -> tuple[str, ...]:
    """All plain wordings of a topic: the written ones and the filled templates, without the held-back ones."""
    keys = "Press **" in topic.answer
    actions = [text for text in ACTION_TEMPLATES if keys or text != KEY_TEMPLATE]
    made = [template.format(thing) for thing in topic.things for template in THING_TEMPLATES]
    made += [template.format(action) for action in topic.actions for template in actions]
    held_back = {normalise(question) for question in topic.held_back}
    questions = dict.fromkeys((*topic.questions, *(text[0].upper() + text[1:] for text in made)))
    return tuple(question for question in questions if normalise(question) not in held_back)


def vary(random: Random, question: str) -> str:
    """The question as a person in a hurry types it: politeness, synonyms, case, missing marks, a typing error."""
    if random.random() < 0.25:
        old, new = random.choice(SWAPS)
        question = re.sub(rf"\b{re.escape(old)}\b", new, question, count=1)
    if random.random() < 0.25:
        prefix = random.choice(PREFIXES)
        keep = question.startswith(("I ", "Alcove")) or question[:2].isupper()
        question = prefix + (question if keep else question[0].lower() + question[1:])
    if random.random() < 0.12:
        question += random.choice(SUFFIXES)
    case = random.random()
    if case < 0.15:
        question = question.lower()
    elif case < 0.17:
        question = question.upper()
    if random.random() < 0.15:
        question = question.rstrip("?!.")
    if random.random() < 0.06 and len(question) > 6:
        at = random.randrange(1, len(question) - 2)
        left, one, two, right = question[:at], question[at], question[at + 1], question[at + 2 :]
        question = random.choice((left + two + right, left + two + one + right, left + one + one + two + right))
    return question


_ONSETS = (
    *("", "b", "br", "c", "ch", "d", "dr", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr", "r", "s"),
    *("sh", "st", "t", "th", "tr", "v", "w", "z"),
)
_NUCLEI = ("a", "e", "i", "o", "u", "ai", "ea", "ie", "oo", "y")
_CODAS = ("", "n", "r", "l", "s", "m", "t", "ck", "nd", "ng", "x")


def invented_word(random: Random) -> str:
    """A pronounceable word that means nothing, such as "drooshel"."""
    parts = [random.choice(_ONSETS) + random.choice(_NUCLEI) for _ in range(random.randint(1, 3))]
    return "".join(parts) + random.choice(_CODAS)


def unknown_question(random: Random, unknown: Unknown) -> str:
    """A question outside the guide's topics."""
    if random.random() < 0.35:
        return random.choice(unknown.questions)

    def word() -> str:
        return invented_word(random) if random.random() < 0.3 else random.choice(unknown.words)

    if random.random() < 0.04:
        return " ".join(word() for _ in range(random.randint(8, 40))).capitalize()
    return random.choice(unknown.templates).format(
        n=random.choice(unknown.subjects),
        m=random.choice(unknown.subjects),
        w=word(),
        v=word(),
        x=word(),
        i=random.randint(2, 99),
        j=random.randint(2, 99),
    )
