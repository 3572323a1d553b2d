"""Which versions a message has, found once per shown path."""

from app.domain.tree import Conversation, MessageNode


class VersionMap:
    """The siblings of every node of a conversation; it grows with the nodes that are added."""

    def __init__(self, conversation: Conversation | None = None) -> None:
        self._parent: dict[int, int | None] = {}
        self._children: dict[int | None, tuple[int, ...]] = {}
        if conversation is not None:
            for node in sorted(conversation.nodes, key=lambda n: n.id):
                self.add(node)

    def add(self, node: MessageNode) -> None:
        """Take in a node; one that is known already changes nothing."""
        if node.id not in self._parent:
            self._parent[node.id] = node.parent
            self._children[node.parent] = (*self._children.get(node.parent, ()), node.id)

    def of(self, node_id: int) -> tuple[int, ...]:
        """The versions of a message, oldest first, itself among them."""
        if node_id not in self._parent:
            return (node_id,)
        return self._children[self._parent[node_id]]
