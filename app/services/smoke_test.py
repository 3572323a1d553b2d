"""The program tries itself: asks the demo model a question as a person would and looks whether the answer is there."""

import re
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from app.domain.errors import UserError
from app.domain.generation import FinishReason
from app.domain.tree import Conversation, MessageNode
from app.services.chat_service import ChatService

QUESTION = "What is Alcove?"
LIMIT_S = 60
_LOOK_EVERY_MS = 50


class AskedWindow(Protocol):
    """What the test needs of the window."""

    def type_and_send(self, text: str) -> None:
        """Type a message into the composer and press Enter."""
        ...

    def shown_text(self) -> str:
        """What the transcript shows, as plain text."""
        ...


class SmokeTest(QObject):
    """``finished()``: it is over; ``failure`` is then "" or says in a sentence what went wrong."""

    finished = Signal()

    def __init__(self, chat: ChatService, window: AskedWindow) -> None:
        super().__init__()
        self.failure = f"No answer was shown within {LIMIT_S} seconds."
        self.answer: MessageNode | None = None
        self._chat = chat
        self._window = window
        self._asked = False
        self._over = False
        self._limit = QTimer(self, singleShot=True, interval=round(LIMIT_S * 1000))
        self._limit.timeout.connect(self._end)
        self._look = QTimer(self, interval=_LOOK_EVERY_MS)
        self._look.timeout.connect(self._look_at_transcript)
        chat.opened.connect(self._ask)
        chat.answer_finished.connect(self._answered)
        chat.problem.connect(self._problem)
        chat.broken_off.connect(lambda error, _: self._problem(error))
        self._limit.start()

    def _ask(self, _conversation: Conversation | None, _draft: str) -> None:
        if not self._asked:
            self._asked = True
            # After everybody else has heard of the fresh chat.
            QTimer.singleShot(0, self, lambda: self._window.type_and_send(QUESTION))

    def _answered(self, node: MessageNode) -> None:
        self.answer = node
        reason = None if node.receipt is None else node.receipt.finish_reason
        if reason is FinishReason.ERROR:
            return  # the problem follows, and says what went wrong
        if reason is not FinishReason.STOP or not node.message.content.strip():
            self._fail("The answer was cut short or empty.")
        else:
            self._look.start()

    def _look_at_transcript(self) -> None:
        assert self.answer is not None
        if words(self.answer.message.content)[:8] and is_shown(self.answer.message.content, self._window.shown_text()):
            self.failure = ""
            self._end()

    def _problem(self, error: UserError) -> None:
        self._fail(str(error))

    def _fail(self, sentence: str) -> None:
        if not self._over:  # what comes first is the cause
            self.failure = sentence
        self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._limit.stop()
            self._look.stop()
            self.finished.emit()


def words(text: str) -> list[str]:
    """The words of a text, without its markup."""
    return re.findall(r"\w+", text)


def is_shown(markdown: str, shown: str) -> bool:
    """Whether the first words of a Markdown text stand, in order, in what is shown."""
    start = " ".join(words(markdown)[:8])
    return start in " ".join(words(shown))
