"""The bar for what the user should know: problems with what to do, and things that can be undone."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent, QEnterEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.domain.errors import UserError
from app.ui.icons import icon
from app.ui.shell.bounded_words import BoundedWords
from app.ui.shell.error_text import remedy, what
from app.ui.shell.style import restyle, scaled
from app.ui.theme import Theme

UNDO_TIME = 10_000  # ms that an offer to undo stays
WORDS = 220  # pixels at 100% that words need beside a button


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. ``problem`` picks the look; ``stays`` False lets it go by itself after a while."""

    what: str
    remedy: str = ""
    problem: bool = True
    action: str = ""
    act: Callable[[], None] | None = None
    stays: bool = True


class MessageBar(QFrame):
    """Shows one notice at a time, the newest; closing it shows the one before that is still open.

    ``shown_changed(bool)``: whether there is something to show.
    """

    shown_changed = Signal(bool)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self._theme = theme
        self._notices: list[Notice] = []
        self._mark = QLabel()
        self._what = QLabel()
        self._remedy = QLabel()
        self._remedy.setObjectName("barRemedy")
        for label in (self._what, self._remedy):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action_button = QToolButton(self)
        self.action_button.setObjectName("barAction")
        self.action_button.clicked.connect(self._act)
        self.action_button.hide()
        self.close_button = QToolButton()
        self.close_button.setAccessibleName(self.tr("Close this message"))
        self.close_button.setToolTip(self.tr("Close"))
        self.close_button.clicked.connect(self.close_current)
        self.words = BoundedWords(self._what, self._remedy)
        self._row = QGridLayout(self)
        self._row.addWidget(self._mark, 0, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addWidget(self.words, 0, 1)
        self._row.addWidget(self.close_button, 0, 3)
        self._row.setColumnStretch(1, 1)
        self._place: tuple[int, int, int, int] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(UNDO_TIME)
        self._timer.timeout.connect(self.close_current)
        self.set_theme(theme)
        self.hide()

    @property
    def notice(self) -> Notice | None:
        """What is shown."""
        return self._notices[-1] if self._notices else None

    def show_error(self, error: UserError, action: str = "", act: Callable[[], None] | None = None) -> None:
        """Say what happened and what to do; the same message is not shown twice."""
        self.show_notice(Notice(what(error), remedy(error), action=action, act=act))

    def show_notice(self, notice: Notice) -> None:
        """Show it above what is shown already. A passing one gives way to any other."""
        told = [n for n in self._notices if n.stays and (n.what, n.remedy) != (notice.what, notice.remedy)]
        self._notices = [*told[-9:], notice]
        self._refresh()

    def withdraw(self, notice: Notice) -> None:
        """It is not so any more."""
        if notice in self._notices:
            self._notices.remove(notice)
            self._refresh()

    def set_passing_time(self, milliseconds: int) -> None:
        """How long a notice stays that goes by itself."""
        self._timer.setInterval(milliseconds)

    def set_most(self, height: int) -> None:
        """The words take no more than this many pixels."""
        self.words.set_most(height)

    def close_current(self) -> None:
        """Close what is shown."""
        if self._notices:
            self._notices.pop()
        self._refresh()

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._row.setContentsMargins(px(14), px(8), px(8), px(8))
        self._row.setHorizontalSpacing(px(10))
        self._row.setVerticalSpacing(px(6))
        self._mark.setContentsMargins(0, px(4), 0, 0)
        self.close_button.setIconSize(QSize(px(16), px(16)))
        self._refresh()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_action()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._timer.stop()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        if self.notice is not None and not self.notice.stays:
            self._timer.start()
        super().leaveEvent(event)

    def _act(self) -> None:
        notice = self.notice
        self.close_current()
        if notice is not None and notice.act is not None:
            notice.act()

    def _place_action(self) -> None:
        """Beside the words, or below them where it would leave them too little room."""
        px = scaled(self._theme)
        wanted = self.action_button.sizeHint().width()
        inside = self.width() - px(14 + 8)
        mark = px(18 + 10)
        if inside - mark - 2 * px(10) - wanted - self.close_button.sizeHint().width() >= px(WORDS):
            place = (0, 2, 1, 1)
        else:  # in line with the words, or with the mark where that is too narrow
            place = (1, 1, 1, 3) if inside - mark >= wanted else (1, 0, 1, 4)
        if place == self._place:
            return
        self._place = place
        beside = place[0] == 0
        leading, middle, top = Qt.AlignmentFlag.AlignLeading, Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignTop
        self._row.removeWidget(self.action_button)
        self._row.addWidget(self.action_button, *place, middle if beside else leading)
        self._row.setAlignment(self.close_button, middle if beside else top)

    def _refresh(self) -> None:
        notice = self.notice
        self._timer.stop()
        if notice is None:
            self.hide()
            self.setAccessibleName("")
            self.shown_changed.emit(False)
            return
        colours = self._theme.colours
        size = scaled(self._theme)(18)
        ground = colours.warning if notice.problem else colours.page
        self._mark.setPixmap(icon("warning" if notice.problem else "info", ground, size).pixmap(size, size))
        self._mark.setVisible(notice.problem)
        self.close_button.setIcon(icon("close", colours.muted if notice.problem else colours.page, size))
        self._what.setText(notice.what)
        self._remedy.setText(notice.remedy)
        self._remedy.setVisible(bool(notice.remedy))
        self.action_button.setText(notice.action)
        self.action_button.setVisible(bool(notice.action))
        self._place_action()
        self.words.said_anew()
        restyle(self, "tone", "problem" if notice.problem else "note")
        spoken = f"{notice.what} {notice.remedy}".strip()
        changed = spoken != self.accessibleName()
        self.setAccessibleName(spoken)
        self.show()
        self.shown_changed.emit(True)
        if changed:
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))
        if not notice.stays:
            self._timer.start()
