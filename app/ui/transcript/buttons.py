"""The transcript's buttons.

They are real widgets, so that keyboard and screen reader find them, and pooled, because messages are many.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QFocusEvent, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.ui import icons
from app.ui.theme import Theme
from app.ui.transcript.measures import Measures

Key = tuple[int, str, int, int]
"""The message's id, what the button does, and the block's section and index (0, 0 for the whole message)."""


LABELS = ("seen", "version")
"""What is never pressed, and is not off for that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A button that should be there, ``place`` in the viewport's coordinates.

    ``shown`` False: drawn only under the mouse or with the focus. ``detail`` is quieter text behind ``text``. ``lit``:
    what it switches is on.
    """

    key: Key
    place: QRectF = field(compare=False)
    icon: str = ""
    text: str = ""
    detail: str = ""
    name: str = ""
    shown: bool = True
    enabled: bool = True
    lit: bool = False


class ActionButton(QAbstractButton):
    """A quiet button: an icon, perhaps a text, a soft ground under the mouse, a ring with the focus."""

    tabbed_to = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.wanted: Wanted | None = None
        self._theme: Theme | None = None
        self._hovered = False

    def show_as(self, wanted: Wanted, theme: Theme) -> None:
        """Becomes this button."""
        self.setGeometry(wanted.place.toRect())
        if wanted != self.wanted or theme is not self._theme:
            self.wanted = wanted
            self._theme = theme
            self.setText(wanted.text)
            self.setAccessibleName(wanted.name or wanted.text)
            self.setToolTip(wanted.name if not wanted.text else "")
            self.setEnabled(wanted.enabled)
            self.update()
        if self.isHidden():
            self.show()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()
        super().leaveEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.tabbed_to.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        wanted, theme = self.wanted, self._theme
        if wanted is None or theme is None:
            return
        active = self._hovered or self.hasFocus()
        if not (wanted.shown or active):
            return
        m = Measures.of(theme)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        fold = wanted.key[1] == "fold"
        if self._hovered and self.isEnabled() and not fold:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("pressed" if self.isDown() else "hover"))
            painter.drawRoundedRect(ground, m.px(7), m.px(7))
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("focus"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(ground, m.px(7), m.px(7))
        colour = theme.colours.accent if wanted.lit else theme.colours.muted
        if self._hovered and self.isEnabled():
            colour = theme.colours.accent_hover if wanted.lit else theme.colours.text
        x = m.inset
        if wanted.icon:
            picture = icons.image(wanted.icon, colour, m.icon, self.devicePixelRatioF())
            painter.setOpacity(1.0 if self.isEnabled() or wanted.key[1] in LABELS else 0.4)
            # Whole pixels, so that its lines stay sharp.
            x = (self.width() - m.icon) // 2 if not wanted.text else x
            painter.drawImage(QRectF(x, (self.height() - m.icon) // 2, m.icon, m.icon), picture)
            x += m.icon + m.between
        if wanted.text:
            self._paint_text(painter, wanted, theme, colour, QRectF(self.rect()).adjusted(x, 0, -m.inset, 0))
        painter.end()

    def _paint_text(self, painter: QPainter, wanted: Wanted, theme: Theme, colour: str, room: QRectF) -> None:
        font = text_font(theme, wanted)
        painter.setFont(font)
        painter.setPen(QColor(colour))
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(room, align, wanted.text)
        if wanted.detail:
            room.setLeft(room.left() + QFontMetricsF(font).horizontalAdvance(wanted.text) + Measures.of(theme).px(10))
            font = theme.font(theme.type.interface)
            painter.setFont(font)
            painter.setPen(theme.colour("muted"))
            painter.drawText(
                room, align, QFontMetricsF(font).elidedText(wanted.detail, Qt.TextElideMode.ElideRight, room.width())
            )


def text_font(theme: Theme, wanted: Wanted) -> QFont:
    """The font of a button's text."""
    if wanted.key[1] == "fold":
        return theme.font(theme.type.interface, QFont.Weight.Medium)
    return theme.font(theme.type.caption)


def text_width(theme: Theme, wanted: Wanted) -> float:
    """How wide a button must be for its icon, text and detail."""
    m = Measures.of(theme)
    width = QFontMetricsF(text_font(theme, wanted)).horizontalAdvance(wanted.text) + 2 * m.inset + 2
    if wanted.icon:
        width += m.icon + m.between
    if wanted.detail:
        width += m.px(12) + QFontMetricsF(theme.font(theme.type.interface)).horizontalAdvance(wanted.detail)
    return width


class ButtonPool:
    """Keeps the buttons of what is on screen; one that stays on screen stays the same widget, with its focus."""

    def __init__(
        self,
        parent: QWidget,
        pressed: Callable[[Key], None],
        lost_focus: Callable[[], None],
        focused: Callable[[ActionButton], None],
    ) -> None:
        self._parent = parent
        self._focused = focused
        self._pressed = pressed
        self._lost_focus = lost_focus
        self._used: dict[Key, ActionButton] = {}
        self._free: list[ActionButton] = []

    def place(self, wanted: Iterable[Wanted], theme: Theme) -> None:
        """Shows exactly these buttons, to be walked through in this order."""
        wishes = list(wanted)
        keys = [wish.key for wish in wishes]
        for key in self._used.keys() - set(keys):
            self._release(self._used.pop(key))
        fresh = False
        for wish in wishes:
            button = self._used.get(wish.key)
            if button is None:
                button = self._used[wish.key] = self._free.pop() if self._free else self._new()
                fresh = True
            button.show_as(wish, theme)
        if fresh:
            for one, other in pairwise(keys):
                QWidget.setTabOrder(self._used[one], self._used[other])

    def button(self, key: Key) -> ActionButton | None:
        """The button of this key, when it is on screen."""
        return self._used.get(key)

    def buttons(self) -> list[ActionButton]:
        """All that are on screen."""
        return list(self._used.values())

    def _new(self) -> ActionButton:
        button = ActionButton(self._parent)
        button.tabbed_to.connect(lambda: self._focused(button))
        button.clicked.connect(lambda: self._pressed(button.wanted.key) if button.wanted else None)
        return button

    def _release(self, button: ActionButton) -> None:
        if button.hasFocus():
            self._lost_focus()
        button.hide()
        button.wanted = None
        self._free.append(button)
