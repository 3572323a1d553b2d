"""Numbers in the settings: typed, stepped, within and out of bounds."""

import pytest
from PySide6.QtCore import QLocale, Qt
from pytestqt.qtbot import QtBot

from app.domain.setting import Setting, Value
from app.domain.settings import CONTEXT_LENGTH, MIN_P, REPEAT_PENALTY, TEMPERATURE, TEXT_SIZE, THREADS, TOP_K
from app.ui.settings.number_field import NumberField
from app.ui.theme import Theme

Key = Qt.Key


def field_for(qtbot: QtBot, theme: Theme, setting: Setting[Value], value: float) -> tuple[NumberField, list[object]]:
    """A field that shows the value, and what was entered into it."""
    field = NumberField(setting, theme)
    field.setLocale(QLocale.c())
    qtbot.addWidget(field)
    field.show()
    field.set_value(value)
    entered: list[object] = []
    field.edited.connect(entered.append)
    return field, entered


@pytest.mark.parametrize(
    ("setting", "value", "shown"),
    [
        (TEXT_SIZE, 100, "100"),
        (TEMPERATURE, 1.0, "1.00"),
        (CONTEXT_LENGTH, 0, "automatic"),
        (CONTEXT_LENGTH, 131072, "131072"),
        (TOP_K, 0, "off"),
    ],
)
def test_shows(qtbot: QtBot, theme: Theme, setting: Setting[Value], value: float, shown: str) -> None:
    field, _ = field_for(qtbot, theme, setting, value)
    assert field.line.text() == shown


@pytest.mark.parametrize(
    ("setting", "value", "steps", "entered"),
    [
        (TEXT_SIZE, 100, 1, [110]),
        (TEXT_SIZE, 105, 1, [110]),
        (TEXT_SIZE, 80, -1, []),
        (TEXT_SIZE, 200, 1, []),
        (TEXT_SIZE, 100, 10, [200]),
        (TEMPERATURE, 0.95, 1, [1.0]),
        (TEMPERATURE, 0.1, -10, [0.0]),
        (REPEAT_PENALTY, 0.5, -1, []),
        (MIN_P, 0.0, 1, [0.01]),
        (CONTEXT_LENGTH, 0, 1, [512]),
        (CONTEXT_LENGTH, 0, -1, []),
        (CONTEXT_LENGTH, 512, -1, [0]),
        (CONTEXT_LENGTH, 1024, -1, [512]),
        (THREADS, 0, 1, [1]),
        (THREADS, 1, -1, [0]),
    ],
)
def test_steps(
    qtbot: QtBot, theme: Theme, setting: Setting[Value], value: float, steps: int, entered: list[object]
) -> None:
    field, heard = field_for(qtbot, theme, setting, value)
    field.step(steps)
    assert heard == entered
    for found in heard:
        assert setting.checked(found) == found


def test_keys_and_buttons_step(qtbot: QtBot, theme: Theme) -> None:
    field, heard = field_for(qtbot, theme, TEXT_SIZE, 100)
    qtbot.keyClick(field.line, Key.Key_Up)
    qtbot.keyClick(field.line, Key.Key_Down)
    qtbot.mouseClick(field.more, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(field.less, Qt.MouseButton.LeftButton)
    assert heard == [110, 90, 110, 90]


@pytest.mark.parametrize(
    ("setting", "typed", "entered"),
    [
        (TEXT_SIZE, "150", [150]),
        (TEXT_SIZE, " 150 ", [150]),
        (TEXT_SIZE, "5000", [5000]),
        (TEXT_SIZE, "large", ["large"]),
        (TEXT_SIZE, "100", []),
        (TEMPERATURE, "0.7", [0.7]),
        (TEMPERATURE, "1.00", []),
        (CONTEXT_LENGTH, "Automatic", [0]),
        (CONTEXT_LENGTH, "4096", [4096]),
        (CONTEXT_LENGTH, "100", [100]),
    ],
)
def test_typing(qtbot: QtBot, theme: Theme, setting: Setting[Value], typed: str, entered: list[object]) -> None:
    field, heard = field_for(qtbot, theme, setting, {TEXT_SIZE: 100, TEMPERATURE: 1.0, CONTEXT_LENGTH: 8192}[setting])
    field.line.selectAll()
    qtbot.keyClicks(field.line, typed)
    qtbot.keyClick(field.line, Key.Key_Return)
    assert heard == entered


def test_at_the_ends_a_button_is_off(qtbot: QtBot, theme: Theme) -> None:
    field, _ = field_for(qtbot, theme, TEXT_SIZE, 80)
    assert not field.less.isEnabled()
    assert field.more.isEnabled()
    field.set_value(200)
    assert field.less.isEnabled()
    assert not field.more.isEnabled()


def test_a_comma_is_the_point_where_people_write_it_so(qtbot: QtBot, theme: Theme) -> None:
    field, heard = field_for(qtbot, theme, TEMPERATURE, 1.0)
    field.setLocale(QLocale(QLocale.Language.German, QLocale.Country.Germany))
    field.set_value(1.0)
    assert field.line.text() == "1,00"
    field.line.selectAll()
    qtbot.keyClicks(field.line, "0,7")
    qtbot.keyClick(field.line, Key.Key_Return)
    assert heard == [0.7]
