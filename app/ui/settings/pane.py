"""The settings pane, made from the declared settings."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.domain.errors import UserError
from app.domain.setting import Group
from app.domain.settings import in_group, setting_of
from app.services.settings_service import SettingsService
from app.ui.settings.editors import in_words
from app.ui.settings.row import SettingRow
from app.ui.settings.search_field import SearchField
from app.ui.shell.style import scaled
from app.ui.theme import Theme

COLUMN = 760  # pixels at 100%
GROUPS_FROM = 680
BESIDE_FROM = 520
TIGHT = 300
SCROLL_BAR = 12  # pixels, at any text size


class Section(QWidget):
    """The rows of a group, in a card below its heading."""

    def __init__(self, group: Group, settings: SettingsService, theme: Theme) -> None:
        super().__init__()
        self.group = group
        heading = QLabel(in_words(group.value))
        heading.setObjectName("sectionTitle")
        self.reset_button = QPushButton(self.tr("Reset"))
        self.reset_button.setProperty("kind", "quiet")
        self.reset_button.setAccessibleName(self.tr("Reset all of “{group}”").format(group=in_words(group.value)))
        self.reset_button.clicked.connect(lambda: settings.reset_group(group.value))
        head = QHBoxLayout()
        head.addWidget(heading, 1)
        head.addWidget(self.reset_button)
        card = QFrame()
        card.setObjectName("settingsCard")
        self._lines: list[QFrame] = []
        inside = QVBoxLayout(card)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        self.rows = tuple(SettingRow(setting, theme) for setting in in_group(group))
        for number, row in enumerate(self.rows):
            if number:
                line = QFrame()
                line.setObjectName("hairline")
                line.setFixedHeight(1)
                self._lines.append(line)
                inside.addWidget(line)
            inside.addWidget(row)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(head)
        self._column.addWidget(card)

    def filter(self, words: str) -> bool:
        """Show the rows that match; whether there is one."""
        found = [row.matches(words) for row in self.rows]
        for row, matches in zip(self.rows, found, strict=True):
            row.setVisible(matches)
        for number, line in enumerate(self._lines, start=1):
            line.setVisible(found[number] and any(found[:number]))
        self.setVisible(any(found))
        return any(found)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._column.setSpacing(scaled(theme)(6))
        for row in self.rows:
            row.set_theme(theme)


class SettingsPane(QWidget):
    """Groups at the left, their settings at the right, and a search over all of them."""

    def __init__(self, settings: SettingsService, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._theme = theme
        self._going = False
        self.search = SearchField(theme)
        self.search.setPlaceholderText(self.tr("Search settings"))
        self.search.setAccessibleName(self.tr("Search settings"))
        self.groups = QListWidget()
        self.groups.setObjectName("groupList")
        self.groups.setAccessibleName(self.tr("Groups of settings"))
        self.groups.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.sections = tuple(Section(group, settings, theme) for group in Group if in_group(group))
        self.rows = {row.setting.key: row for section in self.sections for row in section.rows}
        self.nothing_found = QLabel(self.tr("No setting is called that. Try another word."))
        self.nothing_found.setProperty("kind", "muted")
        self.nothing_found.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing_found.hide()
        self._arrange()

        for section in self.sections:
            self.groups.addItem(in_words(section.group.value))
        for key, row in self.rows.items():
            row.entered.connect(self._enter)
            row.reset_requested.connect(settings.reset)
            self._show(key)
        self.search.textChanged.connect(self._filter)
        self.groups.currentRowChanged.connect(self._go_to)
        self.area.verticalScrollBar().valueChanged.connect(self._mark_group)
        settings.changed.connect(self._show)
        self.groups.setCurrentRow(0)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        self._theme = theme
        px = scaled(theme)
        self._side.setFixedWidth(px(224))
        self._side_rows.setContentsMargins(px(12), px(28), px(12), px(12))
        self._side_rows.setSpacing(px(12))
        self._column.setMaximumWidth(px(COLUMN))
        self._page_rows.setSpacing(px(26))
        self.search.set_theme(theme)
        for section in self.sections:
            section.set_theme(theme)
        self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    def _arrange(self) -> None:
        title = QLabel(self.tr("Settings"))
        title.setObjectName("pageTitle")
        self._side = QWidget()
        self._side.setProperty("kind", "sidebar")
        self._side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._side_rows = QVBoxLayout(self._side)
        self._side_rows.addWidget(title)
        self._side_rows.addWidget(self.search)
        self._side_rows.addWidget(self.groups, 1)
        self._column = QWidget()
        self._page_rows = QVBoxLayout(self._column)
        for section in self.sections:
            self._page_rows.addWidget(section)
        self._page_rows.addWidget(self.nothing_found)
        self._page_rows.addStretch(1)
        self._page = page = QWidget()
        page.setProperty("kind", "page")
        around = QHBoxLayout(page)
        around.setContentsMargins(0, 0, 0, 0)
        around.addStretch(1)
        around.addWidget(self._column, 1000)
        around.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(page)
        self._whole = QHBoxLayout(self)
        self._whole.setContentsMargins(0, 0, 0, 0)
        self._whole.setSpacing(0)
        self._whole.addWidget(self._side)
        self._whole.addWidget(self.area, 1)

    def _place(self) -> None:
        px = scaled(self._theme)
        beside = self.width() >= px(GROUPS_FROM)
        self._side.setVisible(beside)
        if not beside and self.search.parent() is self._side:
            self._page_rows.insertWidget(0, self.search)
        elif beside and self.search.parent() is not self._side:
            self._side_rows.insertWidget(1, self.search)
        room = self.width() - (self._side.width() if beside else 0)
        aside = px(20) if room >= px(TIGHT) else px(8)
        self._page_rows.setContentsMargins(aside, px(28), aside, px(28))
        margins = self._page_rows.contentsMargins()
        inside = min(room, px(COLUMN)) - margins.left() - margins.right() - SCROLL_BAR - 2
        for row in self.rows.values():
            row.set_room(inside, room < px(BESIDE_FROM))

    def _enter(self, key: str, value: object) -> None:
        try:
            self._settings.set_value(key, value)
        except UserError as error:
            self.rows[key].show_error(error)
        else:
            self._show(key)

    def _show(self, key: str) -> None:
        row = self.rows.get(key)
        if row is None:
            return
        setting = setting_of(key)
        row.show_value(self._settings.value(key), not self._settings.settings.is_default(setting))
        for section in self.sections:
            if row in section.rows:
                section.reset_button.setVisible(
                    any(not self._settings.settings.is_default(other.setting) for other in section.rows)
                )

    def _filter(self, text: str) -> None:
        words = text.casefold()
        found = [section.filter(words) for section in self.sections]
        for number, some in enumerate(found):
            self.groups.item(number).setHidden(not some)
        self.nothing_found.setVisible(not any(found))
        self.area.verticalScrollBar().setValue(0)

    def _go_to(self, number: int) -> None:
        if 0 <= number < len(self.sections):
            top = self.sections[number].mapTo(self._page, self.sections[number].rect().topLeft()).y()
            margin = self._page_rows.contentsMargins().top()
            bar = self.area.verticalScrollBar()
            self._going = True
            bar.setValue(max(0, top - margin))
            self._going = False

    def _mark_group(self, at: int) -> None:
        if self._going:
            return
        shown = [n for n, section in enumerate(self.sections) if not section.isHidden() and section.y() <= at + 80]
        self.groups.blockSignals(True)
        self.groups.setCurrentRow(shown[-1] if shown else 0)
        self.groups.blockSignals(False)
