"""The services as the program puts them together, on a profile of their own, with the real store and engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.domain.errors import UserError
from app.domain.generation import FinishReason
from app.domain.tree import Conversation, MessageNode
from app.engine import child
from app.engine.client import EngineClient, Entry
from app.engine.plan_memory import PlanMemory
from app.hub.library import Library
from app.resources import DEMO_MODEL
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.job_thread import JobThread
from app.services.model_service import ModelService
from app.services.payloads import EngineState, Phase
from app.services.settings_service import SettingsService
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile

ANSWER_MS = 60_000


@pytest.fixture
def paths(tmp_path: Path) -> ProfilePaths:
    """An empty profile."""
    paths = ProfilePaths.locate(tmp_path / "profile")
    paths.create()
    return paths


@pytest.fixture
def problems() -> list[UserError]:
    """What the files' thread had to complain about."""
    return []


@pytest.fixture
def files(qapp: object, problems: list[UserError]) -> Iterator[JobThread[None]]:
    """The thread that does small jobs on files."""
    thread = JobThread[None]("files", make=lambda: None, end=lambda _: None, unhandled=problems.append)
    yield thread
    thread.close()


@pytest.fixture
def settings(paths: ProfilePaths, files: JobThread[None]) -> SettingsService:
    """Settings at their defaults."""
    file = SettingsFile(paths.settings_file)
    return SettingsService(file.load(), file, files)


@pytest.fixture
def models(paths: ProfilePaths, files: JobThread[None], settings: SettingsService) -> ModelService:
    """A library with the demo guide alone."""
    return ModelService(Library(paths.library_file, DEMO_MODEL), settings, files)


def arguments(blocker: Any) -> list[Any]:
    """What came with the signal that was waited for."""
    assert blocker.args is not None
    return blocker.args


def reason(node: MessageNode) -> FinishReason:
    """How an answer ended."""
    assert node.receipt is not None
    return node.receipt.finish_reason


@dataclass
class Program:
    """Services that run together, and what they said."""

    qtbot: QtBot
    paths: ProfilePaths
    settings: SettingsService
    models: ModelService
    engine: EngineService
    chat: ChatService
    problems: list[UserError]
    states: list[EngineState]
    children: int = 0
    """How many engine children there were."""

    def ask(self, text: str) -> MessageNode:
        """Send a message and wait for the end of the answer."""
        with self.qtbot.waitSignal(self.chat.answer_finished, timeout=ANSWER_MS) as finished:
            self.chat.send(text)
        return arguments(finished)[0]

    def begin(self, text: str) -> int:
        """Send a message and wait for the first text of the answer; its node."""
        with self.qtbot.waitSignal(self.chat.answer_grew, timeout=ANSWER_MS) as grew:
            self.chat.send(text)
        return arguments(grew)[0].node_id

    def wait_ready(self) -> None:
        """Wait until the model is loaded."""
        self.qtbot.waitUntil(lambda: self.engine.state.phase is Phase.READY, timeout=ANSWER_MS)

    def show(self, conversation_id: int | None) -> Conversation | None:
        """Show another chat and wait until it is there."""
        with self.qtbot.waitSignal(self.chat.opened) as opened:
            if conversation_id is None:
                self.chat.new_chat()
            else:
                self.chat.open(conversation_id)
        return arguments(opened)[0]

    def chat_id(self) -> int:
        """The shown chat's id."""
        current = self.chat.current()
        assert current is not None
        return current.info.id

    def path(self) -> tuple[MessageNode, ...]:
        """The shown path."""
        current = self.chat.current()
        return () if current is None else current.path()

    def stored(self, conversation_id: int = 1) -> Conversation:
        """A chat as it stands on the disk, once the services are closed."""
        store = ChatStore(self.paths.chats_file)
        try:
            return store.conversation(conversation_id)
        finally:
            store.close()


Start = Callable[..., Program]


@pytest.fixture
def start(qtbot: QtBot, paths: ProfilePaths, settings: SettingsService, models: ModelService) -> Iterator[Start]:
    """Starts services; ``entry`` runs in the engine child, ``open_store`` makes the store, which ``opens`` or not."""
    running: list[ChatService] = []

    def start(
        entry: Entry = child.run, open_store: Callable[[], ChatStore] | None = None, *, opens: bool = True
    ) -> Program:
        def make_client(graphics: bool) -> EngineClient:
            program.children += 1
            return EngineClient(paths.log_folder / "engine.log", entry=entry, graphics=graphics)

        engine = EngineService(make_client, PlanMemory(paths.load_plans_file))
        chat = ChatService(open_store or (lambda: ChatStore(paths.chats_file)), engine, models, settings)
        running.append(chat)
        program = Program(qtbot, paths, settings, models, engine, chat, [], [])
        chat.problem.connect(program.problems.append)
        chat.broken_off.connect(lambda error, _: program.problems.append(error))
        engine.state_changed.connect(program.states.append)
        if opens:
            with qtbot.waitSignal(chat.opened):
                chat.start()
        else:
            chat.start()
        return program

    yield start
    for chat in running:
        chat.close()
