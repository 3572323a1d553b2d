"""The composer: what it hands over, and what its button is."""

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.domain.conversation import Effort
from app.ui.chat.composer import Composer
from app.ui.theme import Theme

Key = Qt.Key


@pytest.fixture
def composer(qtbot: QtBot, theme: Theme) -> Composer:
    """An empty composer, shown."""
    composer = Composer(theme)
    qtbot.addWidget(composer)
    composer.resize(700, 120)
    composer.show()
    composer.set_effort(Effort.MEDIUM)
    return composer


def test_the_button_sends_what_is_written_and_empties_the_field(qtbot: QtBot, composer: Composer) -> None:
    assert not composer.send_button.isEnabled()
    qtbot.keyClicks(composer.box, "  What is Alcove?  ")
    assert composer.send_button.isEnabled()
    with qtbot.waitSignal(composer.submitted) as sent:
        qtbot.mouseClick(composer.send_button, Qt.MouseButton.LeftButton)
    assert sent.args == ["What is Alcove?"]
    assert composer.text == ""
    assert not composer.send_button.isEnabled()


def test_white_space_is_not_sent(qtbot: QtBot, composer: Composer) -> None:
    qtbot.keyClicks(composer.box, "   ")
    assert not composer.send_button.isEnabled()
    with qtbot.assertNotEmitted(composer.submitted):
        qtbot.keyClick(composer.box, Key.Key_Return)


def test_while_busy_the_button_stops_and_enter_waits(qtbot: QtBot, composer: Composer) -> None:
    composer.set_busy(True)
    assert composer.send_button.isEnabled()
    assert composer.send_button.accessibleName() == "Stop"
    qtbot.keyClicks(composer.box, "next")
    with qtbot.assertNotEmitted(composer.submitted):
        qtbot.keyClick(composer.box, Key.Key_Return)
    assert composer.text == "next"
    with qtbot.waitSignal(composer.stopped):
        qtbot.mouseClick(composer.send_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(composer.stopped):
        qtbot.keyClick(composer.box, Key.Key_Escape)
    composer.set_busy(False)
    assert composer.send_button.accessibleName() == "Send"
    with qtbot.waitSignal(composer.submitted):
        qtbot.keyClick(composer.box, Key.Key_Return)


def test_every_change_is_a_draft_and_sending_ends_it(qtbot: QtBot, composer: Composer) -> None:
    drafts: list[str] = []
    composer.draft_changed.connect(drafts.append)
    composer.set_draft("kept")
    assert composer.text == "kept"
    qtbot.keyClicks(composer.box, "!?")
    qtbot.keyClick(composer.box, Key.Key_Return)
    assert drafts == ["kept!", "kept!?", ""]


def test_an_edit_replaces_the_message_and_gives_the_draft_back(qtbot: QtBot, composer: Composer) -> None:
    drafts: list[str] = []
    qtbot.keyClicks(composer.box, "half a thought")
    composer.draft_changed.connect(drafts.append)
    composer.begin_edit(7, "old words")
    assert composer.editing == 7
    assert composer.text == "old words"
    qtbot.keyClicks(composer.box, "!")
    with qtbot.waitSignal(composer.edited) as edited:
        qtbot.keyClick(composer.box, Key.Key_Return)
    assert edited.args == [7, "old words!"]
    assert composer.editing is None
    assert composer.text == "half a thought"
    assert drafts == []


@pytest.mark.parametrize("way", ["escape", "button"])
def test_an_edit_can_be_called_off(qtbot: QtBot, composer: Composer, way: str) -> None:
    qtbot.keyClicks(composer.box, "draft")
    composer.begin_edit(7, "old words")
    with qtbot.assertNotEmitted(composer.stopped):
        if way == "escape":
            qtbot.keyClick(composer.box, Key.Key_Escape)
        else:
            qtbot.mouseClick(composer.cancel_edit_button, Qt.MouseButton.LeftButton)
    assert composer.editing is None
    assert composer.text == "draft"
    assert not composer.cancel_edit_button.isVisible()


def test_another_chat_drops_the_edit(composer: Composer) -> None:
    composer.begin_edit(7, "old words")
    composer.set_draft("of the other chat")
    assert composer.editing is None
    assert composer.text == "of the other chat"


def test_effort_is_chosen_from_its_menu(qtbot: QtBot, composer: Composer) -> None:
    qtbot.mouseClick(composer.effort_button, Qt.MouseButton.LeftButton)
    menu = composer.effort_button.popup_menu
    assert menu.isVisible()
    assert [action.isChecked() for action in menu.actions()] == [False, True, False]
    with qtbot.waitSignal(composer.effort_chosen) as chosen:
        qtbot.mouseClick(menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(menu.actions()[2]).center())
    assert chosen.args == [Effort.HIGH]
    composer.set_effort(Effort.HIGH)
    assert composer.effort_button.text() == "Effort: High"


def test_a_click_beside_the_text_goes_to_the_field(qtbot: QtBot, composer: Composer) -> None:
    composer.send_button.setFocus()
    qtbot.mouseClick(composer.card, Qt.MouseButton.LeftButton, pos=composer.card.rect().center())
    qtbot.waitUntil(composer.box.hasFocus)


def test_controls_have_names(composer: Composer) -> None:
    assert composer.box.accessibleName()
    assert composer.send_button.accessibleName()
    assert composer.effort_button.accessibleName()
    assert composer.cancel_edit_button.accessibleName()
