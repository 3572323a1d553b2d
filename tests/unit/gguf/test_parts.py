"""Models that come in several files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.gguf.parts import check_parts, first_part, plain_stem, read_parts
from app.gguf.shape import read_shape
from app.gguf.weights import weights_of
from tests.support.gguf_builder import BOOL, GGUF, I32, STRING, U16, U32, entry

LAYER = 128
NUMBERS = {"block_count": 3, "embedding_length": 32, "context_length": 512, "attention.head_count": 1}


def part_file(path: Path, number: int, count: int, *, told: int | None = None) -> Path:
    """A part as ``llama-gguf-split`` writes it: the first has the metadata, each a layer."""
    entries = [
        entry("split.no", U16, number if told is None else told),
        entry("split.count", U16, count),
        entry("split.tensors.count", I32, count),
    ]
    if number == 0:
        entries += [entry("general.architecture", STRING, "llama"), entry("general.name", STRING, "Large")]
        entries += [entry(f"llama.{key}", U32, value) for key, value in NUMBERS.items()]
    path.write_bytes(GGUF(entries, [(f"blk.{number}.ffn_up.weight", (32, 2), 1, 0)]).build())
    return path


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Three files of one model."""
    return [part_file(tmp_path / f"Large-{number + 1:05}-of-00003.gguf", number, 3) for number in range(3)]


def refused(work: Callable[[Path], object], path: Path) -> UserError:
    """What ``work`` says of ``path``."""
    with pytest.raises(UserError) as raised:
        work(path)
    assert "{" not in str(raised.value)
    return raised.value


def test_all_parts_are_read(parts: list[Path]) -> None:
    first, *others = read_parts(parts[0])
    assert first.metadata["general.name"] == "Large"
    found = weights_of(first, str(parts[0]), others)
    assert [layer.total_bytes for layer in found.layers] == [LAYER] * 3
    assert found.layers[2].end == sum(part.size_bytes for part in (first, *others))
    assert check_parts(parts[0]) == tuple(parts)


def test_the_shape_is_that_of_all_parts(parts: list[Path]) -> None:
    shape = read_shape(parts[0])
    assert (shape.name, shape.parameters) == ("Large", 3 * 64)
    assert shape.size_bytes == sum(part.stat().st_size for part in parts)


def test_a_first_part_without_weights(parts: list[Path]) -> None:
    # llama-gguf-split --no-tensor-first-split
    entries = [
        entry("split.no", U16, 0),
        entry("split.count", U16, 3),
        entry("split.tensors.count", I32, 2),
        entry("general.architecture", STRING, "llama"),
    ]
    parts[0].write_bytes(GGUF(entries, [], b"").build())
    assert read_shape(parts[0]).parameters == 2 * 64


@pytest.mark.parametrize("count", [0, 1])
def test_a_model_in_one_file(tmp_path: Path, count: int) -> None:
    path = part_file(tmp_path / "whole.gguf", 0, count)
    assert len(read_parts(path)) == 1
    assert check_parts(path) == (path,)
    assert first_part(path) == path
    named = path.rename(tmp_path / "whole-00002-of-00003.gguf")
    assert first_part(named) == named


@pytest.mark.parametrize("lost", [1, 2])
def test_a_part_that_is_missing_is_named(parts: list[Path], lost: int) -> None:
    parts[lost].unlink()
    for work in (read_parts, check_parts, read_shape):
        error = refused(work, parts[0])
        assert error.code is ErrorCode.MODEL_PART_MISSING
        assert str(parts[lost]) in error.what
        assert "3 files" in error.what


def test_a_later_part_leads_to_the_first(parts: list[Path]) -> None:
    error = refused(read_parts, parts[1])
    assert error.code is ErrorCode.NOT_THE_FIRST_PART
    assert "part 2 of a model in 3 files" in error.what
    assert str(parts[0]) in error.remedy
    assert [first_part(part) for part in parts] == [parts[0]] * 3


def test_a_later_part_without_the_first(parts: list[Path]) -> None:
    parts[0].unlink()
    error = refused(first_part, parts[1])
    assert error.code is ErrorCode.MODEL_PART_MISSING
    assert str(parts[0]) in error.what


@pytest.mark.parametrize("number", [0, 1])
def test_parts_with_other_names(parts: list[Path], number: int) -> None:
    error = refused(read_parts, parts[number].rename(parts[number].with_name("mine.gguf")))
    assert error.code is ErrorCode.MODEL_PART_RENAMED
    assert f"-{number + 1:05}-of-00003.gguf" in error.what


def test_a_part_named_as_another(parts: list[Path]) -> None:
    parts[2].unlink()
    error = refused(first_part, parts[1].rename(parts[2]))
    assert error.code is ErrorCode.MODEL_PART_RENAMED
    assert "does not end in -00002-of-00003.gguf" in error.what


def test_a_file_that_is_no_later_part_is_not_read(tmp_path: Path) -> None:
    for name in ("none.gguf", "none-00001-of-00002.gguf"):
        assert first_part(tmp_path / name) == tmp_path / name
    assert refused(first_part, tmp_path / "none-00002-of-00002.gguf").code is ErrorCode.FILE_NOT_FOUND


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Large-00001-of-00003.gguf", "Large"),
        ("Large-1-of-3.gguf", "Large-1-of-3"),
        ("Large.v2.gguf", "Large.v2"),
    ],
)
def test_what_a_model_is_called_by_its_file(name: str, stem: str) -> None:
    assert plain_stem(Path("models", name)) == stem


def test_a_part_of_another_place(parts: list[Path]) -> None:
    part_file(parts[1], 1, 3, told=2)
    error = refused(read_parts, parts[0])
    assert error.code is ErrorCode.GGUF_BROKEN
    assert str(parts[1]) in error.what


def test_a_part_that_is_cut_off(parts: list[Path]) -> None:
    parts[2].write_bytes(parts[2].read_bytes()[:-1])
    error = refused(check_parts, parts[0])
    assert error.code is ErrorCode.GGUF_TRUNCATED
    assert str(parts[2]) in error.what


@pytest.mark.parametrize("tensors", [2, 4, None])
def test_parts_of_several_models(parts: list[Path], tensors: int | None) -> None:
    data = parts[0].read_bytes()
    told = entry("split.tensors.count", I32, 3)
    other = entry("split.tensors.cnt___", I32, 3) if tensors is None else entry("split.tensors.count", I32, tensors)
    parts[0].write_bytes(data.replace(told, other))
    error = refused(read_parts, parts[0])
    assert error.code is ErrorCode.GGUF_BROKEN
    assert "do not make one model" in error.what


def test_one_tensor_in_two_parts(parts: list[Path]) -> None:
    parts[2].write_bytes(parts[2].read_bytes().replace(b"blk.2.ffn", b"blk.1.ffn"))
    assert refused(read_parts, parts[0]).code is ErrorCode.GGUF_BROKEN


@pytest.mark.parametrize(("number", "count"), [(3, 3), (9, 3), (-1, 3), (0, 65_536), (0, -1), (None, 3), (0, None)])
def test_numbers_that_cannot_be(tmp_path: Path, number: int | None, count: int | None) -> None:
    entries = [
        entry("split.no", BOOL, True) if number is None else entry("split.no", I32, number),
        entry("split.count", BOOL, True) if count is None else entry("split.count", I32, count),
        entry("general.architecture", STRING, "x"),
    ]
    for work, name in ((read_parts, "x-00001-of-00003.gguf"), (first_part, "x-00002-of-00003.gguf")):
        path = tmp_path / name
        path.write_bytes(GGUF(entries).build())
        assert refused(work, path).code is ErrorCode.GGUF_BROKEN
