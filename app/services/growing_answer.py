"""An answer while it grows, as the UI thread knows it."""

from dataclasses import replace

from app.domain.conversation import Message, ToolCall
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Receipt, Sampling
from app.domain.tree import Conversation, MessageNode
from app.services.engine_reports import Ended, PromptMade, TextGrew, ToolCallMade

# Ends of an answer that the engine is to blame for: with a new one it goes on.
_BREAKS_OFF = frozenset(
    {
        ErrorCode.ENGINE_DIED,
        ErrorCode.ENGINE_HUNG,
        ErrorCode.ENGINE_OUT_OF_MEMORY,
        ErrorCode.ENGINE_GARBAGE,
        ErrorCode.ENGINE_START_FAILED,
        ErrorCode.DECODE_FAILED,
        ErrorCode.OUT_OF_MEMORY,
    }
)
_HALF_CHARACTER = "\ufffd"  # what the parser makes of bytes that never became a character


class GrowingAnswer:
    """Collects the text of one node. ``version`` counts its changes, so that savers know what is new.

    ``prompt`` is known once it is made.

    What the node has already is gone on with: it was cut short, and its receipt counts for the whole.
    """

    def __init__(self, conversation_id: int, node: MessageNode, model: str, effort: str, sampling: Sampling) -> None:
        self.conversation_id = conversation_id
        self.job_id: int | None = None
        self.prompt: PromptMade | None = None
        self.version = 0
        self._node = replace(node, complete=False, receipt=None)
        self._before = node.receipt
        self._model = model
        self._effort = effort
        self._sampling = sampling
        self._reasoning = [node.message.reasoning]
        self._commentary = [node.message.commentary]
        self._answer = [node.message.content]
        self._tool_calls: list[ToolCall] = [*node.message.tool_calls]

    @property
    def node_id(self) -> int:
        """The node that it fills."""
        return self._node.id

    @property
    def node(self) -> MessageNode:
        """The node with all that has come so far."""
        message = replace(
            self._node.message,
            content="".join(self._answer),
            reasoning="".join(self._reasoning),
            commentary="".join(self._commentary),
            tool_calls=tuple(self._tool_calls),
        )
        return replace(self._node, message=message)

    def grow(self, text: TextGrew) -> None:
        """Take new text."""
        self._reasoning.append(text.reasoning)
        self._commentary.append(text.commentary)
        self._answer.append(text.answer)
        self.version += 1

    def call(self, made: ToolCallMade) -> None:
        """Take a tool call."""
        self._tool_calls.append(ToolCall(made.name, made.arguments))
        self.version += 1

    def end(self, ended: Ended) -> MessageNode:
        """Take the end. One that came by an error stays incomplete."""
        receipt = Receipt(
            model=self._model,
            effort=self._effort,
            sampling=self._sampling,
            finish_reason=ended.reason,
            usage=ended.usage,
            timings=ended.timings,
            reasoning_s=ended.reasoning_s,
        )
        if self._before is not None:
            receipt = _together(self._before, receipt)
        self._node = replace(self._node, complete=ended.reason is not FinishReason.ERROR, receipt=receipt)
        self.version += 1
        return self.node


def cut_answer(node: MessageNode) -> MessageNode:
    """An answer that was cut short, as it is gone on with: half a character at its end is forgotten."""
    message = node.message
    whole = replace(
        message,
        content=message.content.removesuffix(_HALF_CHARACTER),
        commentary=message.commentary.removesuffix(_HALF_CHARACTER),
        reasoning=message.reasoning.removesuffix(_HALF_CHARACTER),
    )
    return replace(node, message=whole)


def has_begun(message: Message) -> bool:
    """Whether anything was said that can be gone on with."""
    return bool(message.content or message.reasoning or message.commentary or message.tool_calls)


def _together(before: Receipt, after: Receipt) -> Receipt:
    """The receipt of an answer that was made in two goes."""
    completion = before.usage.completion_tokens + after.usage.completion_tokens
    timings = replace(
        after.timings,
        prefill_s=before.timings.prefill_s + after.timings.prefill_s,
        first_token_s=before.timings.first_token_s or after.timings.first_token_s,
        decode_s=before.timings.decode_s + after.timings.decode_s,
    )
    return replace(
        after,
        usage=replace(after.usage, completion_tokens=completion),
        timings=timings,
        reasoning_s=before.reasoning_s + after.reasoning_s,
    )


def breaks_off(error: UserError) -> bool:
    """Whether an answer that ended like this can be gone on with, once the engine runs again."""
    return error.code in _BREAKS_OFF


def with_node(conversation: Conversation, node: MessageNode) -> Conversation:
    """A conversation with a node in the place of the one with its id."""
    return replace(conversation, nodes=tuple(node if other.id == node.id else other for other in conversation.nodes))
