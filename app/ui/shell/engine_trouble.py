"""When the engine dies, hangs or refuses: what the message bar says, and what its button does."""

from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer

from app.domain.errors import UserError
from app.domain.tree import ConversationInfo, MessageNode
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.payloads import EngineState, Phase
from app.ui.shell.error_text import remedy, what
from app.ui.shell.message_bar import MessageBar, Notice

PATIENCE_MS = 2000
"""The status line says at once that the engine does not respond; a busy machine gets over it in this time."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """To go on with the last answer of a chat."""

    chat_id: int
    node_id: int
    notice: Notice


class EngineTrouble(QObject):
    """Offers to go on with an answer that broke off, and to end an engine that hangs."""

    def __init__(self, chat: ChatService, engine: EngineService, bar: MessageBar) -> None:
        super().__init__(bar)
        self._chat = chat
        self._engine = engine
        self._bar = bar
        self._go_on_with: int | None = None
        self._offers: list[_Offer] = []
        self._hanging: Notice | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._say_it_hangs)
        chat.broken_off.connect(self._offer_to_continue)
        chat.answer_resumed.connect(self._resumed)
        for another in (chat.node_added, chat.path_changed, chat.opened):
            another.connect(self._look_at_path)
        chat.list.deleted.connect(self._deleted)
        engine.state_changed.connect(self._watch)

    def set_patience(self, milliseconds: int) -> None:
        """How long an engine may be silent before the bar says so."""
        self._timer.setInterval(milliseconds)

    def _offer_to_continue(self, error: UserError, node_id: int) -> None:
        wanted, self._go_on_with = self._go_on_with, None
        if wanted == node_id:  # the user has said so already
            self._chat.continue_answer(node_id)
            return
        current = self._chat.current()
        assert current is not None  # it is the shown chat's
        chat_id = current.info.id
        notice = Notice(
            what(error),
            remedy(error),
            action=self.tr("Reload and continue"),
            act=lambda: self._go_on(chat_id, node_id),
        )
        self._offers.append(_Offer(chat_id, node_id, notice))
        self._bar.show_notice(notice)

    def _go_on(self, chat_id: int, node_id: int) -> None:
        current = self._chat.current()
        if current is None or current.info.id != chat_id:  # the user went elsewhere meanwhile
            self._chat.open(chat_id)
        self._chat.continue_answer(node_id)

    def _resumed(self, node: MessageNode) -> None:
        self._withdraw()
        self._take_back([offer for offer in self._offers if offer.node_id == node.id])

    def _look_at_path(self) -> None:
        """Only the end of a chat can be gone on with."""
        current = self._chat.current()
        if current is not None:
            ends = {node.id for node in current.path()[-1:]}
            of_chat = [offer for offer in self._offers if offer.chat_id == current.info.id]
            self._take_back([offer for offer in of_chat if offer.node_id not in ends])

    def _deleted(self, info: ConversationInfo) -> None:
        self._take_back([offer for offer in self._offers if offer.chat_id == info.id])

    def _take_back(self, offers: list[_Offer]) -> None:
        for offer in offers:
            self._offers.remove(offer)
            self._bar.withdraw(offer.notice)

    def _watch(self, state: EngineState) -> None:
        if state.phase is not Phase.STALLED:
            self._timer.stop()
            self._withdraw()
        elif self._hanging is None and not self._timer.isActive():
            self._timer.start()

    def _say_it_hangs(self) -> None:
        answering = self._chat.answering_node is not None
        self._hanging = Notice(
            self.tr("The engine that runs the model does not respond. Your chats are safe."),
            self.tr("Wait for it if the computer is busy, or start it again."),
            action=self.tr("Reload and continue") if answering else self.tr("Restart"),
            act=self._restart,
        )
        self._bar.show_notice(self._hanging)

    def _restart(self) -> None:
        self._go_on_with = self._chat.answering_node
        self._engine.abandon()

    def _withdraw(self) -> None:
        hanging, self._hanging = self._hanging, None
        if hanging is not None:
            self._bar.withdraw(hanging)
