"""Unloading gives the memory back."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from app.domain.generation import Sampling
from app.domain.load_plan import LoadPlan
from app.engine.protocol import Unload, Unloaded
from tests.support.engine import QUESTION, Engine, dialogue

MB = 1 << 20


def resident(pid: int) -> int:
    """Bytes of a process in memory: its own, and pages of files."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: line.split()[1] for line in status if line.startswith("Rss")}
    return 1024 * (int(sizes["RssAnon"]) + int(sizes["RssFile"]))


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_after_unloading_a_child_is_as_small_as_before(engine: Engine) -> None:
    before = resident(engine.pid)
    for _ in range(3):
        engine.load(plan=LoadPlan(context=32768, threads=1))
        engine.ask(dialogue(QUESTION), Sampling(max_tokens=5))
        assert resident(engine.pid) > before + 30 * MB
        engine.client.send(Unload(engine.new_id()))
        engine.expect(Unloaded)
        assert resident(engine.pid) < before + 25 * MB
