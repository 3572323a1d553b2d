"""Sentences below each other that never take more than a share of a window's height."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

_NO_BOUND = 16_777_215  # the most that Qt lets a widget have


class BoundedWords(QScrollArea):
    """As high as its labels are at its width, up to ``set_most``; beyond that they scroll, by wheel and keys."""

    def __init__(self, *labels: QLabel) -> None:
        super().__init__()
        self.setObjectName("boundedWords")
        self._most = _NO_BOUND
        inside = QWidget()
        inside.setObjectName("boundedWordsInside")
        self._rows = QVBoxLayout(inside)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(1)
        for label in labels:
            self._rows.addWidget(label)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.verticalScrollBar().rangeChanged.connect(self._be_reached)

    def set_most(self, height: int) -> None:
        """Take no more than this many pixels."""
        if height != self._most:
            self._most = height
            self.updateGeometry()

    def said_anew(self) -> None:
        """The labels have other texts, or other sizes."""
        self._rows.invalidate()
        self.updateGeometry()
        self.verticalScrollBar().setValue(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return min(self._rows.totalHeightForWidth(width), self._most)

    def sizeHint(self) -> QSize:
        hint = self._rows.totalSizeHint()
        return QSize(hint.width(), self.heightForWidth(hint.width()))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().averageCharWidth() * 8, self.fontMetrics().height())

    def _be_reached(self, _least: int, most: int) -> None:
        """By the keyboard, where there is something to scroll."""
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus if most > 0 else Qt.FocusPolicy.NoFocus)
