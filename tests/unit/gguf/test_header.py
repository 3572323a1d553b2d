"""The header reader on right and wrong files."""

import os
import struct
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from gguf.constants import GGML_QUANT_SIZES  # the format's own Python package, for comparison

from app.domain.errors import ErrorCode, UserError
from app.gguf.header import Header, TensorInfo, read_header, read_header_file
from app.gguf.tensor_types import TENSOR_TYPES
from app.resources import DEMO_MODEL
from tests.support.gguf_builder import (
    ARRAY,
    BOOL,
    F32,
    F64,
    GGUF,
    HARMONY,
    I8,
    I16,
    I32,
    I64,
    STRING,
    U8,
    U16,
    U32,
    U64,
    array,
    entry,
    string,
)

ARCHITECTURE = entry("general.architecture", STRING, "gpt-oss")


def read(data: bytes) -> Header:
    return read_header(lambda offset, length: data[offset : offset + length], len(data), "model.gguf")


def refusal(data: bytes) -> UserError:
    with pytest.raises(UserError) as caught:
        read(data)
    assert "model.gguf" in str(caught.value)
    return caught.value


def test_number_formats_are_those_of_the_format() -> None:
    ours = {number: (form.name, form.block, form.block_bytes) for number, form in TENSOR_TYPES.items()}
    assert ours == {int(kind): (kind.name, *sizes) for kind, sizes in GGML_QUANT_SIZES.items()}


def test_values_of_every_kind() -> None:
    values = {
        "u8": (U8, 255),
        "i8": (I8, -128),
        "u16": (U16, 65535),
        "i16": (I16, -32768),
        "u32": (U32, 2**32 - 1),
        "i32": (I32, -(2**31)),
        "u64": (U64, 2**64 - 1),
        "i64": (I64, -(2**63)),
        "f32": (F32, 0.5),
        "f64": (F64, 0.1),
        "yes": (BOOL, True),
        "text": (STRING, "Grüße 👍"),
        "empty": (STRING, ""),
    }
    header = read(GGUF([entry(key, kind, content) for key, (kind, content) in values.items()]).build())
    assert dict(header.metadata) == {key: content for key, (_, content) in values.items()}
    assert header.version == 3


def test_arrays_are_passed_over_and_counted() -> None:
    entries = [
        array("numbers", F32, [0.5] * 1000),
        array("flags", BOOL, [True] * 3),
        array("none", I32, []),
        array("merges", STRING, ["a b", "", "<|x"] * 50_000),
        array("tokenizer.ggml.tokens", STRING, ["!", "", *HARMONY, "<|" + "x" * 100, "<", "a" * 300_000, "<|end"]),
        entry("after", U8, 7),
    ]
    header = read(GGUF(entries).build())
    assert dict(header.arrays) == {
        "numbers": 1000,
        "flags": 3,
        "none": 0,
        "merges": 150_000,
        "tokenizer.ggml.tokens": len(HARMONY) + 6,
    }
    assert header.control_like == {*HARMONY, "<|end"}
    assert dict(header.metadata) == {"after": 7}


def test_endless_texts_are_passed_over() -> None:
    texts = [entry(f"t{n}", STRING, "x" * 500_000) for n in range(12)]
    header = read(GGUF([entry("huge", STRING, "x" * 2_000_000), *texts, entry("after", U8, 7)]).build())
    assert "huge" not in header.metadata
    assert 5 <= len([key for key in header.metadata if key.startswith("t")]) <= 8
    assert header.metadata["after"] == 7


def test_tensors_and_sizes() -> None:
    gguf = GGUF(
        [ARCHITECTURE, entry("general.alignment", U32, 64)],
        [("a", (32, 2), 39, 0), ("b", (3,), 0, 64), ("c", (256, 2, 1, 1), 12, 128)],
        bytes(128 + 288),
        alignment=64,
    )
    header = read(gguf.build())
    assert header.tensors == (
        TensorInfo("a", (32, 2), TENSOR_TYPES[39], 0),
        TensorInfo("b", (3,), TENSOR_TYPES[0], 64),
        TensorInfo("c", (256, 2, 1, 1), TENSOR_TYPES[12], 128),
    )
    assert [tensor.elements for tensor in header.tensors] == [64, 3, 512]
    assert [tensor.size_bytes for tensor in header.tensors] == [34, 12, 288]
    assert header.data_offset == len(gguf.header())
    assert header.size_bytes == len(gguf.build())


def test_version_2_and_bytes_behind_the_end_are_fine() -> None:
    assert read(GGUF(version=2).build() + b"more").version == 2


def test_without_tensors_the_header_is_the_file() -> None:
    gguf = GGUF(tensors=[], data=b"")
    assert read(gguf.build()).tensors == ()


def test_every_cut_is_truncated() -> None:
    data = GGUF([ARCHITECTURE, array("tokenizer.ggml.tokens", STRING, HARMONY), array("n", U32, [1, 2])]).build()
    for length in range(4, len(data)):
        assert refusal(data[:length]).code is ErrorCode.GGUF_TRUNCATED, length
    for length in range(4):
        assert refusal(data[:length]).code is ErrorCode.NOT_A_GGUF


WRONG: dict[str, tuple[bytes, ErrorCode]] = {
    "zip": (b"PK\x03\x04" + bytes(100), ErrorCode.NOT_A_GGUF),
    "old ggml": (b"tjgg" + bytes(100), ErrorCode.NOT_A_GGUF),
    "version 1": (GGUF(version=1).build(), ErrorCode.GGUF_UNSUPPORTED),
    "version 4": (GGUF(version=4).build(), ErrorCode.GGUF_UNSUPPORTED),
    "big-endian": (GGUF(version=3 << 24).build(), ErrorCode.GGUF_UNSUPPORTED),
    "number format": (GGUF(tensors=[("a", (32, 2), 99, 0)]).build(), ErrorCode.GGUF_UNSUPPORTED),
    "key twice": (GGUF([ARCHITECTURE, ARCHITECTURE]).build(), ErrorCode.GGUF_BROKEN),
    "array and value of one key": (
        GGUF([array("a", U8, [1]), entry("a", U8, 1)]).build(),
        ErrorCode.GGUF_BROKEN,
    ),
    "long key": (GGUF([entry("k" * 2000, U8, 1)]).build(), ErrorCode.GGUF_BROKEN),
    "key that is no text": (GGUF([entry(b"\xff\xfe", U8, 1)]).build(), ErrorCode.GGUF_BROKEN),
    "text that is none": (GGUF([entry("a", STRING, b"\xff")]).build(), ErrorCode.GGUF_BROKEN),
    "unknown kind": (GGUF([string("a") + struct.pack("<I", 13) + bytes(8)]).build(), ErrorCode.GGUF_BROKEN),
    "unknown kind of array": (GGUF([string("a") + struct.pack("<IIQ", ARRAY, 77, 1)]).build(), ErrorCode.GGUF_BROKEN),
    "array of arrays": (
        GGUF([string("a") + struct.pack("<IIQ", ARRAY, ARRAY, 1) + struct.pack("<IQ", U8, 1)]).build(),
        ErrorCode.GGUF_BROKEN,
    ),
    "alignment 0": (GGUF([entry("general.alignment", U32, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "alignment 48": (GGUF([entry("general.alignment", U32, 48)]).build(), ErrorCode.GGUF_BROKEN),
    "alignment huge": (GGUF([entry("general.alignment", U64, 2**40)]).build(), ErrorCode.GGUF_BROKEN),
    "alignment text": (GGUF([entry("general.alignment", STRING, "32")]).build(), ErrorCode.GGUF_BROKEN),
    "alignment negative": (GGUF([entry("general.alignment", I32, -32)]).build(), ErrorCode.GGUF_BROKEN),
    "no dimensions": (GGUF(tensors=[("a", (), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "five dimensions": (GGUF(tensors=[("a", (1,) * 5, 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "dimension 0": (GGUF(tensors=[("a", (0,), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "dimension negative": (GGUF(tensors=[("a", (-32, 2), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "block not filled": (GGUF(tensors=[("a", (33,), 39, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "tensor overflow": (GGUF(tensors=[("a", (1 << 40, 1 << 40), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "tensor name long": (GGUF(tensors=[("a" * 64, (1,), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "tensor name twice": (GGUF(tensors=[("a", (8,), 0, 0), ("a", (8,), 0, 32)]).build(), ErrorCode.GGUF_BROKEN),
    "tensors overlap": (GGUF(tensors=[("a", (8,), 0, 0), ("b", (8,), 0, 0)]).build(), ErrorCode.GGUF_BROKEN),
    "tensors apart": (GGUF(tensors=[("a", (8,), 0, 0), ("b", (8,), 0, 64)]).build(), ErrorCode.GGUF_BROKEN),
    "offset past the end": (GGUF(tensors=[("a", (8,), 0, 2**60)]).build(), ErrorCode.GGUF_BROKEN),
    "weights missing": (GGUF(tensors=[("a", (1 << 20,), 0, 0)]).build(), ErrorCode.GGUF_TRUNCATED),
    "too many keys": (GGUF(key_count=2**63).build(), ErrorCode.GGUF_BROKEN),
    "too many tensors": (GGUF(tensor_count=2**63).build(), ErrorCode.GGUF_BROKEN),
    "endless text": (GGUF([string("a") + struct.pack("<IQ", STRING, 2**63)]).build(), ErrorCode.GGUF_BROKEN),
    "endless array": (GGUF([string("a") + struct.pack("<IIQ", ARRAY, U64, 2**63)]).build(), ErrorCode.GGUF_BROKEN),
    "endless array of texts": (
        GGUF([string("a") + struct.pack("<IIQ", ARRAY, STRING, 2**63)]).build(),
        ErrorCode.GGUF_BROKEN,
    ),
    "endless text in an array": (
        GGUF([string("a") + struct.pack("<IIQQ", ARRAY, STRING, 1, 2**63)]).build(),
        ErrorCode.GGUF_BROKEN,
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(name: str) -> None:
    data, code = WRONG[name]
    assert refusal(data).code is code


def test_a_source_that_gives_less_than_its_size_is_truncated() -> None:
    data = GGUF().build()
    with pytest.raises(UserError) as caught:
        read_header(lambda offset, length: data[offset : offset + length][:10], len(data), "model.gguf")
    assert caught.value.code is ErrorCode.GGUF_TRUNCATED


def test_a_remote_file_is_read_in_few_pieces_and_never_the_weights() -> None:
    data = GGUF([ARCHITECTURE, array("tokenizer.ggml.tokens", STRING, [*HARMONY, *(["token"] * 200_000)])]).header()
    asked: list[tuple[int, int]] = []
    size = len(data) + 10**10

    def fetch(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return (data[offset : offset + length]).ljust(length, b"\0")

    header = read_header(fetch, size, "model.gguf")
    assert header.arrays["tokenizer.ggml.tokens"] == len(HARMONY) + 200_000
    assert sum(length for _, length in asked) < len(data) + 300_000
    assert len(asked) < len(data) / 200_000
    assert all(one[0] + one[1] >= other[0] for one, other in pairwise(asked))


def test_the_demo_model_is_what_the_formats_own_reader_says() -> None:
    from gguf import GGUFReader

    theirs = GGUFReader(DEMO_MODEL)
    header = read_header_file(DEMO_MODEL)
    assert [(t.name, list(t.shape), t.type.name, t.size_bytes) for t in header.tensors] == [
        (t.name, [int(n) for n in t.shape], t.tensor_type.name, int(t.n_bytes)) for t in theirs.tensors
    ]
    assert header.data_offset == theirs.data_offset
    fields = {key for key in theirs.fields if not key.startswith("GGUF.")}
    assert {*header.metadata, *header.arrays} == fields
    for key, found in header.metadata.items():
        assert found == theirs.fields[key].contents(), key
    for key, length in header.arrays.items():
        assert length == len(theirs.fields[key].contents()), key
    assert header.size_bytes == DEMO_MODEL.stat().st_size


def file_refusal(path: Path) -> ErrorCode:
    with pytest.raises(UserError) as caught:
        read_header_file(path)
    assert str(path) in str(caught.value)
    return caught.value.code


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    assert file_refusal(tmp_path / "empty.gguf") is ErrorCode.FILE_EMPTY
    assert file_refusal(tmp_path) is ErrorCode.NOT_A_FILE
    assert file_refusal(tmp_path / "none.gguf") is ErrorCode.FILE_NOT_FOUND
    assert file_refusal(tmp_path / "empty.gguf" / "x") is ErrorCode.FILE_NOT_FOUND
    assert file_refusal(tmp_path / ("x" * 300)) is ErrorCode.FILE_UNREADABLE


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices have no paths there")
def test_pipes_and_devices_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert file_refusal(tmp_path / "pipe.gguf") is ErrorCode.NOT_A_FILE
    assert file_refusal(Path("/dev/zero")) is ErrorCode.NOT_A_FILE


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(GGUF().build())
    path.chmod(0)
    assert file_refusal(path) is ErrorCode.FILE_UNREADABLE
