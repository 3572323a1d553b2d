"""scripts/make_bench_model.py: the shapes' sizes, and a file that is gpt-oss to a reader of headers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from app.gguf.header import read_header_file
from scripts import make_bench_model
from scripts.make_bench_model import SHAPES, Kind, Shape, Tensor

TINY = Shape(layers=2, width=32, heads=2, kv_heads=1, experts=4, experts_used=2, expert_width=32)


def tensor_bytes(tensor: Tensor) -> int:
    return math.prod(tensor.shape) * 4 if tensor.kind is Kind.F32 else math.prod(tensor.byte_shape)


@pytest.mark.parametrize(("shape", "gigabytes"), [("small", 0.34), ("medium", 1.50), ("20b", 12.10)])
def test_the_sizes_are_those_that_are_promised(shape: str, gigabytes: float) -> None:
    size = sum(tensor_bytes(tensor) for tensor in make_bench_model.tensors(SHAPES[shape]))
    assert round(size / 1e9, 2) == gigabytes


def test_only_words_are_likely() -> None:
    output = next(t for t in make_bench_model.tensors(TINY) if t.name == make_bench_model.OUTPUT)
    blocks = make_bench_model.content(output, np.random.default_rng(0)).reshape(*output.shape[:-1], -1, 34)
    scales = blocks[:, 0, :2].copy().view(np.float16)[:, 0].astype(float)
    spoken = set(make_bench_model.spoken_tokens())
    names, _ = make_bench_model.vocabulary()
    assert {names[token] for token in spoken} >= {"\u0120the", "\u0120model"}
    quiet = [scale for token, scale in enumerate(scales) if token not in spoken]
    ratio = make_bench_model.SPOKEN_LOGITS / make_bench_model.OTHER_LOGITS
    assert min(scales[token] for token in spoken) / max(quiet) == pytest.approx(ratio, rel=0.05)


def test_the_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiny.gguf"
    make_bench_model.write_model(path, TINY, seed=0)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.gguf"]
    header = read_header_file(path)
    assert header.metadata["general.architecture"] == "gpt-oss"

    def full(_tensor: Tensor, _random: np.random.Generator) -> np.ndarray:
        raise OSError("no room")

    monkeypatch.setattr(make_bench_model, "content", full)
    with pytest.raises(OSError, match="no room"):
        make_bench_model.write_model(tmp_path / "other.gguf", TINY, seed=0)
    assert not (tmp_path / "other.gguf").exists()


def test_a_shape_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALCOVE_BUILD_CACHE", str(tmp_path))
    monkeypatch.setitem(make_bench_model.SHAPES, "tiny", TINY)
    path = make_bench_model.cached_model("tiny")
    written = path.stat().st_mtime_ns
    assert make_bench_model.cached_model("tiny") == path
    assert path.stat().st_mtime_ns == written
