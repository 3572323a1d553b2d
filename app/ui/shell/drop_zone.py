"""What the window shows while a model file is dragged over it."""

from pathlib import Path

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget

from app.ui.icons import icon
from app.ui.shell.style import scaled
from app.ui.theme import Theme


class DropZone(QFrame):
    """Covers the window with an invitation; it takes no part in the dragging itself."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropZone")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._mark = QLabel()
        words = QLabel(self.tr("Drop it here to add the model"))
        words.setProperty("kind", "heading")
        note = QLabel(self.tr("The file is used where it lies."))
        note.setProperty("kind", "muted")
        column = QVBoxLayout(self)
        column.addStretch(1)
        for label in (self._mark, words, note):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addStretch(1)
        self.set_theme(theme)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        size = scaled(theme)(40)
        self._mark.setPixmap(icon("download", theme.colours.accent, size).pixmap(size, size))


def model_files(data: QMimeData) -> tuple[Path, ...]:
    """The GGUF files on this machine that are dragged or pasted."""
    paths = (Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile())
    return tuple(path for path in paths if path.suffix.lower() == ".gguf")
