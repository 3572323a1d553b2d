"""The chat store against a model of it in plain dictionaries, through any sequence of calls."""

import shutil
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, precondition, rule

from app.domain.conversation import Effort, Message, Role, ToolCall
from app.domain.tree import Conversation, MessageNode
from app.store.chats import ChatStore

texts = st.text(st.characters(codec="utf-8"), max_size=20)
messages = st.builds(
    Message,
    role=st.sampled_from(Role),
    content=texts,
    reasoning=texts,
    commentary=texts,
    tool_calls=st.lists(st.builds(ToolCall, texts, texts), max_size=2).map(tuple),
    name=texts,
    pinned=st.booleans(),
)


class ChatsMachine(RuleBasedStateMachine):
    """Every rule does the same to the store and to the model; after each, both must look the same."""

    conversations = Bundle("conversations")
    nodes = Bundle("nodes")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="alcove-chats-"))
        self.ticks = count(1)
        self.now = 0.0
        self.shown: dict[int, Conversation] = {}
        self.hidden: dict[int, Conversation] = {}
        self.drafts: dict[int | None, str] = {}
        self.store = self.opened()

    def opened(self) -> ChatStore:
        return ChatStore(self.folder / "chats.sqlite3", clock=self.clock)

    def clock(self) -> float:
        self.now = float(next(self.ticks))
        return self.now

    @rule(target=conversations, title=texts, instructions=texts, effort=st.sampled_from(Effort))
    def create(self, title: str, instructions: str, effort: Effort) -> int:
        info = self.store.create(date="2026-11-23", effort=effort, instructions=instructions, model="m", title=title)
        assert (info.title, info.instructions, info.effort) == (title, instructions, effort)
        assert info.id not in self.shown | self.hidden
        self.shown[info.id] = Conversation(info)
        return info.id

    @rule(target=nodes, conversation=conversations, message=messages, data=st.data(), complete=st.booleans())
    def append(self, conversation: int, message: Message, data: st.DataObject, complete: bool) -> object:
        if conversation not in self.shown:
            return multiple()
        before = self.shown[conversation]
        parent = data.draw(st.sampled_from([None, *(node.id for node in before.nodes)]))
        node = self.store.append(conversation, parent, message, complete=complete)
        assert node == MessageNode(node.id, parent, self.now, message, complete)
        info = replace(before.info, updated=self.now)
        self.shown[conversation] = Conversation(info, (*before.nodes, node), node.id)
        return (conversation, node.id)

    @rule(node=nodes, message=messages, complete=st.booleans())
    def save_answer(self, node: tuple[int, int], message: Message, complete: bool) -> None:
        conversation, node_id = node
        home = self.shown if conversation in self.shown else self.hidden
        if conversation not in home:
            return
        saved = self.store.save_answer(node_id, message, complete=complete)
        before = home[conversation]
        old = before.node(node_id)
        # The role of a message is for life, and an answer that grows does not know that it is pinned.
        same = replace(message, role=old.message.role, pinned=old.message.pinned)
        new = replace(old, message=same, complete=complete)
        assert saved == new
        info = replace(before.info, updated=self.now) if complete else before.info
        nodes = tuple(new if other.id == node_id else other for other in before.nodes)
        home[conversation] = Conversation(info, nodes, before.leaf)

    @rule(node=nodes, pinned=st.booleans())
    def pin(self, node: tuple[int, int], pinned: bool) -> None:
        conversation, node_id = node
        if conversation in self.shown:
            saved = self.store.pin(node_id, pinned)
            before = self.shown[conversation]
            old = before.node(node_id)
            new = replace(old, message=replace(old.message, pinned=pinned))
            assert saved == new
            nodes = tuple(new if other.id == node_id else other for other in before.nodes)
            self.shown[conversation] = replace(before, nodes=nodes)

    @rule(node=nodes)
    def select_leaf(self, node: tuple[int, int]) -> None:
        conversation, node_id = node
        if conversation in self.shown:
            self.store.select_leaf(conversation, node_id)
            self.shown[conversation] = replace(self.shown[conversation], leaf=node_id)

    @rule(conversation=conversations, title=texts, effort=st.none() | st.sampled_from(Effort))
    def update(self, conversation: int, title: str, effort: Effort | None) -> None:
        if conversation in self.shown:
            info = self.store.update(conversation, title=title, effort=effort)
            before = self.shown[conversation]
            assert info == replace(before.info, title=title, effort=effort or before.info.effort)
            self.shown[conversation] = replace(before, info=info)

    @rule(conversation=conversations)
    def delete(self, conversation: int) -> None:
        if conversation in self.shown:
            self.store.delete(conversation)
            self.hidden[conversation] = self.shown.pop(conversation)

    @rule(conversation=conversations)
    def restore(self, conversation: int) -> None:
        if conversation in self.hidden:
            self.shown[conversation] = self.hidden.pop(conversation)
            assert self.store.restore(conversation) == self.shown[conversation].info

    @precondition(lambda self: self.hidden)
    @rule()
    def purge(self) -> None:
        assert self.store.purge_deleted() == len(self.hidden)
        for conversation in self.hidden:
            self.drafts.pop(conversation, None)
        self.hidden.clear()

    @rule(conversation=st.none() | conversations, text=texts)
    def save_draft(self, conversation: int | None, text: str) -> None:
        self.store.save_draft(conversation, text)
        if conversation is None or conversation in self.shown | self.hidden:
            self.drafts[conversation] = text

    @rule(conversation=consumes(conversations))
    def forget_and_reopen(self, conversation: int) -> None:
        """The bundle forgets one, so that others are drawn; what is stored must survive closing."""
        self.store.close()
        self.store = self.opened()
        assert self.store.problems == ()

    @invariant()
    def looks_the_same(self) -> None:
        listed = sorted(self.shown.values(), key=lambda c: (c.info.updated, c.info.id), reverse=True)
        assert self.store.conversations() == tuple(conversation.info for conversation in listed)
        for number, conversation in self.shown.items():
            assert self.store.conversation(number) == conversation
        for number, text in self.drafts.items():
            assert self.store.draft(number) == text

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestChats = ChatsMachine.TestCase
TestChats.settings = settings(max_examples=25, stateful_step_count=30)
