"""The list of chats as a Qt model: a heading for each span of days, and the chats below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from PySide6.QtCore import QAbstractListModel, QCoreApplication, QModelIndex, QPersistentModelIndex, Qt, Signal

from app.domain.tree import ConversationInfo

Index = QModelIndex | QPersistentModelIndex


class DaySpan(Enum):
    """The headings of the list, newest first."""

    TODAY = "today"
    YESTERDAY = "yesterday"
    WEEK = "week"
    OLDER = "older"


class ChatRole(IntEnum):
    """What the delegate asks for besides Qt's own roles."""

    CHAT_ID = Qt.ItemDataRole.UserRole + 1
    IS_HEADING = Qt.ItemDataRole.UserRole + 2
    IS_OPEN = Qt.ItemDataRole.UserRole + 3


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list: a heading when ``chat`` is None."""

    span: DaySpan
    chat: ConversationInfo | None = None


def span_of(updated: float, now: datetime) -> DaySpan:
    """Which heading a chat stands under. ``updated`` is seconds since the epoch, ``now`` local time with its zone.

    A chat from the future (a clock set back) counts as today.
    """
    days = (now.date() - datetime.fromtimestamp(updated, now.tzinfo).date()).days
    if days <= 0:
        return DaySpan.TODAY
    if days == 1:
        return DaySpan.YESTERDAY
    return DaySpan.WEEK if days <= 7 else DaySpan.OLDER


def rows_of(chats: Sequence[ConversationInfo], now: datetime) -> tuple[Row, ...]:
    """The chats, newest first, with a heading before each span of days."""
    rows: list[Row] = []
    span: DaySpan | None = None
    for chat in sorted(chats, key=lambda c: (c.updated, c.id), reverse=True):
        its = span_of(chat.updated, now)
        if its is not span:
            rows.append(Row(its))
            span = its
        rows.append(Row(its, chat))
    return tuple(rows)


def seconds_to_midnight(now: datetime) -> int:
    """When the headings are next out of date."""
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return max(1, int((midnight - now).total_seconds()) + 1)


class ConversationModel(QAbstractListModel):
    """Headings and chats in one column; a chat's title can be edited."""

    rename_requested = Signal(int, str)

    def __init__(self, parent: object = None) -> None:
        super().__init__(parent)  # pyright: ignore[reportArgumentType, reportCallIssue]
        self._rows: tuple[Row, ...] = ()
        self._chats: tuple[ConversationInfo, ...] = ()
        self._open: int | None = None

    @property
    def chats(self) -> tuple[ConversationInfo, ...]:
        """What is listed, in the order it was given."""
        return self._chats

    @property
    def open_chat(self) -> int | None:
        """The chat that the pane shows."""
        return self._open

    def set_chats(self, chats: Sequence[ConversationInfo], now: datetime | None = None) -> None:
        """Show these chats. Where only titles changed, the lines stay what they are, so that nothing jumps."""
        self._chats = tuple(chats)
        rows = rows_of(chats, now or datetime.now().astimezone())
        if [_identity(row) for row in rows] == [_identity(row) for row in self._rows]:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def set_open(self, chat_id: int | None) -> None:
        """Mark the chat that the pane shows."""
        if chat_id == self._open:
            return
        before, self._open = self._open, chat_id
        for changed in (before, chat_id):
            index = self.index_of(changed)
            if index.isValid():
                self.dataChanged.emit(index, index, [ChatRole.IS_OPEN, Qt.ItemDataRole.FontRole])

    def index_of(self, chat_id: int | None) -> QModelIndex:
        """Where a chat stands; an invalid index when it is not listed."""
        if chat_id is not None:
            for number, row in enumerate(self._rows):
                if row.chat is not None and row.chat.id == chat_id:
                    return self.index(number)
        return QModelIndex()

    def chat_at(self, index: Index) -> ConversationInfo | None:
        """The chat of a line; None for a heading and for no line."""
        return self._rows[index.row()].chat if index.isValid() else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 Qt's own signature
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        chat = row.chat
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return heading(row.span) if chat is None else shown_title(chat)
            case Qt.ItemDataRole.ToolTipRole:
                return None if chat is None else shown_title(chat)
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._spoken(row)
            case ChatRole.CHAT_ID:
                return None if chat is None else chat.id
            case ChatRole.IS_HEADING:
                return chat is None
            case ChatRole.IS_OPEN:
                return chat is not None and chat.id == self._open
            case _:
                return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        chat = self.chat_at(index)
        title = " ".join(str(value).split())
        if role != Qt.ItemDataRole.EditRole or chat is None or not title or title == chat.title:
            return False
        self.rename_requested.emit(chat.id, title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.chat_at(index) is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def _spoken(self, row: Row) -> str:
        if row.chat is None:
            return heading(row.span)
        if row.chat.id == self._open:
            return QCoreApplication.translate("ConversationModel", "{title}, open").format(title=shown_title(row.chat))
        return shown_title(row.chat)


def heading(span: DaySpan) -> str:
    """The words of a heading."""
    match span:
        case DaySpan.TODAY:
            return QCoreApplication.translate("ConversationModel", "Today")
        case DaySpan.YESTERDAY:
            return QCoreApplication.translate("ConversationModel", "Yesterday")
        case DaySpan.WEEK:
            return QCoreApplication.translate("ConversationModel", "Previous 7 days")
        case DaySpan.OLDER:
            return QCoreApplication.translate("ConversationModel", "Older")


def shown_title(chat: ConversationInfo) -> str:
    """A chat's title in one line; a chat without one is a new chat."""
    return " ".join(chat.title.split()) or QCoreApplication.translate("ConversationModel", "New chat")


def _identity(row: Row) -> tuple[DaySpan, int | None]:
    return row.span, None if row.chat is None else row.chat.id
