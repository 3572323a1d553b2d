"""Puts text into the shape the parser expects: odd characters out, and the list indentation of models mended.

Lines are never joined or split, so that line numbers of the result are those of the source, and each line depends
on earlier ones only, so that a text may be tidied while it grows.
"""

import re
from dataclasses import dataclass

# What a QTextDocument takes for its own structure, what no text has, and halves of characters.
UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufdd0-\ufdef\ufffc\ufffe\uffff\ud800-\udfff]")
LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?=[ \t]|$)")
RULE = re.compile(r"(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$|(?:-[ \t]*){3,}$")
NUMBERED = re.compile(r"^ *\d{1,9}[.)](?: |$)", re.MULTILINE)
FENCE = re.compile(r"(`{3,}|~{3,})([^\n]*)$")


def sanitise(text: str) -> str:
    """The text with line ends as ``\\n`` and without characters that could not be shown."""
    return UNWANTED.sub("\ufffd", LINE_ENDS.sub("\n", text))


@dataclass(slots=True)
class _Item:
    indent: int  # of the marker, as written
    content: int  # column of the item's content, after mending
    shift: int  # columns added to this item's lines
    empty: bool  # nothing stands behind the marker


def tidy(source: str) -> str:
    """Indents what models nest by two spaces under ``1.`` far enough to be nested.

    CommonMark wants three (the width of the marker), so that without this a sub-list would end the list.
    """
    if not NUMBERED.search(source):
        return source
    items: list[_Item] = []
    fence = ""
    fence_shift = fence_content = 0
    blank = True
    result: list[str] = []
    for line in source.split("\n"):
        body = line.lstrip(" ")
        indent = len(line) - len(body)
        if fence and body and indent + fence_shift < fence_content:
            fence = ""  # the item ends here, and the fence in it
        if fence:
            result.append(" " * fence_shift + line if line else line)
            closing = FENCE.match(body.rstrip())
            if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence) and not closing[2].strip():
                fence = ""
            continue
        if not body or body.startswith("\t"):
            blank = blank or not body
            result.append(line)
            continue
        if MARKER.match(body) and not RULE.match(body):
            shift = _open_item(items, indent, body)
        else:
            shift = _continue_item(items, indent, body, after_blank=blank)
            opening = FENCE.match(body)
            if opening and not (opening[1][0] == "`" and "`" in opening[2]):
                fence, fence_shift = opening[1], shift
                fence_content = items[-1].content if items and indent + shift >= items[-1].content else 0
        blank = False
        result.append(" " * shift + line)
    return "\n".join(result)


def _open_item(items: list[_Item], indent: int, body: str) -> int:
    while items and items[-1].indent >= indent:
        items.pop()
    shift = items[-1].shift if items else 0
    if items and indent >= items[-1].indent + 2 and indent + shift < items[-1].content:
        shift = items[-1].content - indent
    marker = MARKER.match(body)
    width = marker.end() if marker else 0
    gap = len(body[width:]) - len(body[width:].lstrip(" "))
    items.append(_Item(indent, indent + shift + width + (gap if 1 <= gap <= 4 else 1), shift, not body[width:].strip()))
    return shift


def _continue_item(items: list[_Item], indent: int, body: str, after_blank: bool) -> int:
    while items and items[-1].empty and indent < items[-1].indent + 2:
        items.pop()
    if items:
        items[-1].empty = False
    starts_block = bool(FENCE.match(body)) or body[0] in "#>|" or bool(RULE.match(body))
    if indent == 0 and (after_blank or starts_block):
        items.clear()
        return 0
    while items and items[-1].indent >= indent and (after_blank or starts_block):
        items.pop()
    if not items:
        return 0
    item = items[-1]
    if indent >= item.indent + 2 and indent + item.shift < item.content and (starts_block or after_blank):
        return item.content - indent
    return item.shift if indent > item.indent else 0
