"""The window on real services, a real store and the real demo model; its parts alone where only looks matter."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.domain.errors import UserError
from app.engine import child
from app.engine.client import EngineClient, Entry
from app.hub.library import Library
from app.resources import DEMO_MODEL
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.job_thread import JobThread
from app.services.model_service import ModelService
from app.services.payloads import Phase
from app.services.settings_service import SettingsService
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile
from app.ui.main_window import MainWindow
from app.ui.shell.style import shell_sheet
from app.ui.theme import Theme, apply_theme

ANSWER_MS = 30_000


@pytest.fixture
def theme(qapp: QApplication) -> Theme:
    """The light look at the usual size, put on the application."""
    theme = Theme.for_palette(dark=False)
    apply_theme(qapp, theme, shell_sheet(theme))
    return theme


@pytest.fixture
def paths(tmp_path: Path) -> ProfilePaths:
    """An empty profile."""
    paths = ProfilePaths.locate(tmp_path / "profile")
    paths.create()
    return paths


@pytest.fixture
def files(qapp: QApplication) -> Iterator[JobThread[None]]:
    """The thread that does small jobs on files."""
    bugs: list[UserError] = []
    thread = JobThread[None]("files", make=lambda: None, end=lambda _: None, unhandled=bugs.append)
    yield thread
    thread.close()
    assert not bugs


@pytest.fixture
def settings(paths: ProfilePaths, files: JobThread[None]) -> SettingsService:
    """Settings at their defaults."""
    file = SettingsFile(paths.settings_file)
    return SettingsService(file.load(), file, files)


@pytest.fixture
def models(paths: ProfilePaths, files: JobThread[None], settings: SettingsService) -> ModelService:
    """A library with the demo guide alone."""
    return ModelService(Library(paths.library_file, DEMO_MODEL), settings, files)


@pytest.fixture
def another_model(tmp_path: Path) -> Path:
    """A second model file that can be added."""
    return Path(shutil.copy(DEMO_MODEL, tmp_path / "another.gguf"))


@dataclass
class Program:
    """The window on its services."""

    qtbot: QtBot
    paths: ProfilePaths
    settings: SettingsService
    models: ModelService
    engine: EngineService
    chat: ChatService
    window: MainWindow
    problems: list[UserError]

    def wait_ready(self) -> None:
        """Wait until the chosen model is loaded."""

        def ready() -> bool:
            state = self.engine.state
            return state.phase is Phase.READY and state.model_name == self.models.current().name

        self.qtbot.waitUntil(ready, timeout=ANSWER_MS)

    def wait_answer(self, act: Callable[[], object]) -> None:
        """Do something that is answered, and wait for the end of the answer."""
        with self.qtbot.waitSignal(self.chat.answer_finished, timeout=ANSWER_MS):
            act()

    def ask(self, text: str) -> None:
        """Ask as a person does, and wait for the end of the answer."""
        self.wait_answer(lambda: self.window.type_and_send(text))

    def chat_id(self) -> int:
        """The shown chat's id."""
        current = self.chat.current()
        assert current is not None
        return current.info.id

    def titles(self) -> list[str]:
        """The titles in the list of chats, newest first."""
        return [info.title for info in self.chat.list.chats()]


Start = Callable[..., Program]


@pytest.fixture
def start(qtbot: QtBot, paths: ProfilePaths, settings: SettingsService, models: ModelService) -> Iterator[Start]:
    """Opens the window; ``entry`` is what runs in the engine child."""
    running: list[ChatService] = []

    def start(entry: Entry = child.run) -> Program:
        engine = EngineService(
            lambda graphics: EngineClient(paths.log_folder / "engine.log", entry=entry, graphics=graphics)
        )
        chat = ChatService(lambda: ChatStore(paths.chats_file), engine, models, settings)
        running.append(chat)
        window = MainWindow(chat, models, engine, settings)
        qtbot.addWidget(window)
        window.resize(1000, 700)
        window.show()
        program = Program(qtbot, paths, settings, models, engine, chat, window, [])
        chat.problem.connect(program.problems.append)
        with qtbot.waitSignal(chat.opened):
            chat.start()
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        return program

    yield start
    for chat in running:
        chat.close()


@pytest.fixture
def program(start: Start) -> Program:
    """The window on an empty profile, with the real engine."""
    return start()
