"""One loaded model and one conversation's memory: load, render, generate. Runs on the child's main thread."""

import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Flag

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Timings, Usage
from app.engine.deltas import DeltaSender
from app.engine.frames import FrameError
from app.engine.hardware import threads_for
from app.engine.llama_backend import (
    PREFILL_SLICE,
    LlamaContext,
    LlamaLog,
    LlamaModel,
    LlamaSampler,
    LoadCancelledError,
)
from app.engine.protocol import (
    Event,
    Finished,
    Generate,
    Load,
    Loaded,
    LoadProgress,
    PrefillProgress,
    Render,
    Rendered,
    Unloaded,
)
from app.engine.sampling import check_sampling
from app.gguf.header import read_header_file
from app.harmony.encoding import PromptEncoder
from app.harmony.parsing import HarmonyParser
from app.harmony.rendering import render
from app.harmony.segments import Control, Text
from app.harmony.vocabulary import speaks_harmony, stop_ids

Send = Callable[[Event], None]

DEFAULT_CONTEXT = 8192
"""Tokens of context when the plan leaves it open: what a laptop with 16 GB holds beside gpt-oss-20b."""

LONGEST_TOKEN = 256
"""Characters; the longest in gpt-oss's vocabulary has 128."""

PROGRESS_S = 0.05
"""Least time between two reports of progress."""


class EngineSession:
    """Holds at most one model. Every method ends in the request's last event or raises UserError."""

    def __init__(self, send: Send, messages: LlamaLog) -> None:
        self._send = send
        self._messages = messages
        self._loaded: LoadedModel | None = None

    def load(self, request: Load, cancelled: Flag) -> None:
        """Load a model in place of the one before; a cancelled load ends in ``Unloaded``."""
        self.unload()
        begin = time.perf_counter()
        path = Path(request.path)
        if "\0" in request.path:  # a name no file can have; Python's file functions call it a bug
            raise UserError(ErrorCode.FILE_NOT_FOUND, path=request.path)
        read_header_file(path)  # llama.cpp has one answer to every bad file; this says what is wrong
        progress = Throttle(PROGRESS_S)

        def report(fraction: float) -> bool:
            if progress.due() or fraction >= 1:
                self._send(LoadProgress(request.request_id, fraction))
            return not cancelled.is_set()

        try:
            model = LlamaModel(path, request.plan.gpu_layers, self._messages, report)
        except LoadCancelledError:
            self._send(Unloaded(request.request_id))
            return
        try:
            if not speaks_harmony(model):
                raise UserError(ErrorCode.NOT_HARMONY, name=model.name)
            size = min(request.plan.context or DEFAULT_CONTEXT, model.trained_context)
            context = model.context(size, request.plan.threads or threads_for(model.weight_bytes))
        except UserError:
            model.close()
            raise
        self._loaded = LoadedModel(model, context)
        self._send(
            Loaded(
                request.request_id,
                model.name,
                model.architecture,
                context.size,
                model.trained_context,
                time.perf_counter() - begin,
            )
        )

    def unload(self, request_id: int | None = None) -> None:
        """Give the model's memory back."""
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None
        if request_id is not None:
            self._send(Unloaded(request_id))

    def render(self, request: Render) -> None:
        """Answer with the exact prompt, which may be longer than the model's memory, but not than a frame."""
        loaded = self._model()
        segments = render(request.dialogue)
        rendered = Rendered(
            request.request_id,
            tuple(loaded.encoder.encode(segments)),
            tuple(part.token.value if isinstance(part, Control) else part.text for part in segments),
            tuple(isinstance(part, Control) for part in segments),
        )
        try:
            self._send(rendered)
        except FrameError as error:  # some two million tokens, which no model's memory holds
            tokens, room = len(rendered.tokens), loaded.context.size
            raise UserError(ErrorCode.PROMPT_TOO_LONG, tokens=tokens, room=room) from error

    def generate(self, request: Generate, cancelled: Flag) -> None:
        """Read what is new of the prompt and answer it."""
        begin = time.perf_counter()
        loaded = self._model()
        if not request.dialogue.messages:
            raise UserError(ErrorCode.EMPTY_PROMPT)
        check_sampling(request.sampling)
        segments = render(request.dialogue)
        room = loaded.context.size
        # Reading a text of 64 MB into tokens takes a minute, in which nothing could be cancelled.
        least = sum(len(part.text) for part in segments if isinstance(part, Text)) // LONGEST_TOKEN
        if least >= room:
            raise UserError(ErrorCode.PROMPT_TOO_LONG, tokens=f"more than {least}", room=room)
        prompt: list[int] = []
        for ids in loaded.encoder.runs(segments):
            prompt += ids
            if cancelled.is_set():
                self._send(Finished(request.request_id, FinishReason.CANCELLED, Usage(), Timings()))
                return
        if len(prompt) >= room:
            raise UserError(ErrorCode.PROMPT_TOO_LONG, tokens=len(prompt), room=room)
        answer = Answer(loaded, request, prompt, self._send, cancelled, begin)
        answer.run()

    def _model(self) -> "LoadedModel":
        if self._loaded is None:
            raise UserError(ErrorCode.NO_MODEL_LOADED)
        return self._loaded


class LoadedModel:
    """A model, its context, and the tokens that are in the context's memory."""

    def __init__(self, model: LlamaModel, context: LlamaContext) -> None:
        self.model = model
        self.context = context
        self.encoder = PromptEncoder(model)
        self.stops = stop_ids(model) | {t for t in model.special_tokens if model.ends_generation(t)}
        self.tokens: list[int] = []

    def close(self) -> None:
        """Free both."""
        self.context.close()
        self.model.close()

    def reuse(self, prompt: Sequence[int]) -> int:
        """How many tokens of the prompt need not be read, after forgetting what does not belong to it.

        The memory is kept when the prompt continues it, and forgotten otherwise: a sliding window cannot be trimmed
        back. At least one token is left to read, whose logits start the answer.
        """
        kept = len(self.tokens)
        if kept < len(prompt) and self.tokens == prompt[:kept]:
            return kept
        self.forget()
        return 0

    def forget(self) -> None:
        """Empty the memory."""
        self.context.clear()
        self.tokens.clear()


class Answer:
    """One generation."""

    def __init__(
        self,
        loaded: LoadedModel,
        request: Generate,
        prompt: list[int],
        send: Send,
        cancelled: Flag,
        begin: float,
    ) -> None:
        self._loaded = loaded
        self._request = request
        self._prompt = prompt
        self._send = send
        self._cancelled = cancelled
        self._begin = begin
        self._parser = HarmonyParser(loaded.model)
        self._deltas = DeltaSender(request.request_id, send)
        self._sampled = 0
        self._first = 0.0

    def run(self) -> None:
        """Prefill, decode, and say how it ended."""
        reused = self._loaded.reuse(self._prompt)
        read = self._prefill(reused)
        read_at = time.perf_counter()
        reason = FinishReason.CANCELLED
        if read:
            sampling = self._request.sampling
            seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
            sampler = self._loaded.context.sampler(sampling, seed)
            try:
                reason = self._decode(sampler)
            except UserError:
                self._loaded.forget()
                self._deltas.take(self._parser.flush())
                self._deltas.flush()
                raise
            finally:
                sampler.close()
            self._deltas.take(self._parser.flush())
            self._deltas.flush()
        decode_s = time.perf_counter() - self._first if self._first else 0.0
        steps = self._sampled - 1
        self._send(
            Finished(
                self._request.request_id,
                reason,
                Usage(len(self._prompt), reused, self._sampled),
                Timings(
                    prefill_s=read_at - self._begin,
                    first_token_s=self._first - self._begin if self._first else 0.0,
                    decode_s=decode_s,
                    decode_tokens_per_s=steps / decode_s if steps > 0 and decode_s > 0 else 0.0,
                ),
            )
        )

    def _prefill(self, done: int) -> bool:
        """Read the prompt from token ``done`` on in slices; False when it was cancelled."""
        loaded, prompt, total = self._loaded, self._prompt, len(self._prompt)
        progress = Throttle(PROGRESS_S)
        try:
            while done < total:
                if progress.due():
                    self._send(PrefillProgress(self._request.request_id, done, total))
                if self._cancelled.is_set():
                    return False
                part = prompt[done : done + PREFILL_SLICE]
                if not loaded.context.prefill(part, self._cancelled.is_set):
                    loaded.forget()
                    return False
                loaded.tokens.extend(part)
                done += len(part)
        except UserError:
            loaded.forget()
            raise
        self._send(PrefillProgress(self._request.request_id, done, total))
        return True

    def _decode(self, sampler: LlamaSampler) -> FinishReason:
        """The decode loop. Nothing in it may allocate by the vocabulary or look at it in Python."""
        loaded = self._loaded
        sample, decode, remember = sampler.sample, loaded.context.decode, loaded.tokens.append
        parse, take, cancelled = self._parser.decode, self._deltas.take, self._cancelled.is_set
        stops = loaded.stops
        # The last token of an answer need not be in memory, so one more is sampled than there is room.
        limit = loaded.context.size - len(loaded.tokens) + 1
        if self._request.sampling.max_tokens:
            limit = min(limit, self._request.sampling.max_tokens)
        token = sample()
        self._first = time.perf_counter()
        sampled = 0
        while True:
            sampled += 1
            self._sampled = sampled
            take(parse(token))
            # The parser sees an end where the model goes on, as when it begins to speak for the user.
            if ended := self._parser.finish_reason:
                return ended
            if token in stops:
                return FinishReason.STOP
            if sampled >= limit:
                return FinishReason.LENGTH
            if cancelled():
                return FinishReason.CANCELLED
            decode(token)
            remember(token)
            token = sample()


class Throttle:
    """Says whether enough time has passed since it last said so."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def due(self) -> bool:
        """True at most once per period, at the first call too."""
        now = time.perf_counter()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
