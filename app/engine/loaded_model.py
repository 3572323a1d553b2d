"""A loaded model with everything that belongs to it."""

from contextlib import ExitStack

from app.engine.chat_format import ChatFormat
from app.engine.chat_keeper import ChatKeeper
from app.engine.llama.context import LlamaContext
from app.engine.llama.model import LlamaModel
from app.engine.memory import SequenceMemory
from app.engine.other_programs import OtherPrograms
from app.engine.threads import SteadyPace, ThreadPace, free_cores


class LoadedModel:
    """A model, its context, the way it is talked to, and what is in its memory."""

    def __init__(
        self, model: LlamaModel, context: LlamaContext, chat_format: ChatFormat, others: OtherPrograms
    ) -> None:
        """``others`` has been looking since before the model was loaded: its first prompt is read with as many threads
        as have cores.
        """
        self.model = model
        self.context = context
        self.format = chat_format
        self.memory = SequenceMemory(context)
        self.keeper: ChatKeeper | None = None
        self._others: OtherPrograms | None = None
        self.pace: ThreadPace | None = None
        if context.on_processor and context.all_threads > 1:
            others.compute_with(context.all_threads)
            self._others = others
            self.pace = ThreadPace(context.all_threads, others.held)
        else:
            others.close()

    def steady_pace(self) -> SteadyPace | None:
        """For one answer with a seed, which promises the same words again."""
        return None if self._others is None else SteadyPace(self.context.all_threads, self._others.held)

    def yield_cores(self) -> None:
        """Before a slice of prefill: with as many threads as other programs leave cores for."""
        if self._others is not None:
            self.context.use_prefill_threads(free_cores(self.context.all_threads, self._others.held()))

    def close(self) -> None:
        """Keep what is worth keeping, and free the weights and the memory."""
        with ExitStack() as ending:  # from the last to the first, whatever fails
            for part in (self.model, self.context, self.format, self._others, self.keeper):
                if part is not None:
                    ending.callback(part.close)
