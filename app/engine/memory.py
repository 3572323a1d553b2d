"""What is in the KV cache: which tokens, how they were read, and how much of a prompt they spare."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.domain.errors import UserError
from app.engine.checkpoints import Checkpoints
from app.engine.hardware import free_memory
from app.engine.memory_image import MemoryImage, WindowImage

if TYPE_CHECKING:
    from app.engine.llama.context import LlamaContext

_STRETCH = 4096

log = logging.getLogger("alcove.engine")


class SequenceMemory:
    """The tokens in the context's memory. After an error the memory is empty.

    A sliding window forgets what is behind it, so a memory that has one can only go back to where a checkpoint was
    taken. What is kept is the very memory of a context that was fed ``batches`` and nothing else, to the last bit.
    """

    def __init__(self, context: "LlamaContext") -> None:
        self._context = context
        self._read: list[tuple[int, int]] = []
        self._checkpoints = Checkpoints(free_memory)
        # The decode loop appends to it, so it stays the same list.
        self.tokens: list[int] = []

    @property
    def size(self) -> int:
        """The most tokens that it can hold."""
        return self._context.size

    @property
    def batches(self) -> tuple[tuple[int, int], ...]:
        """(start, length) of the batches that the tokens were read in. Decoded tokens are batches of one.

        Where a memory without a window was cut inside a batch, only what is left of that batch is named.
        """
        self._note_decoded()
        return tuple(self._read)

    def keep(self, prompt: Sequence[int], *, whole: bool = False) -> int:
        """How many tokens of the prompt need not be read, after forgetting what does not belong to it.

        At least one token is left to read, whose logits start the answer, unless the ``whole`` may be kept.
        """
        most = len(prompt) if whole else max(len(prompt) - 1, 0)
        same = common_prefix(self.tokens, prompt, most)
        if same < len(self.tokens):
            self._go_back(same)
        return len(self.tokens)

    def read(self, tokens: Sequence[int], abort: Callable[[], bool], *, more: bool = False) -> bool:
        """Read at most a batch; False when ``abort`` said so, and then nothing has changed. With ``more`` to come there
        are no logits to sample from. Raises UserError.

        Of a recurrent model less may be in memory afterwards, where there was no room to keep how it was before.
        """
        self._note_decoded()
        before = None
        if self._context.is_recurrent:
            if self._context.on_processor:
                before = self._moment()
            else:  # a card asks between its first operations at most: too seldom to keep anything for
                abort = _never
        try:
            done = self._context.prefill(tokens, abort, more=more)
        except UserError:
            self.forget()
            raise
        if done:
            self._read.append((len(self.tokens), len(tokens)))
            self.tokens.extend(tokens)
        else:
            self._tidy(before)
        return done

    def plan_checkpoints(self, lengths: Sequence[int], starts: Sequence[int]) -> None:
        """Before a prompt is read with a `checkpoint` at each of ``lengths``: of those only what will last is made. Its
        messages begin at ``starts``.
        """
        if self._context.needs_windows:
            self._checkpoints.plan(lengths, self._context.window_bytes(lengths[-1]), starts)

    def checkpoint(self) -> None:
        """Make this a moment that can be gone back to, if the plan says so."""
        if self._checkpoints.will_last(len(self.tokens)):
            self._take_checkpoint()

    def spare_checkpoint(self) -> None:
        """As `checkpoint`, without a plan, but not in place of the only one."""
        if self._checkpoints.room(self._context.window_bytes(len(self.tokens))) > 1:
            self._take_checkpoint()

    def _take_checkpoint(self) -> None:
        length = len(self.tokens)
        if (
            self._context.needs_windows
            and length > self._checkpoints.last
            and self._checkpoints.make_room(length, self._context.window_bytes(length))
            and (state := self._window_state()) is not None
        ):
            self._checkpoints.add(WindowImage(length, state))

    def forget(self) -> None:
        """Empty the memory."""
        self._context.clear()
        self._cut(0)

    # ---- As a value ----

    @property
    def image_bytes(self) -> int:
        """How large `export`'s result would be, about."""
        return self._context.state_bytes + sum(len(window.state) for window in self._checkpoints) + 4 * len(self.tokens)

    def export(self) -> MemoryImage:
        """The whole memory, copied."""
        windows = tuple(self._checkpoints)
        length = len(self.tokens)
        if self._context.needs_windows and length and self._checkpoints.last < length:
            windows += (WindowImage(length, self._context.window_state()),)
        return MemoryImage(tuple(self.tokens), self.batches, self._context.state(), windows)

    def adopt(self, image: MemoryImage) -> bool:
        """Put an exported memory in place of this one. False when it is too long, and then nothing has changed, or when
        llama.cpp does not take it, and then the memory is empty.

        The state must come from the same model, llama.cpp and context parameters, undamaged: llama.cpp aborts on
        others.
        """
        length = len(image.tokens)
        if length > self.size:
            return False
        self.forget()
        if not self._context.restore(image.state):
            self.forget()
            return False
        self.tokens.extend(image.tokens)
        self._read.extend(image.batches)
        if self._context.needs_windows:
            for window in image.windows:
                self._checkpoints.add(WindowImage(window.length, bytes(window.state)))
            # llama.cpp puts the window's tokens side by side; see `app.engine.llama.window`.
            self._go_back_to(image.windows[-1] if image.windows else None)
        if len(self.tokens) != length:
            self.forget()
        return len(self.tokens) == length

    # ---- Going back ----

    def _go_back(self, length: int) -> None:
        """Forget everything behind ``length``, and as much before it as has to be read again."""
        if self._context.needs_windows:
            self._go_back_to(self._checkpoints.newest(length))
        elif length == 0 or not self._context.trim(length):
            self.forget()
        else:
            self._cut(length)

    def _go_back_to(self, window: WindowImage | None) -> None:
        """Be as at that moment, or empty."""
        if (
            window is not None
            and window.length <= len(self.tokens)
            and self._context.restore_window(window.state)
            and self._context.trim(window.length)
        ):
            self._cut(window.length)
        else:
            self.forget()

    def _tidy(self, before: WindowImage | None) -> None:
        """After an aborted batch: llama.cpp took its tokens back, but may go on in another cell of the window. What a
        recurrent model read cannot be taken back: it is brought to the moment ``before``.
        """
        length = len(self.tokens)
        if length == 0:
            self._context.clear()
        elif self._context.is_recurrent:
            self._go_back_to(before or self._checkpoints.newest(length))
        elif self._context.needs_windows:
            self._go_back_to(WindowImage(length, self._context.window_state()))

    def _moment(self) -> WindowImage | None:
        """What this moment can be brought back by; None when there is no room for it."""
        length = len(self.tokens)
        newest = self._checkpoints.newest(length)
        if newest is not None and newest.length == length:
            return newest
        state = self._window_state() if length else None
        return None if state is None else WindowImage(length, state)

    def _window_state(self) -> bytearray | None:
        try:
            return self._context.window_state()
        except MemoryError:
            log.warning("no memory for a moment to go back to at %d tokens", len(self.tokens))
            return None

    def _cut(self, length: int) -> None:
        self._note_decoded()
        del self.tokens[length:]
        self._checkpoints.cut(length)
        while self._read and sum(self._read[-1]) > length:
            start, _ = self._read.pop()
            if start < length:
                self._read.append((start, length - start))

    def _note_decoded(self) -> None:
        noted = sum(self._read[-1]) if self._read else 0
        self._read.extend((start, 1) for start in range(noted, len(self.tokens)))


def _never() -> bool:
    return False


def common_prefix(left: Sequence[int], right: Sequence[int], most: int) -> int:
    """How many tokens, up to ``most``, both begin with."""
    most = min(most, len(left), len(right))
    begin = 0
    while begin < most and left[begin : min(begin + _STRETCH, most)] == right[begin : min(begin + _STRETCH, most)]:
        begin += _STRETCH
    return next((i for i in range(begin, most) if left[i] != right[i]), most)
