"""The real program with somebody at its keyboard: run as a program of its own, it says on stdout what it shows.

driver.py ACTION CHILD [arguments for alcove]

ACTION: ``look`` only shows the window; ``ask`` asks QUESTION when the fresh chat is shown; ``reopen`` opens the newest
chat, says what it looks like, and quits; ``hang`` has the first trial of processor variants hang. CHILD: ``real``, or
one in ``slow_child``: what runs as the engine.
Each line is one JSON object with ``event`` and more.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

QUESTION = "Which model fits my laptop with sixteen gigabytes?"


def say(event: str, **values: object) -> None:
    """One line for the test that watches."""
    print(json.dumps({"event": event, "at": time.monotonic(), **values}), flush=True)


def main() -> int:
    """Run the program with a watched and driven window."""
    action, child_name, *arguments = sys.argv[1:]

    import app.main
    from app.domain.tree import Conversation, ConversationInfo
    from app.engine import child
    from app.engine.client import EngineClient
    from app.engine.variants import ProcessorVariants
    from app.services.chat_service import ChatService
    from app.services.engine_service import EngineService
    from app.services.model_service import ModelService
    from app.services.payloads import AnswerGrowth
    from app.services.settings_service import SettingsService
    from app.ui import main_window
    from tests.services import slow_child
    from tests.support import trial_children

    entry = child.run if child_name == "real" else getattr(slow_child, child_name)
    app.main.EngineClient = partial(EngineClient, entry=entry)  # type: ignore[misc]

    class WatchedVariants(ProcessorVariants):
        def choose(self) -> str:
            say("choosing")
            return super().choose()

    if action == "hang":
        hanging = partial(WatchedVariants, patience_s=600.0, entry=trial_children.hangs_for_good)
        app.main.ProcessorVariants = hanging  # type: ignore[misc]

    class DrivenWindow(main_window.MainWindow):
        def __init__(
            self, chat: ChatService, models: ModelService, engine: EngineService, settings: SettingsService
        ) -> None:
            super().__init__(chat, models, engine, settings)
            self._service = chat
            self._engine = engine
            self._asked = False
            chat.opened.connect(self._is_open)
            chat.list.changed.connect(self._is_listed)
            chat.answer_grew.connect(self._has_grown)
            chat.answer_finished.connect(lambda _: say("finished"))
            chat.problem.connect(lambda error: say("problem", code=error.code))

        def raise_window(self) -> None:
            super().raise_window()
            say("raised", active=self.isVisible() and not self.isMinimized())

        def _is_listed(self, chats: tuple[ConversationInfo, ...]) -> None:
            if action == "reopen" and chats and not self._asked:
                self._asked = True
                self._service.open(chats[0].id)

        def _is_open(self, conversation: Conversation | None, draft: str) -> None:
            say("opened", draft=draft, visible=self.isVisible())
            if conversation is None:
                if action == "ask" and not self._asked:
                    self._asked = True
                    self.type_and_send(QUESTION)
                return
            node = conversation.path()[-1]
            say(
                "answer",
                complete=node.complete,
                text=node.message.reasoning + node.message.content,
                shown=self.shown_text(),
                busy=self._service.busy,
            )
            self.close()

        def _has_grown(self, growth: AnswerGrowth) -> None:
            say("grew", text=growth.reasoning + growth.answer, child=self._engine.child_pid)

    main_window.MainWindow = DrivenWindow  # type: ignore[misc]
    return app.main.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
