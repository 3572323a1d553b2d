"""What is in the KV cache: which tokens, and how much of a prompt they spare."""

from collections.abc import Callable, Sequence

from app.domain.errors import UserError
from app.engine.llama.context import LlamaContext


class SequenceMemory:
    """The tokens in the context's memory. After an error the memory is empty."""

    def __init__(self, context: LlamaContext) -> None:
        self._context = context
        self.tokens: list[int] = []

    def keep(self, prompt: Sequence[int]) -> int:
        """How many tokens of the prompt need not be read, after forgetting what does not belong to it.

        The memory is kept when the prompt continues it, and forgotten otherwise: a sliding window cannot be trimmed
        back. At least one token is left to read, whose logits start the answer.
        """
        kept = len(self.tokens)
        if kept < len(prompt) and self.tokens == prompt[:kept]:
            return kept
        self.forget()
        return 0

    def read(self, tokens: Sequence[int], abort: Callable[[], bool]) -> bool:
        """Read at most a batch; False when ``abort`` said so, and then nothing has changed. Raises UserError."""
        try:
            done = self._context.prefill(tokens, abort)
        except UserError:
            self.forget()
            raise
        if done:
            self.tokens.extend(tokens)
        return done

    def forget(self) -> None:
        """Empty the memory."""
        self._context.clear()
        self.tokens.clear()
