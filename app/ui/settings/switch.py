"""A switch: on or off."""

from PySide6.QtCore import Property as QtProperty
from PySide6.QtCore import QEasingCurve, QPropertyAnimation, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from app.ui.shell.style import scaled
from app.ui.theme import Theme

GLIDE = 120  # ms


class Switch(QAbstractButton):
    """A checkable button drawn as a knob that glides; Space toggles it."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._knob = 0.0
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._glide = QPropertyAnimation(self, b"knob", self)
        self._glide.setDuration(GLIDE)
        self._glide.setEasingCurve(QEasingCurve.Type.OutCubic)
        self.toggled.connect(self._move)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        px = scaled(self._theme)
        return QSize(px(46), px(28))

    def _move(self, on: bool) -> None:
        self._glide.stop()
        if not self.isVisible():
            self._set_knob(float(on))
            return
        self._glide.setEndValue(float(on))
        self._glide.start()

    def _get_knob(self) -> float:
        return self._knob

    def _set_knob(self, at: float) -> None:
        self._knob = at
        self.update()

    knob = QtProperty(float, _get_knob, _set_knob)

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        px, colours = scaled(self._theme), self._theme.colours
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(px(3), (self.height() - px(22)) / 2, px(40), px(22))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.accent if self.isChecked() else colours.control_border))
        painter.drawRoundedRect(track, track.height() / 2, track.height() / 2)
        side = track.height() - px(6)
        along = self._knob if self.layoutDirection() == Qt.LayoutDirection.LeftToRight else 1 - self._knob
        left = track.left() + px(3) + along * (track.width() - side - px(6))
        painter.setBrush(QColor(colours.on_accent if self.isChecked() else "#ffffff"))
        painter.drawEllipse(QRectF(left, track.top() + px(3), side, side))
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.focus), px(2)))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            ring = track.adjusted(-px(2), -px(2), px(2), px(2))
            painter.drawRoundedRect(ring, ring.height() / 2, ring.height() / 2)
