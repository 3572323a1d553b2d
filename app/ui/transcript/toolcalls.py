"""A tool call as a block: its name as the title, its arguments as code."""

import json

from app.domain.conversation import ToolCall
from app.ui.transcript.blocks import Block, BlockKind


def call_blocks(calls: tuple[ToolCall, ...]) -> tuple[Block, ...]:
    """One block for each call."""
    return tuple(
        Block(BlockKind.CODE, code=readable(call.arguments), language="json", label=call.name, source=call.arguments)
        for call in calls
    )


def readable(arguments: str) -> str:
    """Arguments with line breaks where they are JSON, otherwise as the model wrote them."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
    short = json.dumps(value, ensure_ascii=False)
    return short if len(short) <= 60 else json.dumps(value, ensure_ascii=False, indent=2)
