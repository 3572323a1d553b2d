"""When the engine dies, hangs or refuses: what the message bar says, and what its button does."""

from PySide6.QtCore import QObject, QTimer

from app.domain.errors import UserError
from app.services.chat_service import ChatService
from app.services.engine_service import EngineService
from app.services.payloads import EngineState, Phase
from app.ui.shell.message_bar import MessageBar, Notice

PATIENCE_MS = 2000
"""The status line says at once that the engine does not respond; a busy machine gets over it in this time."""


class EngineTrouble(QObject):
    """Offers to go on with an answer that broke off, and to end an engine that hangs."""

    def __init__(self, chat: ChatService, engine: EngineService, bar: MessageBar) -> None:
        super().__init__(bar)
        self._chat = chat
        self._engine = engine
        self._bar = bar
        self._go_on_with: int | None = None
        self._hanging: Notice | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._say_it_hangs)
        chat.broken_off.connect(self._offer_to_continue)
        chat.answer_resumed.connect(lambda _: self._withdraw())
        engine.state_changed.connect(self._watch)

    def set_patience(self, milliseconds: int) -> None:
        """How long an engine may be silent before the bar says so."""
        self._timer.setInterval(milliseconds)

    def _offer_to_continue(self, error: UserError, node_id: int) -> None:
        wanted, self._go_on_with = self._go_on_with, None
        if wanted == node_id:  # the user has said so already
            self._chat.continue_answer(node_id)
            return
        self._bar.show_error(error, self.tr("Reload and continue"), lambda: self._chat.continue_answer(node_id))

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
