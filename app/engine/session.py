"""One loaded model and one conversation's memory: load, render, generate. Runs on the child's main thread."""

import gc
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

from app.domain.conversation import Role
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason, Timings, Usage
from app.domain.load_plan import LoadPlan
from app.engine.answer import Answer
from app.engine.chat_keeper import ChatKeeper
from app.engine.fitting import fit
from app.engine.format_choice import format_for
from app.engine.frames import FrameError
from app.engine.hardware import threads_for
from app.engine.llama.library import LlamaLog, engine_name, give_back_freed
from app.engine.llama.model import LlamaModel, LoadCancelledError
from app.engine.loaded_model import LoadedModel
from app.engine.other_programs import OtherPrograms
from app.engine.protocol import (
    Event,
    Finished,
    Forget,
    Generate,
    KeepWithin,
    Leave,
    Left,
    Load,
    Loaded,
    LoadProgress,
    Render,
    Rendered,
    Unloaded,
)
from app.engine.sampling import check_sampling
from app.engine.settling import Outcome, Settling, settling_after
from app.engine.snapshot_file import snapshot_key
from app.engine.snapshots import SnapshotFolder
from app.engine.throttle import PROGRESS_S, Throttle
from app.engine.warm_up import warm_up
from app.gguf.parts import check_parts

Send = Callable[[Event], None]

log = logging.getLogger("alcove.engine")

DEFAULT_CONTEXT = 8192
"""Tokens of context when the plan leaves it open: what a laptop with 16 GB holds beside gpt-oss-20b."""

TIDY_AFTER = 50
"""Answers. Without it a thousand answers leave memory some 2% larger, by fragments alone. Takes some 10 ms."""


class EngineSession:
    """Holds at most one model. Every method ends in the request's last event or raises UserError."""

    def __init__(self, send: Send, messages: LlamaLog) -> None:
        self._send = send
        self._messages = messages
        self._loaded: LoadedModel | None = None
        self._snapshots: SnapshotFolder | None = None
        self._space: int | None = None  # for chats' memories; None: as each load says
        self._settling: Settling | None = None
        self._answers = 0
        self._chat = ""  # whose prompt and answer are in memory; "" leaves no trace

    def load(self, request: Load, cancelled: Flag) -> None:
        """Load a model in place of the one before; a cancelled load ends in ``Unloaded``."""
        self.unload()
        begin = time.perf_counter()
        path = Path(request.path)
        if "\0" in request.path:  # a name no file can have; Python's file functions call it a bug
            raise UserError(ErrorCode.FILE_NOT_FOUND, path=request.path)
        files = check_parts(path)  # llama.cpp has one answer to every bad file; this says what is wrong
        progress = Throttle(PROGRESS_S)

        def report(fraction: float) -> bool:
            if progress.due() or fraction >= 1:
                self._send(LoadProgress(request.request_id, fraction))
            return not cancelled.is_set()

        with ExitStack() as undo:
            others = OtherPrograms()
            undo.callback(others.close)
            try:
                model = LlamaModel(path, request.plan, self._messages, report)
            except LoadCancelledError:
                self._send(Unloaded(request.request_id))
                return
            undo.callback(model.close)
            model.adapt(request.adapters, self._messages)
            chat_format = format_for(model)
            undo.callback(chat_format.close)
            plan = replace(
                request.plan,
                context=min(request.plan.context or DEFAULT_CONTEXT, model.trained_context),
                threads=request.plan.threads or threads_for(model.weight_bytes),
            )
            context = model.context(plan)
            undo.callback(context.close)
            if not warm_up(context, cancelled.is_set, on_card=plan.gpu_layers > 0):
                self._send(Unloaded(request.request_id))
                return
            undo.pop_all()
        self._loaded = LoadedModel(model, context, chat_format, others)
        self._begin_keeping(self._loaded, request, files, plan)
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

    def _begin_keeping(self, loaded: LoadedModel, request: Load, files: Sequence[Path], plan: LoadPlan) -> None:
        keeping = request.keeping
        space = keeping.space_bytes if self._space is None else self._space
        self._snapshots = SnapshotFolder(Path(keeping.folder), space) if keeping.folder else None
        if self._snapshots is None:
            return
        try:
            key = snapshot_key(engine_name(), files, plan, request.adapters)
        except OSError as error:  # a file that was there a moment ago
            log.warning("chats' memories are not kept: %s", error.strerror)
        else:
            loaded.keeper = ChatKeeper(self._snapshots, key, loaded.memory, keeping.least_s)

    def unload(self, request_id: int | None = None) -> None:
        """Give the model's memory back."""
        self._settling = None
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None
        if request_id is not None:
            self._send(Unloaded(request_id))

    def close(self) -> None:
        """The end of the child: whatever is worth keeping is kept, then the memory is given back."""
        self.unload()

    def forget_all(self) -> None:
        """Something went wrong in the middle: what the memory holds is not known any more, so it is emptied."""
        self._settling = None
        if self._loaded is not None:
            self._loaded.memory.forget()

    def idle(self, wanted: Callable[[], bool]) -> None:
        """Nobody asks anything: work ahead until there is no more to do or ``wanted`` says that a request waits."""
        settling, self._settling = self._settling, None
        if settling is not None and settling.go_on(wanted) is Outcome.GAVE_WAY:
            self._settling = settling

    def leave(self, request: Leave) -> None:
        """The chat is left: its memory is written in the background, where that is worthwhile."""
        keeper = self._loaded.keeper if self._loaded is not None else None
        self._send(Left(request.request_id, keeper.leave() if keeper is not None else 0))

    def forget(self, request: Forget) -> None:
        """The chat is deleted: what is kept of it goes, and what is in memory."""
        if self._loaded is not None and self._loaded.keeper is not None:
            self._loaded.keeper.forget(request.chat)
        elif self._snapshots is not None:
            self._snapshots.forget(request.chat)
        if request.chat and request.chat == self._chat:
            self._chat = ""
            self.forget_all()
        self._send(Left(request.request_id, 0))

    def keep_within(self, request: KeepWithin) -> None:
        """The user gave chats' memories another space, or none: this counts for the loaded model and for later ones."""
        self._space = request.space_bytes
        if self._loaded is not None and self._loaded.keeper is not None:
            self._loaded.keeper.keep_within(request.space_bytes)
        elif self._snapshots is not None:
            self._snapshots.space_bytes = request.space_bytes
            self._snapshots.make_room()
        self._send(Left(request.request_id, 0))

    def render(self, request: Render) -> None:
        """Answer with the exact prompt, which may be longer than the model's memory, but not than a frame."""
        loaded = self._model()
        prompt = loaded.format.prompt(request.dialogue, lambda: False)
        assert prompt is not None
        parts = loaded.format.parts(request.dialogue)
        rendered = Rendered(
            request.request_id,
            tuple(prompt.tokens),
            tuple(text for text, _ in parts),
            tuple(control for _, control in parts),
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
        if request.continuing and request.dialogue.messages[-1].role is not Role.ASSISTANT:
            raise UserError(ErrorCode.INVALID_REQUEST, reason="there is no answer to go on with")
        check_sampling(request.sampling)
        fitted = fit(
            loaded.format,
            request.dialogue,
            loaded.context.size,
            request.sampling.max_tokens,
            cancelled.is_set,
            continuing=request.continuing,
        )
        if fitted is None:
            self._send(Finished(request.request_id, FinishReason.CANCELLED, Usage(), Timings()))
            return
        if loaded.keeper is not None:
            loaded.keeper.enter(request.chat, fitted.prompt.tokens, cancelled.is_set)
        self._settling, self._chat = None, request.chat
        answer = Answer(loaded, request, fitted, self._send, cancelled, begin)
        reason = answer.run()
        self._settling = settling_after(loaded, request, answer.message, reason, self._send)
        self._answers += 1
        if self._answers % TIDY_AFTER == 0:
            gc.collect()
            give_back_freed()

    def _model(self) -> LoadedModel:
        if self._loaded is None:
            raise UserError(ErrorCode.NO_MODEL_LOADED)
        return self._loaded
