"""LoRA adapters at load: generated ones, on generated models and on the demo guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import ErrorCode
from app.engine.protocol import Adapter, Failed, Load, Loaded, Unload, Unloaded
from tests.support.engine import DEMO, QUESTION, Engine, dialogue, started
from tests.support.gguf_builder import F32, GGUF, STRING, entry
from tests.support.tiny_model import TinyModel, chain, write_adapter

WORDS = ("Hello", " world", " moon", " dear")
MODEL = TinyModel(WORDS, name="Reciter")
SCRIPT = chain("\n", "Hello", " world")


@pytest.fixture(scope="module")
def shared() -> Iterator[Engine]:
    """An engine for all tests here."""
    with started() as own:
        yield own


@pytest.fixture
def engine(shared: Engine) -> Iterator[Engine]:
    """The shared engine; what the test loads goes with it."""
    yield shared
    shared.client.send(Unload(shared.new_id()))
    shared.expect(Unloaded)


@pytest.fixture
def reciter(tmp_path: Path) -> Path:
    """A model that says "Hello world"."""
    return MODEL.reciting(tmp_path / "tiny.gguf", SCRIPT)


def teaching(path: Path, after: str, comes: str) -> Adapter:
    """An adapter that teaches the reciting model one step, twice as strongly as its own."""
    width = (len(MODEL.tokens) + 31) // 32 * 32
    a = np.zeros((1, width))
    b = np.zeros((len(MODEL.tokens), 1))
    a[0, MODEL.id_of(after)] = 1
    b[MODEL.id_of(comes), 0] = 2
    return Adapter(str(write_adapter(path, {"output.weight": (a, b)}, "llama", alpha=1.0)))


def load(engine: Engine, path: Path, *adapters: Adapter) -> None:
    engine.client.send(Load(engine.new_id(), str(path), adapters=adapters))
    engine.expect(Loaded)


def failure(engine: Engine, path: Path, *adapters: Adapter) -> Failed:
    engine.client.send(Load(engine.new_id(), str(path), adapters=adapters))
    return engine.expect(Failed)


def test_an_adapter_changes_what_the_model_says(engine: Engine, tmp_path: Path, reciter: Path) -> None:
    load(engine, reciter)
    assert engine.ask(dialogue("q")).answer == "Hello world"
    load(engine, reciter, teaching(tmp_path / "moon.gguf", "Hello", " moon"))
    assert engine.ask(dialogue("q")).answer == "Hello moon"
    load(engine, reciter)
    assert engine.ask(dialogue("q")).answer == "Hello world"


@pytest.mark.parametrize(("scale", "answer"), [(0.0, "Hello world"), (0.4, "Hello world"), (0.6, "Hello moon")])
def test_how_strongly_it_counts(engine: Engine, tmp_path: Path, reciter: Path, scale: float, answer: str) -> None:
    adapter = teaching(tmp_path / "moon.gguf", "Hello", " moon")
    load(engine, reciter, Adapter(adapter.path, scale))
    assert engine.ask(dialogue("q")).answer == answer


def test_two_adapters_at_once(engine: Engine, tmp_path: Path, reciter: Path) -> None:
    first = teaching(tmp_path / "dear.gguf", "Hello", " dear")
    second = teaching(tmp_path / "moon.gguf", " dear", " moon")
    load(engine, reciter, first, second)
    assert engine.ask(dialogue("q")).answer == "Hello dear moon"


def test_the_demo_guide_with_an_adapter(engine: Engine, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    tensors = {
        f"blk.{layer}.attn_q.weight": (random.normal(0, 1, (4, 128)), random.normal(0, 1, (192, 4)))
        for layer in range(4)
    }
    adapter = Adapter(str(write_adapter(tmp_path / "noise.gguf", tensors)))
    load(engine, DEMO)
    plain = engine.ask(dialogue(QUESTION)).text
    load(engine, DEMO, Adapter(adapter.path, 0.0))
    assert engine.ask(dialogue(QUESTION)).text == plain
    load(engine, DEMO, adapter)
    assert engine.ask(dialogue(QUESTION)).text != plain


KIND = entry("general.type", STRING, "adapter")
LORA = entry("adapter.type", STRING, "lora")
LLAMA = entry("general.architecture", STRING, "llama")
ALPHA = entry("adapter.lora.alpha", F32, 1.0)

UNFIT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a model": (lambda path: MODEL.random(path), "it is a model, not an adapter"),
    "another kind": (
        lambda path: path.write_bytes(GGUF([KIND, LLAMA, entry("adapter.type", STRING, "other")]).build()),
        "it is an adapter of another kind than LoRA",
    ),
    "another architecture": (
        lambda path: write_adapter(path, {"output.weight": (np.ones((1, 128)), np.ones((2560, 1)))}, "gpt-oss"),
        "it is made for models of the kind “gpt-oss”",
    ),
    "no strength": (
        lambda path: path.write_bytes(GGUF([KIND, LLAMA, LORA]).build()),
        "it does not say how strong it is",
    ),
    "a strength in words": (
        lambda path: path.write_bytes(GGUF([KIND, LLAMA, LORA, entry("adapter.lora.alpha", STRING, "1")]).build()),
        "it does not say how strong it is",
    ),
    "empty": (
        lambda path: path.write_bytes(GGUF([KIND, LLAMA, LORA, ALPHA], tensors=[], data=b"").build()),
        "it is empty",
    ),
    "another size": (
        lambda path: write_adapter(path, {"output.weight": (np.ones((1, 64)), np.ones((64, 1)))}, "llama"),
        "tensor 'output.weight' has incorrect shape",
    ),
    "another model's layers": (
        lambda path: write_adapter(path, {"blk.9.attn_q.weight": (np.ones((1, 64)), np.ones((64, 1)))}, "llama"),
        "LoRA tensor 'blk.9.attn_q.weight' does not exist in base model",
    ),
    "an odd tensor": (
        lambda path: path.write_bytes(GGUF([KIND, LLAMA, LORA, ALPHA]).build()),
        "LoRA tensor 'a' has unexpected suffix",
    ),
}


@pytest.mark.parametrize(("make", "reason"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_is_said(
    engine: Engine, tmp_path: Path, reciter: Path, make: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "adapter.gguf"
    make(path)
    failed = failure(engine, reciter, Adapter(str(path)))
    assert failed.code == ErrorCode.ADAPTER_UNFIT
    assert failed.values == {"path": str(path), "name": "Reciter", "reason": reason}


FILES: dict[str, tuple[bytes | None, ErrorCode]] = {
    "missing": (None, ErrorCode.FILE_NOT_FOUND),
    "empty": (b"", ErrorCode.FILE_EMPTY),
    "a letter": (b"Dear model, be kind.\n" * 9, ErrorCode.NOT_A_GGUF),
}


@pytest.mark.parametrize(("content", "code"), FILES.values(), ids=FILES)
def test_files_that_are_nothing_of_the_kind(
    engine: Engine, tmp_path: Path, reciter: Path, content: bytes | None, code: ErrorCode
) -> None:
    path = tmp_path / "adapter.gguf"
    if content is not None:
        path.write_bytes(content)
    assert failure(engine, reciter, Adapter(str(path))).code == code


def test_an_incomplete_file(engine: Engine, tmp_path: Path, reciter: Path) -> None:
    adapter = teaching(tmp_path / "moon.gguf", "Hello", " moon")
    data = Path(adapter.path).read_bytes()
    Path(adapter.path).write_bytes(data[: len(data) - 64])
    assert failure(engine, reciter, adapter).code == ErrorCode.GGUF_TRUNCATED
    load(engine, reciter)
    assert engine.ask(dialogue("q")).answer == "Hello world"
