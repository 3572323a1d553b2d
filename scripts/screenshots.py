"""Takes the pictures in docs/screenshots: the real window, off screen, with the real demo model's answers.

.venv/bin/python scripts/screenshots.py [--only NAME] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PySide6.QtCore import QCoreApplication, QEvent, QEventLoop, QLocale, QTimer
from PySide6.QtGui import QCursor, QImageWriter
from PySide6.QtWidgets import QApplication

from app.domain.conversation import Effort
from app.domain.settings import SHOW_REASONING, TEMPERATURE, TEXT_SIZE, THEME
from app.engine import child
from app.engine.child import ChildOptions
from app.engine.client import EngineClient
from app.engine.frames import PipeEnd
from app.hub.library import Library
from app.resources import DEMO_MODEL
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.job_thread import JobThread
from app.services.model_service import ModelService
from app.services.payloads import AnswerGrowth, Phase
from app.services.settings_service import SettingsService
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile
from app.ui.main_window import MainWindow
from app.ui.shell.rail import Pane

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "screenshots"
USUAL = (1120, 760)
TALL = (1120, 1010)  # a whole table and a whole piece of code
DAY = 86_400
PATIENCE_MS = 60_000
TOKEN_S = 0.004  # the demo model is so fast that the middle of an answer would be missed

# What was asked before: days ago, question.
EARLIER = (
    (40, "How do I get gpt-oss-20b?"),
    (5, "What is temperature?"),
    (4, "Can I use Alcove in a terminal?"),
    (1, "What is reasoning effort?"),
    (1, "Which model fits 16 GB?"),
    (0, "Is it private?"),
)


def unhurried(requests: PipeEnd, events: PipeEnd, options: ChildOptions) -> None:
    """The real engine child, which takes a moment for each token."""
    from app.engine.llama.context import LlamaContext

    decode = LlamaContext.decode

    def decode_slowly(self: LlamaContext, token: int) -> None:
        time.sleep(TOKEN_S)
        decode(self, token)

    LlamaContext.decode = decode_slowly  # type: ignore[method-assign]
    child.run(requests, events, options)


@dataclass
class Studio:
    """The window and what it stands on."""

    window: MainWindow
    chat: ChatService
    models: ModelService
    settings: SettingsService
    engine: EngineService
    days_ago: list[float]
    folder: Path
    only: str

    def look(self, *, dark: bool = False, text_size: int = 100, size: tuple[int, int] = USUAL) -> None:
        """Theme, text size and window size for the next pictures."""
        self.settings.set_value(THEME.key, "dark" if dark else "light")
        self.settings.set_value(TEXT_SIZE.key, text_size)
        self.window.resize(*size)

    def take(self, name: str, *, at_once: bool = False) -> None:
        """Save what the window shows; ``at_once``: it is on its way."""
        if self.only and self.only not in name:
            return
        if not at_once:
            settle()
        target = self.folder / f"{name}.png"
        writer = QImageWriter(str(target))
        writer.setQuality(0)  # the smallest PNG, not the worst
        picture = self.window.grab().toImage()
        writer.write(picture.convertToFormat(picture.Format.Format_RGB888))
        print(f"{target.name:32} {target.stat().st_size / 1000:6.0f} KB")

    def ask(self, text: str, until: Callable[[AnswerGrowth], bool] | None = None) -> None:
        """Ask as a person does; wait for the end of the answer, or for the moment that ``until`` picks."""
        loop = QEventLoop()
        if until is None:
            self.chat.answer_finished.connect(loop.quit)
        else:
            self.chat.answer_grew.connect(lambda growth: loop.quit() if until(growth) else None)
        QTimer.singleShot(PATIENCE_MS, loop, loop.quit)
        self.window.type_and_send(text)
        loop.exec()

    def show_chat(self, title: str) -> None:
        """Show the chat of that title."""
        found = next(info for info in self.chat.list.chats() if info.title == title)
        if (current := self.chat.current()) is not None and current.info.id == found.id:
            return
        wait_for(self.chat.opened, lambda: self.chat.open(found.id))

    def new_chat(self) -> None:
        """Show a fresh chat."""
        wait_for(self.chat.opened, self.chat.new_chat)


def wait_for(signal: object, act: Callable[[], object]) -> None:
    """Do something and wait for the signal that says it is done."""
    loop = QEventLoop()
    signal.connect(loop.quit)  # type: ignore[attr-defined]
    QTimer.singleShot(PATIENCE_MS, loop, loop.quit)
    act()
    loop.exec()


def settle() -> None:
    """Let everything that waits for the event loop happen: layouts, deletions, the knobs of switches."""
    loop = QEventLoop()
    QTimer.singleShot(350, loop.quit)
    loop.exec()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@contextmanager
def studio(profile: Path, folder: Path, only: str) -> Iterator[Studio]:
    """The program's parts on a profile of their own, put together as the program does."""
    paths = ProfilePaths.locate(profile)
    paths.create()
    days_ago = [0.0]
    with ExitStack() as stack:
        file = SettingsFile(paths.settings_file)
        files = JobThread[None]("files", make=lambda: None, end=lambda _: None, unhandled=print)
        stack.callback(files.close)
        settings = SettingsService(file.load(), file, files)
        stack.callback(settings.close)
        models = ModelService(Library(paths.library_file, DEMO_MODEL), settings, files)
        engine = EngineService(
            lambda graphics: EngineClient(paths.log_folder / "engine.log", entry=unhurried, graphics=graphics)
        )
        clock = lambda: time.time() - days_ago[0] * DAY  # noqa: E731
        chat = ChatService(lambda: ChatStore(paths.chats_file, clock=clock), engine, models, settings)
        stack.callback(chat.close)
        window = MainWindow(chat, models, engine, settings)
        made = Studio(window, chat, models, settings, engine, days_ago, folder, only)
        window.resize(*USUAL)
        window.show()
        wait_for(chat.opened, chat.start)
        while engine.state.phase is not Phase.READY:
            wait_for(engine.state_changed, lambda: None)
        yield made
        window.close()


def seed(s: Studio) -> None:
    """Ask what was asked on earlier days."""
    s.settings.set_value(TEMPERATURE.key, 0.0)
    for days, question in EARLIER:
        s.days_ago[0] = days
        s.new_chat()
        s.ask(question)
        settle()  # the last of it is stored under this day, too
    s.days_ago[0] = 0.0
    s.new_chat()
    s.ask("Which models are there?")
    s.ask("Show me some code")


def pictures(s: Studio) -> None:
    """Every state, in both themes; some large, narrow and wide."""
    for dark in (False, True):
        theme = "dark" if dark else "light"
        s.look(dark=dark, size=TALL)
        s.show_chat("Which models are there?")
        s.window.show_pane(Pane.CHAT)
        s.take(f"chat-{theme}")
        s.look(dark=dark)
        s.new_chat()
        s.take(f"empty-{theme}")
        stream(s, theme)
        s.window.show_pane(Pane.MODELS)
        s.take(f"models-{theme}")
        s.window.show_pane(Pane.SETTINGS)
        s.take(f"settings-{theme}")
        error(s, theme)
        undo(s, theme)
    s.show_chat("Which models are there?")
    s.look(size=(480, 720))
    s.take("chat-narrow-light")
    s.look(dark=True, size=(480, 720))
    s.window.chat_pane.toggle_list()
    s.take("list-narrow-dark")
    s.window.chat_pane.toggle_list()
    s.window.show_pane(Pane.SETTINGS)
    s.take("settings-narrow-dark")
    s.window.show_pane(Pane.CHAT)
    s.look(size=(1600, 900))
    s.take("chat-wide-light")
    s.look(text_size=200)
    s.take("chat-200-light")
    s.new_chat()
    s.take("empty-200-light")
    s.look(dark=True, text_size=200)
    s.window.show_pane(Pane.MODELS)
    s.take("models-200-dark")
    s.window.show_pane(Pane.SETTINGS)
    s.take("settings-200-dark")


def stream(s: Studio, theme: str) -> None:
    """An answer in the middle of its way, its reasoning open."""
    s.settings.set_value(SHOW_REASONING.key, "open")
    s.chat.set_effort(Effort.HIGH)
    s.window.chat_pane.composer.set_effort(Effort.HIGH)
    written: list[str] = []

    def enough(growth: AnswerGrowth) -> bool:
        written.append(growth.answer)
        return len("".join(written)) > 130

    s.ask("What is reasoning effort?", enough)
    s.window.chat_pane.transcript.pace.flush()  # what has just come is drawn
    s.take(f"streaming-{theme}", at_once=True)
    if s.chat.busy:
        wait_for(s.chat.answer_finished, s.chat.stop)
    s.settings.reset(SHOW_REASONING.key)
    current = s.chat.current()
    assert current is not None
    wait_for(s.chat.list.deleted, lambda: s.chat.list.delete(current.info.id))
    s.window.toast.close_current()


def undo(s: Studio, theme: str) -> None:
    """A chat that has just been deleted."""
    s.show_chat("Is it private?")
    deleted = next(info for info in s.chat.list.chats() if info.title == "What is temperature?")
    wait_for(s.chat.list.deleted, lambda: s.chat.list.delete(deleted.id))
    s.take(f"undo-{theme}")
    wait_for(s.chat.opened, lambda: s.window.toast.action_button.click())


def error(s: Studio, theme: str) -> None:
    """A file that is no model."""
    s.show_chat("Is it private?")
    s.window.show_pane(Pane.CHAT)
    notes = Path(tempfile.gettempdir()) / "holiday-notes.gguf"
    notes.write_text("no model", encoding="utf-8")
    wait_for(s.models.problem, lambda: s.models.add_file(notes))
    notes.unlink()
    s.take(f"error-{theme}")
    s.window.message_bar.close_current()


def main() -> int:
    """Take all pictures, or those whose name contains ``--only``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="take only pictures whose name contains this")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    application = QApplication(["alcove"])
    application.setApplicationDisplayName("Alcove")
    application.setCursorFlashTime(0)
    QCursor.setPos(0, 0)
    with (
        tempfile.TemporaryDirectory(prefix="alcove-pictures-") as profile,
        studio(Path(profile), options.folder, options.only) as made,
    ):
        seed(made)
        pictures(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
