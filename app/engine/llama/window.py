"""The sliding window's cells: where llama.cpp would have them.

llama.cpp keeps the window's tokens in a ring of cells, the token at position p in cell p modulo the ring's size. What
it saves of the ring are the cells that are still looked at, and it puts them back side by side from the first cell
on. That is the same memory, but its sums run in another order from then on and differ in their last bits. So a saved
window is spread over the whole ring before it is put back. (``llama_kv_cache::state_write`` and ``state_read_meta``.)
"""

import struct
from collections.abc import Iterator

_HEAD = struct.Struct("<IiII")  # magic, sequence, streams, cells
_CELL = struct.Struct("<iIi")  # position, number of sequences, sequence
_LAYERS = struct.Struct("<II")  # whether the values are transposed, layers
_ROWS = struct.Struct("<iQ")  # type, bytes of a row: a token's keys or values
_COLUMNS = struct.Struct("<iII")  # type, bytes of a number, numbers of a token
_RING_STEP = 256


class _NotAWindowError(Exception):
    pass


def ring_size(context: int, window: int, batch: int) -> int:
    """Cells of the window's ring (``llama_kv_cache_iswa``)."""
    return -(-min(context, window + batch) // _RING_STEP) * _RING_STEP


def spread(state: bytes | bytearray | memoryview, ring: int) -> bytearray | None:
    """The saved window with every token in its own cell; None when it is not laid out as is known here.

    Put back, it fills the ring but for the next token's cell. That one holds a token of the next position, which has
    to be trimmed away: the place at which llama.cpp goes on is where something was removed.
    """
    try:
        return _spread(memoryview(state), ring)
    except (struct.error, _NotAWindowError):
        return None


def _spread(state: memoryview, ring: int) -> bytearray:
    magic, sequence, streams, saved = _HEAD.unpack_from(state)
    at = _HEAD.size
    cells = [_CELL.unpack_from(state, at + i * _CELL.size) for i in range(saved)]
    at += saved * _CELL.size
    positions = [position for position, _, _ in cells]
    if streams != 1 or not positions or any((count, owner) != (1, sequence) for _, count, owner in cells):
        raise _NotAWindowError
    length = max(positions) + 1
    places = [position % ring for position in positions]
    used = min(length, ring)
    owners = [length - 1 - (length - 1 - cell) % ring for cell in range(used)]
    if [owners[place] for place in places] != positions:
        raise _NotAWindowError
    if length >= ring and length % ring not in places:
        owners[length % ring] = length
    out = bytearray(_HEAD.pack(magic, sequence, 1, used))
    for position in owners:
        out += _CELL.pack(position, 1, sequence)
    runs = list(_runs(places))
    transposed, layers = _LAYERS.unpack_from(state, at)
    out += state[at : at + _LAYERS.size]
    at += _LAYERS.size
    for values in (False, True):
        for _ in range(layers if at < len(state) else 0):
            if values and transposed:
                head = _COLUMNS
                _, size, rows = head.unpack_from(state, at)
            else:
                head, rows = _ROWS, 1
                _, size = head.unpack_from(state, at)
            out += state[at : at + head.size]
            at += head.size
            for _ in range(rows):
                if at + saved * size > len(state):
                    raise _NotAWindowError
                block = bytearray(used * size)
                for source, place, count in runs:
                    begin = at + source * size
                    block[place * size : (place + count) * size] = state[begin : begin + count * size]
                out += block
                at += saved * size
    if at != len(state):
        raise _NotAWindowError
    return out


def _runs(places: list[int]) -> Iterator[tuple[int, int, int]]:
    """(first saved cell, its place, how many follow one another)."""
    begin = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or places[end] != places[end - 1] + 1:
            yield begin, places[begin], end - begin
            begin = end
