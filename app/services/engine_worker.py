"""What the engine's worker does on its thread: loads what is wanted, runs one answer after another."""

import itertools
import logging
import math
from dataclasses import replace

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import FinishReason
from app.domain.hardware import Hardware
from app.engine.client import EngineClient, EngineLost, EngineResumed, EngineStalled
from app.engine.model_loading import Target
from app.engine.plan_memory import PlanMemory
from app.engine.protocol import Event, Generate, Unload, Unloaded
from app.services.answer_progress import AnswerProgress
from app.services.child_slot import ChildSlot
from app.services.engine_desk import EngineDesk
from app.services.engine_loading import (
    LoadAgain,
    LoadDone,
    LoadEnded,
    LoadGivenUp,
    LoadGoesOn,
    ModelLoader,
    Outcome,
)
from app.services.engine_reports import Ended, GenerationJob, LoadFailed, LoadNotice, Reading, TextGrew
from app.services.hang_watch import OBEY_S, HangWatch, Verdict
from app.services.idle_watch import IdleWatch
from app.services.last_words import KEEP_S, LastWords
from app.services.payloads import EngineState, Phase
from app.services.report_box import ReportBox
from app.services.second_look import SecondLook, gone_and_new
from app.services.sleep_clock import SleepClock

log = logging.getLogger(__name__)

# After these the model's memory is in an unknown state: it is loaded again for the next answer.
_RELOAD_AFTER = frozenset({ErrorCode.DECODE_FAILED, ErrorCode.OUT_OF_MEMORY, ErrorCode.NO_MODEL_LOADED})


class EngineWorker:
    """Drives the child. All methods are the worker thread's."""

    def __init__(
        self,
        child: ChildSlot,
        desk: EngineDesk,
        box: ReportBox,
        ids: "itertools.count[int]",
        memory: PlanMemory,
        sleep: SleepClock,
    ) -> None:
        """What is asked for lies on ``desk``, what happens goes into ``box``; ``memory`` is that of loading."""
        self._child = child
        self._desk = desk
        self._box = box
        self._ids = ids
        self.loader = ModelLoader(memory, ids)
        self._idle = IdleWatch(desk, sleep)
        self._watch = HangWatch()
        self._running: AnswerProgress | None = None
        self._load_s = 0.0
        self._unloading = 0  # the request's id
        self._outdated = False  # a new child would see other devices
        self._second_look = SecondLook(child.make_client, child.wake)

    def begin_wanted(self) -> bool:
        """Do what is asked for, as far as it goes without waiting. Whether there is a child to `listen` to."""
        self._end_cancelled()
        while self._advance():
            pass
        return self._child.client is not None

    def listen(self) -> None:
        """Wait for the child, or for somebody to wake it, and take what it says."""
        client = self._child.client
        assert client is not None
        received = client.receive(self._patience())
        match received:
            case None:
                self._look_at_clocks()
            case EngineLost():
                log.error("the engine was lost: %s %s", received.code, received.reason)
                self._lose(UserError(received.code, reason=received.reason))
            case EngineStalled():
                self._set_stalled(True)
            case EngineResumed():
                self._set_stalled(False)
            case _:
                self._handle(received)
        if self._watch.verdict() is Verdict.DEAF:  # also one that goes on talking
            log.warning("the child does not stop what it is at")
            self._cut_off()

    def close(self) -> None:
        """The end of the program."""
        self._second_look.close()
        client = self._child.client
        if client is not None and self._watch.verdict() is Verdict.FINE and not self._child.stalled:
            words = LastWords(client, self._running, self._box)
            if self.loader.loaded is not None:
                words.ask(next(self._ids))
            else:  # it may be at it already
                words.hear(self._unloading or self.loader.clearing)
        self._drop_client()

    def end_all(self, error: UserError) -> None:
        """A bug. Nothing that was asked for is tried again: it could fail like this for ever."""
        running, self._running = self._running, None
        self._drop_client()
        self._box.show(EngineState(Phase.FAILED, model_name=self._box.state.model_name, error=error))
        if running is not None:
            self._box.report(running.ended(FinishReason.ERROR, error=error))
        for job in self._desk.take_all():
            self._box.report(Ended(job.id, FinishReason.ERROR, error=error))

    # ---- what is asked for ----

    def _end_cancelled(self) -> None:
        """Jobs that were cancelled before they were sent end here, and so does a child that hangs on one."""
        for job in self._desk.take_cancelled():
            self._box.report(Ended(job.id, FinishReason.CANCELLED))
        running = self._running
        if running is not None and self._desk.is_cancelled(running.job_id):
            self._watch.told(OBEY_S)
            if self._child.stalled:
                self._cut_off()
        if self._desk.take_abandoned() and self._child.client is not None:
            loaded = self.loader.loaded
            self._lose(UserError(ErrorCode.ENGINE_HUNG))
            if running is None and loaded is not None:
                self._desk.want(loaded, insist=False)

    def _advance(self) -> bool:
        """Start what comes next, if nothing runs. Whether there may be more to start at once."""
        if self._running is not None:
            return False
        wanted = self._desk.next()
        if self.loader.busy:
            if wanted.target == self.loader.target or self.loader.giving_up:
                return False
            if self._child.stalled:
                self._cut_off()
                return True
            outcome = self.loader.give_up()
            self._watch.told(OBEY_S)
            self._take_outcome(outcome)
            return outcome is not None
        self._desk.noted(wanted)
        if wanted.target is not None and wanted.target != self.loader.loaded:
            return not self._begin_load(wanted.target, insist=wanted.insist)
        if wanted.job is not None:
            self._send(wanted.job)
        elif wanted.unwanted and self.loader.loaded is not None:
            self._begin_unload()
        return False

    def _send(self, job: GenerationJob) -> None:
        load_s, self._load_s = self._load_s, 0.0
        self._running = AnswerProgress(job.id, load_s)
        phase = Phase.STALLED if self._child.stalled else Phase.READING
        self._box.show(replace(self._box.state, phase=phase, progress=0.0, tokens_per_s=0.0))
        wish = job.wish
        request = Generate(job.id, wish.dialogue, wish.sampling, wish.chat, wish.settle, wish.continuing)
        self._desk.begin_first()
        self._watch.begin()
        try:
            self._child.send(request, self._desk.is_cancelled)
        except UserError as error:
            self._end_running(self._running.ended(FinishReason.ERROR, error=error))

    # ---- what the child says ----

    def _handle(self, event: Event) -> None:
        looked = self.loader.looking
        outcome = self.loader.take(event)
        if looked and not self.loader.looking:
            self._watch.rest()
        if outcome is not None:
            self._take_outcome(outcome)
            return
        report = None
        if self._running is not None and (report := self._running.take(event)) is not None:
            self._watch.heard(writing=self._running.has_text)
        match report:
            case None:
                self._handle_others(event)
            case Ended():
                self._end_running(report)
            case Reading(done=done, total=total):
                self._box.report(report)
                share = done / total if total else 0.0
                self._box.show(replace(self._box.state, phase=Phase.READING, progress=share))
            case _:
                self._box.report(report)
                if isinstance(report, TextGrew):
                    self._show_rate()

    def _handle_others(self, event: Event) -> None:
        if isinstance(event, Unloaded) and event.request_id == self._unloading and not self.loader.busy:
            name = self._box.state.model_name
            self._drop_client()
            self._box.show(EngineState(model_name=name, freed=True))

    def _show_rate(self) -> None:
        assert self._running is not None
        state = self._box.state
        if (rate := self._running.rate()) is not None or state.phase is not Phase.ANSWERING:
            self._box.show(replace(state, phase=Phase.ANSWERING, progress=0.0, tokens_per_s=rate or 0.0))

    def _end_running(self, ended: Ended) -> None:
        self._child.job_ended()
        self._watch.rest()
        self._desk.ended(ended.job_id)
        self._running = None
        self._idle.used()
        state = replace(self._box.state, progress=0.0)
        if ended.error is not None and ended.error.code in _RELOAD_AFTER:
            self.loader.distrust()
            self._box.show(replace(state, phase=Phase.FAILED, error=ended.error))
        elif ended.error is not None:
            self._box.show(replace(state, phase=Phase.READY))
        else:
            self.loader.prove()
            self._box.show(replace(state, phase=Phase.READY, tokens_per_s=ended.timings.decode_tokens_per_s))
        self._box.report(ended)

    # ---- loading ----

    def _begin_load(self, target: Target, *, insist: bool) -> bool:
        """Whether it has begun; otherwise it has failed."""
        if self._outdated or self._idle.slept() or self._child.stalled:  # one from before knows the devices of then
            self._drop_client()
        self._unloading = 0
        self._watch.rest()
        if self._child.client is not None:  # it gives the memory of another model back first
            self._watch.told(KEEP_S)
        self._box.show(EngineState(Phase.LOADING, model_name=target.name))
        try:
            client = self._child.client or self._start_client()
        except UserError as error:
            self._load_failed(target, error)
            return False
        self.loader.begin(client, target, insist=insist)
        return True

    def _take_outcome(self, outcome: Outcome | None) -> None:
        if outcome is not None and not isinstance(outcome, LoadGoesOn):
            self._watch.rest()
        match outcome:
            case LoadGoesOn(fraction=fraction):
                self._box.show(replace(self._box.state, progress=fraction))
            case LoadDone(loaded=loaded):
                self._load_s = loaded.load_s
                self._idle.used()
                state = replace(self._box.state, phase=Phase.READY, progress=0.0, context=loaded.context)
                self._box.show(replace(state, explanation=outcome.explanation))
                for notice in outcome.notices:
                    self._box.report(LoadNotice(notice))
            case LoadAgain(target=target):
                self._load_again(target)
            case LoadGivenUp():
                self._box.show(EngineState(model_name=self._box.state.model_name))
            case LoadEnded(target=target, error=error):
                self._load_failed(target, error)
            case None:
                pass

    def _load_again(self, target: Target) -> None:
        """The next try, in a child of its own: what the last one did to a driver may stay with its process."""
        self._end_client()
        self._box.show(EngineState(Phase.LOADING, model_name=target.name))
        try:
            self.loader.resume(self._start_client())
        except UserError as error:
            self._take_outcome(self.loader.lost(error))

    def _load_failed(self, target: Target, error: UserError) -> None:
        """Every job that waits for this model ends; it is not tried again until somebody asks."""
        failed = self._desk.take_for(target)
        self._box.show(EngineState(Phase.FAILED, model_name=target.name, error=error))
        for job in failed:
            self._box.report(Ended(job.id, FinishReason.ERROR, error=error))
        if not failed:
            self._box.report(LoadFailed(error))

    # ---- while nothing is asked ----

    def _patience(self) -> float | None:
        """How long to wait for the child; None for ever."""
        if self._is_idle:
            return self._idle.patience()
        left = self._watch.left()
        return None if left == math.inf else left

    @property
    def _is_idle(self) -> bool:
        """Whether there is a model, and nothing for it to do."""
        return self._running is None and not self.loader.busy and self.loader.loaded is not None

    def _look_at_clocks(self) -> None:
        if self._watch.verdict() is Verdict.SILENT:
            self._box.show(replace(self._box.state, phase=Phase.STALLED))
        elif self._is_idle:
            self._use_leisure()

    def _use_leisure(self) -> None:
        """Nobody uses the model: give its memory back after a while, and see whether the machine is the same."""
        if self._idle.is_over():
            self._desk.rest()
            self._begin_unload()
        elif (found := self._second_look.take()) is not None:
            self._compare(found)
        elif not self._second_look.busy and self._idle.slept():
            self._second_look.begin(graphics=self.loader.graphics)

    def _begin_unload(self) -> None:
        """Ask the child to keep what is worth keeping and to give the memory back; then it is ended."""
        client = self._child.client
        assert client is not None
        self.loader.distrust()
        self._unloading = next(self._ids)
        if self._child.stalled:
            self._cut_off()
            return
        self._watch.told(KEEP_S)
        client.send(Unload(self._unloading))

    def _compare(self, hardware: Hardware) -> None:
        """After a sleep: a device that is gone takes a model on it along; a new one counts for the next load."""
        gone, new = gone_and_new(self.loader.hardware or hardware, hardware)
        self._outdated = bool(gone or new)
        lost = next((device for device in gone if self.loader.uses(device)), None)
        if lost is not None:
            log.warning("after a sleep there is no %s (%s) any more", lost.name, lost.description)
            name = self._box.state.model_name
            self._desk.rest()  # what the user may have unplugged on purpose can wait for the next message
            self._drop_client()
            self._box.show(EngineState(model_name=name))
            self._box.report(LoadNotice(UserError(ErrorCode.DEVICE_GONE, device=lost.description, name=name)))

    # ---- the child's end ----

    def _start_client(self) -> EngineClient:
        self._outdated = False
        self._second_look.forget()
        return self._child.start(graphics=self.loader.graphics)

    def _lose(self, error: UserError) -> None:
        """The child is gone: what ran has ended, and nothing is loaded."""
        running, self._running = self._running, None
        name = self._box.state.model_name
        freed = self._unloading != 0
        self._end_client()
        outcome = self.loader.lost(error, answering=running is not None)
        if outcome is not None:
            self._take_outcome(outcome)
            return
        if freed:  # it was to end anyway
            self._box.show(EngineState(model_name=name, freed=True))
            return
        self._box.show(EngineState(Phase.FAILED, model_name=name, error=error))
        if running is not None:
            self._box.report(running.ended(FinishReason.ERROR, error=error))
        self._desk.rest()  # what killed the child could do so for ever

    def _cut_off(self) -> None:
        """End a child that does not do what it was told: to stop an answer or a load, or to give the memory back."""
        running, self._running = self._running, None
        state = EngineState(model_name=self._box.state.model_name, freed=self._unloading != 0)
        self._drop_client()
        self._box.show(state)
        if running is not None:
            self._desk.ended(running.job_id)
            self._box.report(running.ended(FinishReason.CANCELLED))

    def _drop_client(self) -> None:
        """End the child, if there is one; nothing is loaded then."""
        self._end_client()
        self.loader.forget()

    def _end_client(self) -> None:
        self._unloading = 0
        self._watch.rest()
        self._child.end()

    def _set_stalled(self, stalled: bool) -> None:
        self._child.stalled = stalled
        if stalled:
            phase = Phase.STALLED
        elif self.loader.busy:
            phase = Phase.LOADING
        elif self._running is not None:
            phase = Phase.ANSWERING if self._running.has_text else Phase.READING
        else:
            phase = Phase.READY if self.loader.loaded is not None else Phase.UNLOADED
        self._box.show(replace(self._box.state, phase=phase))
