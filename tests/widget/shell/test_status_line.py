"""What the status line says about the model."""

import pytest
from PySide6.QtCore import QLocale, Qt
from pytestqt.qtbot import QtBot

from app.domain.errors import ErrorCode, UserError
from app.services.payloads import EngineState, Phase
from app.ui.shell.status_line import StatusLine
from app.ui.theme import Theme

DEMO = "Demo guide (built in)"


@pytest.fixture
def line(qtbot: QtBot, theme: Theme) -> StatusLine:
    """A wide line, in American English."""
    line = StatusLine(theme)
    line.setLocale(QLocale(QLocale.Language.English, QLocale.Country.UnitedStates))
    qtbot.addWidget(line)
    line.resize(900, 30)
    line.show()
    return line


@pytest.mark.parametrize(
    ("state", "words", "progress", "offer"),
    [
        (EngineState(Phase.UNLOADED), "not loaded", False, ""),
        (EngineState(Phase.UNLOADED, DEMO), f"{DEMO} · not loaded", False, "Load"),
        (EngineState(Phase.UNLOADED, DEMO, freed=True), f"{DEMO} · unloaded to free memory", False, "Load"),
        (EngineState(Phase.LOADING, DEMO, progress=0.4), f"{DEMO} · loading 40%", True, "Cancel"),
        (EngineState(Phase.READY, DEMO, context=4096), f"{DEMO} · ready · 4,096 tokens of context", False, ""),
        (EngineState(Phase.READING, DEMO, progress=0.255), f"{DEMO} · reading 26%", True, ""),
        (EngineState(Phase.ANSWERING, DEMO, tokens_per_s=12.34), f"{DEMO} · answering · 12.3 tokens/s", False, ""),
        (EngineState(Phase.ANSWERING, DEMO), f"{DEMO} · answering", False, ""),
        (EngineState(Phase.STALLED, DEMO), f"{DEMO} · not responding for the moment", False, "Restart"),
        (
            EngineState(Phase.FAILED, DEMO, error=UserError(ErrorCode.OUT_OF_MEMORY, name="gpt-oss-20b")),
            f"{DEMO} · There is not enough memory to load gpt-oss-20b.",
            False,
            "Reload",
        ),
    ],
)
def test_says_what_the_engine_does(
    line: StatusLine, state: EngineState, words: str, progress: bool, offer: str
) -> None:
    line.set_state(state)
    assert line.words.full_text == words
    assert line.words.accessibleName() == words
    assert line.progress.isVisible() == progress
    assert (line.button.text() if line.button.isVisible() else "") == offer
    if progress:
        assert line.progress.value() == round(state.progress * 1000)


@pytest.mark.parametrize(
    ("phase", "signal"),
    [
        (Phase.FAILED, "reload_requested"),
        (Phase.UNLOADED, "reload_requested"),
        (Phase.LOADING, "cancel_requested"),
        (Phase.STALLED, "restart_requested"),
    ],
)
def test_what_can_be_done_is_asked_for(qtbot: QtBot, line: StatusLine, phase: Phase, signal: str) -> None:
    line.set_state(EngineState(phase, DEMO))
    with qtbot.waitSignal(getattr(line, signal)):
        qtbot.mouseClick(line.button, Qt.MouseButton.LeftButton)


def test_why_the_model_runs_as_it_does_is_told_on_the_words(line: StatusLine) -> None:
    why = "Runs on the processor, with 8,192 tokens of context."
    line.set_state(EngineState(Phase.READY, DEMO, context=8192, explanation=why))
    assert line.words.toolTip() == why
    assert line.words.accessibleDescription() == why
    line.set_state(EngineState(Phase.LOADING, DEMO))
    assert line.words.toolTip() == ""


def test_a_long_text_is_shortened_and_told_whole(line: StatusLine) -> None:
    line.resize(300, 30)
    error = UserError(ErrorCode.MODEL_LOAD_FAILED, name="x" * 80, reason="y" * 80)
    line.set_state(EngineState(Phase.FAILED, DEMO, error=error))
    assert line.width() == 300
    assert "y" * 80 in line.words.toolTip()


def test_where_there_is_little_room_the_name_goes_first(qtbot: QtBot, line: StatusLine) -> None:
    state = EngineState(Phase.LOADING, "a-model-with-a-long-name-Q4_K_M", progress=0.4)
    line.set_state(state)
    assert line.words.shown_text == line.words.full_text
    assert line.progress.isVisible()
    line.resize(300, 30)
    qtbot.waitUntil(lambda: line.words.shown_text == "loading 40%")
    assert not line.progress.isVisible()
    assert line.words.accessibleName() == f"{state.model_name} · loading 40%" == line.words.toolTip()
    line.resize(900, 30)
    qtbot.waitUntil(lambda: line.words.shown_text == line.words.full_text)
    assert line.progress.isVisible()
    line.resize(120, 30)
    qtbot.waitUntil(lambda: line.words.shown_text.endswith("…"))


def test_what_can_be_done_is_done_by_key(qtbot: QtBot, line: StatusLine) -> None:
    line.set_state(EngineState(Phase.LOADING, DEMO, progress=0.4))
    line.activateWindow()
    line.button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(line.button.hasFocus)
    with qtbot.waitSignal(line.cancel_requested):
        qtbot.keyClick(line.button, Qt.Key.Key_Space)
