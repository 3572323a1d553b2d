"""Markdown to blocks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.ui.transcript.blocks import Block, BlockKind, Nest, NestKind, Span, Table
from app.ui.transcript.habits import sanitise, tidy
from app.ui.transcript.markdown import LONGEST_INLINE, NESTING, is_safe_link

LARGE = 3_000  # characters of a list or a table beyond which it is cut into parts
PIECE = LONGEST_INLINE  # characters of a paragraph beyond which it is cut, and shown without styles
RESTARTS = 50
ADDRESS = re.compile(r"https?://[^\s<>\"'`\u3000-\u303f\uff00-\uffef]+", re.IGNORECASE)
FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n`]*)\n(.*?)(?:^ {0,3}\1[`~]*[ \t]*$\n?|\Z)", re.MULTILINE | re.DOTALL)
BULLETS = ("•", "◦", "▪")


def render(parser: MarkdownIt, source: str, env: dict[str, Any] | None = None) -> tuple[Block, ...]:
    """All blocks of a Markdown text.

    ``env`` carries link references from part to part of a text that is rendered in parts.
    """
    text = sanitise(source)
    env = {} if env is None else env
    blocks: list[Block] = []
    start = 0
    for _ in range(RESTARTS):
        elements, lines, end = parse_elements(parser, text[start:], env)
        for element in elements:
            blocks += _render(parser, element, lines, env)
        start += end
        if start >= len(text):
            return tuple(blocks)
    blocks += (Block(BlockKind.PARAGRAPH, spans=(Span(piece),), source=piece) for piece in _pieces(text[start:]))
    return tuple(blocks)


def parse_elements(parser: MarkdownIt, text: str, env: dict[str, Any]) -> tuple[list[list[Token]], list[str], int]:
    """The top-level elements of sanitised text as tokens, its tidied lines, and how many characters they stand for.

    That is all of ``text`` but where tidying has indented the first line of an element: what was taken for a list
    before it was none, so the text from there on is to be parsed by itself. So an element means the same whether
    what stands before it has been cut off or not.
    """
    tidied = tidy(text)
    tokens = parser.parse(tidied, env)
    elements = list(top_level(tokens))
    lines = tidied.split("\n")
    if tidied == text:
        return elements, lines, len(text)
    raw = text.split("\n")
    for index, element in enumerate(elements):
        first = (element[0].map or (0, 0))[0]
        if index and lines[first] != raw[first]:
            return elements[:index], lines[:first], sum(len(line) + 1 for line in raw[:first])
    return elements, lines, len(text)


def _render(parser: MarkdownIt, element: list[Token], lines: list[str], env: dict[str, Any]) -> Iterator[Block]:
    first, last = element[0].map or (0, 0)
    source = "\n".join(lines[first:last])
    cuts = large_cuts(element, lines)
    if any(token.level >= NESTING - 2 for token in element):
        # The parser drops what is nested deeper; nobody's words may vanish.
        yield from (Block(BlockKind.PARAGRAPH, spans=(Span(piece),), source=piece) for piece in _pieces(source))
    elif not cuts:
        yield from _elements(element, source)
    elif element[0].type == "table_open":
        for tokens, part in table_parts(element, lines, cuts):
            yield from _elements(tokens, part)
    else:
        for a, b in pairwise([first, *cuts, last]):
            part = "\n".join(lines[a:b])
            yield from _elements(parser.parse(part, env), part)


def _elements(tokens: Sequence[Token], source: str) -> Iterator[Block]:
    for index, block in enumerate(_Flattener(tokens).blocks()):
        yield replace(block, source="" if index else source.rstrip())


def top_level(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each top-level element."""
    start = 0
    for index, token in enumerate(tokens):
        if token.level == 0 and token.nesting <= 0:
            yield list(tokens[start : index + 1])
            start = index + 1


def large_cuts(element: Sequence[Token], lines: Sequence[str]) -> list[int]:
    """The lines before which a large list or table is cut; empty where it stays whole.

    A cut depends only on what stands before it, so that a growing text is cut where the whole one is.
    """
    head = element[0]
    if head.type not in ("bullet_list_open", "ordered_list_open", "table_open") or head.map is None:
        return []
    kind = "tr_open" if head.type == "table_open" else "list_item_open"
    level = 2 if head.type == "table_open" else 1
    starts = [t.map[0] for t in element if t.type == kind and t.level == level and t.map is not None]
    cuts: list[int] = []
    since = head.map[0]
    size = 0
    line = since
    for start in starts[1:]:
        size += sum(len(text) + 1 for text in lines[line:start])
        line = start
        if size >= LARGE:
            cuts.append(start)
            size = 0
    return cuts


def table_parts(
    element: Sequence[Token], lines: Sequence[str], cuts: Sequence[int]
) -> Iterator[tuple[list[Token], str]]:
    """The tokens and the source of a cut table's parts; each has the header again."""
    first, last = element[0].map or (0, 0)
    head_end = next(i for i, token in enumerate(element) if token.type == "thead_close") + 1
    head = "\n".join(lines[first : first + 2]) + "\n"
    for a, b in pairwise([first, *cuts, last]):
        rows: list[Token] = []
        inside = False
        for token in element[head_end:]:
            if token.type == "tr_open" and token.map is not None:
                inside = a <= token.map[0] < b
            if inside and token.type != "tbody_close":
                rows.append(token)
        yield [*element[:head_end], *rows, element[-1]], (head if a != first else "") + "\n".join(lines[a:b])


def render_plain(source: str) -> tuple[Block, ...]:
    """What a person typed, as it was typed: only fenced code is set apart, and addresses become links."""
    text = sanitise(source).strip("\n")
    blocks: list[Block] = []

    def add_text(part: str) -> None:
        part = part.strip("\n")
        for piece in _pieces(part):
            blocks.append(Block(BlockKind.PARAGRAPH, spans=tuple(_linked(Span(piece))), source=piece))

    position = 0
    for match in FENCED.finditer(text):
        add_text(text[position : match.start()])
        language = (match[2].split() or [""])[0]
        blocks.append(
            Block(BlockKind.CODE, code=match[3].removesuffix("\n"), language=language, source=match[0].rstrip("\n"))
        )
        position = match.end()
    add_text(text[position:])
    return tuple(blocks)


def _pieces(text: str) -> Iterator[str]:
    """A very long text in pieces that can be laid out quickly, cut at line ends or spaces where there are any."""
    while len(text) > PIECE:
        cut = max(text.rfind("\n", PIECE // 2, PIECE), text.rfind(" ", PIECE // 2, PIECE)) + 1 or PIECE
        yield text[:cut].rstrip("\n")
        text = text[cut:]
    if text:
        yield text


def _linked(span: Span) -> Iterator[Span]:
    """A span with its bare addresses as links."""
    if span.href or span.code or span.math or "://" not in span.text:
        yield span
        return
    position = 0
    for match in ADDRESS.finditer(span.text):
        address = _trimmed(match[0])
        if len(address) < 10 or not is_safe_link(address):
            continue
        if match.start() > position:
            yield replace(span, text=span.text[position : match.start()])
        yield replace(span, text=address, href=address)
        position = match.start() + len(address)
    if position < len(span.text):
        yield replace(span, text=span.text[position:])


def _trimmed(address: str) -> str:
    """An address without the sentence's punctuation behind it."""
    while address:
        last = address[-1]
        if last in ".,;:!?*_~'\"" or (last in ")]}" and address.count(last) > address.count("([{"[")]}".index(last)])):
            address = address[:-1]
        else:
            break
    return address


@dataclass(slots=True)
class _List:
    kind: NestKind
    number: int
    delimiter: str
    tight: bool


class _Flattener:
    """Walks the tokens of one element and gives its blocks."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._nest: list[Nest] = []
        self._lists: list[_List] = []
        self._fresh = False  # the innermost item has no block yet

    def blocks(self) -> Iterator[Block]:
        index = 0
        tokens = self._tokens
        while index < len(tokens):
            token = tokens[index]
            match token.type:
                case "bullet_list_open" | "ordered_list_open":
                    self._open_list(token, index)
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._open_item(token)
                case "list_item_close":
                    if self._fresh:
                        yield self._block(BlockKind.PARAGRAPH)
                    self._nest.pop()
                    self._fresh = False
                case "blockquote_open":
                    self._nest.append(Nest(NestKind.QUOTE, first=False))
                case "blockquote_close":
                    self._nest.pop()
                case "heading_open":
                    level = int(token.tag[1])
                    yield self._block(BlockKind.HEADING, level=level, spans=spans_of(tokens[index + 1].children or []))
                case "inline" if tokens[index - 1].type == "paragraph_open":
                    yield from self._paragraph(token)
                case "fence" | "code_block":
                    language = (token.info.split() or [""])[0] if token.type == "fence" else ""
                    yield self._block(BlockKind.CODE, code=token.content.removesuffix("\n"), language=language)
                case "math_block":
                    yield self._block(BlockKind.MATH, code=token.content)
                case "hr":
                    yield self._block(BlockKind.RULE)
                case "table_open":
                    end = next(i for i in range(index, len(tokens)) if tokens[i].type == "table_close")
                    yield self._block(BlockKind.TABLE, table=_table(tokens[index:end]))
                    index = end
                case _:
                    pass
            index += 1

    def _block(self, kind: BlockKind, **values: Any) -> Block:
        tight = bool(self._lists) and self._lists[-1].tight
        block = Block(kind, nest=tuple(self._nest), tight=tight, **values)
        # The marker stands beside the first block of an item only.
        self._nest = [replace(nest, first=False) for nest in self._nest]
        self._fresh = False
        return block

    def _open_list(self, token: Token, index: int) -> None:
        if self._fresh:  # a list straight inside an item: its marker shares the line
            self._fresh = False
        numbers = token.type == "ordered_list_open"
        tight = next((t.hidden for t in self._tokens[index:] if t.type == "paragraph_open"), True)
        start = int(token.attrGet("start") or 1) if numbers and token.attrGet("start") is not None else 1
        kind = NestKind.NUMBERS if numbers else NestKind.BULLETS
        self._lists.append(_List(kind, start, token.markup or ".", tight))

    def _open_item(self, token: Token) -> None:
        current = self._lists[-1]
        if current.kind is NestKind.NUMBERS:
            number = int(token.info) if token.info.isdigit() else current.number
            marker = f"{number}{current.delimiter}"
            current.number = number + 1
        else:
            bullets = sum(1 for item in self._lists if item.kind is NestKind.BULLETS)
            marker = BULLETS[min(bullets, len(BULLETS)) - 1]
        self._nest.append(Nest(current.kind, marker))
        self._fresh = True

    def _paragraph(self, token: Token) -> Iterator[Block]:
        if len(token.content) > PIECE:
            for piece in _pieces(token.content):
                yield self._block(BlockKind.PARAGRAPH, spans=(Span(piece),))
            return
        spans = spans_of(token.children or [])
        if self._fresh and self._nest[-1].kind is NestKind.BULLETS and spans:
            box = spans[0].text[:4]
            if box in ("[ ] ", "[x] ", "[X] ") and not spans[0].code:
                self._nest[-1] = replace(self._nest[-1], checked=box[1] != " ")
                spans = (replace(spans[0], text=spans[0].text[4:]), *spans[1:])
        yield self._block(BlockKind.PARAGRAPH, spans=spans)


def _table(tokens: Sequence[Token]) -> Table:
    header: list[tuple[Span, ...]] = []
    rows: list[tuple[tuple[Span, ...], ...]] = []
    alignments: list[str] = []
    row: list[tuple[Span, ...]] = []
    in_head = False
    for index, token in enumerate(tokens):
        match token.type:
            case "thead_open":
                in_head = True
            case "thead_close":
                in_head = False
            case "tr_open":
                row = []
            case "th_open" | "td_open":
                if in_head:
                    alignments.append(str(token.attrGet("style") or "").removeprefix("text-align:"))
                row.append(spans_of(tokens[index + 1].children or []))
            case "tr_close":
                if in_head:
                    header = row
                else:
                    rows.append(tuple(row))
            case _:
                pass
    return Table(tuple(header), tuple(rows), tuple(alignments))


def spans_of(children: Sequence[Token]) -> tuple[Span, ...]:
    """Inline tokens as spans: neighbours of one style joined, bare addresses linked."""
    style = Span("")
    spans: list[Span] = []
    counts = {"strong": 0, "em": 0, "s": 0}
    links: list[str] = []

    def add(text: str, **changes: Any) -> None:
        if not text:
            return
        span = replace(style, text=text, href=links[-1] if links else "", **changes)
        if spans and not span.math and replace(spans[-1], text="") == replace(span, text=""):
            spans[-1] = replace(span, text=spans[-1].text + text)
        else:
            spans.append(span)

    for token in children:
        match token.type:
            case "text" | "html_inline":
                add(token.content)
            case "softbreak" | "hardbreak":
                add("\n")
            case "code_inline":
                add(token.content, code=True)
            case "math":
                add(token.content, math=True)
            case "image":
                links.append(str(token.attrGet("src") or ""))
                add(f"[image: {token.content or links[-1]}]")
                links.pop()
            case "link_open":
                links.append(str(token.attrGet("href") or ""))
            case "link_close":
                links.pop()
            case _:
                name = token.type.rpartition("_")[0]
                if name in counts:
                    counts[name] += token.nesting
                    style = replace(style, bold=counts["strong"] > 0, italic=counts["em"] > 0, strike=counts["s"] > 0)
    return tuple(part for span in spans for part in _linked(span))
