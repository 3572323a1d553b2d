"""A Markdown text that grows: finished elements are rendered once, only the open one again and again."""

import re
from typing import Any

from markdown_it import MarkdownIt

from app.ui.transcript.blocks import Block, BlockKind
from app.ui.transcript.habits import sanitise, tidy
from app.ui.transcript.render import large_cuts, parse_elements, render
from app.ui.transcript.tail import presentable

OPEN_FENCE = re.compile(r"(?:[ \t]*\n)*(`{3,}|~{3,})([^\n`]*)\n")


class StreamedMarkdown:
    """Takes text in pieces of any size; ``blocks()`` gives what can be shown, ``finish()`` what the whole text is.

    ``blocks()`` costs what the open element costs, however long the text is. Its first ``frozen`` blocks are the same
    in every later call.
    """

    def __init__(self, parser: MarkdownIt, text: str = "") -> None:
        self._parser = parser
        self._env: dict[str, Any] = {}
        self._frozen: list[Block] = []
        self._text = ""
        self._start = 0  # of the open elements in _text
        self._looked = 0  # lines up to here have been looked at for finished elements
        self._held = ""  # a carriage return whose line feed may follow
        self.feed(text)

    @property
    def text(self) -> str:
        """Everything that has been fed."""
        return self._text

    @property
    def frozen(self) -> int:
        """How many of the blocks will not change any more."""
        return len(self._frozen)

    def feed(self, piece: str) -> None:
        """Appends text."""
        piece = self._held + piece
        self._held = "\r" if piece.endswith("\r") else ""
        self._text += sanitise(piece.removesuffix("\r") if self._held else piece)

    def blocks(self) -> tuple[Block, ...]:
        """What can be shown now."""
        self._freeze()
        tail = self._text[self._start :]
        code = self._open_code(tail)
        if code is not None:
            return (*self._frozen, code)
        shown = presentable(tail)
        return (*self._frozen, *render(self._parser, shown, dict(self._env))) if shown.strip() else tuple(self._frozen)

    def finish(self) -> tuple[Block, ...]:
        """The blocks of the whole text."""
        self.feed("\n" if self._held else "")
        self._held = ""
        rest = render(self._parser, self._text[self._start :], self._env)
        if self._env.get("references") or tidy(self._text) != self._text:
            # A reference may be defined after its use, and mended lists may have been cut where the whole is not.
            return render(self._parser, self._text)
        return (*self._frozen, *rest)

    def _freeze(self) -> None:
        """Renders the elements that no later line can change, once."""
        end = self._text.rfind("\n") + 1
        if end <= self._looked or self._open_code(self._text[self._start : end]) is not None:
            return
        self._looked = end
        while self._freeze_some(self._text[self._start : end]):
            pass

    def _freeze_some(self, text: str) -> bool:
        """Whether more may be to freeze behind what was."""
        elements, lines, length = parse_elements(self._parser, text, {**self._env, "growing": True})
        if length < len(text):
            raw = length
        elif elements:
            # An open formula that turns out to be none belongs to the paragraph before it.
            last = -2 if elements[-1][0].meta.get("open") and len(elements) > 1 else -1
            cut = (elements[last][0].map or [0])[0]
            if elements[-1][0].type.endswith("list_open"):
                cuts = large_cuts(elements[-1], lines)
                cut = cuts[-1] if cuts else cut
            raw = sum(len(line) + 1 for line in text.split("\n")[:cut])
        else:
            return False
        if raw:
            self._frozen += render(self._parser, text[:raw], self._env)
            self._start += raw
        return length < len(text)

    def _open_code(self, tail: str) -> Block | None:
        """The block of a fence that is open and all that the tail has: the common long case needs no parser."""
        match = OPEN_FENCE.match(tail)
        if match is None:
            return None
        body = tail[match.end() :]
        if re.search(rf"^ {{0,3}}{match[1][0]}{{{len(match[1])},}}[ \t]*$", body, re.MULTILINE):
            return None
        last = body[body.rfind("\n") + 1 :].strip()
        if last and set(last) == {match[1][0]}:
            body = body[: body.rfind("\n") + 1]  # perhaps the closing fence
        language = (match[2].split() or [""])[0]
        return Block(
            BlockKind.CODE,
            code=body.removesuffix("\n"),
            language=language,
            source=tail.lstrip("\n").rstrip(),
        )
