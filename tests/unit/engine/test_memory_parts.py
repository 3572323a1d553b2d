"""The parts of the memory that need no model: checkpoints, slices, the window's cells, kept tokens."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.chat_format import Prompt
from app.engine.checkpoints import Checkpoints
from app.engine.llama.window import ring_size, spread
from app.engine.memory import common_prefix
from app.engine.memory_image import WindowImage
from app.engine.slices import LEAST, WORTHWHILE, SliceSize, next_end
from app.engine.token_cache import TokenCache
from app.harmony.segments import Control, Segment, Text
from app.harmony.vocabulary import ControlToken


def lengths(checkpoints: Checkpoints) -> list[int]:
    return [window.length for window in checkpoints]


# ---- Checkpoints ----


def test_few_checkpoints_are_all_kept_and_the_newest_before_a_place_is_found() -> None:
    kept = Checkpoints()
    for length in (10, 200, 3000):
        kept.add(WindowImage(length, b"x"))
    assert lengths(kept) == [10, 200, 3000]
    found = [kept.newest(place) for place in (9, 10, 2999, 3000, 9000)]
    assert [window.length if window else None for window in found] == [None, 10, 200, 3000, 3000]
    kept.cut(2999)
    assert lengths(kept) == [10, 200]
    assert kept.last == 200
    kept.cut(0)
    assert (lengths(kept), kept.last) == ([], 0)


def test_many_checkpoints_are_thinned_out_further_back() -> None:
    kept = Checkpoints(most=12)
    for length in range(100, 32_001, 100):
        kept.add(WindowImage(length, b"x"))
    found = lengths(kept)
    assert len(found) == 12
    assert (found[0], found[-1]) == (100, 32_000)
    assert found[-2:] == [31_900, 32_000]
    # What a change costs to read again is in proportion to how far back it is.
    for before, after in pairwise(found):
        assert after - before <= 200 + (32_000 - before)
    assert max(after - before for before, after in pairwise(found[-5:])) < 2000


@given(st.lists(st.integers(1, 500), min_size=1, max_size=80), st.integers(1, 9), st.integers(10, 60))
def test_checkpoints_are_bounded_and_keep_the_newest(steps: list[int], most: int, most_bytes: int) -> None:
    kept = Checkpoints(most, most_bytes)
    length = 0
    for step in steps:
        length += step
        kept.add(WindowImage(length, bytes(10)))
        assert len(lengths(kept)) <= most
        assert 10 * len(lengths(kept)) <= most_bytes
        assert kept.last == length
        assert lengths(kept) == sorted(set(lengths(kept)))


def test_a_window_over_all_bounds_is_not_kept_and_costs_no_other() -> None:
    kept = Checkpoints(most_bytes=100)
    kept.add(WindowImage(1, bytes(60)))
    kept.add(WindowImage(2, bytes(101)))
    assert lengths(kept) == [1]


# ---- Batches ----


def ends(prompt: Prompt, done: int, batch: int) -> list[int]:
    found: list[int] = []
    while done < len(prompt.tokens):
        done = next_end(prompt, done, batch)
        found.append(done)
    return found


@pytest.mark.parametrize(
    ("starts", "length", "done", "expected"),
    [
        # A short chat: nothing that would spare much.
        ((60, 80), 82, 0, [82]),
        ((60, 120), 122, 0, [122]),
        ((60, 200, 210), 212, 0, [200, 212]),
        # Long instructions are shared with other chats.
        ((300, 500, 510), 512, 0, [300, 500, 512]),
        # A long last message is not read again for another answer.
        ((60, 1400), 1402, 0, [512, 1024, 1400, 1402]),
        ((200, 1400), 1402, 0, [200, 712, 1224, 1400, 1402]),
        # One that begins in memory already: the next turn after settling.
        ((60, 500, 540), 542, 510, [542]),
        ((60, 500, 900), 902, 510, [900, 902]),
        # One that begins soon after a full batch.
        ((60, 8000, 8540, 8585), 8587, 8000, [8512, 8587]),
        # Batches end where a message begins near their end.
        ((60, 500, 1000, 1400, 1420), 1422, 0, [500, 1000, 1400, 1422]),
        # Only one message's beginning is known, or none.
        ((640,), 700, 0, [512, 640, 700]),
        ((), 1100, 0, [512, 1024, 1100]),
    ],
)
def test_batches_end_where_prompts_part(starts: tuple[int, ...], length: int, done: int, expected: list[int]) -> None:
    assert ends(Prompt(range(length), starts), done, 512) == expected


@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1, 3000), st.integers(1, 600), st.data())
def test_batches_read_all_and_are_few(places: list[int], length: int, batch: int, data: st.DataObject) -> None:
    prompt = Prompt(range(length), tuple(sorted(place for place in places if place <= length)))
    done = data.draw(st.integers(0, length))
    found = [done, *ends(prompt, done, batch)]
    assert found[-1] == length
    assert all(0 < after - before <= batch for before, after in pairwise(found))
    fewest = -(-(length - done) // batch)
    assert len(found) - 1 <= fewest * 4 / 3 + 5


def test_the_answers_beginning_is_cut_off_when_that_spares_enough() -> None:
    for tokens, cut in ((WORTHWHILE - 1, False), (WORTHWHILE, True)):
        prompt = Prompt(range(90 + tokens + 2), (90, 90 + tokens))
        assert (90 + tokens in ends(prompt, 0, 512)) is cut


def test_slices_grow_to_what_can_be_given_up_in_time() -> None:
    size = SliceSize(steps=16, batch=512)
    for _ in range(10):
        size.took(size.tokens, size.tokens * 0.001)
    assert 200 <= size.tokens <= 240  # 0.24 s in 16 steps of 15 ms
    for _ in range(10):
        size.took(size.tokens, size.tokens * 0.1)
    assert size.tokens == LEAST
    for _ in range(10):
        size.took(size.tokens, 0.0)
    assert size.tokens == 512


# ---- The window's cells ----


def saved_window(length: int, window: int, ring: int, row: int = 2, *, transposed: bool = False) -> bytes:
    """What llama.cpp saves: the cells that are looked at in the order of the ring. A row holds its position."""
    positions = sorted(range(max(0, length - window), length), key=lambda position: position % ring)
    out = struct.pack("<IiII", 0xAF143CD8, 0, 1, len(positions))
    for position in positions:
        out += struct.pack("<iIi", position, 1, 0)
    out += struct.pack("<II", transposed, 2)
    for values in (False, True):
        for layer in range(2):
            marks = [struct.pack("<H", position * 4 + layer * 2 + values) for position in positions]
            if values and transposed:
                out += struct.pack("<iII", 1, 2, row) + b"".join(marks) * row
            else:
                out += struct.pack("<iQ", 1, 2 * row) + b"".join(mark * row for mark in marks)
    return out


def cells_of(state: bytes | bytearray) -> tuple[list[int], bytes]:
    _, _, streams, count = struct.unpack_from("<IiII", state)
    assert streams == 1
    positions = [struct.unpack_from("<iIi", state, 16 + 12 * i)[0] for i in range(count)]
    return positions, bytes(state[16 + 12 * count :])


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 30, 31, 32, 33, 36, 39, 40, 61, 64, 1000])
def test_every_token_goes_to_its_own_cell(length: int, *, transposed: bool) -> None:
    window, ring, row = 8, 32, 3
    spread_out = spread(saved_window(length, window, ring, row, transposed=transposed), ring)
    assert spread_out is not None
    positions, data = cells_of(spread_out)
    used = min(length, ring)
    assert len(positions) == used
    for cell, position in enumerate(positions):
        if length >= ring and cell == length % ring:
            assert position == length  # to be trimmed away: the next token goes there
        else:
            assert position % ring == cell
            assert max(0, length - ring) <= position < length
    at = 8
    for values in (False, True):
        for layer in range(2):
            columns = values and transposed
            at += 12
            block = data[at : at + used * row * 2]
            at += used * row * 2
            for position in range(max(0, length - window), length):
                cell = position % ring
                mark = struct.pack("<H", position * 4 + layer * 2 + values)
                places = [(n * used + cell) if columns else (cell * row + n) for n in range(row)]
                assert all(block[2 * place : 2 * place + 2] == mark for place in places)
    assert at == len(data)


def test_what_is_laid_out_otherwise_is_left_as_it_is() -> None:
    whole = saved_window(40, 8, 32)
    assert spread(whole, 32) is not None
    for end in range(0, len(whole), 7):
        assert spread(whole[:end], 32) is None
    assert spread(whole + b"more", 32) is None
    assert spread(struct.pack("<IiII", 1, 0, 2, 8) + whole[16:], 32) is None
    assert spread(whole[:16] + struct.pack("<iIi", 39, 2, 0) + whole[28:], 32) is None
    # Two tokens of one cell: another ring.
    assert spread(saved_window(40, 8, 32), 4) is None


@pytest.mark.parametrize(
    ("context", "window", "batch", "cells"),
    [(8192, 128, 512, 768), (1024, 128, 32, 256), (256, 128, 512, 256), (131_072, 1024, 512, 1536)],
)
def test_the_rings_size(context: int, window: int, batch: int, cells: int) -> None:
    assert ring_size(context, window, batch) == cells


# ---- Tokens ----


@given(st.lists(st.integers(0, 1), max_size=40), st.lists(st.integers(0, 1), max_size=40), st.integers(0, 50))
def test_the_common_prefix(left: list[int], right: list[int], most: int) -> None:
    expected = next(
        (i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    assert common_prefix(left, right, most) == min(expected, most)


def test_the_common_prefix_of_long_prompts() -> None:
    left = list(range(20_000))
    for place in (0, 4095, 4096, 8191, 19_999):
        right = [*left[:place], -1, *left[place + 1 :]]
        assert common_prefix(left, right, len(left)) == place
    assert common_prefix(left, left, 19_999) == 19_999


class Counted:
    """An encoder of one token a letter that knows what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Segment, ...]] = []

    def runs(self, segments: Iterable[Segment]) -> Iterator[list[int]]:
        segments = tuple(segments)
        self.asked.append(segments)
        for segment in segments:
            yield [7] if isinstance(segment, Control) else [ord(letter) for letter in segment.text]


START = Control(ControlToken.START)


def test_a_message_is_made_into_tokens_once() -> None:
    encoder = Counted()
    cache = TokenCache(encoder.runs)
    for _ in range(3):
        assert list(cache.tokens((START, Text("ab")), lambda: False) or ()) == [7, 97, 98]
    assert list(cache.tokens((START, Text("a"), Text("b")), lambda: False) or ()) == [7, 97, 98]
    assert encoder.asked == [(START, Text("ab")), (START, Text("a"), Text("b"))]


def test_what_was_given_up_is_not_kept() -> None:
    encoder = Counted()
    cache = TokenCache(encoder.runs)
    assert cache.tokens((START, Text("ab")), lambda: True) is None
    assert list(cache.tokens((START, Text("ab")), lambda: False) or ()) == [7, 97, 98]
    assert len(encoder.asked) == 2


def test_the_longest_unused_tokens_go_first() -> None:
    encoder = Counted()
    cache = TokenCache(encoder.runs, most_bytes=1000)  # a letter is one byte of text and four of token
    for letter in "abac":
        cache.tokens((Text(letter * 90),), lambda: False)
    encoder.asked.clear()
    for letter in "acb":
        cache.tokens((Text(letter * 90),), lambda: False)
    assert encoder.asked == [(Text("b" * 90),)]
    # More than all the room: made again each time.
    for _ in range(2):
        assert len(cache.tokens((Text("d" * 300),), lambda: False) or ()) == 300
    assert encoder.asked.count((Text("d" * 300),)) == 2
