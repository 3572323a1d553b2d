"""Kill -9 in the middle of saving: everything opens, nothing that was committed is missing."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.domain.settings import INSTRUCTIONS, SEED
from app.store.chats import ChatStore
from app.store.settings_file import SettingsFile
from tests.unit.store.saver_child import text


def run_and_kill(folder: Path, round_: int, chance: random.Random) -> list[tuple[str, int, int]]:
    """What the child had said to be saved when it was killed, at a moment between two reports or within one save."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.store.saver_child", str(folder), str(round_)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(chance.randrange(1, 60))]
    moment = time.perf_counter() + chance.random() * 0.01
    while time.perf_counter() < moment:
        pass
    child.kill()
    said += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    # The last line may be half a line.
    words = [line.split() for line in said if line.endswith("\n")]
    return [(kind, int(rest[0]), int(rest[-1])) for kind, *rest in words]


def kill_and_check(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    saved: dict[int, tuple[int, int, int]] = {}
    messages = 0
    for round_ in range(kills):
        reports = run_and_kill(folder, round_, chance)
        assert reports, "the child did not come up"
        chat = reports[0][1]
        settings = 0
        for kind, key, number in reports:
            if kind in {"message", "answer"}:
                saved[key] = (chat, round_, number)
            elif kind == "settings":
                settings = number
        store = ChatStore(folder / "chats.sqlite3")
        assert store.problems == ()
        assert store.conversations()[0].id == chat
        nodes = {node.id: node for node in store.conversation(chat).nodes}
        for node_id, (in_chat, in_round, number) in saved.items():
            if in_chat == chat:
                content = nodes[node_id].message.content
                # One more save may have reached the disk than was reported.
                assert content == text(in_round, number) or int(content.split()[0].partition(".")[2]) > number
        messages += len(nodes)
        assert sum(len(store.conversation(info.id).nodes) for info in store.conversations()) == messages
        store.close()
        loaded = SettingsFile(folder / "settings.toml").load()
        assert loaded.problems == ()
        seed = loaded.settings.get(SEED)
        if settings:
            assert seed >= settings
        if seed and settings:
            assert loaded.settings.get(INSTRUCTIONS) == text(round_, seed)
    assert len(saved) > 5 * kills
    left = {file.name for file in folder.iterdir()}
    assert left - {".settings.toml.part"} == {"chats.sqlite3", "settings.toml"}


def test_twenty_kills(tmp_path: Path) -> None:
    kill_and_check(tmp_path, 20, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    kill_and_check(tmp_path, 40, seed)
