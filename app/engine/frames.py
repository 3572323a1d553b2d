"""Frames: one protocol message as JSON bytes, and back. Nothing but bounded, validated values crosses the pipe.

A frame is ``{"type": "generate", "body": {...}}``: the tag chooses the dataclass, msgspec checks every field of it.
Whatever arrives, from a truncated number to ten thousand brackets, ends in a value or in one ``FrameError``.
"""

import json
import re
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar, get_args

import msgspec

from app.engine.protocol import Event, Request

MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_EVENT_BYTES = 16 * 1024 * 1024

Message = TypeVar("Message")


class PipeEnd(Protocol):
    """One end of a ``multiprocessing`` pipe; its class differs between systems."""

    @property
    def closed(self) -> bool: ...

    def recv_bytes(self, maxlength: int | None = None) -> bytes: ...

    def send_bytes(self, buf: bytes) -> None: ...

    def close(self) -> None: ...


class FrameError(Exception):
    """Bytes that are no frame, or a message too large for one. ``reason`` is for logs and never quotes content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Envelope(msgspec.Struct):
    type: str
    body: msgspec.Raw


def _tag(cls: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


class Codec(Generic[Message]):
    """Encodes and decodes the messages of one direction; safe to share between threads."""

    def __init__(self, kinds: Iterable[type[Message]], max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._tags = {kind: _tag(kind) for kind in kinds}
        self._decoders = {tag: msgspec.json.Decoder(kind) for kind, tag in self._tags.items()}
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._encoder = msgspec.json.Encoder()

    def encode(self, message: Message) -> bytes:
        """The frame of a message. Lone surrogates, which JSON cannot carry, become U+FFFD.

        Raises FrameError when it is larger than ``max_bytes`` or holds a number of thousands of digits.
        """
        envelope = {"type": self._tags[type(message)], "body": message}
        try:
            frame = self._encoder.encode(envelope)
        except UnicodeEncodeError:
            text = json.dumps(msgspec.to_builtins(envelope), ensure_ascii=False)
            frame = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
        except ValueError as error:
            raise FrameError("a number of more digits than Python writes") from error
        if len(frame) > self.max_bytes:
            raise FrameError(f"a frame of {len(frame)} bytes, more than {self.max_bytes}")
        return frame

    def decode(self, frame: bytes) -> Message:
        """The message of a frame; FrameError for anything else."""
        if len(frame) > self.max_bytes:
            raise FrameError(f"a frame of {len(frame)} bytes, more than {self.max_bytes}")
        try:
            envelope = self._envelope.decode(frame)
            decoder = self._decoders.get(envelope.type)
            if decoder is not None:
                return decoder.decode(envelope.body)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            raise FrameError(f"a malformed frame of {len(frame)} bytes ({type(error).__name__})") from error
        raise FrameError(f"a frame of {len(frame)} bytes with an unknown type")

    def receive(self, connection: PipeEnd) -> tuple[Message, int]:
        """Wait for the next message; with it the bytes of its frame.

        Raises EOFError when the other side is gone, FrameError when it talks nonsense.
        """
        try:
            frame = connection.recv_bytes(self.max_bytes)
        except EOFError:
            raise
        except OSError as error:
            # The connection closes itself when a length is negative or above the bound; every other failure means
            # that the other side ended, at worst in the middle of a frame.
            if connection.closed:
                raise FrameError("a frame with an impossible length") from error
            raise EOFError from error
        return self.decode(frame), len(frame)


def request_codec() -> Codec[Request]:
    """The codec of what goes down to the child."""
    return Codec(get_args(Request), MAX_REQUEST_BYTES)


def event_codec() -> Codec[Event]:
    """The codec of what comes up from the child."""
    return Codec(get_args(Event), MAX_EVENT_BYTES)
