"""Long chats are come back to without reading them again, and go from the disk with their chat."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.settings import CONTEXT_LENGTH, SNAPSHOT_SPACE
from app.services.chat_memories import ChatMemories
from app.services.job_thread import JobThread
from app.services.payloads import Phase
from app.store.paths import ProfilePaths
from tests.services.conftest import ANSWER_MS, Program, Start

Remember = Callable[[Program], ChatMemories]

LONG = "What is Alcove? " + "It runs on an ordinary laptop without a network. " * 40


def kept(paths: ProfilePaths) -> list[Path]:
    """The files of kept memories, finished ones."""
    folder = paths.memories_folder
    return [path for path in folder.iterdir() if path.suffix == ".memory"] if folder.exists() else []


@pytest.fixture
def remember(files: JobThread[None]) -> Remember:
    """Has a program keep its chats, however quickly they could be read again."""

    kept_alive: list[ChatMemories] = []

    def remember(program: Program) -> ChatMemories:
        memories = ChatMemories(program.engine, program.settings, program.paths.memories_folder, files, least_s=0)
        program.chat.opened.connect(memories.left)
        program.chat.list.deleted.connect(memories.deleted)
        # The model was loaded before this; another size loads it anew.
        program.settings.set_value(CONTEXT_LENGTH.key, 4096)
        kept_alive.append(memories)
        return memories

    return remember


def test_a_chat_that_is_left_is_kept_and_goes_with_its_chat(start: Start, remember: Remember) -> None:
    program = start()
    remember(program)
    program.ask(LONG)
    chat = program.chat_id()
    program.show(None)
    program.qtbot.waitUntil(lambda: len(kept(program.paths)) == 1, timeout=ANSWER_MS)
    with program.qtbot.waitSignal(program.chat.list.deleted):
        program.chat.list.delete(chat)
    program.qtbot.waitUntil(lambda: not kept(program.paths), timeout=ANSWER_MS)
    program.chat.close()
    assert not kept(program.paths)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_chat_that_is_deleted_while_the_engine_does_not_respond_is_not_kept_later(
    start: Start, remember: Remember
) -> None:
    program = start()
    remember(program)
    program.ask(LONG)
    pid = program.engine.child_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        program.qtbot.waitUntil(lambda: program.engine.state.phase is Phase.STALLED, timeout=ANSWER_MS)
        with program.qtbot.waitSignal(program.chat.list.deleted):
            program.chat.list.delete(program.chat_id())
    finally:
        os.kill(pid, signal.SIGCONT)
    program.qtbot.waitUntil(lambda: program.engine.state.phase is not Phase.STALLED, timeout=ANSWER_MS)
    program.chat.close()
    assert not kept(program.paths)


def test_after_a_restart_the_chat_is_not_read_again(start: Start, remember: Remember) -> None:
    first = start()
    remember(first)
    first.ask(LONG)
    chat = first.chat_id()
    first.chat.close()
    assert len(kept(first.paths)) == 1
    second = start()
    remember(second)
    second.show(chat)
    answer = second.ask("Is it private?")
    assert answer.receipt is not None
    usage = answer.receipt.usage
    assert usage.reused_tokens > 0.8 * usage.prompt_tokens


def test_without_space_nothing_is_kept_and_what_was_goes(start: Start, remember: Remember) -> None:
    program = start()
    remember(program)
    program.ask(LONG)
    program.show(None)
    program.qtbot.waitUntil(lambda: len(kept(program.paths)) == 1, timeout=ANSWER_MS)
    program.ask(LONG)  # in another chat, which stays in the model's memory
    program.settings.set_value(SNAPSHOT_SPACE.key, 0)
    program.qtbot.waitUntil(lambda: not kept(program.paths), timeout=ANSWER_MS)
    program.show(None)
    program.chat.close()
    assert not kept(program.paths)


def test_space_that_is_given_counts_at_once(start: Start, remember: Remember) -> None:
    program = start()
    program.settings.set_value(SNAPSHOT_SPACE.key, 0)
    remember(program)
    program.ask(LONG)
    program.settings.set_value(SNAPSHOT_SPACE.key, 1)
    program.show(None)
    program.qtbot.waitUntil(lambda: len(kept(program.paths)) == 1, timeout=ANSWER_MS)
