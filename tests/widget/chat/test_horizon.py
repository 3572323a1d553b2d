"""In the window: the line where the model's memory begins, and pins, with the real store, engine and demo model."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from app.domain.conversation import Effort, Message, Role
from app.domain.settings import CONTEXT_LENGTH
from app.services.settings_service import SettingsService
from app.store.chats import ChatStore
from app.store.paths import ProfilePaths
from app.ui.transcript.buttons import ActionButton
from app.ui.transcript.view import TranscriptView
from tests.widget.conftest import ANSWER_MS, Program, Start


@pytest.fixture
def long_chat(paths: ProfilePaths, settings: SettingsService) -> int:
    """A chat of eight turns, for a memory that does not hold them: messages 1 to 16, the answers even."""
    settings.set_value(CONTEXT_LENGTH.key, 512)
    store = ChatStore(paths.chats_file)
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title="Long")
    parent = None
    for turn in range(8):
        parent = store.append(info.id, parent, Message(Role.USER, f"Question {turn}: what is a token?")).id
        parent = store.append(info.id, parent, Message(Role.ASSISTANT, "A token is a piece of a word. " * 5)).id
    store.close()
    return info.id


def opened(start: Start, chat: int) -> Program:
    program = start()
    program.window.resize(1000, 2400)
    with program.qtbot.waitSignal(program.chat.opened):
        program.chat.open(chat)
    return program


def transcript(program: Program) -> TranscriptView:
    return program.window.chat_pane.transcript


def marked(program: Program) -> list[int]:
    return [entry.node.id for entry in transcript(program).column.entries if entry.mark is not None]


def button(program: Program, node: int, action: str) -> ActionButton:
    program.qtbot.waitUntil(lambda: transcript(program).button(node, action) is not None)
    found = transcript(program).button(node, action)
    assert found is not None
    return found


def test_the_line_comes_with_the_prompt_and_is_there_after_a_restart(start: Start, long_chat: int) -> None:
    program = opened(start, long_chat)
    assert marked(program) == []
    with program.qtbot.waitSignal(program.chat.sight.horizon_changed, timeout=ANSWER_MS):
        program.window.type_and_send("What is Alcove?")
    program.qtbot.waitUntil(lambda: not program.chat.busy, timeout=ANSWER_MS)
    horizon = program.chat.sight.horizon
    assert horizon is not None
    line = marked(program)
    assert line == [horizon.begins - 1]
    program.qtbot.mouseClick(button(program, line[0], "horizon"), Qt.MouseButton.LeftButton)
    assert button(program, line[0], "horizon").accessibleName().endswith("open")
    program.chat.close()
    again = opened(start, long_chat)
    assert marked(again) == line


def test_pins_are_set_by_mouse_and_keys_and_kept(start: Start, long_chat: int) -> None:
    program = opened(start, long_chat)
    program.qtbot.mouseClick(button(program, 4, "pin"), Qt.MouseButton.LeftButton)
    pin = button(program, 5, "pin")
    pin.setFocus(Qt.FocusReason.TabFocusReason)
    program.qtbot.keyClick(pin, Qt.Key.Key_Space)
    program.qtbot.mouseClick(button(program, 6, "pin"), Qt.MouseButton.LeftButton)
    program.qtbot.mouseClick(button(program, 6, "pin"), Qt.MouseButton.LeftButton)
    pinned = [entry.node.id for entry in transcript(program).column.entries if entry.node.message.pinned]
    assert pinned == [4, 5]
    program.ask("What is Alcove?")
    assert program.chat.sight.horizon is not None
    assert {1, 4, 5} <= set(program.chat.sight.horizon.kept)
    program.chat.close()
    again = opened(start, long_chat)
    assert "no longer" in button(again, 4, "pin").toolTip()
    assert "no longer" not in button(again, 6, "pin").toolTip()
