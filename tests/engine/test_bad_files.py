"""Files that are no models: each ends in its own error, and the child goes on."""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.domain.errors import ErrorCode
from app.engine.protocol import Failed, Load, LoadPlan
from tests.support.engine import DEMO, QUESTION, Engine, dialogue


@pytest.fixture(scope="module")
def model() -> bytes:
    """The demo's bytes."""
    return DEMO.read_bytes()


def without_a_way_to_chat(model: bytes) -> bytes:
    """The model without one of harmony's control tokens and without a chat template."""
    return model.replace(b"<|message|>", b"<|massage|>").replace(b"tokenizer.chat_template", b"tokenizer.chat_templete")


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], ErrorCode]] = {
    "empty": (lambda _: b"", ErrorCode.FILE_EMPTY),
    "text": (lambda _: b"Hello, this is a letter.\n" * 100, ErrorCode.NOT_A_GGUF),
    "zeros": (lambda _: bytes(100_000), ErrorCode.NOT_A_GGUF),
    "magic alone": (lambda model: model[:4], ErrorCode.GGUF_TRUNCATED),
    "end in the header": (lambda model: model[:1000], ErrorCode.GGUF_TRUNCATED),
    "end in the vocabulary": (lambda model: model[:20_000], ErrorCode.GGUF_TRUNCATED),
    "end in the weights": (lambda model: model[: len(model) // 2], ErrorCode.GGUF_TRUNCATED),
    "last byte missing": (lambda model: model[:-1], ErrorCode.GGUF_TRUNCATED),
    "unknown architecture": (lambda model: model.replace(b"gpt-oss", b"gpt-xyz"), ErrorCode.UNKNOWN_ARCHITECTURE),
    "no way to chat": (without_a_way_to_chat, ErrorCode.NO_CHAT_TEMPLATE),
    "a tensor missing": (
        lambda model: model.replace(b"output_norm.weight", b"output_nerm.weight"),
        ErrorCode.MODEL_LOAD_FAILED,
    ),
}


def with_u32(model: bytes, key: bytes, value: int) -> bytes:
    """The model with another number under a key of its metadata."""
    at = model.index(key) + len(key) + 4  # behind the value's type
    return model[:at] + struct.pack("<I", value) + model[at + 4 :]


@pytest.mark.parametrize("name", DAMAGE)
def test_each_damage_has_its_error(demo: Engine, tmp_path: Path, model: bytes, name: str) -> None:
    damage, code = DAMAGE[name]
    path = tmp_path / f"{name}.gguf"
    path.write_bytes(damage(model))

    demo.client.send(Load(demo.new_id(), str(path)))
    failed = demo.expect(Failed)

    assert failed.code == code
    if "path" in failed.values:
        assert failed.values["path"] == str(path)


def test_an_unknown_architecture_is_named(demo: Engine, tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "new.gguf"
    path.write_bytes(model.replace(b"gpt-oss", b"gpt-xyz"))
    demo.client.send(Load(demo.new_id(), str(path)))
    assert demo.expect(Failed).values == {"architecture": "gpt-xyz"}


def test_a_name_that_a_terminal_would_obey(demo: Engine, tmp_path: Path, model: bytes) -> None:
    at = model.index(b"general.name") + len(b"general.name") + 4 + 8  # behind the value's type and length
    path = tmp_path / "named.gguf"
    path.write_bytes(model[:at] + b"\x1b" + model[at + 1 :])
    assert demo.load(path).name.startswith("\ufffd")


def test_a_missing_file(demo: Engine, tmp_path: Path) -> None:
    assert demo.failure(tmp_path / "none.gguf") is ErrorCode.FILE_NOT_FOUND


def test_a_folder(demo: Engine, tmp_path: Path) -> None:
    assert demo.failure(tmp_path) is ErrorCode.NOT_A_FILE


@pytest.mark.skipif(sys.platform == "win32", reason="no such names")
def test_names_that_are_not_ascii_or_not_even_text(demo: Engine, tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "modèle « 模型 » 😀.gguf"
    path.write_bytes(model)
    demo.load(path)
    assert demo.failure(Path("/a\0b.gguf")) is ErrorCode.FILE_NOT_FOUND


def test_no_more_context_than_the_model_was_trained_for(demo: Engine) -> None:
    loaded = demo.load(plan=LoadPlan(context=2**31 - 1))
    assert loaded.context == loaded.trained_context


@pytest.mark.skipif(sys.platform != "linux", reason="another process's memory can be limited in Linux alone")
def test_a_context_that_does_not_fit_is_out_of_memory(engine: Engine) -> None:
    engine.load(plan=LoadPlan(context=256))
    child = psutil.Process(engine.pid)
    limit = child.memory_info().vms + 20_000_000
    child.rlimit(psutil.RLIMIT_AS, (limit, limit))
    engine.client.send(Load(engine.new_id(), str(DEMO), LoadPlan(context=131_072)))
    failed = engine.expect(Failed)
    assert failed.code == ErrorCode.OUT_OF_MEMORY
    engine.load(plan=LoadPlan(context=256))
    assert engine.ask(dialogue(QUESTION)).answer


def test_a_file_on_which_llama_cpp_aborts_costs_the_child_alone(engine: Engine, tmp_path: Path, model: bytes) -> None:
    path = tmp_path / "no-layers.gguf"
    path.write_bytes(with_u32(model, b"gpt-oss.block_count", 0))
    engine.client.send(Load(engine.new_id(), str(path)))
    assert engine.lost(timeout=20).code is ErrorCode.ENGINE_DIED


def test_after_every_failure_a_good_file_loads(demo: Engine, tmp_path: Path, model: bytes) -> None:
    for damage, _ in DAMAGE.values():
        path = tmp_path / "bad.gguf"
        path.write_bytes(damage(model))
        demo.failure(path)
    demo.load()
    assert demo.ask(dialogue(QUESTION)).answer
