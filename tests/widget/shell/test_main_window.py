"""The window as a whole, on real services with the real demo model, by mouse and keys."""

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog, QFrame, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.domain.conversation import Effort, Role
from app.domain.errors import ErrorCode
from app.domain.settings import CHAT_LIST_SHOWN, TEXT_SIZE, THEME, WINDOW_PLACE
from app.ui.main_window import MainWindow
from app.ui.shell.dialogs import LinkQuestion
from app.ui.shell.rail import Pane
from tests.services.slow_child import slow
from tests.widget.conftest import ANSWER_MS, Program, Start

LEFT, Key, CTRL = Qt.MouseButton.LeftButton, Qt.Key, Qt.KeyboardModifier.ControlModifier


def press(program: Program, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Press a key where the focus is."""
    program.qtbot.keyClick(program.window.focusWidget() or program.window, key, held)


def roles(program: Program) -> list[Role]:
    """Who speaks in the shown path."""
    current = program.chat.current()
    return [] if current is None else [node.message.role for node in current.path()]


# ---- Asking ----


def test_a_question_is_asked_answered_shown_and_listed(program: Program) -> None:
    window, pane = program.window, program.window.chat_pane
    assert pane.stack.currentWidget() is pane.empty
    program.qtbot.keyClicks(pane.composer.box, "What is Alcove?")
    program.wait_answer(lambda: press(program, Key.Key_Return))
    assert roles(program) == [Role.USER, Role.ASSISTANT]
    current = program.chat.current()
    assert current is not None
    answer = current.path()[-1].message.content
    assert pane.stack.currentWidget() is pane.transcript
    assert "What is Alcove?" in window.shown_text()
    assert answer.split()[0] in window.shown_text()
    assert pane.composer.text == ""
    assert pane.list.model.open_chat == current.info.id
    assert pane.header.title.full_text == program.titles()[0]
    assert window.windowTitle() == f"{program.titles()[0]} – Alcove"
    program.qtbot.waitUntil(lambda: "tokens/s" in window.status.words.full_text)
    assert program.problems == []


def test_an_example_is_asked_by_a_click(program: Program) -> None:
    card = program.window.chat_pane.empty.cards[1]
    program.wait_answer(lambda: program.qtbot.mouseClick(card, LEFT))
    assert card.example.question in program.window.shown_text()


def test_escape_stops_from_anywhere_in_the_chat(start: Start) -> None:
    program = start(slow)
    pane = program.window.chat_pane
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.window.type_and_send("What is Alcove?")
    assert pane.composer.send_button.accessibleName() == "Stop"
    pane.list.view.setFocus()
    program.qtbot.waitUntil(pane.list.view.hasFocus)
    program.wait_answer(lambda: press(program, Key.Key_Escape))
    assert not program.chat.busy
    assert pane.composer.send_button.accessibleName() == "Send"


def test_what_is_typed_meanwhile_stays(start: Start) -> None:
    program = start(slow)
    pane = program.window.chat_pane
    with program.qtbot.waitSignal(program.chat.answer_grew, timeout=ANSWER_MS):
        program.window.type_and_send("What is Alcove?")
    program.qtbot.keyClicks(pane.composer.box, "and then")
    press(program, Key.Key_Return)
    program.wait_answer(lambda: program.qtbot.mouseClick(pane.composer.send_button, LEFT))
    assert pane.composer.text == "and then"
    assert roles(program) == [Role.USER, Role.ASSISTANT]


def test_answer_again_makes_a_version(program: Program) -> None:
    program.ask("What is Alcove?")
    program.wait_answer(lambda: press(program, Key.Key_R, CTRL))
    current = program.chat.current()
    assert current is not None
    assert len(current.siblings(current.path()[-1].id)) == 2
    assert roles(program) == [Role.USER, Role.ASSISTANT]


def test_up_edits_the_last_message(program: Program) -> None:
    composer = program.window.chat_pane.composer
    program.ask("What is Alcove?")
    press(program, Key.Key_Up)
    assert composer.text == "What is Alcove?"
    assert composer.cancel_edit_button.isVisible()
    composer.box.selectAll()
    program.qtbot.keyClicks(composer.box, "Is it private?")
    program.wait_answer(lambda: press(program, Key.Key_Return))
    current = program.chat.current()
    assert current is not None
    assert [node.message.content for node in current.siblings(current.path()[0].id)] == [
        "What is Alcove?",
        "Is it private?",
    ]
    assert "Is it private?" in program.window.shown_text()
    assert "What is Alcove?" not in program.window.shown_text()


def test_effort_is_the_chats_own(program: Program) -> None:
    composer = program.window.chat_pane.composer
    composer.effort_button.popup_menu.actions()[2].trigger()
    assert program.chat.effort is Effort.HIGH
    assert composer.effort_button.text() == "Effort: High"
    program.ask("Hello")
    with program.qtbot.waitSignal(program.chat.opened):
        press(program, Key.Key_N, CTRL)
    assert composer.effort_button.text() == "Effort: Medium"


# ---- Chats ----


def two_chats(program: Program) -> tuple[int, int]:
    """Two chats with an answer; the second is shown."""
    program.ask("What is Alcove?")
    first = program.chat_id()
    with program.qtbot.waitSignal(program.chat.opened):
        press(program, Key.Key_N, CTRL)
    assert program.window.chat_pane.stack.currentWidget() is program.window.chat_pane.empty
    program.ask("Is it private?")
    return first, program.chat_id()


def test_drafts_belong_to_their_chats(program: Program) -> None:
    pane = program.window.chat_pane
    program.ask("What is Alcove?")
    program.qtbot.keyClicks(pane.composer.box, "half a question")
    with program.qtbot.waitSignal(program.chat.opened):
        program.qtbot.mouseClick(pane.list.new_button, LEFT)
    assert pane.composer.text == ""
    program.qtbot.keyClicks(pane.composer.box, "another")
    first = pane.list.view.visualRect(pane.list.model.index(1)).center() - QPoint(60, 0)
    with program.qtbot.waitSignal(program.chat.opened):
        program.qtbot.mouseClick(pane.list.view.viewport(), LEFT, pos=first)
    assert pane.composer.text == "half a question"
    assert pane.composer.box.hasFocus()
    with program.qtbot.waitSignal(program.chat.opened):
        press(program, Key.Key_N, CTRL)
    assert pane.composer.text == "another"


def test_a_chat_is_deleted_and_brought_back(program: Program) -> None:
    first, second = two_chats(program)
    view = program.window.chat_pane.list.view
    view.setFocus()
    program.qtbot.waitUntil(view.hasFocus)
    with program.qtbot.waitSignal(program.chat.list.deleted):
        press(program, Key.Key_Delete)
    assert [info.id for info in program.chat.list.chats()] == [first]
    bar = program.window.toast
    assert bar.isVisible()
    assert bar.action_button.text() == "Undo"
    assert program.window.chat_pane.stack.geometry().bottom() > 0
    # The fresh chat that stood in for the deleted one may be shown only now.
    back = [program.chat.list.changed, program.chat.opened]
    with program.qtbot.waitSignals(back, check_params_cbs=[lambda _: True, lambda chat, _draft: chat is not None]):
        program.qtbot.mouseClick(bar.action_button, LEFT)
    assert {info.id for info in program.chat.list.chats()} == {first, second}
    assert program.chat_id() == second
    assert not bar.isVisible()


def test_f2_renames_the_shown_chat(program: Program) -> None:
    program.ask("What is Alcove?")
    press(program, Key.Key_F2)
    field = program.window.chat_pane.list.view.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    program.qtbot.keyClicks(field, "First steps")
    program.qtbot.keyClick(field, Key.Key_Return)
    program.qtbot.waitUntil(lambda: program.titles() == ["First steps"])
    assert program.window.windowTitle() == "First steps – Alcove"
    assert program.window.chat_pane.header.title.full_text == "First steps"


# ---- Keys, panes, sizes ----


@pytest.mark.parametrize(
    ("key", "pane"),
    [
        (Key.Key_2, Pane.MODELS),
        (Key.Key_3, Pane.SETTINGS),
        (Key.Key_Comma, Pane.SETTINGS),
        (Key.Key_1, Pane.CHAT),
    ],
)
def test_keys_show_panes(program: Program, key: Qt.Key, pane: Pane) -> None:
    press(program, key, CTRL)
    assert program.window.shown_pane is pane
    assert program.window.rail.buttons[pane].isChecked()
    press(program, Key.Key_L, CTRL)
    assert program.window.shown_pane is Pane.CHAT
    assert program.window.chat_pane.composer.box.hasFocus()


def test_the_rail_shows_panes(program: Program) -> None:
    for pane in (Pane.MODELS, Pane.SETTINGS, Pane.CHAT):
        program.qtbot.mouseClick(program.window.rail.buttons[pane], LEFT)
        assert program.window.shown_pane is pane


def test_the_list_is_hidden_and_stays_so(program: Program) -> None:
    chats = program.window.chat_pane.list
    assert chats.isVisible()
    press(program, Key.Key_B, CTRL)
    assert not chats.isVisible()
    assert program.settings.settings.get(CHAT_LIST_SHOWN) is False
    program.qtbot.mouseClick(program.window.chat_pane.header.list_button, LEFT)
    assert chats.isVisible()
    assert program.settings.settings.get(CHAT_LIST_SHOWN) is True


def test_in_a_narrow_window_the_list_lies_over_the_chat(program: Program) -> None:
    window, pane = program.window, program.window.chat_pane
    window.resize(480, 640)
    program.qtbot.waitUntil(lambda: not pane.list.isVisible())
    assert window.width() == 480
    assert pane.composer.width() > 300
    press(program, Key.Key_B, CTRL)
    assert pane.list.isVisible()
    assert pane.list.geometry().left() == 0
    assert program.settings.settings.get(CHAT_LIST_SHOWN) is True
    assert pane.list.new_button.hasFocus()
    press(program, Key.Key_Escape)
    assert not pane.list.isVisible()
    program.qtbot.mouseClick(pane.header.list_button, LEFT)
    assert pane.list.isVisible()
    program.qtbot.mouseClick(pane.scrim, LEFT, pos=QPoint(pane.width() - 5, 200))
    assert not pane.list.isVisible()
    window.resize(1000, 700)
    program.qtbot.waitUntil(pane.list.isVisible)


def test_theme_and_text_size_change_at_once(program: Program) -> None:
    window = program.window
    light = window.palette().window().color()
    small = window.chat_pane.composer.send_button.width()
    program.settings.set_value(THEME.key, "dark")
    assert window.theme.dark
    assert window.palette().window().color().lightness() < light.lightness()
    program.settings.set_value(TEXT_SIZE.key, 200)
    assert window.chat_pane.composer.send_button.width() == 2 * small
    assert window.chat_pane.composer.box.fontInfo().pixelSize() > 25
    program.settings.reset_group("General")
    assert window.palette().window().color() == light


def test_the_window_comes_back_where_it_was(program: Program, qtbot: QtBot) -> None:
    program.window.setGeometry(40, 30, 700, 500)
    program.window.close()
    assert program.settings.settings.get(WINDOW_PLACE) == "40,30,700,500"
    again = MainWindow(program.chat, program.models, program.engine, program.settings)
    qtbot.addWidget(again)
    assert again.geometry().getRect() == (40, 30, 700, 500)


def test_ctrl_q_closes(program: Program) -> None:
    press(program, Key.Key_Q, CTRL)
    assert not program.window.isVisible()


# ---- Models and problems ----


def drag(window: MainWindow, *paths: Path) -> tuple[QMimeData, QDragEnterEvent]:
    """Files that are dragged over the window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDragEnterEvent(
        QPoint(200, 200), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, event)
    return data, event


def test_a_model_is_added_by_dropping_it(program: Program, another_model: Path) -> None:
    window = program.window
    data, entered = drag(window, another_model)
    assert entered.isAccepted()
    assert window.drop_zone.isVisible()
    dropped = QDropEvent(
        QPointF(200, 200), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with program.qtbot.waitSignal(program.models.current_changed):
        QApplication.sendEvent(window, dropped)
    assert not window.drop_zone.isVisible()
    assert window.shown_pane is Pane.MODELS
    assert program.models.current().path == another_model
    name = program.models.current().name
    program.qtbot.waitUntil(lambda: name in window.status.words.full_text, timeout=ANSWER_MS)
    assert window.chat_pane.header.model_button.text() == name


@pytest.mark.parametrize("chosen", [True, False])
def test_a_model_is_chosen_in_the_file_dialog(
    program: Program, another_model: Path, monkeypatch: pytest.MonkeyPatch, chosen: bool
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(another_model) if chosen else "", ""))
    program.window.show_pane(Pane.MODELS)
    add = program.window.models_pane.add_button
    if chosen:
        with program.qtbot.waitSignal(program.models.current_changed):
            program.qtbot.mouseClick(add, LEFT)
        assert [card.model.path for card in program.window.models_pane.cards][1:] == [another_model]
    else:
        with program.qtbot.assertNotEmitted(program.models.models_changed):
            program.qtbot.mouseClick(add, LEFT)


def test_other_files_are_not_taken(program: Program, tmp_path: Path) -> None:
    _, entered = drag(program.window, tmp_path / "notes.txt")
    assert not entered.isAccepted()
    assert not program.window.drop_zone.isVisible()


def test_a_bad_file_is_told_in_plain_words(program: Program, tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_text("no model")
    with program.qtbot.waitSignal(program.models.problem):
        program.models.add_file(bad)
    bar = program.window.message_bar
    said = [label.text() for label in bar.findChildren(QLabel)]
    assert f"{bad} is not a GGUF model file." in said
    program.qtbot.mouseClick(bar.action_button, LEFT)
    assert program.window.shown_pane is Pane.MODELS
    assert not bar.isVisible()


def test_a_model_that_cannot_be_loaded_is_told_and_loaded_again_when_asked(
    program: Program, another_model: Path
) -> None:
    program.wait_ready()
    with program.qtbot.waitSignal(program.models.current_changed):
        program.models.add_file(another_model)
    program.wait_ready()
    program.models.select(program.models.models()[0].id)
    program.wait_ready()
    away = another_model.rename(another_model.with_suffix(".away"))
    with program.qtbot.waitSignal(program.chat.problem, timeout=ANSWER_MS):
        program.models.select(program.models.models()[1].id)
    assert program.problems[-1].code in (ErrorCode.FILE_NOT_FOUND, ErrorCode.MODEL_LOAD_FAILED)
    program.qtbot.waitUntil(program.window.status.button.isVisible, timeout=ANSWER_MS)
    away.rename(another_model)
    program.qtbot.mouseClick(program.window.status.button, LEFT)
    program.wait_ready()
    assert not program.window.status.button.isVisible()


def test_the_model_is_chosen_in_the_header(program: Program, another_model: Path) -> None:
    with program.qtbot.waitSignal(program.models.current_changed):
        program.models.add_file(another_model)
    header = program.window.chat_pane.header
    press(program, Key.Key_1, CTRL)
    program.qtbot.mouseClick(header.model_button, LEFT)
    assert header.menu.isVisible()
    guide = header.menu.actions()[0]
    with program.qtbot.waitSignal(program.models.current_changed):
        program.qtbot.mouseClick(header.menu, LEFT, pos=header.menu.actionGeometry(guide).center())
    assert program.models.current().builtin
    assert header.model_button.text() == "Demo guide (built in)"


def test_the_guide_says_what_it_is_and_leads_to_the_models(program: Program) -> None:
    empty = program.window.chat_pane.empty
    assert empty.models_link.isVisible()
    program.qtbot.mouseClick(empty.models_link, LEFT)
    assert program.window.shown_pane is Pane.MODELS


def test_a_link_is_shown_before_it_is_opened(program: Program) -> None:
    program.window.chat_pane.transcript.link_activated.emit("https://example.org/a")
    question = program.window.findChild(LinkQuestion)
    assert question is not None
    assert question.isVisible()
    program.qtbot.keyClick(question, Key.Key_Escape)
    assert not question.isVisible()


# ---- For everyone ----


class WindowWatch(QObject):
    """Notes every window that is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(f"{type(watched).__name__} {watched.objectName()}")
        return False


def test_no_part_flashes_up_as_a_window_of_its_own(start: Start, qapp: QApplication, another_model: Path) -> None:
    watch = WindowWatch()
    qapp.installEventFilter(watch)
    program = start()
    program.ask("What is Alcove?")
    with program.qtbot.waitSignal(program.models.current_changed):
        program.models.add_file(another_model)
    for pane in (Pane.MODELS, Pane.SETTINGS, Pane.CHAT):
        program.window.show_pane(pane)
    program.settings.set_value(THEME.key, "dark")
    program.settings.set_value(TEXT_SIZE.key, 120)
    program.window.resize(480, 600)
    program.chat.list.delete(program.chat_id())
    program.qtbot.waitUntil(program.window.toast.isVisible)
    qapp.removeEventFilter(watch)
    assert watch.shown == ["MainWindow "]
    assert program.window.isActiveWindow()


def test_every_control_has_a_name(program: Program) -> None:
    program.ask("What is Alcove?")
    for pane in (Pane.MODELS, Pane.SETTINGS, Pane.CHAT):
        program.window.show_pane(pane)
    nameless = [
        widget
        for widget in program.window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not widget.accessibleName()
        and not getattr(widget, "text", str)()
        and widget.focusProxy() is None
        and not widget.isHidden()
        and not isinstance(widget.window(), QFrame)  # the list of a combo box
    ]
    assert [f"{type(widget).__name__} {widget.objectName()}" for widget in nameless] == []


def test_tab_goes_round_the_window(program: Program) -> None:
    program.wait_ready()
    pane = program.window.chat_pane
    press(program, Key.Key_L, CTRL)
    seen: list[QWidget | None] = []
    for _ in range(40):
        press(program, Key.Key_Tab)
        seen.append(program.window.focusWidget())
    # The rail is one stop; the arrow keys go along it.
    wanted = [program.window.rail.buttons[Pane.CHAT], pane.list.new_button, pane.header.model_button, *pane.empty.cards]
    wanted += [pane.composer.effort_button, pane.composer.box]
    assert [widget.accessibleName() for widget in wanted if widget not in seen] == []


def test_copying_is_left_to_who_has_the_focus(program: Program) -> None:
    box = program.window.chat_pane.composer.box
    program.qtbot.keyClicks(box, "copy me")
    box.selectAll()
    press(program, Key.Key_C, CTRL)
    assert QGuiApplication.clipboard().text() == "copy me"
