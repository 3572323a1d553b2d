"""An answer while it grows, as the UI thread knows it."""

from dataclasses import replace

from app.domain.conversation import Message, Role, ToolCall
from app.domain.generation import FinishReason, Receipt, Sampling
from app.domain.tree import Conversation, MessageNode
from app.services.engine_reports import Ended, TextGrew, ToolCallMade


class GrowingAnswer:
    """Collects the text of one node. ``version`` counts its changes, so that savers know what is new."""

    def __init__(self, conversation_id: int, node: MessageNode, model: str, effort: str, sampling: Sampling) -> None:
        self.conversation_id = conversation_id
        self.job_id: int | None = None
        self.version = 0
        self._node = node
        self._model = model
        self._effort = effort
        self._sampling = sampling
        self._reasoning: list[str] = []
        self._commentary: list[str] = []
        self._answer: list[str] = []
        self._tool_calls: list[ToolCall] = []

    @property
    def node_id(self) -> int:
        """The node that it fills."""
        return self._node.id

    @property
    def node(self) -> MessageNode:
        """The node with all that has come so far."""
        message = Message(
            Role.ASSISTANT,
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
        self._node = replace(self._node, complete=ended.reason is not FinishReason.ERROR, receipt=receipt)
        self.version += 1
        return self.node


def with_node(conversation: Conversation, node: MessageNode) -> Conversation:
    """A conversation with a node in the place of the one with its id."""
    return replace(conversation, nodes=tuple(node if other.id == node.id else other for other in conversation.nodes))
