"""The list of chats by mouse and keys."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLineEdit, QMenu
from pytestqt.qtbot import QtBot

from app.domain.tree import ConversationInfo
from app.ui.chat.conversation_list import ConversationList
from app.ui.theme import Theme

Key, LEFT = Qt.Key, Qt.MouseButton.LeftButton
NOW = datetime(2026, 3, 2, 12, 0).astimezone()


def chats(count: int) -> tuple[ConversationInfo, ...]:
    """So many chats, an hour apart, newest first; the newest has the highest number."""
    made = []
    for number in range(count, 0, -1):
        stamp = (NOW - timedelta(hours=count - number)).timestamp()
        made.append(ConversationInfo(number, f"chat {number}", created=stamp, updated=stamp, date="2026-01-01"))
    return tuple(made)


@pytest.fixture
def sidebar(qtbot: QtBot, theme: Theme) -> ConversationList:
    """Three chats, all of today."""
    sidebar = ConversationList(theme)
    qtbot.addWidget(sidebar)
    sidebar.resize(264, 500)
    sidebar.show()
    sidebar.set_chats(chats(3), NOW)
    return sidebar


def place(sidebar: ConversationList, chat: int) -> QPoint:
    """Where a chat's line is."""
    rect = sidebar.view.visualRect(sidebar.model.index_of(chat))
    return QPoint(rect.left() + 30, rect.center().y())


def focus(qtbot: QtBot, sidebar: ConversationList) -> None:
    """Put the keyboard on the list."""
    sidebar.activateWindow()
    sidebar.view.setFocus()
    qtbot.waitUntil(sidebar.view.hasFocus)


def editor(sidebar: ConversationList) -> QLineEdit:
    """The field in which a title is edited."""
    field = sidebar.view.findChild(QLineEdit)
    assert field is not None
    return field


def test_a_click_opens(qtbot: QtBot, sidebar: ConversationList) -> None:
    with qtbot.waitSignal(sidebar.open_requested) as opened:
        qtbot.mouseClick(sidebar.view.viewport(), LEFT, pos=place(sidebar, 2))
    assert opened.args == [2]


def test_a_heading_does_nothing(qtbot: QtBot, sidebar: ConversationList) -> None:
    with qtbot.assertNotEmitted(sidebar.open_requested):
        top = sidebar.view.visualRect(sidebar.model.index(0)).center()
        qtbot.mouseClick(sidebar.view.viewport(), LEFT, pos=top)


def test_arrows_go_over_the_chats_and_enter_opens(qtbot: QtBot, sidebar: ConversationList) -> None:
    sidebar.set_open(3)
    focus(qtbot, sidebar)
    qtbot.keyClick(sidebar.view, Key.Key_Down)
    qtbot.keyClick(sidebar.view, Key.Key_Down)
    qtbot.keyClick(sidebar.view, Key.Key_Up)
    with qtbot.waitSignal(sidebar.open_requested) as opened:
        qtbot.keyClick(sidebar.view, Key.Key_Return)
    assert opened.args == [2]
    qtbot.keyClick(sidebar.view, Key.Key_Home)
    with qtbot.waitSignal(sidebar.open_requested) as opened:
        qtbot.keyClick(sidebar.view, Key.Key_Return)
    assert opened.args == [3]


def test_delete_asks_for_the_line_one_is_on(qtbot: QtBot, sidebar: ConversationList) -> None:
    sidebar.set_open(3)
    focus(qtbot, sidebar)
    qtbot.keyClick(sidebar.view, Key.Key_Down)
    with qtbot.waitSignal(sidebar.delete_requested) as deleted:
        qtbot.keyClick(sidebar.view, Key.Key_Delete)
    assert deleted.args == [2]


@pytest.mark.parametrize("way", ["F2", "double click"])
def test_a_title_is_edited_in_its_place(qtbot: QtBot, sidebar: ConversationList, way: str) -> None:
    sidebar.set_open(2)
    focus(qtbot, sidebar)
    if way == "F2":
        qtbot.keyClick(sidebar.view, Key.Key_F2)
    else:
        qtbot.mouseDClick(sidebar.view.viewport(), LEFT, pos=place(sidebar, 2))
    field = editor(sidebar)
    assert field.text() == "chat 2"
    field.selectAll()
    qtbot.keyClicks(field, "Alcove and me")
    with qtbot.waitSignal(sidebar.rename_requested) as renamed, qtbot.assertNotEmitted(sidebar.delete_requested):
        qtbot.keyClick(field, Key.Key_Return)
    assert renamed.args == [2, "Alcove and me"]


def test_escape_leaves_the_title_as_it_was(qtbot: QtBot, sidebar: ConversationList) -> None:
    sidebar.set_open(2)
    sidebar.rename_open()
    field = editor(sidebar)
    qtbot.keyClicks(field, "x")
    with qtbot.assertNotEmitted(sidebar.rename_requested):
        qtbot.keyClick(field, Key.Key_Escape)


def test_what_is_typed_outlives_a_change_of_the_list(qtbot: QtBot, sidebar: ConversationList) -> None:
    sidebar.set_open(2)
    sidebar.rename_open()
    field = editor(sidebar)
    field.selectAll()
    qtbot.keyClicks(field, "half")
    sidebar.set_chats(chats(5), NOW)
    qtbot.keyClicks(field, " done")
    with qtbot.waitSignal(sidebar.rename_requested) as renamed:
        qtbot.keyClick(field, Key.Key_Return)
    assert renamed.args == [2, "half done"]
    qtbot.waitUntil(lambda: len(sidebar.model.chats) == 5)


@pytest.mark.parametrize("way", ["right click", "more"])
def test_the_menu_renames_and_deletes(qtbot: QtBot, sidebar: ConversationList, way: str) -> None:
    at = place(sidebar, 1)
    if way == "right click":
        sidebar.view.customContextMenuRequested.emit(at)
    else:
        rect = sidebar.view.visualRect(sidebar.model.index_of(1))
        with qtbot.assertNotEmitted(sidebar.open_requested):
            more = sidebar.delegate.more_rect(rect).center()
            qtbot.mouseClick(sidebar.view.viewport(), LEFT, pos=more)
    menu = sidebar.findChild(QMenu)
    assert menu is not None
    assert [action.text() for action in menu.actions()] == ["Rename", "Delete"]
    with qtbot.waitSignal(sidebar.delete_requested) as deleted:
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(menu.actions()[1]).center())
    assert deleted.args == [1]


def test_an_open_menu_means_its_chat_though_the_list_moves(qtbot: QtBot, sidebar: ConversationList) -> None:
    chosen = sidebar.model.chat_at(sidebar.model.index_of(1))
    assert chosen is not None
    sidebar.view.customContextMenuRequested.emit(place(sidebar, 1))
    menu = sidebar.findChild(QMenu)
    assert menu is not None
    newest = sidebar.model.chats[0]
    sidebar.set_chats((replace(newest, id=99, title="just begun"), *sidebar.model.chats))
    with qtbot.waitSignal(sidebar.delete_requested) as deleted:
        qtbot.mouseClick(menu, LEFT, pos=menu.actionGeometry(menu.actions()[1]).center())
    assert deleted.args == [1]


def test_without_chats_there_is_a_word(sidebar: ConversationList) -> None:
    sidebar.set_chats(())
    assert not sidebar.view.isVisible()
    assert sidebar.empty_note.isVisible()
    sidebar.set_chats(chats(1), NOW)
    assert sidebar.view.isVisible()
    assert not sidebar.empty_note.isVisible()


def test_a_thousand_chats_keep_their_place(qtbot: QtBot, sidebar: ConversationList) -> None:
    sidebar.set_chats(chats(1000), NOW)
    sidebar.set_open(200)
    assert sidebar.view.visualRect(sidebar.model.index_of(200)).intersects(sidebar.view.viewport().rect())
    scrolled = sidebar.view.verticalScrollBar().value()
    assert scrolled > 0
    changed = chats(1000)[1:]
    sidebar.set_chats(changed, NOW)
    assert sidebar.view.verticalScrollBar().value() == scrolled
    current = sidebar.model.chat_at(sidebar.view.currentIndex())
    assert current is not None
    assert current.id == 200
