"""Loading, idling and hanging, as the window shows them and as mouse and keys act on them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from app.domain.errors import ErrorCode
from app.resources import DEMO_MODEL
from app.services import hang_watch
from app.services.payloads import Phase
from tests.services.slow_child import TROUBLE, loads_slowly, troubled
from tests.widget.conftest import ANSWER_MS, Program, Start

LEFT, Space = Qt.MouseButton.LeftButton, Qt.Key.Key_Space
QUESTION = "What is Alcove?"


def has_trouble(program: Program, what: str) -> Path:
    """Have the engine's twentieth token bring trouble, as long as the file is there."""
    file = program.paths.log_folder / TROUBLE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(what, encoding="ascii")
    return file


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "key"])
def test_a_load_is_shown_and_cancelled_and_begun_again(start: Start, tmp_path: Path, by_key: bool) -> None:
    file = tmp_path / "slow.gguf"
    file.write_bytes(DEMO_MODEL.read_bytes())
    program = start(loads_slowly)
    program.wait_ready()
    status = program.window.status

    def press(words: str) -> None:
        assert status.button.text() == words
        if by_key:
            status.button.setFocus(Qt.FocusReason.TabFocusReason)
            program.qtbot.waitUntil(status.button.hasFocus)
            program.qtbot.keyClick(status.button, Space)
        else:
            program.qtbot.mouseClick(status.button, LEFT)

    program.models.add_file(file)
    program.qtbot.waitUntil(lambda: status.progress.isVisible() and status.progress.value() > 0, timeout=ANSWER_MS)
    assert "loading" in status.words.full_text
    press("Cancel")
    program.qtbot.waitUntil(lambda: "not loaded" in status.words.full_text, timeout=ANSWER_MS)
    assert not status.progress.isVisible()
    assert not program.window.message_bar.isVisible()
    press("Load")
    program.qtbot.waitUntil(lambda: "loading" in status.words.full_text, timeout=ANSWER_MS)
    press("Cancel")
    program.qtbot.waitUntil(lambda: "not loaded" in status.words.full_text, timeout=ANSWER_MS)


def test_a_model_that_was_idle_is_back_with_the_next_message(start: Start) -> None:
    program = start()
    program.wait_ready()
    program.engine.set_idle_limit(0.0)
    status = program.window.status
    program.qtbot.waitUntil(lambda: "unloaded to free memory" in status.words.full_text, timeout=ANSWER_MS)
    assert not program.window.message_bar.isVisible()
    program.engine.set_idle_limit(math.inf)
    program.ask(QUESTION)
    assert "ready" in status.words.full_text


@pytest.mark.parametrize("by_key", [False, True], ids=["mouse", "key"])
def test_an_answer_that_does_not_go_on_is_started_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, by_key: bool
) -> None:
    monkeypatch.setattr(hang_watch, "WRITING_S", 0.3)
    monkeypatch.setattr(hang_watch, "GAPS", 2)
    program = start(troubled)
    program.window.engine_trouble.set_patience(10)
    file = has_trouble(program, "hang")
    bar = program.window.message_bar
    program.window.type_and_send(QUESTION)
    program.qtbot.waitUntil(lambda: bar.action_button.isVisible(), timeout=ANSWER_MS)
    assert program.engine.state.phase is Phase.STALLED
    assert bar.action_button.text() == "Reload and continue"

    def press() -> None:
        if by_key:
            bar.action_button.setFocus(Qt.FocusReason.TabFocusReason)
            program.qtbot.keyClick(bar.action_button, Space)
        else:
            program.qtbot.mouseClick(bar.action_button, LEFT)
        file.unlink()

    program.wait_answer(press)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.READY, timeout=ANSWER_MS)
    program.qtbot.waitUntil(lambda: not bar.isVisible())


def test_escape_stops_an_answer_that_does_not_go_on(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.services.engine_worker.OBEY_S", 0.3)
    program = start(troubled)
    file = has_trouble(program, "hang")
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.window.type_and_send(QUESTION)
    program.wait_answer(lambda: program.qtbot.keyClick(program.window.chat_pane.composer.box, Qt.Key.Key_Escape))
    file.unlink()
    program.ask(QUESTION)
    assert not program.window.message_bar.isVisible()


def test_nonsense_from_the_engine_is_told_and_gone_on_from(start: Start) -> None:
    program = start(troubled)
    file = has_trouble(program, "nonsense")
    bar = program.window.message_bar
    program.wait_answer(lambda: program.window.type_and_send(QUESTION))
    program.qtbot.waitUntil(lambda: bar.action_button.isVisible(), timeout=ANSWER_MS)
    assert bar.notice is not None
    assert "makes no sense" in bar.notice.what
    assert program.engine.state.error is not None
    assert program.engine.state.error.code is ErrorCode.ENGINE_GARBAGE
    file.unlink()
    program.wait_answer(lambda: program.qtbot.mouseClick(bar.action_button, LEFT))
    current = program.chat.current()
    assert current is not None
    assert current.path()[-1].complete
