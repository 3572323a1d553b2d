"""A stored conversation: messages in a tree, of which one path is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool
from app.domain.generation import Receipt


@dataclass(frozen=True, slots=True)
class MessageNode:
    """A message and its place in the tree.

    ``parent`` is None for a first message. Versions of a message are its siblings: nodes with the same parent, in
    the order of ``id``. ``created`` is seconds since the epoch. ``complete`` is False while an answer streams, and
    stays False when it was cut short by a crash.
    """

    id: int
    parent: int | None
    created: float
    message: Message
    complete: bool = True
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A line of the conversation list. Times are seconds since the epoch; ``date`` is the prompt's date."""

    id: int
    title: str
    created: float
    updated: float
    date: str
    effort: Effort = Effort.MEDIUM
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation with all its nodes; ``leaf`` is the last node of the shown path, None when it is empty."""

    info: ConversationInfo
    nodes: tuple[MessageNode, ...] = ()
    leaf: int | None = None

    def node(self, node_id: int) -> MessageNode:
        """The node with this id; KeyError when there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def path(self, leaf: int | None = None) -> tuple[MessageNode, ...]:
        """The nodes from the first message to ``leaf`` (default: the shown one)."""
        by_id = {node.id: node for node in self.nodes}
        step = self.leaf if leaf is None else leaf
        path: list[MessageNode] = []
        while step is not None:
            node = by_id[step]
            path.append(node)
            step = node.parent
        path.reverse()
        return tuple(path)

    def siblings(self, node_id: int) -> tuple[MessageNode, ...]:
        """All versions of a message, oldest first, itself among them."""
        parent = self.node(node_id).parent
        return tuple(sorted((n for n in self.nodes if n.parent == parent), key=lambda n: n.id))

    def newest_leaf(self, node_id: int) -> int:
        """The end of the path through ``node_id`` that follows the newest child at each step."""
        step = node_id
        while children := [n.id for n in self.nodes if n.parent == step]:
            step = max(children)
        return step

    def dialogue(self, leaf: int | None = None) -> Dialogue:
        """The prompt's view of the path to ``leaf``. An empty assistant turn (cut short) is left out."""
        return Dialogue(
            messages=spoken(node.message for node in self.path(leaf)),
            date=self.info.date,
            effort=self.info.effort,
            instructions=self.info.instructions,
            tools=self.info.tools,
        )


def spoken(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages that say something: an answer stopped before its first word has no place in a prompt."""
    return tuple(message for message in messages if _speaks(message))


def _speaks(message: Message) -> bool:
    return bool(message.role is not Role.ASSISTANT or message.content or message.commentary or message.tool_calls)


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far back the model looks in a path: to the node ``begins``.

    ``left_out`` messages before it are out of its sight; ``kept`` are the ids of those that are not.
    """

    begins: int
    left_out: int
    kept: tuple[int, ...] = ()


def horizon_at(path: Sequence[MessageNode], left_out: int, kept: Sequence[int]) -> Horizon | None:
    """The horizon of an answer whose prompt was made from ``path``, or its beginning; None when nothing was left out.

    ``left_out`` and ``kept`` are those of its `Usage`.
    """
    asked = [node.id for node in path if _speaks(node.message)]
    cut = left_out + len(kept)
    if not left_out or cut >= len(asked) or not all(0 <= place < cut for place in kept):
        return None
    return Horizon(asked[cut], left_out, tuple(asked[place] for place in kept))


def horizon(path: Sequence[MessageNode]) -> Horizon | None:
    """The horizon of the newest answer in a path whose prompt was read."""
    for node in reversed(path):
        if node.receipt is not None and node.receipt.usage.prompt_tokens:
            return horizon_at(path, node.receipt.usage.left_out, node.receipt.usage.kept)
    return None
