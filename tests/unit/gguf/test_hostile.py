"""What a hostile header costs: never more than 64 MB and a second, never anything but a known error."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import ErrorCode, UserError
from app.gguf.header import read_header
from app.gguf.shape import shape_of
from app.resources import DEMO_MODEL
from tests.support.gguf_builder import ARRAY, GGUF, STRING, U8, entry, string

KNOWN = {ErrorCode.NOT_A_GGUF, ErrorCode.GGUF_TRUNCATED, ErrorCode.GGUF_BROKEN, ErrorCode.GGUF_UNSUPPORTED}
LARGEST = 64_000_000
MEGABYTE = 1_000_000


def texts(key: str, count: int, one: bytes) -> bytes:
    """An array of the same text many times."""
    return string(key) + struct.pack("<IIQ", ARRAY, STRING, count) + one * count


def tensors() -> GGUF:
    """As many tensors as the reader takes."""
    return GGUF([], [(f"{n:063}", (1, 1, 1, 1), 0, n * 32) for n in range(65_536)], bytes(65_536 * 32))


# Each is as large as the reader goes along with, so that it costs as much as anything can. The number is how many
# texts are passed over: they cost time, but no memory, and watching the memory of a million of them takes minutes.
COSTLY: dict[str, Callable[[int], GGUF]] = {
    "empty texts": lambda most: GGUF([texts("a", most, bytes(8))]),
    "short texts": lambda most: GGUF([texts("a", most, string("abcdefgh"))]),
    "long texts": lambda most: GGUF([texts("a", 180, string(bytes(256 * 1024)))]),
    "control tokens": lambda most: GGUF([texts("tokenizer.ggml.tokens", most, string("<|a"))]),
    "arrays": lambda most: GGUF([texts(f"{n}", most // 4000, string("x")) for n in range(4000)]),
    "keys": lambda most: GGUF([entry(f"{n}" + "é" * 500, U8, 1) for n in range(4096)]),
    "values": lambda most: GGUF([entry(f"{n}", STRING, "👍" * 2500) for n in range(4096)]),
    "one value": lambda most: GGUF([entry("a", STRING, "👍" * 11_000_000)]),
    "tensors": lambda most: tensors(),
    "everything": lambda most: replace(
        tensors(),
        entries=[
            *(entry(f"{n}" + "é" * 500, STRING, "👍" * 250) for n in range(4000)),
            texts("tokenizer.ggml.tokens", most * 2 // 3, string("abc")),
        ],
    ),
    "endless": lambda most: GGUF([texts("a", 1, struct.pack("<Q", 50 * MEGABYTE))], data=bytes(60 * MEGABYTE)),
}


def attempt(data: bytes) -> ErrorCode | None:
    """The reader and the shape on ``data``; None when both were content."""
    try:
        header = read_header(lambda offset, length: data[offset : offset + length], len(data), "x")
        shape_of(header, "x")
    except UserError as error:
        return error.code
    return None


def processor_seconds(work: Callable[[], object]) -> float:
    """The least of three: other programs share the machine."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(3))


def yardstick() -> None:
    """Half a million numbers read from bytes: some 0.07 s of a processor on which a second is the bound."""
    data = bytes(8000)
    for number in range(500_000):
        struct.unpack_from("<Q", data, number % 1000 * 8)


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_header_takes_about_a_second(name: str) -> None:
    data = COSTLY[name](1_490_000).build()
    assert attempt(data) in KNOWN | {None}
    # A ratio, because the second itself depends on the machine: the costliest takes 9 yardsticks.
    assert processor_seconds(lambda: attempt(data)) < 16 * processor_seconds(yardstick)


@pytest.mark.parametrize("name", COSTLY)
def test_a_costly_header_takes_less_than_64_mb(name: str) -> None:
    data = COSTLY[name](30_000).build()
    tracemalloc.start()
    assert attempt(data) in KNOWN | {None}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LARGEST


@settings(max_examples=200)
@given(data=st.data())
def test_mutations_of_the_demo_model(data: st.DataObject) -> None:
    whole = DEMO_MODEL.read_bytes()
    end = read_header(lambda offset, length: whole[offset : offset + length], len(whole), "x").data_offset
    mutated = bytearray(whole[:end])
    for _ in range(data.draw(st.integers(1, 4))):
        # Lengths and counts are the interesting places: most of them stand near the start and the end.
        at = data.draw(st.integers(0, 400) | st.integers(end - 4000, end - 1) | st.integers(0, end - 1))
        new = data.draw(
            st.sampled_from([b"\xff" * 8, bytes(8), b"\xff" * 4, b"\0\0\0\x80", b"\x09\0\0\0", b"\x08\0\0\0"])
            | st.binary(min_size=1, max_size=9)
        )
        how = data.draw(st.sampled_from(["over", "insert", "cut"]))
        mutated[at : at + (0 if how == "insert" else len(new))] = b"" if how == "cut" else new
    size = len(mutated) + len(whole) - end
    start = time.process_time()
    try:
        header = read_header(lambda offset, length: bytes(mutated[offset : offset + length]), size, "x")
        shape_of(header, "x")
    except UserError as error:
        refusal: UserError | None = error
    else:
        refusal = None
    assert refusal is None or refusal.code in KNOWN
    assert refusal is None or str(refusal)
    assert time.process_time() - start < 1


@given(st.binary(max_size=200))
def test_any_bytes_after_the_magic(data: bytes) -> None:
    assert attempt(b"GGUF" + data) in KNOWN
    assert attempt(b"GGUF" + struct.pack("<I", 3) + data) in KNOWN
