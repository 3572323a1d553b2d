"""Makes the open end of a growing text presentable.

What could still change its meaning is held back (a lone ``*``, the header row of a table, half a link, an open
formula), what is open is closed (emphasis, inline code), so that shown text is hardly ever taken back.
"""

import re
from dataclasses import dataclass

UNDECIDED = re.compile(r"^[ \t>]*(?:[-*+=_#|`~>]+|\d{1,9}[.)]?|\\[\[(]?|\$\$?|\|.*|[-*+] \[.?)\s*$")
FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d+[.)])\s+)*(`{3,}|~{3,})(.*)$")
DELIMITER_ROW = re.compile(r"^[ >]*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
MARKS = re.compile(
    r"\\\(|\\\[|\\\)|\\\]|\\.|`+|\*+|~~|\$\$?"
    r"|!?\[[^\]\n]*\]\([^)\s]*$"  # a link whose address is being written
    r"|!?\[[^\]\n]*$"  # a link whose text is being written
    r"|\[[^\]]*\]\([^)]*\)"
)
LONGEST_WAIT = 800  # characters for which an open formula is held back
LONGEST_LABEL = 80


def presentable(source: str) -> str:
    """The part of ``source`` (the text from the start of its last top-level elements) that can be shown now."""
    lines = source.split("\n")
    fence, start = _open_fence(lines)
    if fence:
        last = lines[-1].strip()
        if last and set(last) <= {fence}:
            lines.pop()  # perhaps the closing fence
        return "\n".join(lines)
    if FENCE.match(lines[-1]) or UNDECIDED.match(lines[-1]):
        lines.pop()
    lines = _without_open_formula(lines, start)
    lines = _without_half_table(lines, start)
    first = len(lines)
    while first > start and lines[first - 1].strip():
        first -= 1
    head, paragraph = lines[:first], "\n".join(lines[first:])
    return "\n".join([*head, close_inline(paragraph)])


def _open_fence(lines: list[str]) -> tuple[str, int]:
    """The open fence's character ("" when none is) and the line after the last closed one."""
    fence = ""
    start = 0
    for number, line in enumerate(lines[:-1]):
        match = FENCE.match(line)
        if not match:
            continue
        if not fence:
            if not (match[1][0] == "`" and "`" in match[2]):
                fence, start = match[1], number
        elif match[1].startswith(fence) and not match[2].strip():
            fence, start = "", number + 1
    return fence[:1], start


def _without_open_formula(lines: list[str], start: int) -> list[str]:
    for number in range(len(lines) - 1, start - 1, -1):
        text = lines[number].strip()
        if text.startswith(("\\[", "$$")):
            rest = "\n".join(lines[number:]).strip()
            closing = "\\]" if text[0] == "\\" else "$$"
            return lines[:number] if closing not in rest[2:] and len(rest) < LONGEST_WAIT else lines
        if text.endswith(("\\]", "$$")):
            break
    return lines


def _without_half_table(lines: list[str], start: int) -> list[str]:
    first = len(lines)
    while first > start and lines[first - 1].lstrip(" >").startswith("|"):
        first -= 1
    rows = lines[first:]
    if not rows:
        return lines
    if len(rows) < 2 or not DELIMITER_ROW.match(rows[1]):
        return lines[:first]
    if rows[-1].count("|") < rows[0].count("|"):
        return lines[:-1]
    return lines


@dataclass(slots=True)
class _Open:
    mark: str
    start: int


def close_inline(text: str) -> str:
    """A paragraph whose open emphasis and code are closed and whose undecided end is left off."""
    open_marks: list[_Open] = []
    code: _Open | None = None
    skip = 0
    for match in MARKS.finditer(text):
        mark, start, end = match[0], match.start(), match.end()
        if start < skip:
            continue
        if code is not None:
            if mark == code.mark:
                code = None
            continue
        if mark[0] == "`":
            code = _Open(mark, start)
        elif mark in (r"\(", r"\["):
            found = text.find({"(": r"\)", "[": r"\]"}[mark[1]], end)
            if found < 0:
                if len(text) - start < LONGEST_WAIT:
                    text = text[:start]
                    break
                continue
            skip = found + 2
        elif mark[0] == "$":
            found = text.find(mark, end)
            if found >= 0:
                if mark == "$$" or not text[end].isspace():
                    skip = found + len(mark)
            elif (mark == "$$" and len(text) - start < LONGEST_WAIT) or re.match(r"[^\s\d][^\n]{0,80}$", text[end:]):
                text = text[:start]
                break
        elif mark[0] in "*~":
            before, after = text[start - 1 : start], text[end : end + 1]
            if open_marks and open_marks[-1].mark == mark and before and not before.isspace():
                open_marks.pop()
            elif not after:
                text = text[:start]
                break
            elif not after.isspace() and (mark[0] == "~" or len(mark) <= 3):
                open_marks.append(_Open(mark, start))
        elif mark[0] in "![" and not mark.endswith(")") and end == len(text):
            if "](" in mark:
                text = text[:start] + mark[mark.index("[") + 1 : mark.index("](")]
                break
            if mark[0] == "!" or len(mark) < LONGEST_LABEL:
                text = text[:start]
                break
    if code is not None and code.start < len(text):
        has_text = text[code.start + len(code.mark) :].strip("`")
        text = text.rstrip("`") + code.mark if has_text else text[: code.start]
    return _closed(text, open_marks)


def _closed(text: str, open_marks: list[_Open]) -> str:
    if open_marks:
        text = text.rstrip()
    for opened in reversed(open_marks):
        if opened.start >= len(text):
            continue
        if not text[opened.start + len(opened.mark) :].strip():
            text = text[: opened.start]
        elif text.endswith(opened.mark[0]) and len(opened.mark) > 1 and not text.endswith(opened.mark):
            text = text[:-1] + opened.mark  # half of the closing mark has arrived
        else:
            text += opened.mark
    return text
