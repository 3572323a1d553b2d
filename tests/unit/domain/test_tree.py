"""The tree of a conversation: paths, versions, and what of it goes into a prompt."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Effort, Message, Role, Tool, ToolCall
from app.domain.generation import FinishReason, Receipt, Sampling, Timings, Usage
from app.domain.tree import Conversation, ConversationInfo, Horizon, MessageNode, horizon, horizon_at, spoken

INFO = ConversationInfo(7, "T", 1.0, 2.0, "2026-01-02", Effort.LOW, "Be kind.", (Tool("f"),), "Demo")


def node(node_id: int, parent: int | None, role: Role = Role.USER, content: str = "x") -> MessageNode:
    return MessageNode(node_id, parent, float(node_id), Message(role, content))


# 1 - 2 - 3 - 6        and another first message, 8
#   \ 4 - 5 - 7
TREE = Conversation(
    INFO,
    (
        node(1, None),
        node(2, 1, Role.ASSISTANT),
        node(3, 2),
        node(5, 4),
        node(4, 1, Role.ASSISTANT),
        node(6, 3, Role.ASSISTANT),
        node(7, 5, Role.ASSISTANT),
        node(8, None),
    ),
    leaf=6,
)


def ids(nodes: tuple[MessageNode, ...]) -> list[int]:
    return [n.id for n in nodes]


def test_a_node_is_found_by_its_id() -> None:
    assert TREE.node(5).parent == 4
    with pytest.raises(KeyError):
        TREE.node(99)


def test_the_shown_path_leads_to_the_leaf() -> None:
    assert ids(TREE.path()) == [1, 2, 3, 6]


def test_another_path_can_be_asked_for() -> None:
    assert ids(TREE.path(7)) == [1, 4, 5, 7]
    assert ids(TREE.path(8)) == [8]


def test_a_path_to_nowhere_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        TREE.path(99)


def test_an_empty_conversation_has_an_empty_path() -> None:
    assert Conversation(INFO).path() == ()
    assert Conversation(INFO).dialogue().messages == ()


@pytest.mark.parametrize(
    ("node_id", "versions"), [(1, [1, 8]), (8, [1, 8]), (2, [2, 4]), (4, [2, 4]), (3, [3]), (7, [7])]
)
def test_versions_share_a_parent(node_id: int, versions: list[int]) -> None:
    assert ids(TREE.siblings(node_id)) == versions


@pytest.mark.parametrize(("node_id", "leaf"), [(1, 7), (2, 6), (4, 7), (6, 6), (8, 8)])
def test_the_newest_leaf_follows_the_newest_children(node_id: int, leaf: int) -> None:
    assert TREE.newest_leaf(node_id) == leaf


def test_a_dialogue_is_a_path_in_its_frame() -> None:
    dialogue = TREE.dialogue(5)
    assert dialogue == Dialogue(
        tuple(n.message for n in TREE.path(5)), "2026-01-02", Effort.LOW, "Be kind.", (Tool("f"),)
    )
    assert TREE.dialogue().messages == tuple(n.message for n in TREE.path(6))


@pytest.mark.parametrize(
    ("message", "speaks"),
    [
        (Message(Role.USER, ""), True),
        (Message(Role.TOOL, "", name="f"), True),
        (Message(Role.ASSISTANT, "x"), True),
        (Message(Role.ASSISTANT, commentary="x"), True),
        (Message(Role.ASSISTANT, tool_calls=(ToolCall("f", ""),)), True),
        (Message(Role.ASSISTANT), False),
        (Message(Role.ASSISTANT, reasoning="x"), False),
    ],
)
def test_an_answer_stopped_before_its_first_word_is_left_out(message: Message, speaks: bool) -> None:
    assert spoken([message]) == ((message,) if speaks else ())


@given(st.lists(st.integers(0, 100), max_size=30))
def test_every_node_lies_on_its_own_path_and_leads_to_a_leaf(choices: list[int]) -> None:
    nodes: list[MessageNode] = []
    for index, choice in enumerate(choices):
        parent = choice % (index + 1) or None
        nodes.append(node(index + 1, parent))
    tree = Conversation(INFO, tuple(nodes))
    parents = {n.parent for n in nodes}
    for n in nodes:
        path = tree.path(n.id)
        assert path[0].parent is None
        assert path[-1] is n
        assert all(below.parent == above.id for above, below in itertools.pairwise(path))
        leaf = tree.newest_leaf(n.id)
        assert leaf not in parents
        assert n in tree.path(leaf)
        assert n in tree.siblings(n.id)


def answered(node_id: int, usage: Usage | None = None, content: str = "x") -> MessageNode:
    receipt = Receipt("m", "low", Sampling(), FinishReason.STOP, usage, Timings()) if usage is not None else None
    return MessageNode(node_id, node_id - 1, 0.0, Message(Role.ASSISTANT, content), receipt=receipt)


# 3 was stopped before its first word, so that no prompt has it.
LONG = (
    node(1, None),
    answered(2),
    answered(3, content=""),
    node(4, 3),
    answered(5),
    node(6, 5),
    answered(7),
    node(8, 7),
)


@pytest.mark.parametrize(
    ("left_out", "kept", "expected"),
    [
        (0, (), None),
        (0, (0,), None),
        (1, (0,), Horizon(4, 1, (1,))),
        (2, (0, 1), Horizon(6, 2, (1, 2))),
        (3, (1,), Horizon(6, 3, (2,))),
        (3, (0, 2), Horizon(7, 3, (1, 4))),
        (5, (0,), Horizon(8, 5, (1,))),
        (7, (0,), None),  # what no prompt of this path can have said
        (3, (9,), None),
        (3, (-1,), None),
    ],
)
def test_a_path_is_seen_from_its_horizon_on(left_out: int, kept: tuple[int, ...], expected: Horizon | None) -> None:
    assert horizon_at(LONG, left_out, kept) == expected


def test_the_newest_answer_that_was_read_for_tells_the_horizon() -> None:
    older, newer = Usage(100, left_out=1, kept=(0,)), Usage(100, left_out=3, kept=(0,))
    assert horizon(LONG) is None
    assert horizon((*LONG, answered(9, older))) == Horizon(4, 1, (1,))
    assert horizon((*LONG, answered(9, older), node(10, 9), answered(11, newer))) == Horizon(6, 3, (1,))
    # One that broke off before its prompt was made says nothing.
    assert horizon((*LONG, answered(9, older), node(10, 9), answered(11, Usage()))) == Horizon(4, 1, (1,))
    # A larger memory sees everything again.
    assert horizon((*LONG, answered(9, older), node(10, 9), answered(11, Usage(300)))) is None
