"""What one run of the engine's benchmark measures with, and what goes wrong in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.load_plan import LoadPlan

if TYPE_CHECKING:
    from scripts.benchmarks.engine.peers import Peers

DEMO = Path(__file__).resolve().parents[3] / "resources" / "models" / "alcove-demo.gguf"


class BenchmarkError(Exception):
    """Something that is measured did not run; the text says what."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The model, how it is loaded, and how often each thing is measured.

    ``layout`` is "repacked" (weights laid out anew for the processor, as llama.cpp's programs do by default) or
    "mapped" (as they lie in the file, which needs the memory once); Alcove and its peers get the same one. ``apart``:
    the machine does not hold the model twice, so that each is unloaded while the other runs. ``history`` are the
    tokens before turn N, ``longest`` those of the longest history over which it is measured. ``folder`` takes logs.
    """

    model: Path
    layout: str
    threads: int
    rounds: int
    tokens: int
    history: int
    longest: int
    apart: bool
    folder: Path
    peers: Peers

    def plan(self, context: int) -> LoadPlan:
        """The plan that Alcove loads the model by."""
        repacked = self.layout == "repacked"
        return LoadPlan(context=context, threads=self.threads, mapped=not repacked, repacked=repacked)


def anonymous_bytes(pid: int) -> int:
    """The anonymous memory of a process that is in RAM (RssAnon), in bytes; Linux only."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"process {pid} has no RssAnon")


def default_environment() -> dict[str, str]:
    """This process's variables without those that change how OpenMP waits: the peers run as they come."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GOMP_", "OMP_"))}
