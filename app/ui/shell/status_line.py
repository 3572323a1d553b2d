"""The line at the foot of the window: what the model is doing."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from app.services.payloads import EngineState, Phase
from app.ui.shell.elided_label import ElidedLabel
from app.ui.shell.error_text import what
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme


class StateDot(QWidget):
    """A small disc in the colour of the state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor()

    def set_colour(self, colour: str) -> None:
        """Fill the disc with it."""
        self._colour = QColor(colour)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawEllipse(self.rect())


class StatusLine(QWidget):
    """Name, state, context and speed of the model, why it runs as it does, and what can be done about it.

    ``reload_requested``: it failed, or is not loaded. ``cancel_requested``: it is being loaded. ``restart_requested``:
    it does not respond.
    """

    reload_requested = Signal()
    cancel_requested = Signal()
    restart_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme = theme
        self._state = EngineState()
        self._dot = StateDot()
        self.words = ElidedLabel()
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.button = QToolButton()
        """Reload, load, cancel or restart, as the state is."""
        self.button.setObjectName("statusAction")
        self.button.clicked.connect(self._act)
        self._private = QLabel(self.tr("Offline · private"))
        self._private.setToolTip(self.tr("Chatting opens no network connection. Everything stays on this computer."))
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._dot)
        self._row.addWidget(self.words, 1)
        self._row.addWidget(self.progress)
        self._row.addWidget(self.button)
        self._row.addWidget(self._private)
        self.set_theme(theme)

    def set_state(self, state: EngineState) -> None:
        """Show what the engine is doing."""
        self._state = state
        doing = " · ".join(part for part in (self._doing(state), *self._figures(state)) if part)
        text = f"{state.model_name} · {doing}" if state.model_name else doing
        self.words.set_full_text(text, state.explanation, shorter=doing)
        self._show_progress()
        self.progress.setValue(round(state.progress * 1000))
        offer = self._offer(state)
        self.button.setText(offer)
        self.button.setVisible(bool(offer))
        self._dot.set_colour(self._colour(state.phase))
        tone = {Phase.FAILED: "bad", Phase.STALLED: "slow"}.get(state.phase, "")
        restyle(self.words, "tone", tone)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._private.setVisible(self.width() >= scaled(self._theme)(620))
        self._show_progress()

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._row.setContentsMargins(px(16), 0, px(16), 0)
        self._row.setSpacing(px(8))
        self._dot.setFixedSize(QSize(px(7), px(7)))
        self.progress.setFixedWidth(px(96))
        self.setFixedHeight(px(28))
        self.set_state(self._state)

    def _show_progress(self) -> None:
        """Where there is room; the words say it too."""
        goes_on = self._state.phase in (Phase.LOADING, Phase.READING)
        self.progress.setVisible(goes_on and self.width() >= scaled(self._theme)(380))

    def _act(self) -> None:
        match self._state.phase:
            case Phase.LOADING:
                self.cancel_requested.emit()
            case Phase.STALLED:
                self.restart_requested.emit()
            case _:
                self.reload_requested.emit()

    def _offer(self, state: EngineState) -> str:
        match state.phase:
            case Phase.LOADING:
                return self.tr("Cancel")
            case Phase.STALLED:
                return self.tr("Restart")
            case Phase.FAILED:
                return self.tr("Reload")
            case Phase.UNLOADED:
                return self.tr("Load") if state.model_name else ""
            case _:
                return ""

    def _doing(self, state: EngineState) -> str:
        match state.phase:
            case Phase.UNLOADED:
                return self.tr("unloaded to free memory") if state.freed else self.tr("not loaded")
            case Phase.LOADING:
                return self.tr("loading {percent}").format(percent=self._percent(state.progress))
            case Phase.READY:
                return self.tr("ready")
            case Phase.READING:
                return self.tr("reading {percent}").format(percent=self._percent(state.progress))
            case Phase.ANSWERING:
                return self.tr("answering")
            case Phase.STALLED:
                return self.tr("not responding for the moment")
            case Phase.FAILED:
                return what(state.error) if state.error is not None else self.tr("stopped")

    def _figures(self, state: EngineState) -> tuple[str, ...]:
        rate = self.locale().toString(state.tokens_per_s, "f", 0 if state.tokens_per_s >= 100 else 1)
        speed = self.tr("{speed} tokens/s").format(speed=rate)
        room = self.tr("{tokens} tokens of context").format(tokens=self.locale().toString(state.context))
        match state.phase:
            case Phase.READY:
                return (room if state.context else "", speed if state.tokens_per_s else "")
            case Phase.ANSWERING:
                return (speed if state.tokens_per_s else "",)
            case _:
                return ()

    def _percent(self, share: float) -> str:
        return f"{round(share * 100)}{self.locale().percent()}"

    def _colour(self, phase: Phase) -> str:
        colours = self._theme.colours
        match phase:
            case Phase.READY:
                return colours.success
            case Phase.LOADING | Phase.READING | Phase.ANSWERING:
                return colours.accent
            case Phase.STALLED:
                return colours.warning
            case Phase.FAILED:
                return colours.danger
            case Phase.UNLOADED:
                return colours.control_border
