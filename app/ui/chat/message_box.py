"""The text field of the composer: grows with its text, and knows when Enter means "send"."""

import math

from PySide6.QtCore import QMimeData, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QInputMethodEvent, QKeyEvent, QResizeEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QSizePolicy, QWidget

# Some input methods hand on the Enter that ended a composition. One that comes this soon (ms) is that one: nobody
# presses Enter twice within it on purpose.
COMPOSITION_GUARD = 80


class MessageBox(QPlainTextEdit):
    """Several lines of plain text. ``height_limit`` (pixels) bounds its growth; beyond it scrolls."""

    submitted = Signal()
    edit_last_requested = Signal()
    cancelled = Signal()
    focus_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.send_with_control = False
        self._limit = 240
        self._composing = False
        self._just_composed = QTimer(self)
        self._just_composed.setSingleShot(True)
        self._just_composed.setInterval(COMPOSITION_GUARD)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setTabChangesFocus(True)
        self.document().setDocumentMargin(0)
        self.document().documentLayout().documentSizeChanged.connect(self.updateGeometry)
        self.textChanged.connect(self.updateGeometry)

    @property
    def composing(self) -> bool:
        """Whether an input method is at work, or has only just ended its work."""
        return self._composing or self._just_composed.isActive()

    def set_height_limit(self, pixels: int) -> None:
        """How high the field may grow."""
        self._limit = pixels
        self.updateGeometry()

    def replace_text(self, text: str) -> None:
        """Put a text in, as one step that can be undone, with the cursor at its end."""
        cursor = self.textCursor()
        cursor.beginEditBlock()
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.endEditBlock()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def text_height(self) -> int:
        """The height of the laid out text, read only as far as the limit goes."""
        height = 0.0
        block = self.document().firstBlock()
        while block.isValid() and height < self._limit:
            height += max(self.blockBoundingRect(block).height(), 0.0)
            block = block.next()
        return math.ceil(max(height, self.fontMetrics().lineSpacing()))

    def sizeHint(self) -> QSize:
        margins = self.contentsMargins()
        wanted = self.text_height() + margins.top() + margins.bottom() + 4
        fits = wanted <= self._limit
        self.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAlwaysOff if fits else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        )
        return QSize(200, min(wanted, self._limit))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit(False)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        was_composing = self._composing
        self._composing = bool(event.preeditString())
        if was_composing and not self._composing:
            self._just_composed.start()
        super().inputMethodEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._enter(event)
        elif event.key() == Qt.Key.Key_Up and not event.modifiers() and not self.toPlainText():
            self.edit_last_requested.emit()
        elif event.key() == Qt.Key.Key_Escape and not self.composing:
            self.cancelled.emit()
        else:
            super().keyPressEvent(event)

    def _enter(self, event: QKeyEvent) -> None:
        if self.composing:
            event.accept()
            return
        held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        control = bool(held & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.MetaModifier))
        if control or (not held and not self.send_with_control):
            self.submitted.emit()
        else:
            self.insertPlainText("\n")
            self.ensureCursorVisible()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        # A file that is dropped or pasted is for the window, an address is text.
        return source.hasText() and not any(url.isLocalFile() for url in source.urls())
