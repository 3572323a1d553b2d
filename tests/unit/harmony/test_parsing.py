"""What a model writes becomes reasoning, commentary, answer and tool calls, however badly it is written."""

import json
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.conversation import Dialogue, Message, Role, ToolCall
from app.domain.generation import FinishReason
from app.harmony.encoding import PromptEncoder
from app.harmony.events import AnswerDelta, CommentaryDelta, HarmonyEvent, ReasoningDelta, ToolCallEvent
from app.harmony.header import MAX_CHARS
from app.harmony.parsing import HarmonyParser
from app.harmony.rendering import render
from app.harmony.vocabulary import ControlToken
from tests.support.harmony_streams import MALFORMED, WELL_FORMED, Heard
from tests.support.vocabulary import FIRST_SPECIAL_ID, HARMONY_NAMES, RESERVED_NAMES, ByteVocabulary

VOCABULARY = ByteVocabulary()
STREAMS = {**WELL_FORMED, **MALFORMED}


def joined(events: list[HarmonyEvent], finish: FinishReason | None) -> Heard:
    def of(kind: type[ReasoningDelta] | type[CommentaryDelta] | type[AnswerDelta]) -> str:
        return "".join(event.text for event in events if isinstance(event, kind))

    calls = tuple((event.name, event.arguments) for event in events if isinstance(event, ToolCallEvent))
    return Heard(of(ReasoningDelta), of(CommentaryDelta), of(AnswerDelta), calls, finish)


def hear(ids: list[int], vocabulary: ByteVocabulary = VOCABULARY) -> Heard:
    """Parse to the end and check what must hold for every stream."""
    parser = HarmonyParser(vocabulary)
    events: list[HarmonyEvent] = []
    for token_id in ids:
        ended = parser.finish_reason is not None
        new = parser.decode(token_id)
        assert not (ended and new)
        events += new
    events += parser.flush()
    assert parser.flush() == ()
    heard = joined(events, parser.finish_reason)
    message = parser.message
    assert message.role is Role.ASSISTANT
    assert (message.reasoning, message.commentary, message.content) == (heard.reasoning, heard.commentary, heard.answer)
    assert tuple((call.name, call.arguments) for call in message.tool_calls) == heard.calls
    assert all(event.text for event in events if not isinstance(event, ToolCallEvent))
    return heard


def ids_of(written: str) -> list[int]:
    """Token ids of a stream in which every complete control name stands for its token."""
    return VOCABULARY.tokenize(written)


@pytest.mark.parametrize("name", WELL_FORMED)
def test_well_formed_answers(name: str) -> None:
    written, heard = WELL_FORMED[name]
    assert hear(ids_of(written)) == heard


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_answers_lose_nothing(name: str) -> None:
    written, heard = MALFORMED[name]
    assert hear(ids_of(written)) == heard


@pytest.mark.parametrize("name", STREAMS)
def test_no_answer_is_changed_by_meaningless_control_tokens(name: str) -> None:
    written, heard = STREAMS[name]
    ids = [i for token_id in ids_of(written[:2000]) for i in (token_id, VOCABULARY.id_of("<|reserved_200001|>"))]
    assert hear(ids) == (heard if len(written) <= 2000 else hear(ids_of(written[:2000])))


# ---- Characters and tokens ----


@pytest.mark.parametrize("name", [*HARMONY_NAMES, *RESERVED_NAMES])
def test_the_same_characters_as_ordinary_tokens_are_text(name: str) -> None:
    """Only ids are control tokens; their names spelled out are shown."""
    text = f"a {name} b"
    for channel, heard in (("final", Heard(answer=text)), ("analysis", Heard(text))):
        ids = [*ids_of(f"<|channel|>{channel}<|message|>"), *text.encode(), *ids_of("<|return|>")]
        assert hear(ids) == heard
    assert hear([*text.encode(), *ids_of("<|return|>")]) == Heard(answer=text)


def test_a_character_is_held_back_until_it_is_complete() -> None:
    parser = HarmonyParser(VOCABULARY)
    for token_id in ids_of("<|channel|>final<|message|>"):
        parser.decode(token_id)
    events = [parser.decode(byte) for byte in "é🙂".encode()]
    assert events == [(), (AnswerDelta("é"),), (), (), (), (AnswerDelta("🙂"),)]


@pytest.mark.parametrize("end", ["<|return|>", "<|end|>", ""])
def test_half_a_character_at_the_end_is_marked(end: str) -> None:
    ids = [*ids_of("<|channel|>final<|message|>a"), 0xF0, 0x9F, *ids_of(end)]
    assert hear(ids).answer == "a\ufffd"


def test_half_a_character_before_a_stray_token_is_waited_for() -> None:
    first, *rest = "é".encode()
    ids = [
        *ids_of("<|channel|>final<|message|>"),
        first,
        *ids_of("<|message|><|constrain|>"),
        *rest,
        *ids_of("<|return|>"),
    ]
    assert hear(ids).answer == "é"


@pytest.mark.parametrize("stray", ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"])
def test_half_a_character_in_a_header_is_no_trouble(stray: str) -> None:
    for start in ("<|channel|>final", "<|start|>assistant", "", "<|channel|>one two three four five six "):
        ids = [*ids_of(start), 0xF0, 0x9F, *ids_of(f"{stray}Hello, this is the whole of the answer.<|return|>")]
        assert "Hello, this is the whole of the answer." in hear(ids).answer


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert hear([*ids_of("<|channel|>final<|message|>a"), 0xFF, *b"b", *ids_of("<|return|>")]).answer == "a\ufffdb"


class PieceVocabulary(ByteVocabulary):
    """Ordinary tokens of any bytes, made up as they are needed."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def token(self, data: bytes) -> int:
        self._pieces.append(data)
        return FIRST_SPECIAL_ID + 1000 + len(self._pieces) - 1

    def piece(self, token_id: int) -> bytes:
        return self._pieces[token_id - FIRST_SPECIAL_ID - 1000]


def chunked(ids: list[int], draw: st.DataObject) -> tuple[list[int], PieceVocabulary]:
    """The same stream with its ordinary bytes gathered into tokens of any length."""
    vocabulary = PieceVocabulary()
    chunks: list[int] = []
    pending = b""
    for token_id in ids:
        if token_id >= FIRST_SPECIAL_ID:
            chunks += [vocabulary.token(pending)] if pending else []
            chunks.append(token_id)
            pending = b""
            continue
        pending += bytes([token_id])
        if draw.draw(st.booleans()):
            chunks.append(vocabulary.token(pending))
            pending = b""
    return chunks + ([vocabulary.token(pending)] if pending else []), vocabulary


header_words = st.sampled_from(
    [
        "assistant",
        "analysis",
        "commentary",
        "final",
        "to=functions.f",
        "to=python",
        " ",
        " json",
        "user",
        "{",
        "??",
        "x ",
        "é",
    ]
)
stream_pieces = st.one_of(
    st.sampled_from([*HARMONY_NAMES, *RESERVED_NAMES]),
    st.sampled_from(["<|channel|>", "<|message|>", "<|start|>", "<|end|>"]),
    header_words,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
streams = st.lists(stream_pieces, max_size=14).map("".join)


@given(streams, st.data())
def test_chunking_does_not_matter(written: str, data: st.DataObject) -> None:
    ids = ids_of(written)
    chunks, vocabulary = chunked(ids, data)
    assert hear(chunks, vocabulary) == hear(ids)


@pytest.mark.parametrize("name", STREAMS)
def test_one_token_for_all_text_between_control_tokens(name: str) -> None:
    written, heard = STREAMS[name]
    vocabulary = PieceVocabulary()
    ids: list[int] = []
    pending = b""
    for token_id in [*ids_of(written), -1]:
        if 0 <= token_id < FIRST_SPECIAL_ID:
            pending += bytes([token_id])
            continue
        ids += [vocabulary.token(pending)] if pending else []
        ids += [token_id] if token_id >= 0 else []
        pending = b""
    assert hear(ids, vocabulary) == heard


@given(st.lists(st.integers(0, 255) | st.integers(FIRST_SPECIAL_ID, FIRST_SPECIAL_ID + 11), max_size=40))
def test_any_tokens_are_survived(ids: list[int]) -> None:
    heard = hear(ids)
    everything = heard.reasoning + heard.commentary + heard.answer + "".join(arguments for _, arguments in heard.calls)
    for name in (*HARMONY_NAMES, *RESERVED_NAMES):
        assert name not in everything or name.encode() in bytes(i for i in ids if i < 256)


# A sentence of more words than a header has, with a number of its own.
sentences = st.integers(0, 99).map(lambda n: f"Sentence {n} says what this answer is all about. ")
controls_that_go_on = st.sampled_from(
    [name for name in (*HARMONY_NAMES, *RESERVED_NAMES) if name not in ("<|return|>", "<|call|>", "<|endoftext|>")]
)
harmless_words = st.sampled_from(
    ["assistant", "analysis", "commentary", "final", " json", " to=functions.f ", "butler", "??"]
)


@given(st.lists(st.one_of(sentences, controls_that_go_on, controls_that_go_on, harmless_words), max_size=20))
def test_no_sentence_is_ever_lost(parts: list[str]) -> None:
    heard = hear(ids_of("".join(parts)))
    everything = heard.reasoning + heard.commentary + heard.answer + "".join(arguments for _, arguments in heard.calls)
    for part in parts:
        if part.startswith("Sentence"):
            assert everything.count(part.strip()) >= parts.count(part)


# ---- Round trip ----

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
tool_names = st.from_regex(r"[a-z_][a-z0-9_-]{0,20}", fullmatch=True)
answers = st.builds(
    Message,
    st.just(Role.ASSISTANT),
    st.just("") | texts,
    st.just("") | texts,
    st.just("") | texts,
    st.lists(st.builds(ToolCall, tool_names, texts), max_size=2).map(tuple),
)


@given(answers)
def test_a_rendered_answer_is_parsed_back(message: Message) -> None:
    """What the renderer writes of an answer is what the parser reads; calls end the stream, so they are read singly."""
    for part in (message, *(Message(Role.ASSISTANT, tool_calls=(call,)) for call in message.tool_calls)):
        calls = part.tool_calls if part is not message else ()
        part = Message(Role.ASSISTANT, part.content, part.reasoning, part.commentary, calls)
        empty = PromptEncoder(VOCABULARY).encode(render(Dialogue((), "2026-01-01")))
        prompt = PromptEncoder(VOCABULARY).encode(render(Dialogue((part,), "2026-01-01")))
        # The prompt ends with <|start|>assistant; so does what comes before the answer.
        parser = HarmonyParser(VOCABULARY)
        for token_id in prompt[len(empty) :]:
            parser.decode(token_id)
        assert parser.message == part


@pytest.mark.parametrize("name", WELL_FORMED)
def test_a_cut_answer_is_gone_on_with_as_if_it_had_not_been_cut(name: str) -> None:
    """Cut behind any word that was shown, and the rest of it parsed: the whole answer."""
    written, heard = WELL_FORMED[name]
    ids = ids_of(written)
    cuts = 0
    for cut in range(1, len(ids)):
        first = HarmonyParser(VOCABULARY)
        shown = [first.decode(token_id) for token_id in ids[:cut]]
        if not any(isinstance(event, AnswerDelta | CommentaryDelta | ReasoningDelta) for event in shown[-1]):
            continue
        begun = first.message
        cuts += 1
        parser = HarmonyParser(VOCABULARY, begun)
        events = [event for token_id in ids[cut:] for event in parser.decode(token_id)]
        events += parser.flush()
        message = parser.message
        calls = tuple((call.name, call.arguments) for call in message.tool_calls)
        whole = Heard(message.reasoning, message.commentary, message.content, calls, parser.finish_reason)
        assert whole == heard
        new = joined(events, parser.finish_reason)
        assert begun.content + new.answer == message.content
        assert begun.reasoning + new.reasoning == message.reasoning
        assert begun.commentary + new.commentary == message.commentary
    assert cuts or not (heard.reasoning or heard.commentary or heard.answer), "never cut"


def test_what_was_called_before_the_cut_counts() -> None:
    begun = Message(Role.ASSISTANT, tool_calls=(ToolCall("f", "{}"),))
    parser = HarmonyParser(VOCABULARY, begun)
    for token_id in ids_of("<|channel|>commentary to=functions.g<|message|>[]<|end|><|return|>"):
        parser.decode(token_id)
    assert parser.message.tool_calls == (ToolCall("f", "{}"), ToolCall("g", "[]"))
    assert parser.finish_reason is FinishReason.TOOL_CALL


def test_another_message_of_the_same_channel_begins_a_paragraph() -> None:
    parser = HarmonyParser(VOCABULARY, Message(Role.ASSISTANT, reasoning="Hm."))
    rest = ids_of(" Yes.<|end|><|start|>assistant<|channel|>analysis<|message|>And more.<|end|>")
    events = [event for token_id in rest for event in parser.decode(token_id)]
    assert joined(events, None).reasoning == " Yes.\n\nAnd more."
    assert parser.message.reasoning == "Hm. Yes.\n\nAnd more."


def test_control_ids_come_from_the_vocabulary() -> None:
    other = ByteVocabulary(reversed(HARMONY_NAMES))
    ids = [other.id_of("<|channel|>"), *b"final", other.id_of("<|message|>"), *b"Hi", other.id_of("<|return|>")]
    assert hear(ids, other) == Heard(answer="Hi")


def test_long_headers_are_bounded() -> None:
    """A header that never ends turns into text, it does not pile up."""
    parser = HarmonyParser(VOCABULARY)
    ids = ids_of("<|start|>assistant<|channel|>")
    for token_id in ids:
        parser.decode(token_id)
    events = [parser.decode(token_id) for token_id in b"x" * 1000]
    assert not any(events[: MAX_CHARS - 20])
    assert all(events[MAX_CHARS:])


def test_a_token_costs_microseconds() -> None:
    parser = HarmonyParser(VOCABULARY)
    for token_id in ids_of("<|channel|>final<|message|>"):
        parser.decode(token_id)
    letter = ord("x")
    best = min(_seconds(parser, letter) for _ in range(5))
    assert best / 2000 < 50e-6, f"{best / 2000 * 1e6:.1f} µs a token"


def _seconds(parser: HarmonyParser, token_id: int) -> float:
    begun = perf_counter()
    for _ in range(2000):
        parser.decode(token_id)
    return perf_counter() - begun


def test_arguments_are_kept_to_the_letter() -> None:
    arguments = json.dumps({"code": "if a < b: print('<|call|>')\n", "é": "🙂"}, ensure_ascii=False) + " \n"
    ids = [*ids_of("<|channel|>commentary to=functions.f<|message|>"), *arguments.encode(), *ids_of("<|call|>")]
    assert hear(ids) == Heard(calls=(("f", arguments),), finish=FinishReason.TOOL_CALL)
    assert ControlToken.CALL.value in arguments
