"""The program's test of itself, which also runs on the finished packages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.services.smoke_test import QUESTION
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from tests.e2e.window import DRIVER, LIMIT_S, ROOT, alcove, environment


def test_the_smoke_test_passes_without_a_display_and_leaves_nothing() -> None:
    done = alcove("--smoke-test", QT_QPA_PLATFORM=None, DISPLAY=None, WAYLAND_DISPLAY=None, ALCOVE_PROFILE_DIR=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("smoke test passed: ")
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no such variable")
@pytest.mark.parametrize("display", [":9973", "localhost:9973"])
def test_the_smoke_test_passes_with_a_display_that_is_gone(display: str) -> None:
    done = alcove("--smoke-test", QT_QPA_PLATFORM=None, DISPLAY=display, WAYLAND_DISPLAY=None, ALCOVE_PROFILE_DIR=None)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("platform", ["offscreen", "minimal"])
def test_the_smoke_test_never_waits_for_somebody_to_close_a_box(tmp_path: Path, platform: str) -> None:
    (tmp_path / "file").write_text("in the way")
    done = alcove("--smoke-test", "--profile-dir", str(tmp_path / "file"), QT_QPA_PLATFORM=platform)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("alcove: Alcove cannot write to ")


def test_a_given_profile_keeps_the_answer(tmp_path: Path) -> None:
    assert alcove("--smoke-test", "--profile-dir", str(tmp_path)).returncode == 0
    store = ChatStore(ProfilePaths.locate(tmp_path).chats_file)
    (info,) = store.conversations()
    question, answer = store.conversation(info.id).path()
    store.close()
    assert question.message.content == QUESTION
    assert "Alcove" in answer.message.content
    assert answer.complete


def test_a_program_that_does_not_work_fails_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DRIVER), "look", "dies_at_once", "--smoke-test", "--profile-dir", str(tmp_path)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "smoke test passed" not in done.stdout
    assert done.stderr.startswith("alcove: the smoke test failed. The engine that runs the model could not be started")
    assert done.stderr.count("\n") == 1
