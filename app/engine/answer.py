"""One generation: prefill, decode, and what is said of it."""

import secrets
import time
from collections.abc import Callable
from threading import Event as Flag
from typing import TYPE_CHECKING

from app.domain.context_window import staying
from app.domain.conversation import Message
from app.domain.errors import UserError
from app.domain.generation import FinishReason, Timings, Usage
from app.engine.deltas import DeltaSender
from app.engine.fitting import Fitted
from app.engine.loaded_model import LoadedModel
from app.engine.protocol import Event, Finished, Generate, PrefillProgress, PromptReady
from app.engine.slices import ends
from app.engine.throttle import PROGRESS_S, Throttle

if TYPE_CHECKING:
    from app.engine.llama.sampler import LlamaSampler

Send = Callable[[Event], None]


class Answer:
    """One generation."""

    def __init__(
        self,
        loaded: LoadedModel,
        request: Generate,
        fitted: Fitted,
        send: Send,
        cancelled: Flag,
        begin: float,
    ) -> None:
        self._loaded = loaded
        self._request = request
        self._prompt = fitted.prompt.tokens
        self._reading = fitted.prompt
        self._left_out = fitted.left_out
        self._send = send
        self._cancelled = cancelled
        self._begin = begin
        self._parser = loaded.format.parser(request.dialogue.messages[-1] if request.continuing else None)
        self._deltas = DeltaSender(request.request_id, send)
        self._sampled = 0
        self._first = 0.0

    @property
    def message(self) -> Message:
        """What was said."""
        return self._parser.message

    def run(self) -> FinishReason:
        """Prefill, decode, and say how it ended."""
        reused = self._loaded.memory.keep(self._prompt)
        self._send(PromptReady(self._request.request_id, len(self._prompt), reused, self._left_out))
        started = time.perf_counter()
        read = self._prefill(reused)
        read_at = time.perf_counter()
        if self._loaded.keeper is not None and read:
            self._loaded.keeper.measured(len(self._prompt) - reused, read_at - started)
        reason = FinishReason.CANCELLED
        if read:
            sampling = self._request.sampling
            seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
            sampler = self._loaded.context.sampler(sampling, seed)
            try:
                reason = self._decode(sampler)
            except UserError:
                self._loaded.memory.forget()
                self._deltas.finish(self._parser.flush())
                raise
            finally:
                sampler.close()
            self._deltas.finish(self._parser.flush())
        decode_s = time.perf_counter() - self._first if self._first else 0.0
        steps = self._sampled - 1
        self._send(
            Finished(
                self._request.request_id,
                reason,
                Usage(len(self._prompt), reused, self._sampled, len(self._left_out), staying(self._left_out)),
                Timings(
                    prefill_s=read_at - self._begin,
                    first_token_s=self._first - self._begin if self._first else 0.0,
                    decode_s=decode_s,
                    decode_tokens_per_s=steps / decode_s if steps > 0 and decode_s > 0 else 0.0,
                ),
            )
        )
        return reason

    def _prefill(self, done: int) -> bool:
        """Read the prompt from token ``done`` on in slices; False when it was cancelled."""
        memory, prompt, total = self._loaded.memory, self._prompt, len(self._prompt)
        batches = ends(self._reading, done, self._loaded.context.batch)
        progress = Throttle(PROGRESS_S)
        memory.plan_checkpoints((done, *batches), self._reading.starts)
        memory.checkpoint()  # what was decoded before, if it is kept
        for end in batches:
            if progress.due():
                self._send(PrefillProgress(self._request.request_id, done, total))
            if self._cancelled.is_set():
                return False
            self._loaded.yield_cores()
            if not memory.read(prompt[done:end], self._cancelled.is_set, more=end < total):
                return False
            memory.checkpoint()
            done = end
        self._send(PrefillProgress(self._request.request_id, done, total))
        return True

    def _decode(self, sampler: "LlamaSampler") -> FinishReason:
        """The decode loop. Nothing in it may allocate by the vocabulary or look at it in Python."""
        loaded = self._loaded
        sample, decode, remember = sampler.sample, loaded.context.decode, loaded.memory.tokens.append
        parse, take, cancelled = self._parser.decode, self._deltas.take, self._cancelled.is_set
        now, use_threads = time.perf_counter, loaded.context.use_threads
        pace = loaded.pace if self._request.sampling.seed is None else loaded.steady_pace()
        use_threads(loaded.context.all_threads if pace is None else pace.begin(now()))
        stops = loaded.format.stops
        # The last token of an answer need not be in memory, so one more is sampled than there is room.
        limit = loaded.context.size - len(loaded.memory.tokens) + 1
        if self._request.sampling.max_tokens:
            limit = min(limit, self._request.sampling.max_tokens)
        token = sample()
        self._first = now()
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
            begin = now()
            decode(token)
            remember(token)
            token = sample()  # a graphics card's part ends here
            if pace is not None:
                end = now()
                use_threads(pace.took(end - begin, end))
