"""The first tokens a model computes, before it counts as loaded."""

from collections.abc import Callable

from app.engine.llama.context import LlamaContext

# A graphics card reads many tokens with other programs than a few.
_TOKENS_ON_CARD = 32
_TOKENS = 2


def warm_up(context: LlamaContext, abort: Callable[[], bool], *, on_card: bool) -> bool:
    """Read a few tokens and one more, and forget them: what a driver or the memory fails at, fails now, and nothing is
    left to be made ready when the first answer is asked for.

    False when ``abort`` said so in between. Raises UserError when llama.cpp fails.
    """
    count = min(_TOKENS_ON_CARD if on_card else _TOKENS, context.batch)
    if not context.prefill([0] * count, abort):
        return False
    context.note_window(count)
    context.decode(0)
    context.note_window(count + 1)
    context.clear()
    # What chooses tokens brings numpy, which a thread of the child may still be importing.
    import app.engine.llama.sampler  # noqa: F401  # pyright: ignore[reportUnusedImport]

    return True
