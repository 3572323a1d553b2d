"""Keeps the look in step with the settings and with the system."""

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.domain.settings import TEXT_SIZE, THEME
from app.services.settings_service import SettingsService
from app.ui.shell.style import shell_sheet
from app.ui.theme import Theme, apply_theme, system_is_dark


class ThemeFollower(QObject):
    """``changed(Theme)``: the application has another look now."""

    changed = Signal(object)

    def __init__(self, app: QApplication, settings: SettingsService, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._app = app
        self._settings = settings
        # Asked before the first theme is put on: afterwards the palette is our own.
        self._system_dark = system_is_dark()
        self.theme = self._make()
        apply_theme(app, self.theme, shell_sheet(self.theme))
        settings.changed.connect(self._setting_changed)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._scheme_changed)

    def _make(self) -> Theme:
        chosen = self._settings.settings.get(THEME)
        dark = self._system_dark if chosen == "system" else chosen == "dark"
        return Theme.for_palette(dark, self._settings.settings.get(TEXT_SIZE) / 100)

    def _setting_changed(self, key: str) -> None:
        if key in (THEME.key, TEXT_SIZE.key):
            self._update()

    def _scheme_changed(self, scheme: Qt.ColorScheme) -> None:
        if scheme != Qt.ColorScheme.Unknown:
            self._system_dark = scheme == Qt.ColorScheme.Dark
            self._update()

    def _update(self) -> None:
        theme = self._make()
        if theme != self.theme:
            self.theme = theme
            apply_theme(self._app, theme, shell_sheet(theme))
            self.changed.emit(theme)
