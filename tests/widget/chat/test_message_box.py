"""The field in which messages are written."""

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.ui.chat.message_box import MessageBox
from app.ui.theme import Theme


@pytest.fixture
def box(qtbot: QtBot, theme: Theme) -> MessageBox:
    """An empty field, shown."""
    box = MessageBox()
    qtbot.addWidget(box)
    box.resize(400, 40)
    box.show()
    return box


def compose(box: MessageBox, preedit: str, commit: str = "") -> None:
    """What an input method sends."""
    event = QInputMethodEvent(preedit, [])
    event.setCommitString(commit)
    QApplication.sendEvent(box, event)


Key, Held = Qt.Key, Qt.KeyboardModifier


@pytest.mark.parametrize(
    ("send_with_control", "held", "sends"),
    [
        (False, Held.NoModifier, True),
        (False, Held.KeypadModifier, True),
        (False, Held.ControlModifier, True),
        (False, Held.ShiftModifier, False),
        (False, Held.AltModifier, False),
        (True, Held.NoModifier, False),
        (True, Held.ShiftModifier, False),
        (True, Held.ControlModifier, True),
    ],
)
def test_enter_sends_or_makes_a_line(
    qtbot: QtBot, box: MessageBox, send_with_control: bool, held: Qt.KeyboardModifier, sends: bool
) -> None:
    box.send_with_control = send_with_control
    sent: list[None] = []
    box.submitted.connect(lambda: sent.append(None))
    qtbot.keyClicks(box, "one")
    qtbot.keyClick(box, Key.Key_Return, held)
    qtbot.keyClicks(box, "two")
    assert len(sent) == int(sends)
    assert box.toPlainText() == ("onetwo" if sends else "one\ntwo")


def test_an_enter_that_ends_a_composition_never_sends(qtbot: QtBot, box: MessageBox) -> None:
    with qtbot.assertNotEmitted(box.submitted):
        compose(box, "にほん")
        qtbot.keyClick(box, Key.Key_Return)
        assert box.composing
        compose(box, "", commit="日本")
        qtbot.keyClick(box, Key.Key_Return)
    assert box.toPlainText() == "日本"
    qtbot.waitUntil(lambda: not box.composing)
    with qtbot.waitSignal(box.submitted):
        qtbot.keyClick(box, Key.Key_Return)


def test_escape_in_a_composition_belongs_to_the_input_method(qtbot: QtBot, box: MessageBox) -> None:
    compose(box, "に")
    with qtbot.assertNotEmitted(box.cancelled):
        qtbot.keyClick(box, Key.Key_Escape)
    compose(box, "")
    qtbot.waitUntil(lambda: not box.composing)
    with qtbot.waitSignal(box.cancelled):
        qtbot.keyClick(box, Key.Key_Escape)


def test_up_asks_for_the_last_message_only_in_an_empty_field(qtbot: QtBot, box: MessageBox) -> None:
    with qtbot.waitSignal(box.edit_last_requested):
        qtbot.keyClick(box, Key.Key_Up)
    qtbot.keyClicks(box, "x")
    with qtbot.assertNotEmitted(box.edit_last_requested):
        qtbot.keyClick(box, Key.Key_Up)


def test_grows_with_its_text_up_to_the_limit(qtbot: QtBot, box: MessageBox) -> None:
    box.set_height_limit(120)
    line = box.fontMetrics().lineSpacing()
    one = box.sizeHint().height()
    frame = one - line
    assert 0 <= frame <= 24
    box.setPlainText("a\nb\nc")
    assert abs(box.sizeHint().height() - (one + 2 * line)) <= 2
    box.setPlainText("\n".join("line" for _ in range(200)))
    assert box.sizeHint().height() == 120
    assert box.verticalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAsNeeded
    box.setPlainText("a")
    assert box.sizeHint().height() == one


def test_wrapped_lines_count(qtbot: QtBot, box: MessageBox) -> None:
    one = box.sizeHint().height()
    box.setPlainText("word " * 60)
    assert box.sizeHint().height() > one * 3


def test_undo_brings_back_what_was_replaced(qtbot: QtBot, box: MessageBox) -> None:
    qtbot.keyClicks(box, "a long thought")
    box.replace_text("")
    assert box.toPlainText() == ""
    qtbot.keyClick(box, Key.Key_Z, Held.ControlModifier)
    assert box.toPlainText() == "a long thought"


def test_takes_text_and_addresses_but_no_files(box: MessageBox) -> None:
    text, address, file = QMimeData(), QMimeData(), QMimeData()
    text.setText("hello")
    address.setUrls([QUrl("https://example.org/a")])
    address.setText("https://example.org/a")
    file.setUrls([QUrl.fromLocalFile("/tmp/model.gguf")])
    file.setText("/tmp/model.gguf")
    assert box.canInsertFromMimeData(text)
    assert box.canInsertFromMimeData(address)
    assert not box.canInsertFromMimeData(file)
    assert not box.canInsertFromMimeData(QMimeData())


def test_rich_text_is_pasted_plain(box: MessageBox) -> None:
    rich = QMimeData()
    rich.setHtml("<b>bold</b><img src='file:///etc/passwd'>")
    rich.setText("bold")
    box.insertFromMimeData(rich)
    assert box.toPlainText() == "bold"
