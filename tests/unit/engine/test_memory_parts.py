"""The parts of the memory that need no model: checkpoints, slices, the window's cells, kept tokens."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine import slices
from app.engine.chat_format import Prompt
from app.engine.checkpoints import Checkpoints
from app.engine.llama.window import ring_size, spread
from app.engine.memory import common_prefix
from app.engine.memory_image import WindowImage
from app.engine.slices import LEAST, WORTHWHILE, SliceSize
from app.engine.token_cache import TokenCache
from app.harmony.segments import Control, Segment, Text
from app.harmony.vocabulary import ControlToken


def lengths(checkpoints: Checkpoints) -> list[int]:
    return [window.length for window in checkpoints]


def plenty() -> int:
    """Free memory."""
    return 1 << 60


def nothing() -> int:
    return 0


# ---- Checkpoints ----


def test_few_checkpoints_are_all_kept_and_the_newest_before_a_place_is_found() -> None:
    kept = Checkpoints(plenty)
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
    kept = Checkpoints(plenty, most=12)
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
    kept = Checkpoints(nothing, most, most_bytes)
    length = 0
    for step in steps:
        length += step
        kept.add(WindowImage(length, bytes(10)))
        assert len(lengths(kept)) <= most
        assert 10 * len(lengths(kept)) <= most_bytes
        assert kept.last == length
        assert lengths(kept) == sorted(set(lengths(kept)))


def test_a_window_over_all_bounds_is_not_kept_and_costs_no_other() -> None:
    kept = Checkpoints(nothing, most_bytes=100)
    kept.add(WindowImage(1, bytes(60)))
    kept.add(WindowImage(2, bytes(101)))
    assert lengths(kept) == [1]


@pytest.mark.parametrize(
    ("size", "free", "room"),
    [
        (4, 0, 24),  # small ones do not look at what is free
        (10, 0, 10),
        (33, 0, 3),
        (34, 1_000, 3),
        (34, 0, 2),
        (200, 10_000, 3),
        (200, 2_000, 2),
        (200, 801, 1),
        (200, 400, 1),  # half of what is free, for the prompt's end
        (200, 399, 0),
    ],
)
def test_large_windows_have_room_as_far_as_memory_is_free(size: int, free: int, room: int) -> None:
    kept = Checkpoints(lambda: free - size * len(lengths(kept)), most_bytes=100)
    assert kept.room(size) == room
    for length in range(10, 300, 10):
        kept.add(WindowImage(length, bytes(size)))
        assert len(lengths(kept)) <= room
        assert kept.last == (length if room else 0)
    assert len(lengths(kept)) == room


def planned_and_taken(kept: Checkpoints, places: list[int], size: int, starts: list[int] | None = None) -> list[int]:
    """What is taken while a prompt is read with these places."""
    kept.plan(places, size, starts or [])
    taken = [length for length in places if kept.will_last(length) and length > kept.last]
    for length in taken:
        kept.add(WindowImage(length, bytes(size)))
    return taken


def test_of_few_the_last_message_the_answers_opening_and_the_prompts_end_are_taken() -> None:
    # Instructions, 20 batches, the last message of 3,000 tokens, the opening of its answer.
    starts = [60, 3_000, 10_100, 13_100]
    places = [*range(512, 10_240, 512), 10_100, 10_612, 11_124, 11_636, 12_148, 12_660, 13_100, 13_103]
    for room, expected in ((1, [13_103]), (2, [13_100, 13_103]), (3, [10_100, 13_100, 13_103])):
        kept = Checkpoints(plenty, most=room)
        assert planned_and_taken(kept, places, 1000, starts) == lengths(kept) == expected
    kept = Checkpoints(nothing, most_bytes=3)  # no room for one
    assert planned_and_taken(kept, places, 1000, starts) == lengths(kept) == []


def test_where_few_are_kept_one_turn_follows_another() -> None:
    """The end of each prompt, then what was settled, with the header of the message to come."""
    kept = Checkpoints(plenty, most=3)
    starts = [60]
    planned_and_taken(kept, [60, 570], 1000, [60, 567])
    for end in range(1_000, 20_000, 1_000):
        starts.append(end - 300)
        settled = end - 300 + 3
        assert kept.make_room(settled, 1000)
        kept.add(WindowImage(settled, bytes(1000)))
        assert len(lengths(kept)) <= 3
        planned_and_taken(kept, [settled, end - 100, end], 1000, [*starts, end - 3])
        # Asking again reads from the settled place on, editing too; the batch's end in between is of no use.
        assert lengths(kept)[-2:] == [settled, end]


def test_nothing_is_taken_that_would_not_last() -> None:
    for room in (3, 12, 24):
        kept = Checkpoints(plenty, most=room)
        for begin in (0, 9_000, 30_000):
            places = list(range(begin + 512, begin + 8_000, 512))
            before = set(lengths(kept))
            taken = planned_and_taken(kept, places, 10)
            assert set(lengths(kept)) <= before | set(taken)
            assert set(taken) <= set(lengths(kept))
            assert kept.last == places[-1]


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 9), st.integers(0, 400))
def test_the_prompts_end_always_has_one(steps: list[int], most: int, known: int) -> None:
    kept = Checkpoints(nothing, most, most_bytes=10 * most)
    places = [sum(steps[: place + 1]) for place in range(len(steps))]
    kept.add(WindowImage(known + 1, bytes(10)))
    kept.cut(places[-1] - 1)
    before = lengths(kept)
    taken = planned_and_taken(kept, places, 10)
    assert kept.last == places[-1]
    assert set(lengths(kept)) <= {*before, *taken}
    assert set(taken) <= set(lengths(kept))


# ---- Batches ----


def ends(prompt: Prompt, done: int, batch: int) -> list[int]:
    return list(slices.ends(prompt, done, batch))


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
        # Nothing was settled: the answer before it is read with the last message, in one batch.
        ((60, 500, 910, 955), 957, 510, [955, 957]),
        # In two batches it is cut.
        ((60, 500, 910, 1060), 1062, 510, [910, 1060, 1062]),
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
