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
    ("state", "words", "progress", "reload"),
    [
        (EngineState(Phase.UNLOADED, DEMO), f"{DEMO} · not loaded", False, False),
        (EngineState(Phase.LOADING, DEMO, progress=0.4), f"{DEMO} · loading 40%", True, False),
        (EngineState(Phase.READY, DEMO, context=4096), f"{DEMO} · ready · 4,096 tokens of context", False, False),
        (EngineState(Phase.READING, DEMO, progress=0.255), f"{DEMO} · reading 26%", True, False),
        (EngineState(Phase.ANSWERING, DEMO, tokens_per_s=12.34), f"{DEMO} · answering · 12.3 tokens/s", False, False),
        (EngineState(Phase.ANSWERING, DEMO), f"{DEMO} · answering", False, False),
        (EngineState(Phase.STALLED, DEMO), f"{DEMO} · not responding for the moment", False, False),
        (
            EngineState(Phase.FAILED, DEMO, error=UserError(ErrorCode.OUT_OF_MEMORY, name="gpt-oss-20b")),
            f"{DEMO} · There is not enough memory to load gpt-oss-20b.",
            False,
            True,
        ),
    ],
)
def test_says_what_the_engine_does(
    line: StatusLine, state: EngineState, words: str, progress: bool, reload: bool
) -> None:
    line.set_state(state)
    assert line.words.full_text == words
    assert line.words.accessibleName() == words
    assert line.progress.isVisible() == progress
    assert line.reload_button.isVisible() == reload
    if progress:
        assert line.progress.value() == round(state.progress * 1000)


def test_reload_is_asked_for(qtbot: QtBot, line: StatusLine) -> None:
    line.set_state(EngineState(Phase.FAILED, DEMO))
    with qtbot.waitSignal(line.reload_requested):
        qtbot.mouseClick(line.reload_button, Qt.MouseButton.LeftButton)


def test_a_long_text_is_shortened_and_told_whole(line: StatusLine) -> None:
    line.resize(300, 30)
    error = UserError(ErrorCode.MODEL_LOAD_FAILED, name="x" * 80, reason="y" * 80)
    line.set_state(EngineState(Phase.FAILED, DEMO, error=error))
    assert line.width() == 300
    assert "y" * 80 in line.words.toolTip()
