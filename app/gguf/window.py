"""Read a file of unknown honesty from front to back, in bounded pieces."""

import struct
from collections.abc import Callable
from typing import Final

from app.domain.errors import ErrorCode, UserError

# Reads ``length`` bytes at ``offset``; fewer only at the end. A local file or a remote range.
ReadRange = Callable[[int, int], bytes]

_PIECE: Final = 256 * 1024
# Headers of real models are 1 to 20 MB, most of it the vocabulary.
LARGEST_HEADER: Final = 48 * 1024 * 1024
# gpt-oss has 201,088 tokens and 446,189 merges; the largest vocabularies of others about twice that.
MOST_WALKED: Final = 1_500_000
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Window:
    """A cursor over the beginning of a file, holding one piece of it at a time.

    Raises ``UserError``: ``GGUF_TRUNCATED`` when the file ends too early, ``GGUF_BROKEN`` when it asks for more than
    any real header has, so that a hostile file costs no more than an honest one.
    """

    def __init__(self, read: ReadRange, size: int, path: str) -> None:
        self.path = path
        self.size = size
        self._read = read
        self._start = 0
        self._piece = b""
        self._at = 0
        self._walked = 0

    @property
    def offset(self) -> int:
        """Where the cursor stands, in bytes from the file's start."""
        return self._start + self._at

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        if length > len(self._piece) - self._at:
            self._load(length)
        taken = self._piece[self._at : self._at + length]
        self._at += length
        return taken

    def u32(self) -> int:
        """The next unsigned 32-bit number."""
        return int(_U32.unpack(self.take(4))[0])

    def u64(self) -> int:
        """The next unsigned 64-bit number."""
        return int(_U64.unpack(self.take(8))[0])

    def text(self, longest: int) -> str | None:
        """The next string; None when it has more than ``longest`` bytes (it is passed over)."""
        length = self.u64()
        if length > longest:
            self.skip(length)
            return None
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise self.broken("a text that is none") from error

    def skip(self, length: int) -> None:
        """Pass over bytes without reading them."""
        self._check(length)
        self._at += length
        if self._at > len(self._piece):
            self._start += self._at
            self._piece = b""
            self._at = 0

    def walk_strings(self, count: int, marks: bytes = b"", longest: int = 0, most: int = 0) -> list[bytes]:
        """Pass over ``count`` strings; those that begin with ``marks`` and have at most ``longest`` bytes,
        of which there may be ``most``.

        This is where a header's time goes (650,000 strings in gpt-oss), hence the plain loop over local names.
        """
        self._walked += count
        if self._walked > MOST_WALKED or count > self.size:
            raise self.broken("too many texts")
        found: list[bytes] = []
        piece, at, end = self._piece, self._at, len(self._piece)
        unpack = _U64.unpack_from
        for _ in range(count):
            if at + 8 > end:
                self._at = at
                self._load(8)
                piece, at, end = self._piece, self._at, len(self._piece)
            length: int = unpack(piece, at)[0]
            at += 8
            if at + length > end:
                self._at = at
                if length <= longest:
                    self._load(length)
                else:
                    self.skip(length)
                    length = 0
                piece, at, end = self._piece, self._at, len(self._piece)
            if 0 < length <= longest and piece.startswith(marks, at):
                if len(found) == most:
                    raise self.broken("too many control tokens")
                found.append(piece[at : at + length])
            at += length
        self._at = at
        return found

    def broken(self, reason: str) -> UserError:
        """The error that says the file makes no sense."""
        return UserError(ErrorCode.GGUF_BROKEN, path=self.path, reason=reason)

    def truncated(self) -> UserError:
        """The error that says the file's end is missing."""
        return UserError(ErrorCode.GGUF_TRUNCATED, path=self.path)

    def _check(self, length: int) -> None:
        if self.offset + length > self.size:
            raise self.broken("a length beyond all bounds") if length > LARGEST_HEADER else self.truncated()
        if self.offset + length > LARGEST_HEADER:
            raise self.broken("a header larger than any model's")

    def _load(self, length: int) -> None:
        """Put the next ``length`` bytes at least into the piece."""
        self._check(length)
        self._start += self._at
        self._at = 0
        self._piece = self._read(self._start, min(max(length, _PIECE), self.size - self._start))
        if len(self._piece) < length:
            raise self.truncated()
