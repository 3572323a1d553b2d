"""Saves settings and chats for ever, saying after each save what is now on the disk, until it is killed.

python -m tests.unit.store.saver_child FOLDER ROUND
"""

import sys
from pathlib import Path

from app.domain.conversation import Effort, Message, Role
from app.domain.settings import INSTRUCTIONS, SEED, Settings
from app.store.chats import ChatStore
from app.store.settings_file import SettingsFile


def text(round_: int, number: int) -> str:
    """What is saved as the ``number``-th thing: of every length up to some pages."""
    return f"{round_}.{number} " + "x" * (number * 977 % 9000)


def main(folder: Path, round_: int) -> None:
    store = ChatStore(folder / "chats.sqlite3")
    assert store.problems == ()
    file = SettingsFile(folder / "settings.toml")
    info = store.create(date="2026-11-23", effort=Effort.LOW, instructions="", model="", title=f"round {round_}")
    print("chat", info.id, flush=True)
    parent = None
    number = 0
    while True:
        number += 1
        question = store.append(info.id, parent, Message(Role.USER, text(round_, number)))
        print("message", question.id, number, flush=True)
        answer = store.append(info.id, question.id, Message(Role.ASSISTANT), complete=False)
        for part in (1, 2, 3):
            store.save_answer(answer.id, Message(Role.ASSISTANT, text(round_, number * part)), complete=part == 3)
            print("answer", answer.id, number * part, flush=True)
        file.save(Settings().with_value(SEED, number).with_value(INSTRUCTIONS, text(round_, number)))
        print("settings", round_, number, flush=True)
        parent = answer.id


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
