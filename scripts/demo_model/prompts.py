"""Harmony as text with control tokens, spelled as OpenAI's `openai-harmony` package spells it.

The tokenizer reads control-token names in these strings as control tokens; corpus text never contains one.
"""

from __future__ import annotations

from typing import Literal

Effort = Literal["low", "medium", "high"]
EFFORTS: tuple[Effort, ...] = ("low", "medium", "high")

START = "<|start|>assistant"


def system(effort: Effort, date: str, tools: bool) -> str:
    calls = "\nCalls to these tools must go to the commentary channel: 'functions'." if tools else ""
    return (
        "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        f"Knowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: {effort}\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message."
        f"{calls}<|end|>"
    )


def developer(instructions: str, declarations: tuple[str, ...]) -> str:
    """The developer message; empty when there is nothing to say. `declarations` are TypeScript type declarations."""
    parts: list[str] = []
    if instructions:
        parts.append(f"# Instructions\n\n{instructions}")
    if declarations:
        body = "".join(f"{declaration}\n\n" for declaration in declarations)
        parts.append(f"# Tools\n\n## functions\n\nnamespace functions {{\n\n{body}}} // namespace functions")
    text = "\n\n".join(parts)
    return f"<|start|>developer<|message|>{text}<|end|>" if parts else ""


def user(text: str) -> str:
    return f"<|start|>user<|message|>{text}<|end|>"


def reasoning(text: str) -> str:
    """After `START`: the model's thoughts."""
    return f"<|channel|>analysis<|message|>{text}<|end|>"


def answer(text: str) -> str:
    """After `START`: a finished answer as the model writes it."""
    return f"<|channel|>final<|message|>{text}<|return|>"


def past_answer(text: str) -> str:
    """After `START`: an answer of an earlier turn as a prompt contains it."""
    return f"<|channel|>final<|message|>{text}<|end|>"


def call(name: str, arguments: str) -> str:
    """After `START`: a tool call as the model writes it."""
    return f"<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{arguments}<|call|>"


def past_call(name: str, arguments: str) -> str:
    """After `START`: a tool call as a prompt contains it."""
    return f" to=functions.{name}<|channel|>commentary <|constrain|>json<|message|>{arguments}<|call|>"


def result(name: str, text: str) -> str:
    return f"<|start|>functions.{name} to=assistant<|channel|>commentary<|message|>{text}<|end|>"
