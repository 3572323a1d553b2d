"""A loaded model with everything that belongs to it."""

from app.engine.chat_format import ChatFormat
from app.engine.chat_keeper import ChatKeeper
from app.engine.llama.context import LlamaContext
from app.engine.llama.model import LlamaModel
from app.engine.memory import SequenceMemory
from app.engine.threads import ThreadPace


class LoadedModel:
    """A model, its context, the way it is talked to, and what is in its memory."""

    def __init__(self, model: LlamaModel, context: LlamaContext, chat_format: ChatFormat) -> None:
        self.model = model
        self.context = context
        self.format = chat_format
        self.memory = SequenceMemory(context)
        self.keeper: ChatKeeper | None = None
        self.pace = ThreadPace(context.all_threads) if context.on_processor else None

    def close(self) -> None:
        """Keep what is worth keeping, and free the weights and the memory."""
        if self.keeper is not None:
            self.keeper.close()
        self.format.close()
        self.context.close()
        self.model.close()
