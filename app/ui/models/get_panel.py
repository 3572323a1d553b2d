"""How to get gpt-oss-20b, in three steps."""

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QBoxLayout, QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.ui.icons import icon
from app.ui.shell.elided_label import ElidedLabel
from app.ui.shell.style import scaled
from app.ui.theme import Theme

ADDRESS = "https://huggingface.co/ggml-org/gpt-oss-20b-GGUF"
COPIED_TIME = 2000  # ms


class GetPanel(QFrame):
    """Says what to fetch, from where, and what to do with it. It opens nothing by itself."""

    add_requested = Signal()
    link_activated = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        heading = QLabel(self.tr("Get gpt-oss-20b"))
        heading.setProperty("kind", "heading")
        needs = self._muted(
            self.tr("OpenAI's open model. The download is about 12 GB, and it wants a computer with 16 GB of memory.")
        )
        self._address = ElidedLabel(ADDRESS)
        self._address.setObjectName("address")
        self._address.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy_button = QPushButton(self.tr("Copy"))
        self.copy_button.setAccessibleName(self.tr("Copy the address"))
        self.copy_button.clicked.connect(self._copy)
        self.open_button = QPushButton(self.tr("Open"))
        self.open_button.setAccessibleName(self.tr("Open the address in your browser"))
        self.open_button.clicked.connect(lambda: self.link_activated.emit(ADDRESS))
        self._address_row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._address_row.addWidget(self._address, 1)
        self._address_row.addWidget(self.copy_button)
        self._address_row.addWidget(self.open_button)
        self.add_button = QPushButton(self.tr("Add a GGUF file…"))
        self.add_button.clicked.connect(self.add_requested)

        self._steps = QGridLayout()
        self._steps.setColumnStretch(1, 1)
        self._numbers: list[QLabel] = []
        self._step(self.tr("Go to ggml-org/gpt-oss-20b-GGUF on Hugging Face in your browser."), self._address_row)
        self._step(self.tr("Under “Files”, download the file whose name ends in .gguf."), None)
        add_row = QHBoxLayout()
        add_row.addWidget(self.add_button)
        add_row.addStretch(1)
        self._step(self.tr("Drop it on this window, or choose it here. It is used where it lies, not copied."), add_row)
        self._rows = QVBoxLayout(self)
        self._rows.addWidget(heading)
        self._rows.addWidget(needs)
        self._rows.addLayout(self._steps)
        self._copied = QTimer(self)
        self._copied.setSingleShot(True)
        self._copied.setInterval(COPIED_TIME)
        self._copied.timeout.connect(lambda: self.copy_button.setText(self.tr("Copy")))
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Draw in these colours and sizes."""
        px = scaled(theme)
        self._rows.setContentsMargins(px(20), px(18), px(20), px(20))
        self._rows.setSpacing(px(6))
        self._steps.setContentsMargins(0, px(10), 0, 0)
        self._steps.setHorizontalSpacing(px(12))
        self._steps.setVerticalSpacing(px(8))
        self._address_row.setSpacing(px(8))
        self.copy_button.setIcon(icon("copy", theme.colours.muted, px(16)))
        self.copy_button.setIconSize(QSize(px(16), px(16)))
        self._address.setMinimumHeight(self.copy_button.sizeHint().height())
        for number in self._numbers:
            number.setFixedSize(px(22), px(22))

    def set_narrow(self, narrow: bool) -> None:
        """The buttons stand below the address."""
        direction = QBoxLayout.Direction.TopToBottom if narrow else QBoxLayout.Direction.LeftToRight
        self._address_row.setDirection(direction)

    def _muted(self, words: str) -> QLabel:
        label = QLabel(words)
        label.setProperty("kind", "muted")
        label.setWordWrap(True)
        return label

    def _step(self, words: str, below: QBoxLayout | None) -> None:
        row = self._steps.rowCount()
        number = QLabel(self.locale().toString(len(self._numbers) + 1))
        number.setObjectName("stepNumber")
        number.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._numbers.append(number)
        text = QLabel(words)
        text.setWordWrap(True)
        self._steps.addWidget(number, row, 0, Qt.AlignmentFlag.AlignTop)
        self._steps.addWidget(text, row, 1)
        if below is not None:
            self._steps.addLayout(below, row + 1, 1)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(ADDRESS)
        self.copy_button.setText(self.tr("Copied"))
        self._copied.start()
