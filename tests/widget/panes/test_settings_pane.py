"""The settings pane: every declared setting shows its value, takes a change, refuses nonsense, resets."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from app.domain.setting import Group, Kind, Setting, Value
from app.domain.settings import SETTINGS, TEMPERATURE, TEXT_SIZE, THEME, in_group
from app.services.settings_service import SettingsService
from app.ui.settings.editors import ChoiceEditor, NumberEditor, SwitchEditor, TextEditor
from app.ui.settings.pane import SettingsPane
from app.ui.shell.style import shell_sheet
from app.ui.theme import Theme, apply_theme

LEFT, Key = Qt.MouseButton.LeftButton, Qt.Key
SHOWN = [setting for setting in SETTINGS if not setting.hidden]


@pytest.fixture
def pane(qtbot: QtBot, theme: Theme, settings: SettingsService) -> SettingsPane:
    """The pane on real settings that are saved."""
    pane = SettingsPane(settings, theme)
    qtbot.addWidget(pane)
    pane.resize(1000, 700)
    pane.show()
    return pane


def shown_value(pane: SettingsPane, setting: Setting[Value]) -> object:
    """What the editor of a setting shows."""
    editor = pane.rows[setting.key].editor
    match editor:
        case SwitchEditor():
            return editor.widget.isChecked()
        case NumberEditor():
            return editor.field.line.text()
        case ChoiceEditor() if editor.segments is not None:
            return next(value for value, button in editor.segments.buttons.items() if button.isChecked())
        case ChoiceEditor():
            assert editor.combo is not None
            return editor.combo.currentData()
        case TextEditor():
            return editor.widget.toPlainText()
        case _:
            raise AssertionError(editor)


def in_editor(pane: SettingsPane, setting: Setting[Value], value: Value) -> object:
    """How the editor of a setting writes a value."""
    if setting.kind not in (Kind.INT, Kind.FLOAT):
        return value
    if setting.special is not None and value == setting.special:
        return setting.special_label
    return f"{value:.{setting.decimals}f}" if setting.kind is Kind.FLOAT else str(value)


def another(setting: Setting[Value]) -> Value:
    """A value that fits and is not the default."""
    match setting.kind:
        case Kind.BOOL:
            return not setting.default
        case Kind.CHOICE:
            return next(choice.value for choice in setting.choices if choice.value != setting.default)
        case Kind.TEXT:
            return "some words"
        case Kind.INT | Kind.FLOAT:
            assert setting.minimum is not None
            step = setting.minimum + setting.step
            value = step if step != setting.default else setting.minimum + 2 * setting.step
            return int(value) if setting.kind is Kind.INT else float(value)


def enter(qtbot: QtBot, pane: SettingsPane, setting: Setting[Value], value: object) -> None:
    """Enter a value as a person would."""
    editor = pane.rows[setting.key].editor
    match editor:
        case SwitchEditor():
            qtbot.mouseClick(editor.widget, LEFT)
        case NumberEditor():
            editor.field.line.setFocus()
            editor.field.line.selectAll()
            qtbot.keyClicks(editor.field.line, str(value))
            qtbot.keyClick(editor.field.line, Key.Key_Return)
        case ChoiceEditor() if editor.segments is not None:
            qtbot.mouseClick(editor.segments.buttons[str(value)], LEFT)
        case ChoiceEditor():
            assert editor.combo is not None
            editor.combo.setFocus()
            steps = editor.combo.findData(value) - editor.combo.currentIndex()
            for _ in range(abs(steps)):
                qtbot.keyClick(editor.combo, Key.Key_Down if steps > 0 else Key.Key_Up)
        case TextEditor():
            editor.widget.setFocus()
            qtbot.keyClicks(editor.widget, str(value))
            pane.search.setFocus()
        case _:
            raise AssertionError(editor)


def test_every_declared_setting_has_its_row(pane: SettingsPane) -> None:
    assert list(pane.rows) == [setting.key for group in Group for setting in in_group(group)]
    assert set(pane.rows) == {setting.key for setting in SHOWN}


@pytest.mark.parametrize("setting", SHOWN, ids=lambda setting: setting.key)
def test_shows_takes_and_resets(
    qtbot: QtBot, pane: SettingsPane, settings: SettingsService, setting: Setting[Value]
) -> None:
    row = pane.rows[setting.key]
    assert shown_value(pane, setting) == in_editor(pane, setting, setting.default)
    assert not row.changed_dot.isVisible()
    value = another(setting)
    with qtbot.waitSignal(settings.changed) as changed:
        enter(qtbot, pane, setting, value)
    assert changed.args == [setting.key]
    assert settings.value(setting.key) == value
    assert shown_value(pane, setting) == in_editor(pane, setting, value)
    assert row.changed_dot.isVisible()
    qtbot.mouseClick(row.reset_button, LEFT)
    assert settings.value(setting.key) == setting.default
    assert shown_value(pane, setting) == in_editor(pane, setting, setting.default)
    assert not row.changed_dot.isVisible()


@pytest.mark.parametrize(
    "setting", [setting for setting in SHOWN if setting.kind in (Kind.INT, Kind.FLOAT)], ids=lambda setting: setting.key
)
@pytest.mark.parametrize("nonsense", ["99999999999", "-5", "many"])
def test_refuses_what_does_not_fit_and_says_what_does(
    qtbot: QtBot, pane: SettingsPane, settings: SettingsService, setting: Setting[Value], nonsense: str
) -> None:
    row = pane.rows[setting.key]
    with qtbot.assertNotEmitted(settings.changed):
        enter(qtbot, pane, setting, nonsense)
    assert settings.value(setting.key) == setting.default
    assert row.error.isVisible()
    assert row.error.text() == setting.expected
    assert shown_value(pane, setting) == nonsense
    value = another(setting)
    enter(qtbot, pane, setting, value)
    assert not row.error.isVisible()
    assert settings.value(setting.key) == value


def test_a_slider_moves_its_number(qtbot: QtBot, pane: SettingsPane, settings: SettingsService) -> None:
    editor = pane.rows[TEMPERATURE.key].editor
    assert isinstance(editor, NumberEditor)
    assert editor.slider is not None
    qtbot.keyClick(editor.slider, Key.Key_Left)
    assert settings.value(TEMPERATURE.key) == 0.95
    assert editor.field.line.text() == "0.95"


def test_a_group_is_reset_as_a_whole(qtbot: QtBot, pane: SettingsPane, settings: SettingsService) -> None:
    general = pane.sections[0]
    assert not general.reset_button.isVisible()
    settings.set_value(TEXT_SIZE.key, 150)
    settings.set_value(THEME.key, "dark")
    assert general.reset_button.isVisible()
    qtbot.mouseClick(general.reset_button, LEFT)
    assert settings.value(TEXT_SIZE.key) == 100
    assert settings.value(THEME.key) == "system"
    assert not general.reset_button.isVisible()


def test_search_finds_by_label_help_and_choice(qtbot: QtBot, pane: SettingsPane) -> None:
    qtbot.keyClicks(pane.search, "SEED answer")
    assert [key for key, row in pane.rows.items() if row.isVisible()] == ["generation.seed"]
    assert [pane.groups.item(n).text() for n in range(pane.groups.count()) if not pane.groups.item(n).isHidden()] == [
        "Generation"
    ]
    pane.search.clear()
    assert all(row.isVisible() for row in pane.rows.values())
    qtbot.keyClicks(pane.search, "qwertz")
    assert not any(row.isVisible() for row in pane.rows.values())
    assert pane.nothing_found.isVisible()


def test_a_group_is_gone_to_and_marked(qtbot: QtBot, pane: SettingsPane) -> None:
    names = [pane.groups.item(n).text() for n in range(pane.groups.count())]
    assert names == ["General", "Chat", "Generation", "Hardware", "Advanced"]
    item = pane.groups.visualItemRect(pane.groups.item(2)).center()
    qtbot.mouseClick(pane.groups.viewport(), LEFT, pos=item)
    section = pane.sections[2]
    assert abs(section.mapTo(pane, section.rect().topLeft()).y()) < 100
    pane.area.verticalScrollBar().setValue(0)
    assert pane.groups.currentRow() == 0


def test_narrow_the_groups_give_way_and_nothing_is_cut(qtbot: QtBot, pane: SettingsPane) -> None:
    assert pane.groups.isVisible()
    pane.resize(424, 700)
    qtbot.waitUntil(lambda: not pane.groups.isVisible())
    qtbot.waitUntil(pane.search.isVisible)
    rows = pane.rows.values()
    qtbot.waitUntil(lambda: all(row.mapTo(pane, row.rect().topRight()).x() <= pane.width() for row in rows))
    for row in rows:
        assert row.editor.widget.minimumSizeHint().width() <= row.width()


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("width", [396, 424, 816, 1036, 1516])
def test_at_no_size_there_is_anything_to_scroll_to_at_the_side(
    qtbot: QtBot, settings: SettingsService, theme: Theme, qapp: QApplication, scale: float, width: int
) -> None:
    large = Theme.for_palette(dark=False, scale=scale)
    apply_theme(qapp, large, shell_sheet(large))
    pane = SettingsPane(settings, large)
    qtbot.addWidget(pane)
    pane.resize(width, 700)
    pane.show()
    for row in pane.rows.values():  # the marks of changed values take room too
        row.changed_dot.show()
        row.reset_button.show()
    page = pane.area.widget()
    assert page is not None
    qtbot.waitUntil(lambda: page.width() == pane.area.viewport().width())
    assert min(row.help.width() for row in pane.rows.values()) >= 150 * scale
    apply_theme(qapp, theme, shell_sheet(theme))


def test_everything_has_a_name_and_can_be_reached(qtbot: QtBot, pane: SettingsPane) -> None:
    for row in pane.rows.values():
        assert row.editor.widget.accessibleName() or row.editor.widget.focusProxy() is not None
        assert row.reset_button.accessibleName()
    reached: set[object] = set()
    pane.activateWindow()
    pane.search.setFocus()
    qtbot.waitUntil(pane.search.hasFocus)
    for _ in range(120):
        qtbot.keyClick(pane.focusWidget(), Key.Key_Tab)
        reached.add(pane.focusWidget())
    fields = [row.findChild(QLineEdit) for row in pane.rows.values()]
    assert all(field in reached for field in fields if field is not None)
