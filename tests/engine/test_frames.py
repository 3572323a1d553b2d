"""Frames: every message survives the way, every other sequence of bytes ends in exactly one FrameError."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import struct
import sys
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Message, Role
from app.domain.generation import Sampling
from app.engine import frames
from app.engine.frames import Codec, FrameError, event_codec, request_codec
from app.engine.protocol import AnswerText, Cancel, Event, Failed, Generate, Heartbeat, Load, Request

CODECS: dict[str, Callable[[], Codec[Any]]] = {"requests": request_codec, "events": event_codec}
KINDS = {"requests": get_args(Request), "events": get_args(Event)}

# What JSON can carry: 64-bit numbers, and text without half a surrogate pair.
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(str, st.text(st.characters(codec="utf-8"), max_size=50))


@pytest.mark.parametrize("direction", CODECS)
@given(data=st.data())
def test_every_message_survives_the_way(direction: str, data: st.DataObject) -> None:
    codec = CODECS[direction]()
    message = data.draw(st.one_of([st.from_type(kind) for kind in KINDS[direction]]))

    assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize("direction", CODECS)
def test_every_kind_has_a_tag_of_its_own(direction: str) -> None:
    codec = CODECS[direction]()
    tags = {codec._tags[kind] for kind in KINDS[direction]}

    assert len(tags) == len(KINDS[direction])
    assert tags <= {t for t in tags if t == t.lower()}


def test_the_wire_is_plain_json() -> None:
    assert json.loads(request_codec().encode(Cancel(7))) == {"type": "cancel", "body": {"request_id": 7}}
    assert json.loads(event_codec().encode(AnswerText(3, "é"))) == {
        "type": "answer_text",
        "body": {"request_id": 3, "text": "é", "tokens": 1},
    }


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    message = Generate(1, Dialogue((Message(Role.USER, "a\ud83db 😀"),), date="2026-01-01"))

    decoded = request_codec().decode(request_codec().encode(message))

    assert isinstance(decoded, Generate)
    assert decoded.dialogue.messages[0].content == "a\ufffdb 😀"


def test_a_number_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(FrameError, match="digits"):
        request_codec().encode(Generate(1, Dialogue((), date=""), Sampling(seed=10**5000)))


def test_a_frame_over_the_bound_is_refused_both_ways() -> None:
    small: Codec[Event] = Codec(get_args(Event), 64)
    with pytest.raises(FrameError, match="more than 64"):
        small.encode(AnswerText(1, "x" * 64))
    with pytest.raises(FrameError, match="more than 64"):
        small.decode(event_codec().encode(AnswerText(1, "x" * 64)))


HOSTILE = [
    b"",
    b"null",
    b"[]",
    b'"cancel"',
    b"{}",
    b'{"type": "cancel"}',
    b'{"body": {"request_id": 1}}',
    b'{"type": "cancel", "body": null}',
    b'{"type": "cancel", "body": {}}',
    b'{"type": "cancel", "body": {"request_id": 1}',
    b'{"type": "cancel", "body": {"request_id": 1}} ...',
    b'{"type": "cancel", "body": {"request_id": "1"}}',
    b'{"type": "cancel", "body": {"request_id": 1.5}}',
    b'{"type": "cancel", "body": {"request_id": true}}',
    b'{"type": "cancel", "body": {"request_id": null}}',
    b'{"type": "cancel", "body": {"request_id": 1e999}}',
    b'{"type": "cancel", "body": {"request_id": ' + b"9" * 100_000 + b"}}",
    b'{"type": "Cancel", "body": {"request_id": 1}}',
    b'{"type": "__class__", "body": {}}',
    b'{"type": 1, "body": {}}',
    b'{"type": "generate", "body": {"request_id": 1, "dialogue": ' + b"[" * 100_000,
    b'{"type": "generate", "body": ' + b'{"a":' * 100_000,
    b"[" * 1_000_000,
    b'{"type": "generate", "body": {"request_id": 1, "dialogue": {"messages": [{"role": "root"}], "date": ""}}}',
    b'{"type": "answer_text", "body": {"request_id": 1, "text": "\\ud800"}}',
    b'{"type": "answer_text", "body": {"request_id": 1, "text": "\xff"}}',
    b'{"type": "answer_text", "body": {"request_id": 1, "text": "\xed\xa0\x80"}}',
    b'{"type": "answer_text", "body": {"request_id": 1, "text": "a\nb"}}',
    b'{"type": "finished", "body": {"request_id": 1, "reason": "bored", "usage": {}, "timings": {}}}',
    b'{"type": "load_progress", "body": {"request_id": 1, "fraction": NaN}}',
    b'{"type": "rendered", "body": {"request_id": 1, "tokens": [1, "2"], "pieces": [], "control": []}}',
    b"\x80\x04cos\n_exit\nK\x07\x85R.",
    b"\x00" * 1000,
    b"\xef\xbb\xbf" + b'{"type": "cancel", "body": {"request_id": 1}}',
]


@pytest.mark.parametrize("direction", CODECS)
@pytest.mark.parametrize("frame", HOSTILE, ids=lambda frame: repr(frame[:40]))
def test_known_bad_frames_end_in_one_error(direction: str, frame: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        CODECS[direction]().decode(frame)
    assert len(caught.value.reason) < 200


def mutated(good: list[bytes], chance: random.Random) -> bytes:
    """A frame that is noise, or a good one with damage."""
    frame = bytearray(chance.choice(good))
    match chance.randrange(7):
        case 0:
            return chance.randbytes(chance.randrange(400))
        case 1:
            del frame[chance.randrange(len(frame)) :]
        case 2:
            for _ in range(chance.randint(1, 8)):
                frame[chance.randrange(len(frame))] = chance.randrange(256)
        case 3:
            at = chance.randrange(len(frame))
            frame[at:at] = chance.choice([b"[" * 5000, b'"', b"\\u0000", b"\xff", b"{", b"-", b"1e400", b"null"])
        case 4:
            other = chance.choice(good)
            frame = bytearray(frame[: chance.randrange(len(frame))] + other[chance.randrange(len(other)) :])
        case 5:
            begin = chance.randrange(len(frame))
            frame[begin : begin + chance.randrange(20)] = b""
        case _:
            frame = bytearray(json.dumps(nonsense(chance, 4)).encode())
    return bytes(frame)


def nonsense(chance: random.Random, depth: int) -> object:
    """A random JSON value that likes the protocol's own names."""
    names = ["type", "body", "request_id", "text", "dialogue", "messages", "role", "plan", "values", "tokens"]
    tags = ["cancel", "load", "generate", "answer_text", "failed", "rendered", "hello"]
    match chance.randrange(8 if depth else 5):
        case 0:
            return chance.choice([None, True, False])
        case 1:
            return chance.choice([0, 1, -1, 2**63, -(2**70), 1.5, 1e308])
        case 2 | 3:
            return chance.choice([*tags, *names, "", "\u0000", "x" * 100])
        case 4:
            return {"type": chance.choice(tags), "body": {"request_id": chance.choice([1, "1", None, 2**80])}}
        case 5:
            return [nonsense(chance, depth - 1) for _ in range(chance.randrange(5))]
        case _:
            return {chance.choice(names): nonsense(chance, depth - 1) for _ in range(chance.randrange(6))}


def good_frames(direction: str) -> list[bytes]:
    """One frame of each kind, with real content."""
    if direction == "requests":
        question = Dialogue((Message(Role.USER, "What is « Alcove » ? 😀"),), date="2026-01-01")
        messages: list[Any] = [Load(1, "/a/model.gguf"), Generate(2, question), Cancel(2)]
    else:
        messages = [AnswerText(1, "Hello\n😀"), Failed(1, "bug", {"reason": "x"}), Heartbeat()]
    codec = CODECS[direction]()
    return [codec.encode(message) for message in messages]


@pytest.mark.parametrize("direction", CODECS)
def test_ten_thousand_hostile_frames_end_in_a_value_or_one_error(direction: str) -> None:
    codec = CODECS[direction]()
    good = good_frames(direction)
    chance = random.Random(20261123)
    refused = longest = 0
    for _ in range(10_000):
        frame = mutated(good, chance)
        try:
            message = codec.decode(frame)
        except FrameError as error:
            refused += 1
            longest = max(longest, len(error.reason))
        else:
            # Damage that leaves a valid frame (a changed letter of a text) must give a message of the protocol
            # whose fields are what they are declared to be.
            assert type(message) in KINDS[direction]
            assert msgspec.convert(msgspec.to_builtins(message), type(message)) == message
    assert refused > 7_000
    assert longest < 200


class Wire:
    """A pipe of which the test writes the raw bytes."""

    def __init__(self) -> None:
        self.reader, self.writer = multiprocessing.Pipe(duplex=False)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.reader.close()
        self.writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes carry whole messages there, without a length in front")
@pytest.mark.parametrize("length", [-1, -2, -(2**31), frames.MAX_EVENT_BYTES + 1, 2**31 - 1])
def test_an_impossible_length_is_nonsense(length: int) -> None:
    with Wire() as wire:
        os.write(wire.writer.fileno(), struct.pack("!i", length) + b"x" * 100)
        with pytest.raises(FrameError):
            event_codec().receive(wire.reader)


def test_the_end_of_the_pipe_is_no_nonsense() -> None:
    with Wire() as wire:
        wire.writer.close()
        with pytest.raises(EOFError):
            event_codec().receive(wire.reader)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes carry whole messages there, without a length in front")
def test_the_end_in_the_middle_of_a_frame_is_an_end() -> None:
    with Wire() as wire:
        os.write(wire.writer.fileno(), struct.pack("!i", 100) + b"x" * 10)
        wire.writer.close()
        with pytest.raises(EOFError):
            event_codec().receive(wire.reader)


def test_frames_come_in_order_with_their_sizes() -> None:
    with Wire() as wire:
        for number in range(3):
            wire.writer.send_bytes(event_codec().encode(AnswerText(number, "x" * number)))
        received = [event_codec().receive(wire.reader) for _ in range(3)]
    assert received == [
        (AnswerText(number, "x" * number), len(event_codec().encode(AnswerText(number, "x" * number))))
        for number in range(3)
    ]
