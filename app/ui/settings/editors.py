"""Which editor a setting gets, by its declaration."""

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QCoreApplication, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QWheelEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPlainTextEdit, QSlider, QWidget

from app.domain.setting import Kind, Setting, Value
from app.ui.settings.number_field import NumberField
from app.ui.settings.segments import Segments
from app.ui.settings.switch import Switch
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme

TYPING_PAUSE = 600  # ms after the last key until a text is taken over
MOST_SEGMENTS = 3
CONTEXT = "Settings"


class Editor(Protocol):
    """What a row needs of an editor."""

    @property
    def widget(self) -> QWidget: ...

    def show_value(self, value: Value) -> None: ...

    def set_theme(self, theme: Theme) -> None: ...

    def set_room(self, room: int) -> None: ...

    def show_wrong(self, wrong: bool) -> None: ...


def in_words(text: str) -> str:
    """A declared text in the language of the interface."""
    return QCoreApplication.translate(CONTEXT, text) if text else ""


class SwitchEditor:
    """BOOL."""

    def set_room(self, room: int) -> None:
        """It always fits."""

    def __init__(self, setting: Setting[Value], theme: Theme, take: Callable[[object], None]) -> None:
        self.widget = Switch(theme)
        self.widget.setAccessibleName(in_words(setting.label))
        self.widget.clicked.connect(lambda on: take(on))

    def show_value(self, value: Value) -> None:
        self.widget.setChecked(bool(value))

    def set_theme(self, theme: Theme) -> None:
        self.widget.set_theme(theme)

    def show_wrong(self, wrong: bool) -> None:
        restyle(self.widget, "wrong", wrong)


class StillSlider(QSlider):
    """A slider that leaves the wheel to the page it lies on."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class StillComboBox(QComboBox):
    """A combo box that leaves the wheel to the page it lies on."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class NumberEditor:
    """INT, and FLOAT with a slider beside its number."""

    def __init__(self, setting: Setting[Value], theme: Theme, take: Callable[[object], None]) -> None:
        self._setting = setting
        self.field = NumberField(setting, theme)
        self.field.setAccessibleName(in_words(setting.label))
        self.field.edited.connect(take)
        self.slider: StillSlider | None = None
        self.widget: QWidget = self.field
        if setting.kind is Kind.FLOAT and setting.minimum is not None and setting.maximum is not None:
            self.slider = self._make_slider(setting, take)
            self.widget = QWidget()
            self._row = QHBoxLayout(self.widget)
            self._row.setContentsMargins(0, 0, 0, 0)
            self._row.addWidget(self.slider, 1)
            self._row.addWidget(self.field)
            self.widget.setFocusProxy(self.slider)
        self.set_theme(theme)

    def show_value(self, value: Value) -> None:
        assert isinstance(value, int | float)
        self.field.set_value(value)
        if self.slider is not None:
            self.slider.blockSignals(True)
            self.slider.setValue(round(value / self._setting.step))
            self.slider.blockSignals(False)

    def set_theme(self, theme: Theme) -> None:
        self.field.set_theme(theme)
        if self.slider is not None:
            px = scaled(theme)
            self.slider.setMinimumWidth(px(70))
            self.slider.setMinimumHeight(px(22))
            self._row.setSpacing(px(12))

    def set_room(self, room: int) -> None:
        """The slider gives way, then the number."""
        self.field.set_room(room)
        if self.slider is not None:
            self.slider.setVisible(room >= self.field.sizeHint().width() + self.slider.minimumWidth() + 12)

    def show_wrong(self, wrong: bool) -> None:
        restyle(self.field, "wrong", wrong)

    def _make_slider(self, setting: Setting[Value], take: Callable[[object], None]) -> StillSlider:
        assert setting.minimum is not None
        assert setting.maximum is not None
        slider = StillSlider(Qt.Orientation.Horizontal)
        slider.setAccessibleName(in_words(setting.label))
        slider.setRange(round(setting.minimum / setting.step), round(setting.maximum / setting.step))
        slider.setPageStep(max(1, (slider.maximum() - slider.minimum()) // 10))
        slider.valueChanged.connect(lambda at: take(round(at * setting.step, 6)))
        return slider


class ChoiceEditor:
    """CHOICE: side by side while they are few, in a list when they are many."""

    def __init__(self, setting: Setting[Value], theme: Theme, take: Callable[[object], None]) -> None:
        words = tuple((choice, in_words(choice.label)) for choice in setting.choices)
        self.segments: Segments | None = None
        self.combo: StillComboBox | None = None
        self.widget: QWidget
        if len(words) <= MOST_SEGMENTS:
            self.segments = Segments(words, theme)
            self.segments.chosen.connect(take)
            self.widget = self.segments
        else:
            self.combo = StillComboBox()
            for choice, label in words:
                self.combo.addItem(label, choice.value)
            self.combo.activated.connect(lambda at: take(setting.choices[at].value))
            self.widget = self.combo
        self.widget.setAccessibleName(in_words(setting.label))

    def show_value(self, value: Value) -> None:
        if self.segments is not None:
            self.segments.set_value(str(value))
        if self.combo is not None:
            self.combo.setCurrentIndex(self.combo.findData(value))

    def set_theme(self, theme: Theme) -> None:
        if self.segments is not None:
            self.segments.set_theme(theme)

    def set_room(self, room: int) -> None:
        """Choices side by side may have to stand below each other."""
        if self.segments is not None:
            self.segments.set_room(room)

    def show_wrong(self, wrong: bool) -> None:
        restyle(self.widget, "wrong", wrong)


class TextField(QPlainTextEdit):
    """Plain text of one or several lines. ``left``: the focus went elsewhere."""

    left = Signal()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


class TextEditor:
    """TEXT: taken over a moment after the last key, or when the field is left."""

    def __init__(self, setting: Setting[Value], theme: Theme, take: Callable[[object], None]) -> None:
        self._take = take
        self._lines = 4 if setting.multiline else 1
        self._known = ""
        self.widget = TextField()
        self.widget.setFrameShape(QFrame.Shape.NoFrame)
        self.widget.setTabChangesFocus(True)
        self.widget.setAccessibleName(in_words(setting.label))
        self._pause = QTimer(self.widget)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE)
        self._pause.timeout.connect(self._report)
        self.widget.textChanged.connect(self._pause.start)
        self.widget.left.connect(self._report)
        self.set_theme(theme)

    def show_value(self, value: Value) -> None:
        self._known = str(value)
        if self.widget.toPlainText() != self._known:
            self.widget.setPlainText(self._known)
        self._pause.stop()

    def set_room(self, room: int) -> None:
        """It takes what there is."""

    def set_theme(self, theme: Theme) -> None:
        line = round(theme.type.interface * 1.5)
        self.widget.setFixedHeight(self._lines * line + scaled(theme)(20))

    def show_wrong(self, wrong: bool) -> None:
        restyle(self.widget, "wrong", wrong)

    def _report(self) -> None:
        self._pause.stop()
        text = self.widget.toPlainText()
        if text != self._known:
            self._take(text)


def editor_for(setting: Setting[Value], theme: Theme, take: Callable[[object], None]) -> Editor:
    """The editor for a setting's kind; ``take`` gets what the user enters."""
    match setting.kind:
        case Kind.BOOL:
            return SwitchEditor(setting, theme, take)
        case Kind.INT | Kind.FLOAT:
            return NumberEditor(setting, theme, take)
        case Kind.CHOICE:
            return ChoiceEditor(setting, theme, take)
        case Kind.TEXT:
            return TextEditor(setting, theme, take)
