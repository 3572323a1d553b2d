"""A number with buttons for less and more."""

from decimal import Decimal

from PySide6.QtCore import QLocale, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from app.domain.setting import Kind, Setting, Value
from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme


class NumberLine(QLineEdit):
    """The text of the number; up and down step it, and entering it selects all."""

    stepped = Signal(int)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_PageUp: 10, Qt.Key.Key_PageDown: -10}
        step = next((step for key, step in steps.items() if key == event.key()), None)
        if step is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(step)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.selectAll()


class NumberField(QFrame):
    """Edits an INT or FLOAT setting.

    ``edited(object)`` carries what was entered: an int, a float, or the text itself where it is no number, so that
    the setting's own check can refuse it with its own words.
    """

    edited = Signal(object)

    def __init__(self, setting: Setting[Value], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("numberField")
        self._setting = setting
        self._value: int | float = 0
        self.line = NumberLine()
        self.line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.line.editingFinished.connect(self._finish)
        self.line.stepped.connect(self.step)
        self.less = self._button(self.tr("Less"), -1)
        self.more = self._button(self.tr("More"), 1)
        self._unit = QLabel(setting.unit)
        self._unit.setObjectName("unit")
        row = QHBoxLayout(self)
        row.setContentsMargins(2, 2, 2, 2)
        row.setSpacing(0)
        for part in (self.less, self.line, self._unit, self.more):
            row.addWidget(part)
        self.setFocusProxy(self.line)
        self.set_theme(theme)

    def setAccessibleName(self, name: str) -> None:
        super().setAccessibleName(name)
        self.line.setAccessibleName(name)
        self.less.setAccessibleName(self.tr("{setting}: less").format(setting=name))
        self.more.setAccessibleName(self.tr("{setting}: more").format(setting=name))

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        widest = max(len(self._text(self._setting.maximum or 0)), len(self._setting.special_label), 4)
        self._least, self._wanted = px(40), px(20) + widest * px(8)
        self._button_sizes = px(22), px(28)
        self.line.setFixedWidth(self._wanted)
        for button, name in ((self.less, "minus"), (self.more, "plus")):
            button.setIcon(icon(name, theme.colours.muted, px(14)))
            button.setIconSize(QSize(px(14), px(14)))
            button.setFixedSize(px(28), px(28))

    def set_room(self, room: int) -> None:
        """The buttons give way a little, then the number: a long one moves under the cursor."""
        narrow, usual = self._button_sizes
        around = self.sizeHint().width() - self.line.width() - self.less.width() - self.more.width()
        button = usual if around + self._wanted + 2 * usual <= room else narrow
        for each in (self.less, self.more):
            each.setFixedWidth(button)
        self.line.setFixedWidth(max(self._least, min(self._wanted, room - around - 2 * button)))

    def set_value(self, value: int | float) -> None:
        """Show this value."""
        self._value = value
        self.line.setText(self._text(value))
        # "automatic tokens" makes no sense.
        self._unit.setVisible(bool(self._setting.unit) and value != self._setting.special)
        self._refresh()

    def step(self, steps: int) -> None:
        """Go up or down by the setting's step, along its whole steps and within its bounds."""
        setting = self._setting
        low, high = setting.minimum, setting.maximum
        step = Decimal(str(setting.step))
        now = Decimal(str(self._value))
        if setting.special is not None and low is not None and setting.special < low and self._value == setting.special:
            wanted = Decimal(str(low)) if steps > 0 else now
        else:
            wanted = ((now / step).quantize(Decimal(1)) + steps) * step
            if low is not None and wanted < Decimal(str(low)):
                below = setting.special is not None and setting.special < low and now <= Decimal(str(low))
                wanted = Decimal(str(setting.special if below else low))
            if high is not None:
                wanted = min(wanted, Decimal(str(high)))
        self._offer(int(wanted) if setting.kind is Kind.INT else float(wanted))

    def _offer(self, value: object) -> None:
        if value != self._value:
            self.edited.emit(value)

    def _finish(self) -> None:
        if self.line.text() != self._text(self._value):
            self.edited.emit(self._parse(self.line.text()))

    def _parse(self, text: str) -> object:
        text = text.strip()
        special = self._setting.special
        if special is not None and text.casefold() == self._setting.special_label.casefold():
            return special
        if self._setting.kind is Kind.INT:
            number, good = self.locale().toLongLong(text)
        else:
            number, good = self.locale().toDouble(text)
        return number if good else text

    def _text(self, value: int | float) -> str:
        setting = self._setting
        if setting.special is not None and value == setting.special and setting.special_label:
            return setting.special_label
        if setting.kind is Kind.INT:
            return self._plain().toString(int(value))
        return self._plain().toString(float(value), "f", setting.decimals)

    def _plain(self) -> QLocale:
        locale = self.locale()
        locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)
        return locale

    def _button(self, words: str, steps: int) -> QToolButton:
        button = QToolButton()
        button.setObjectName("stepButton")
        button.setToolTip(words)
        button.setAutoRepeat(True)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda: self.step(steps))
        return button

    def _refresh(self) -> None:
        setting = self._setting
        bottom = (
            min(v for v in (setting.minimum, setting.special) if v is not None) if setting.minimum is not None else None
        )
        self.less.setEnabled(bottom is None or self._value > bottom)
        self.more.setEnabled(setting.maximum is None or self._value < setting.maximum)
