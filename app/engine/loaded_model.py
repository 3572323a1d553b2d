"""A loaded model with everything that belongs to it."""

from app.engine.chat_format import ChatFormat
from app.engine.llama.context import LlamaContext
from app.engine.llama.model import LlamaModel
from app.engine.memory import SequenceMemory


class LoadedModel:
    """A model, its context, the way it is talked to, and what is in its memory."""

    def __init__(self, model: LlamaModel, context: LlamaContext, chat_format: ChatFormat) -> None:
        self.model = model
        self.context = context
        self.format = chat_format
        self.memory = SequenceMemory(context)

    def close(self) -> None:
        """Free the weights and the memory."""
        self.format.close()
        self.context.close()
        self.model.close()
