"""Makes the golden prompts of the tests: what OpenAI's own harmony library renders conversation files to.

    TIKTOKEN_ENCODINGS_BASE=FOLDER python -m scripts.make_golden_prompts [--check]

FOLDER holds `o200k_base.tiktoken`, the published ranks of gpt-oss's vocabulary, which the library fetches otherwise.
Every `tests/golden/NAME.json`, a conversation file, gives a `NAME.txt`, with control tokens written as their names. The
one thing decided here is which reasoning counts: none from before the last user message, all of it after. `--check`
writes nothing and fails when a file differs. Nothing of Alcove is used: the tests compare two independent programs.
"""

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    HarmonyEncoding,
    HarmonyEncodingName,
    Message,
    ReasoningEffort,
    RenderConversationConfig,
    Role,
    SystemContent,
    ToolDescription,
    load_harmony_encoding,
)

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


@cache
def encoding() -> HarmonyEncoding:
    """The library's encoding of gpt-oss."""
    return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def reference_tokens(conversation: dict[str, Any]) -> list[int]:
    """The library's token ids of a conversation file's content, ready for the assistant's turn."""
    return encoding().render_conversation_for_completion(
        Conversation.from_messages(list(_messages(conversation))),
        Role.ASSISTANT,
        RenderConversationConfig(auto_drop_analysis=False),
    )


def reference_text(conversation: dict[str, Any]) -> str:
    """The same as text, with control tokens by their names."""
    return encoding().decode(reference_tokens(conversation))


def _messages(conversation: dict[str, Any]) -> Iterator[Message]:
    system = (
        SystemContent.new()
        .with_conversation_start_date(conversation["date"])
        .with_reasoning_effort(ReasoningEffort(conversation.get("effort", "medium").capitalize()))
    )
    yield Message.from_role_and_content(Role.SYSTEM, system)
    if conversation.get("instructions") or conversation.get("tools"):
        yield Message.from_role_and_content(Role.DEVELOPER, _developer(conversation))
    messages = conversation["messages"]
    last_question = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=-1)
    for index, message in enumerate(messages):
        if message["role"] == "user":
            yield Message.from_role_and_content(Role.USER, message["content"])
        elif message["role"] == "tool":
            author = Author.new(Role.TOOL, f"functions.{message['name']}")
            result = Message.from_author_and_content(author, message["content"])
            yield result.with_channel("commentary").with_recipient("assistant")
        else:
            yield from _answer(message, with_reasoning=index > last_question)


def _developer(conversation: dict[str, Any]) -> DeveloperContent:
    developer = DeveloperContent.new()
    if conversation.get("instructions"):
        developer = developer.with_instructions(conversation["instructions"])
    if conversation.get("tools"):
        developer = developer.with_function_tools(
            [
                ToolDescription.new(tool["name"], tool.get("description", ""), parameters=tool.get("parameters"))
                for tool in conversation["tools"]
            ]
        )
    return developer


def _answer(message: dict[str, Any], *, with_reasoning: bool) -> Iterator[Message]:
    if message.get("reasoning") and with_reasoning:
        yield Message.from_role_and_content(Role.ASSISTANT, message["reasoning"]).with_channel("analysis")
    if message.get("commentary"):
        yield Message.from_role_and_content(Role.ASSISTANT, message["commentary"]).with_channel("commentary")
    for call in message.get("tool_calls", ()):
        yield (
            Message.from_role_and_content(Role.ASSISTANT, call["arguments"])
            .with_channel("commentary")
            .with_recipient(f"functions.{call['name']}")
            .with_content_type("<|constrain|>json")
        )
    if message.get("content"):
        yield Message.from_role_and_content(Role.ASSISTANT, message["content"]).with_channel("final")


def main(arguments: list[str]) -> int:
    """Write or check every golden prompt; the exit status."""
    different = 0
    for source in sorted(GOLDEN.glob("*.json")):
        text = reference_text(json.loads(source.read_text(encoding="utf-8")))
        target = source.with_suffix(".txt")
        if target.exists() and target.read_bytes() == text.encode():
            continue
        different += 1
        print(f"{target.name} is {'different' if '--check' in arguments else 'written'}")
        if "--check" not in arguments:
            target.write_bytes(text.encode())
    return 1 if different and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
