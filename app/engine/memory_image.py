"""What a sequence's memory is made of, as plain values: to be kept in a file and put back later."""

from dataclasses import dataclass

Bytes = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class WindowImage:
    """The sliding window (or recurrent state) as it was when ``length`` tokens had been read."""

    length: int
    state: Bytes


@dataclass(frozen=True, slots=True)
class MemoryImage:
    """A whole memory. ``batches`` are the (start, length) in which ``tokens`` were read; they decide the last bits.

    ``state`` is llama.cpp's state of the sequence. ``windows`` ascend in length; where the model needs them, the last
    one is that of all tokens.
    """

    tokens: tuple[int, ...]
    batches: tuple[tuple[int, int], ...]
    state: Bytes
    windows: tuple[WindowImage, ...] = ()
