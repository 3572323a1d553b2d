"""What the demo guide knows (TOML files beside this module), read into frozen values."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
KNOWN_FILES = ("talk.toml", "program.toml", "settings.toml", "models.toml")

FALLBACK = (
    "I am only the demo guide built into Alcove and cannot answer that. For real answers, add **gpt-oss-20b**: "
    "download `gpt-oss-20b-mxfp4.gguf` from Hugging Face, open **Models** and press **Add a GGUF file...**"
)


@dataclass(frozen=True, slots=True)
class Topic:
    """One answer and the ways to ask for it.

    `questions` are written wordings used in training; `held_back` ones are for the evaluation alone. `things` ("dark
    mode") and `actions` ("turn on dark mode") fill the question templates; `more` answers "Tell me more" afterwards.
    """

    name: str
    subject: str
    answer: str
    questions: tuple[str, ...]
    held_back: tuple[str, ...]
    things: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    more: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Questions without an answer: written ones, held-back ones, and the parts to make more from."""

    questions: tuple[str, ...]
    held_back: tuple[str, ...]
    subjects: tuple[str, ...]
    words: tuple[str, ...]
    templates: tuple[str, ...]


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


def _choices(text: str) -> tuple[str, ...]:
    return tuple(text.strip().split("|"))


def load_topics() -> tuple[Topic, ...]:
    topics: list[Topic] = []
    for file in KNOWN_FILES:
        for name, table in tomllib.loads((FOLDER / file).read_text(encoding="utf-8")).items():
            topics.append(
                Topic(
                    name,
                    table["subject"],
                    table["answer"].strip(),
                    _lines(table["questions"]),
                    _lines(table["held_back"]),
                    tuple(table.get("things", ())),
                    tuple(table.get("actions", ())),
                    table.get("more", ""),
                )
            )
    return tuple(topics)


def load_unknown() -> Unknown:
    table = tomllib.loads((FOLDER / "unknown.toml").read_text(encoding="utf-8"))
    return Unknown(
        _lines(table["questions"]),
        _lines(table["held_back"]),
        _choices(table["subjects"]),
        _choices(table["words"]),
        _lines(table["templates"]),
    )
