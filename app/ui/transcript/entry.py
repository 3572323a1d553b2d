"""One message of the transcript: its text by sections, whole or still growing."""

import time
from dataclasses import replace
from enum import IntEnum

from markdown_it import MarkdownIt

from app.domain.conversation import Role
from app.domain.tree import MessageNode
from app.ui.transcript import wording
from app.ui.transcript.blocks import Block, BlockKind
from app.ui.transcript.horizon import Mark
from app.ui.transcript.layout_values import Laid
from app.ui.transcript.render import render, render_plain
from app.ui.transcript.streaming import StreamedMarkdown
from app.ui.transcript.toolcalls import call_blocks


class Section(IntEnum):
    """The parts of a message, in the order they are shown."""

    REASONING = 0
    COMMENTARY = 1
    CALLS = 2
    ANSWER = 3


GROWING = (Section.REASONING, Section.COMMENTARY, Section.ANSWER)


class Entry:
    """A message and what the transcript knows about it.

    ``laid`` is its layout, None when it was never needed or has been dropped; ``height`` outlives it, so that the
    scroll bar stays where it is. ``mark`` is the line under it, above which the model sees nothing but the ``first``
    message and those that are ``still_seen``.
    """

    def __init__(self, node: MessageNode, versions: tuple[int, ...] = (), streaming: bool = False) -> None:
        self.node = node
        self.versions = versions or (node.id,)
        self.streaming = streaming
        self.open = False
        self.last = False  # nothing stands below it
        self.first = False
        self.still_seen = False
        self.mark: Mark | None = None
        self.laid: Laid | None = None
        self.height: float | None = None
        self.laid_width = 0.0
        self.scrolls: dict[tuple[int, int], float] = {}
        self._texts = self._of(node)
        self._streams: dict[Section, StreamedMarkdown] = {}
        self._blocks: dict[Section, tuple[Block, ...]] = {}
        self._thinking_since: float | None = None
        self._thought_s: float | None = None
        if streaming and node.message.reasoning and not node.message.content:
            self._thinking_since = time.monotonic()

    @staticmethod
    def _of(node: MessageNode) -> dict[Section, str]:
        message = node.message
        return {
            Section.REASONING: message.reasoning,
            Section.COMMENTARY: message.commentary,
            Section.ANSWER: message.content,
        }

    @property
    def role(self) -> Role:
        """Who wrote it."""
        return self.node.message.role

    def text(self, section: Section) -> str:
        """A section's source as it is now; "" for the calls."""
        return self._texts.get(section, "")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to read yet."""
        return not any(self._texts.values()) and not self.node.message.tool_calls

    @property
    def thinking(self) -> bool:
        """Whether the model is writing its reasoning now."""
        return self.streaming and not self.text(Section.ANSWER) and not self.text(Section.COMMENTARY)

    def grow(self, section: Section, text: str) -> None:
        """Appends text to a section."""
        if not text:
            return
        now = time.monotonic()
        if section is Section.REASONING:
            self._thinking_since = self._thinking_since or now
        elif self._thinking_since is not None and self._thought_s is None:
            self._thought_s = now - self._thinking_since
        self._texts[section] += text
        stream = self._streams.get(section)
        if stream is not None:
            stream.feed(text)
        self._blocks.pop(section, None)

    def resume(self, node: MessageNode) -> None:
        """Goes on growing from what the node has."""
        self.node = node
        self.streaming = True
        self._texts = self._of(node)
        self._streams.clear()
        self._blocks.clear()
        self._thought_s = None
        self._thinking_since = time.monotonic() if node.message.reasoning and not node.message.content else None

    def finish(self, node: MessageNode) -> None:
        """Takes the final message. What has been rendered of the same text is kept."""
        if self._thinking_since is not None and self._thought_s is None:
            self._thought_s = time.monotonic() - self._thinking_since
        texts = self._of(node)
        for section in GROWING:
            stream = self._streams.pop(section, None)
            if texts[section] != self._texts[section]:
                self._blocks.pop(section, None)
            elif stream is not None:
                self._blocks[section] = stream.finish()
        self._blocks.pop(Section.CALLS, None)
        self._texts = texts
        self.node = node
        self.streaming = False

    def pin(self, pinned: bool) -> None:
        """Takes note that the reader keeps the message in the model's view, or no longer."""
        self.node = replace(self.node, message=replace(self.node.message, pinned=pinned))

    def sections(self) -> tuple[Section, ...]:
        """The sections that are shown."""
        if self.role is Role.TOOL:
            return (Section.ANSWER,) if self.open else ()
        shown = [Section.COMMENTARY, Section.CALLS, Section.ANSWER]
        return (Section.REASONING, *shown) if self.open else tuple(shown)

    def blocks(self, section: Section, parser: MarkdownIt) -> tuple[Block, ...]:
        """A section's blocks as they can be shown now."""
        found = self._blocks.get(section)
        if found is None:
            found = self._blocks[section] = self._render(section, parser)
        return found

    def _render(self, section: Section, parser: MarkdownIt) -> tuple[Block, ...]:
        text = self.text(section)
        if section is Section.CALLS:
            return call_blocks(self.node.message.tool_calls)
        if not text:
            return ()
        if self.role is Role.USER:
            return render_plain(text)
        if self.role is Role.TOOL:
            return (Block(BlockKind.CODE, code=text, source=text),)
        if not self.streaming:
            return render(parser, text)
        stream = self._streams.get(section)
        if stream is None:
            stream = self._streams[section] = StreamedMarkdown(parser, text)
        return stream.blocks()

    def drop(self) -> None:
        """Gives back the layout, but not the height; a growing message keeps everything."""
        if not self.streaming:
            self.laid = None
            self._blocks.clear()

    @property
    def foldable(self) -> bool:
        """Whether it has a part that opens and closes."""
        return self.role is Role.TOOL or bool(self.text(Section.REASONING))

    def fold_title(self) -> tuple[str, str]:
        """The title of what is folded and a line about it."""
        if self.role is Role.TOOL:
            name = self.node.message.name
            first = self.text(Section.ANSWER).strip().split("\n")[0]
            return wording.result_of(name), "" if self.open else first[:200]
        reasoning = self.text(Section.REASONING)
        if self.thinking:
            return wording.thinking(), "" if self.open else wording.summary(reasoning)
        receipt = self.node.receipt
        seconds = receipt.reasoning_s if receipt and receipt.reasoning_s > 0 else self._thought_s
        return wording.thought_for(seconds), ""

    def estimate(self, width: float, pixels: float) -> float:
        """A height to go by until it is laid out."""
        answer, commentary = self._texts[Section.ANSWER], self._texts[Section.COMMENTARY]
        per_line = max(12.0, width / (pixels * 0.52))
        lines = answer.count("\n") + (len(answer) + len(commentary)) / per_line + 1
        extra = (2.4 if self._texts[Section.REASONING] else 0) + (3.4 if self.mark is not None else 0)
        return 4 * pixels + lines * pixels * 1.55 + extra * pixels
