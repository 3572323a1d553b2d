"""What a child has begun to write when the program ends is written; one that hangs is not waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from app.domain.errors import ErrorCode
from app.domain.generation import FinishReason, Timings, Usage
from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled
from app.engine.protocol import Cancel, Finished, Keeping, Request, Unload, Unloaded
from app.services import last_words
from app.services.answer_progress import AnswerProgress
from app.services.engine_reports import Ended
from app.services.last_words import KEEP_S, SPEAK_S, STOP_S, LastWords
from app.services.payloads import Phase
from app.services.report_box import ReportBox
from tests.services.bare_engine import BareEngine, target
from tests.services.slow_child import TROUBLE, troubled, writes_slowly

LONG = "What is Alcove? " + "It runs on an ordinary laptop without a network. " * 40


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[BareEngine]:
    """An engine that keeps its chats, however quickly they could be read again."""
    engine = BareEngine(log=tmp_path / "engine.log")
    engine.thread.set_keeping(Keeping(str(tmp_path / "memories"), 1 << 30, 0.0))
    yield engine
    engine.thread.close()


def unload(engine: BareEngine) -> None:
    """Have the memory given back, until the child is writing."""
    engine.thread.unload()
    wait_writing(engine)


def load_another(engine: BareEngine) -> None:
    """Have another model loaded, until the child is writing what there is of this one."""
    engine.thread.prepare(target("Another", context=2048))
    wait_writing(engine)


def wait_writing(engine: BareEngine) -> None:
    """Until there is a file."""
    assert engine.log is not None
    folder = engine.log.with_name("memories")
    until = time.monotonic() + 30
    while not folder.exists() or not list(folder.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(unload, id="unload"),
        pytest.param(load_another, id="another model"),
        pytest.param(lambda _: None, id="the end"),
    ],
)
def test_what_is_being_written_is_written_to_its_end(
    engine: BareEngine, tmp_path: Path, what: Callable[[BareEngine], None]
) -> None:
    engine.entry = writes_slowly
    engine.wait_ended(engine.ask(LONG))
    engine.wait_phase(Phase.READY)
    what(engine)
    engine.thread.close()
    assert [path.suffix for path in (tmp_path / "memories").iterdir()] == [".memory"]


def test_a_child_that_does_not_stop_is_not_waited_for(
    engine: BareEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_words, "KEEP_S", 3600.0)
    monkeypatch.setattr(last_words, "STOP_S", 0.3)
    (tmp_path / TROUBLE).write_text("hang", encoding="ascii")
    engine.entry = troubled
    engine.wait_text(engine.ask(LONG, tokens=200))
    engine.thread.close()
    assert engine.thread.child_pid is None


class Script:
    """A client whose child says these things, the clock standing still, and then nothing more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *reports: object) -> None:
        self.now = 0.0
        self.sent: list[Request] = []
        self.left = list(reports)
        monkeypatch.setattr(last_words, "time", SimpleNamespace(monotonic=lambda: self.now))

    def send(self, request: Request) -> None:
        """As the client's."""
        self.sent.append(request)

    def receive(self, timeout: float) -> object:
        """As the client's; a number is so many seconds of silence."""
        said = self.left.pop(0) if self.left else timeout
        if isinstance(said, float):
            self.now += said
            return None
        return said


FINISHED = Finished(7, FinishReason.CANCELLED, Usage(completion_tokens=5), Timings())


@pytest.mark.parametrize(
    ("said", "waited"),
    [
        pytest.param([Unloaded(1)], 0, id="at once"),
        pytest.param([FINISHED, 19.0, Unloaded(1)], 19, id="a long write"),
        pytest.param([FINISHED, Unloaded(3)], KEEP_S, id="another unload"),
        pytest.param([FINISHED, EngineStalled(), 4.0, EngineResumed(), 10.0, Unloaded(1)], 14, id="a busy computer"),
        pytest.param([FINISHED, 1.0, EngineStalled()], 1 + SPEAK_S, id="stopped"),
        pytest.param([FINISHED, 18.0, EngineStalled()], KEEP_S, id="stopped late"),
        pytest.param([1.0, EngineLost(ErrorCode.ENGINE_DIED, "")], 1, id="dead"),
        pytest.param([], STOP_S, id="it does not stop"),
    ],
)
def test_how_long_the_end_is_waited_for(monkeypatch: pytest.MonkeyPatch, said: list[object], waited: float) -> None:
    client = Script(monkeypatch, *said)
    box = ReportBox(lambda: None)
    LastWords(cast("EngineClient", client), AnswerProgress(7, 0.0), box).ask(1)
    assert client.sent == [Cancel(7), Unload(1)]
    assert client.now == waited
    ended = [report.usage.completion_tokens for report in box.take()[1] if isinstance(report, Ended)]
    assert ended == ([5] if FINISHED in said else [])


def test_nothing_is_waited_for_where_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Script(monkeypatch)
    LastWords(cast("EngineClient", client), None, ReportBox(lambda: None)).hear(0)
    assert client.now == 0
