"""The whole program with its window: started, ended politely, and killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app import __version__
from app.domain.generation import FinishReason
from app.domain.tree import Conversation
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.e2e.driver import QUESTION
from tests.e2e.window import LIMIT_S, ROOT, alcove, driven

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
SAVED_WITHIN_S = 1.0


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A folder for a profile that does not exist yet."""
    return tmp_path / "profile"


def stored(profile: Path) -> Conversation:
    """The only chat of a profile."""
    store = ChatStore(ProfilePaths.locate(profile).chats_file)
    try:
        (info,) = store.conversations()
        return store.conversation(info.id)
    finally:
        store.close()


def wait_gone(pid: int) -> None:
    """Wait until a process has ended."""
    try:
        psutil.Process(pid).wait(LIMIT_S)
    except psutil.NoSuchProcess:
        return


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_ends_the_program(profile: Path, number: signal.Signals) -> None:
    with driven("look", "real", profile) as program:
        opened = program.wait_for("opened")
        assert opened["visible"]
        program.process.send_signal(number)
        assert program.process.wait(LIMIT_S) == 0
    assert program.all_of("problem") == []
    log = ProfilePaths.locate(profile).log_file.read_text()
    assert "Alcove ends" in log
    assert "Traceback" not in log


@posix
def test_quitting_while_a_processor_variant_is_tried_does_not_wait_for_it(profile: Path) -> None:
    with driven("hang", "real", profile) as program:
        program.wait_for("choosing")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(LIMIT_S) == 0


@posix
def test_quitting_while_an_answer_streams_keeps_it_and_leaves_nothing_running(profile: Path) -> None:
    with driven("ask", "slow", profile) as program:
        child = program.wait_for("grew")["child"]
        family = psutil.Process(program.process.pid).children(recursive=True)
        assert child in [process.pid for process in family]
        program.process.send_signal(signal.SIGTERM)
        program.drain()
        assert program.process.wait(LIMIT_S) == 0
        gone, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []
        assert len(gone) == len(family)
    question, answer = stored(profile).path()
    assert question.message.content == QUESTION
    assert answer.receipt is not None
    assert answer.receipt.finish_reason is FinishReason.CANCELLED
    said = "".join(grew["text"] for grew in program.all_of("grew"))
    assert (answer.message.reasoning + answer.message.content).startswith(said)
    folder = ProfilePaths.locate(profile).log_folder
    for file in folder.iterdir():
        assert QUESTION not in file.read_text(errors="replace"), f"{file} has the text of a chat"


@posix
def test_a_killed_program_loses_at_most_a_second_and_its_engine_ends(profile: Path) -> None:
    with driven("ask", "crawling", profile) as program:
        first = program.wait_for("grew")
        while program.heard[-1]["at"] < first["at"] + 1.5 * SAVED_WITHIN_S:
            program.wait_for("grew")
        program.process.kill()
        program.process.wait(LIMIT_S)
        program.drain()
    grown = program.all_of("grew")
    wait_gone(grown[-1]["child"])
    before = "".join(grew["text"] for grew in grown if grew["at"] < grown[-1]["at"] - SAVED_WITHIN_S)
    assert before

    with driven("reopen", "real", profile) as again:
        answer = again.wait_for("answer")
        again.drain()
        assert again.process.wait(LIMIT_S) == 0
    assert not answer["complete"]
    assert not answer["busy"]
    assert answer["text"].startswith(before)
    assert QUESTION in answer["shown"]
    assert again.all_of("problem") == []


@pytest.mark.parametrize("display", [None, ":9973"])
def test_the_window_needs_a_display(profile: Path, display: str | None) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("other systems always have one")
    done = alcove("--profile-dir", str(profile), QT_QPA_PLATFORM=None, DISPLAY=display, WAYLAND_DISPLAY=None)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "alcove: There is no display to open a window on."
        " Start Alcove on a desktop, or use it in the terminal: alcove ask, alcove chat.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--frobnicate"],
        ["frobnicate"],
        ["--profile-dir"],
        ["--model", "nowhere.gguf"],
        ["--model", str(ROOT / "pyproject.toml")],
    ],
)
def test_bad_input_gets_one_sentence_and_status_2(arguments: list[str]) -> None:
    done = alcove(*arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("alcove: ")
    assert done.stderr.count("\n") == 1


def test_a_profile_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = alcove("--profile-dir", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith("alcove: Alcove cannot write to ")
    assert done.stderr.count("\n") == 1


def test_version_and_help() -> None:
    assert alcove("--version").stdout == f"alcove {__version__}\n"
    shown = alcove("--help").stdout
    for word in ("--profile-dir", "--smoke-test", "--model", "ask", "chat", "prompt"):
        assert word in shown


def test_headless_commands_never_load_qt() -> None:
    code = (
        "import sys; from app.main import main; status = main(['ask', '--model', 'nowhere.gguf', 'Hello']);"
        " sys.exit(status if not any(name.startswith('PySide6') for name in sys.modules) else 99)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2
