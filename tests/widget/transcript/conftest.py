"""A transcript in a window, and messages to put into it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.domain.conversation import Message, Role, ToolCall
from app.domain.generation import FinishReason, Receipt, Sampling, Timings, Usage
from app.domain.tree import MessageNode
from app.ui.theme import Theme
from app.ui.transcript.blocks import plain_block
from app.ui.transcript.buttons import ActionButton
from app.ui.transcript.layout_values import Placed
from app.ui.transcript.view import TranscriptView


def user(number: int, text: str, parent: int | None = None) -> MessageNode:
    return MessageNode(number, parent, 0.0, Message(Role.USER, text))


def answer(
    number: int,
    text: str,
    parent: int | None = None,
    *,
    reasoning: str = "",
    commentary: str = "",
    calls: tuple[ToolCall, ...] = (),
    complete: bool = True,
    reason: FinishReason | None = FinishReason.STOP,
    reasoning_s: float = 0.0,
) -> MessageNode:
    receipt = None
    if reason is not None and (complete or reason is not FinishReason.STOP):
        timings = Timings(prefill_s=0.5, decode_s=4.0, decode_tokens_per_s=12.5)
        usage = Usage(prompt_tokens=40, reused_tokens=10, completion_tokens=50)
        receipt = Receipt("demo", "medium", Sampling(), reason, usage, timings, reasoning_s)
    message = Message(Role.ASSISTANT, text, reasoning, commentary, calls)
    return MessageNode(number, parent, 0.0, message, complete, receipt)


def tool_result(number: int, text: str, name: str) -> MessageNode:
    return MessageNode(number, None, 0.0, Message(Role.TOOL, text, name=name))


class Reader:
    """What a person does with the transcript: looks, points, types."""

    def __init__(self, view: TranscriptView, qtbot: QtBot) -> None:
        self.view = view
        self.qtbot = qtbot

    def texts(self) -> list[str]:
        """The text of the blocks on screen."""
        return [plain_block(placed.block) for _, placed, _ in self.view.visible_blocks()]

    def placed(self, part: str) -> tuple[Placed, QPointF]:
        """The block on screen that contains this text, and its message's origin."""
        for _, placed, origin in self.view.visible_blocks():
            if part in placed.document.toPlainText().replace("\u2028", "\n"):
                return placed, origin
        raise AssertionError(f"{part!r} is not on screen: {self.texts()}")

    def point(self, part: str, at: float = 0.5) -> QPoint:
        """Where on the viewport this text is; ``at`` 0 is its left end, 1 its right."""
        placed, origin = self.placed(part)
        text = placed.document.toPlainText()
        start = text.index(part)
        first = _x(placed, start)
        last = _x(placed, start + len(part))
        return (origin + placed.origin() + QPointF(first.x() + (last.x() - first.x()) * at, first.y())).toPoint()

    def button(self, node: int, action: str, section: int = 0, index: int = 0) -> ActionButton:
        button = self.view.button(node, action, section, index)
        assert button is not None, f"no {action} button of {node}"
        return button

    def click(self, node: int, action: str, section: int = 0, index: int = 0) -> None:
        """Clicks a message's button with the mouse."""
        self.qtbot.mouseClick(self.button(node, action, section, index), Qt.MouseButton.LeftButton)

    def click_at(self, point: QPoint, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.mouseClick(self.view.viewport(), Qt.MouseButton.LeftButton, modifiers, point)

    def drag(self, start: QPoint, end: QPoint) -> None:
        """Draws the mouse from one point to another with the button down."""
        viewport = self.view.viewport()
        self.qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
        from PySide6.QtGui import QMouseEvent
        from PySide6.QtWidgets import QApplication

        for share in (0.3, 0.7, 1.0):
            point = QPointF(start) + (QPointF(end) - QPointF(start)) * share
            event = QMouseEvent(
                QMouseEvent.Type.MouseMove,
                point,
                QPointF(viewport.mapToGlobal(point)),
                Qt.MouseButton.NoButton,
                Qt.MouseButton.LeftButton,
                Qt.KeyboardModifier.NoModifier,
            )
            QApplication.sendEvent(viewport, event)
        self.qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.view, key, modifiers)

    def copied(self) -> str:
        """Selected text as Ctrl+C puts it on the clipboard."""
        QGuiApplication.clipboard().setText("nothing")
        self.key(Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
        return QGuiApplication.clipboard().text()

    def settle(self) -> None:
        """Waits until streamed text is shown and nothing is left to lay out."""
        self.qtbot.waitUntil(lambda: not self.view.pace.waiting)

    @property
    def at_end(self) -> bool:
        bar = self.view.verticalScrollBar()
        return bar.value() == bar.maximum()


def _x(placed: Placed, position: int) -> QPointF:
    block = placed.document.findBlock(position)
    line = block.layout().lineForTextPosition(position - block.position())
    origin = placed.document.documentLayout().blockBoundingRect(block).topLeft()
    return origin + QPointF(line.cursorToX(position - block.position())[0], line.y() + line.height() / 2)  # type: ignore[index]


@pytest.fixture
def make_view(qtbot: QtBot) -> Callable[..., TranscriptView]:
    def make(width: int = 900, height: int = 600, dark: bool = False) -> TranscriptView:
        view = TranscriptView(Theme.for_palette(dark))
        qtbot.addWidget(view)
        view.resize(width, height)
        with qtbot.waitExposed(view):
            view.show()
        return view

    return make


@pytest.fixture
def view(make_view: Callable[..., TranscriptView]) -> TranscriptView:
    return make_view()


@pytest.fixture
def reader(view: TranscriptView, qtbot: QtBot) -> Reader:
    return Reader(view, qtbot)
