"""Generated token ids to typed events, one token at a time, without I/O.

What the model writes is taken as it comes: a header with parts missing, doubled or unknown is read for what is
there, a control token where none belongs is passed over, and text that stands outside any message is still shown.
A control token's id never becomes text; the same characters made of ordinary tokens are text.
"""

import codecs
import json
from collections.abc import Iterator

from app.domain.conversation import Message, Role, ToolCall
from app.domain.generation import FinishReason
from app.harmony.events import AnswerDelta, CommentaryDelta, HarmonyEvent, ReasoningDelta, ToolCallEvent
from app.harmony.header import Channel, Destination, Header, ToolRecipient, open_channel
from app.harmony.vocabulary import ControlToken, Vocabulary

_DELTAS = {
    Channel.REASONING: ReasoningDelta,
    Channel.COMMENTARY: CommentaryDelta,
    Channel.ANSWER: AnswerDelta,
}
_STOPS = (ControlToken.RETURN, ControlToken.CALL, ControlToken.END_OF_TEXT)
_BETWEEN_MESSAGES = "\n\n"


class HarmonyParser:
    """Parses one answer, from behind the prompt's ``<|start|>assistant`` to its end.

    ``decode`` takes each generated token, the one that ends the generation too; ``flush`` ends an answer that was
    cut short. The events do not depend on how the text is divided into tokens, only their number does.

    ``begun`` is an answer that was cut short and is gone on with, from behind its last word: the events are only of
    what comes now, ``message`` is the whole.
    """

    def __init__(self, vocabulary: Vocabulary, begun: Message | None = None) -> None:
        names = {token.value: token for token in ControlToken}
        self._controls = {token_id: names.get(name) for token_id, name in vocabulary.special_tokens.items()}
        self._piece = vocabulary.piece
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        # None inside a message's body; the prompt's own <|start|>assistant has been read.
        self._header: Header | None = Header()
        self._body: Destination = Channel.ANSWER
        # The next text is the first of its message.
        self._fresh = True
        self._texts: dict[Channel, list[str]] = {channel: [] for channel in Channel}
        self._arguments: list[str] = []
        self._calls: list[ToolCall] = []
        self._finish_reason: FinishReason | None = None
        if begun is not None:
            self._resume(begun)

    def _resume(self, begun: Message) -> None:
        said = ((Channel.REASONING, begun.reasoning), (Channel.COMMENTARY, begun.commentary))
        for channel, text in (*said, (Channel.ANSWER, begun.content)):
            if text:
                self._texts[channel].append(text)
        self._calls += begun.tool_calls
        channel = open_channel(begun)
        if channel is not None:
            self._open(channel, fresh=False)

    @property
    def finish_reason(self) -> FinishReason | None:
        """``STOP`` or ``TOOL_CALL`` when the model ended its answer; None while it goes on or when it was cut short."""
        return self._finish_reason

    @property
    def message(self) -> Message:
        """The assistant's message so far. Messages of the same channel are joined by an empty line."""
        return Message(
            role=Role.ASSISTANT,
            content="".join(self._texts[Channel.ANSWER]),
            reasoning="".join(self._texts[Channel.REASONING]),
            commentary="".join(self._texts[Channel.COMMENTARY]),
            tool_calls=tuple(self._calls),
        )

    def decode(self, token_id: int) -> tuple[HarmonyEvent, ...]:
        """The events that one more token gives. After the end of the answer there are none."""
        if self._finish_reason is not None:
            return ()
        if token_id in self._controls:
            token = self._controls[token_id]
            return () if token is None else tuple(self._control(token))
        text = self._utf8.decode(self._piece(token_id))
        return tuple(self._text(text)) if text else ()

    def flush(self) -> tuple[HarmonyEvent, ...]:
        """What is still held back when no more tokens come.

        A call whose arguments are complete JSON counts as made; otherwise its text is shown as commentary.
        """
        if self._finish_reason is not None:
            return ()
        return tuple(self._flush())

    def _flush(self) -> Iterator[HarmonyEvent]:
        yield from self._rest_of_character()
        if self._header is not None:
            yield from self._header_as_text(self._header)
        if self._header is None and isinstance(self._body, ToolRecipient):
            arguments = "".join(self._arguments)
            if _is_json(arguments):
                yield from self._end_of_message()
            else:
                self._open(Channel.COMMENTARY)
                yield from self._in_body(arguments)
        self._header = Header()

    def _control(self, token: ControlToken) -> Iterator[HarmonyEvent]:
        header = self._header
        match token:
            case ControlToken.MESSAGE | ControlToken.CONSTRAIN if header is None:
                return  # Out of place inside a message; half a character before it is waited for.
            case ControlToken.CONSTRAIN if header is not None:
                yield from self._rest_of_character()
                header.constraint = f"{header.constraint} " if header.constraint else ""
            case ControlToken.MESSAGE if header is not None:
                yield from self._rest_of_character()
                if header.is_foreign:
                    self._finish(token)
                elif self._header is header:
                    yield from self._begin_message(header)
            case ControlToken.START | ControlToken.CHANNEL:
                yield from self._rest_of_character()
                yield from self._new_header(token)
            case _:
                yield from self._rest_of_character()
                yield from self._end_of_message()
                if token in _STOPS:
                    self._finish(token)

    def _new_header(self, token: ControlToken) -> Iterator[HarmonyEvent]:
        """``<|start|>`` or ``<|channel|>``, wherever it comes."""
        old = self._header
        if old is None:
            resumes = self._body if isinstance(self._body, Channel) else None
            if resumes is None:
                yield from self._end_of_message()
            self._header = Header(started=token is ControlToken.START, resumes=resumes)
        elif token is ControlToken.START:
            yield from self._header_as_text(old)
            yield from self._end_of_call()
            self._header = Header(started=True, resumes=old.resumes)
        elif old.channel is not None or old.constraint is not None:
            # A second channel in one header: the first counts for nothing but the tool it names.
            yield from self._header_as_text(old)
            role = ""
            if self._header is old:  # It said nothing yet.
                role = f"{old.role} to={old.recipient.name}" if old.recipient else old.role
            yield from self._end_of_call()
            self._header = Header(started=old.started, role=role, resumes=old.resumes)
        if token is ControlToken.CHANNEL and self._header is not None:
            self._header.channel = ""

    def _text(self, text: str) -> Iterator[HarmonyEvent]:
        header = self._header
        if header is None:
            yield from self._in_body(text)
            return
        # One character at a time, so that the outcome does not depend on where tokens end.
        for index, character in enumerate(text):
            header.add(character)
            if not header.possible:
                if header.is_foreign and header.resumes is None:
                    self._finish(None)
                    return
                yield from self._header_as_text(header)
                yield from self._in_body(text[index + 1 :])
                return

    def _in_body(self, text: str) -> Iterator[HarmonyEvent]:
        body = self._body
        if isinstance(body, ToolRecipient):
            self._arguments.append(text)
        elif text:
            texts = self._texts[body]
            if self._fresh and texts:
                text = _BETWEEN_MESSAGES + text
            self._fresh = False
            texts.append(text)
            yield _DELTAS[body](text)

    def _rest_of_character(self) -> Iterator[HarmonyEvent]:
        """The replacement character for bytes that never became a character."""
        text = self._utf8.decode(b"", final=True)
        if text:
            yield from self._text(text)

    def _open(self, destination: Destination, *, fresh: bool = True) -> None:
        self._header = None
        self._body = destination
        self._fresh = fresh
        self._arguments.clear()

    def _end_of_message(self) -> Iterator[HarmonyEvent]:
        if self._header is not None:
            yield from self._header_as_text(self._header, even_empty_calls=True)
        yield from self._end_of_call()
        self._header = Header()

    def _end_of_call(self) -> Iterator[HarmonyEvent]:
        if self._header is None and isinstance(self._body, ToolRecipient):
            call = ToolCall(self._body.name, "".join(self._arguments))
            self._calls.append(call)
            yield ToolCallEvent(call.name, call.arguments)

    def _begin_message(self, header: Header) -> Iterator[HarmonyEvent]:
        """``<|message|>`` after a header. A channel that nobody knows is an answer: that is what is looked at."""
        destination = header.destination()
        if destination is None and header.resumes and header.as_text()[1]:
            # Control tokens in the middle of a sentence, as when the model writes about them.
            yield from self._header_as_text(header)
        else:
            self._open(destination or Channel.ANSWER)

    def _header_as_text(self, header: Header, *, even_empty_calls: bool = False) -> Iterator[HarmonyEvent]:
        """What a header said that did not turn out to be one; the message that this makes is left open."""
        if header.is_foreign and header.resumes is None:
            return
        destination, said = header.as_text()
        if said or (even_empty_calls and isinstance(destination, ToolRecipient)):
            self._open(destination, fresh=destination is not header.resumes)
            yield from self._in_body(said)

    def _finish(self, token: ControlToken | None) -> None:
        calling = self._calls and (token is ControlToken.CALL or not self._texts[Channel.ANSWER])
        self._finish_reason = FinishReason.TOOL_CALL if calling else FinishReason.STOP


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
