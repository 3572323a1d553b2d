"""Makes the entries that show a path of a conversation."""

from collections.abc import Callable, Iterable

from app.domain.conversation import Role
from app.domain.tree import MessageNode
from app.ui.transcript.entry import Entry

Versions = Callable[[int], tuple[int, ...]]
"""The ids of a message and its siblings, oldest first."""


def new_entry(node: MessageNode, versions: tuple[int, ...], streaming: bool, open_reasoning: bool) -> Entry:
    """A message that has not been shown; ``open_reasoning``: an answer's reasoning is open at first."""
    entry = Entry(node, versions, streaming=streaming)
    entry.open = open_reasoning and node.message.role is Role.ASSISTANT
    return entry


def path_entries(
    nodes: Iterable[MessageNode],
    versions: Versions | None,
    streaming: int | None,
    known: dict[int, Entry],
    open_reasoning: bool,
) -> list[Entry]:
    """One entry for each message; of the ``known`` ones those that would show the same are taken over.

    ``streaming`` is the id of the answer that is being written, if any.
    """
    entries: list[Entry] = []
    for node in nodes:
        siblings = versions(node.id) if versions is not None else (node.id,)
        old = known.get(node.id)
        if old is not None and old.node == node and not old.streaming and node.id != streaming:
            old.versions = siblings
            entries.append(old)
        else:
            entries.append(new_entry(node, siblings, node.id == streaming, open_reasoning))
    return entries
