"""The composition root: argv decides between a headless command and the window, whose parts are put together here.

Qt is imported in the functions that need it, so that a headless command never loads it.
"""

import logging
import os
import shutil
import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from app import __version__, cli
from app.cli.arguments import parser
from app.cli.request import profile_folder
from app.cli.status import Status
from app.cli.streams import prepare_streams
from app.display import has_display, patient_platforms
from app.domain.errors import ErrorCode, UserError
from app.domain.settings import CURRENT_MODEL, LOG_LEVEL
from app.engine.client import EngineClient
from app.engine.plan_memory import PlanMemory
from app.engine.variants import ProcessorVariants
from app.hub.library import DEMO_ID, Library
from app.resources import DEMO_MODEL
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.services.chat_service import ChatService
    from app.services.single_instance import SingleInstance
    from app.services.smoke_test import SmokeTest
    from app.ui.main_window import MainWindow

log = logging.getLogger(__name__)


def main(argv: list[str]) -> int:
    """Run ``alcove ARGV``; the exit status."""
    prepare_streams()
    try:
        options = parser().parse_args(argv)
    except UserError as error:
        return refuse(error, Status.BAD_INPUT)
    if options.command is not None:
        return cli.run(options)
    if options.smoke_test and sys.platform.startswith("linux"):
        os.environ["QT_QPA_PLATFORM"] = patient_platforms(os.environ)
    elif not has_display(os.environ):
        return refuse(UserError(ErrorCode.NO_DISPLAY), Status.FAILED)
    folder = profile_folder(options)
    if folder is None and options.smoke_test:
        folder = Path(mkdtemp(prefix="alcove-"))
        status = open_window(options, ProfilePaths.locate(folder))
        if status == Status.DONE:  # otherwise its log is wanted
            shutil.rmtree(folder, ignore_errors=True)
        return status
    return open_window(options, ProfilePaths.locate(folder))


def refuse(error: UserError, status: int) -> int:
    """Say on stderr why the program does not start."""
    print(f"alcove: {error}", file=sys.stderr)
    return status


def open_window(options: Namespace, paths: ProfilePaths) -> int:
    """Run the window on a profile until it is closed."""
    from PySide6.QtWidgets import QApplication

    from app.services.single_instance import SingleInstance

    application = QApplication(["alcove"])
    application.setApplicationName("alcove")
    application.setApplicationDisplayName("Alcove")
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("alcove")
    instance: SingleInstance | None = None
    try:
        paths.create()
        instance = SingleInstance(paths.data_folder)
        if not instance.claim():
            if options.smoke_test:
                return refuse(UserError(ErrorCode.STORE_LOCKED, path=str(paths.data_folder)), Status.FAILED)
            return Status.DONE
        return run_program(application, instance, options, paths)
    except UserError as error:
        if not options.smoke_test:  # nobody is there to close a box
            show_refusal(application, error)
        return refuse(error, Status.of(error.code))
    finally:
        if instance is not None:
            instance.close()


def show_refusal(application: "QApplication", error: UserError) -> None:
    """Say it in a window too: who starts a program by its icon never sees stderr."""
    from PySide6.QtWidgets import QMessageBox

    if application.platformName() != "offscreen":
        QMessageBox.critical(None, "Alcove", f"{error.what}\n\n{error.remedy}")


def run_program(
    application: "QApplication", instance: "SingleInstance", options: Namespace, paths: ProfilePaths
) -> int:
    """Put the parts together, run them, and take them apart in the opposite order."""
    from app.services.bug_reporter import BugReporter
    from app.services.chat_memories import ChatMemories
    from app.services.chat_service import ChatService
    from app.services.engine_service import EngineService
    from app.services.job_thread import JobThread
    from app.services.log_file import LogFile
    from app.services.model_service import ModelService
    from app.services.quit_signals import QuitSignals
    from app.services.settings_service import SettingsService
    from app.ui.main_window import MainWindow

    with ExitStack() as stack:
        settings_file = SettingsFile(paths.settings_file)
        loaded = settings_file.load()
        log_file = LogFile(paths.log_file, loaded.settings.get(LOG_LEVEL))
        stack.callback(log_file.close)
        log.info("Alcove %s starts on %s", __version__, sys.platform)
        bugs = BugReporter()
        bugs.install()
        stack.callback(bugs.uninstall)
        files = JobThread[None]("files", make=lambda: None, end=lambda _: None, unhandled=bugs.bug.emit)
        stack.callback(files.close)
        settings = SettingsService(loaded, settings_file, files)
        stack.callback(settings.close)
        library = Library(paths.library_file, DEMO_MODEL)
        if (model := chosen_model(options, library)) is not None:
            settings.set_value(CURRENT_MODEL.key, model)
        models = ModelService(library, settings, files)
        variants = ProcessorVariants(paths.cache_folder, DEMO_MODEL)

        def make_client(graphics: bool) -> EngineClient:
            # On the engine's thread: the first time, variants are tried in here.
            level, variant = settings.settings.get(LOG_LEVEL), variants.choose()
            return EngineClient(paths.engine_log_file, log_level=level, cpu_variant=variant, graphics=graphics)

        engine = EngineService(make_client, PlanMemory(paths.load_plans_file))
        stack.callback(engine.close)
        chat = ChatService(lambda: ChatStore(paths.chats_file), engine, models, settings)
        stack.callback(chat.close)
        stack.callback(variants.close)  # goes first: the engine's thread, which the chat waits for, may be in a trial
        memories = ChatMemories(engine, settings, paths.memories_folder, files)
        chat.opened.connect(memories.left)
        chat.list.deleted.connect(memories.deleted)
        window = MainWindow(chat, models, engine, settings)
        signals = QuitSignals()
        stack.callback(signals.close)

        bugs.bug.connect(chat.problem)
        signals.quit_requested.connect(application.quit)
        instance.raise_requested.connect(window.raise_window)
        settings.changed.connect(
            lambda key: log_file.set_level(settings.settings.get(LOG_LEVEL)) if key == LOG_LEVEL.key else None
        )
        test = start_smoke_test(application, chat, window) if options.smoke_test else None
        window.show()
        chat.start()
        status = application.exec()
        window.hide()
        log.info("Alcove ends")
    return status if test is None else report_smoke_test(test, paths)


def chosen_model(options: Namespace, library: Library) -> str | None:
    """The id of the model that argv asks for, which is added to the library; None when it asks for none."""
    if "model" in options:
        return library.add(options.model).id
    return DEMO_ID if options.smoke_test else None


def start_smoke_test(application: "QApplication", chat: "ChatService", window: "MainWindow") -> "SmokeTest":
    """Ask through the window, and quit when the answer is seen or something fails."""
    from app.services.smoke_test import SmokeTest

    test = SmokeTest(chat, window)
    test.finished.connect(application.quit)
    return test


def report_smoke_test(test: "SmokeTest", paths: ProfilePaths) -> int:
    """Look for the answer on the disk and say how it went."""
    failure = test.failure
    if not failure and test.answer is not None:
        store = ChatStore(paths.chats_file)
        stored = [node for info in store.conversations() for node in store.conversation(info.id).path()]
        store.close()
        if test.answer not in stored:
            failure = "The answer was shown, but it is not stored."
    if failure:
        print(f"alcove: the smoke test failed. {failure} Its log is {paths.log_file}.", file=sys.stderr)
        return Status.FAILED
    print("smoke test passed: the demo model answered, the answer was shown and stored")
    return Status.DONE
