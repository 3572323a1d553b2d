r"""Where formulas are: ``\( \)``, ``\[ \]``, ``$$ $$``, and single ``$`` only where it is surely one."""

from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

INLINE = ((r"\(", r"\)", False), (r"\[", r"\]", True), ("$$", "$$", True), ("$", "$", False))
BLOCK = ((r"\[", r"\]"), ("$$", "$$"))
LONGEST = 4000
LONGEST_DOLLAR = 400


def math_inline(state: StateInline, silent: bool) -> bool:
    """An inline formula becomes a ``math`` token; its ``meta`` says whether it is displayed."""
    source, start = state.src, state.pos
    if source[start] not in "\\$":
        return False
    for opening, closing, display in INLINE:
        if not source.startswith(opening, start):
            continue
        first = start + len(opening)
        last = source.find(closing, first, min(state.posMax, first + LONGEST))
        if last <= first or not source[first:last].strip():
            return False
        if opening == "$" and not _surely_math(source, first, last, state.posMax):
            return False
        if not silent:
            token = state.push("math", "", 0)
            token.content = source[first:last].strip()
            token.meta = {"display": display}
        state.pos = last + len(closing)
        return True
    return False


def _surely_math(source: str, first: int, last: int, end: int) -> bool:
    """Pandoc's rule, so that prices stay text: no space inside the marks, no digit after, all on one line."""
    body = source[first:last]
    return (
        len(body) <= LONGEST_DOLLAR
        and not body[0].isspace()
        and not body[-1].isspace()
        and body[-1] != "\\"
        and "\n" not in body
        and not (last + 1 < end and source[last + 1].isdigit())
    )


def math_block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A displayed formula on lines of its own becomes a ``math_block`` token.

    An unclosed one is none, but where ``env["growing"]`` says that its end may come: there it takes all that follows.
    """
    if state.is_code_block(start_line):
        return False
    begin = state.bMarks[start_line] + state.tShift[start_line]
    pair = next((pair for pair in BLOCK if state.src.startswith(pair[0], begin)), None)
    if pair is None:
        return False
    if state.src.find(pair[1], begin + 2, begin + 2 * LONGEST) < 0 and not (
        state.env.get("growing") and len(state.src) - begin <= LONGEST
    ):
        return False  # found out here, at the speed of a search, for texts full of opening marks
    line = start_line
    text = state.src[begin + 2 : state.eMarks[line]]
    body: list[str] = []
    size = 0
    while (found := text.find(pair[1])) < 0:
        body.append(text)
        size += len(text)
        line += 1
        if line >= end_line and size <= LONGEST and state.env.get("growing"):
            break
        if line >= end_line or size > LONGEST or (state.sCount[line] < state.blkIndent and not state.isEmpty(line)):
            return False
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
    if found >= 0:
        if text[found + 2 :].strip():
            return False  # a sentence goes on behind it: the inline rule's case
        body.append(text[:found])
    if not "".join(body).strip():
        return False
    if silent:
        return True
    token = state.push("math_block", "", 0)
    token.block = True
    token.content = "\n".join(body).strip()
    token.meta = {"open": found < 0}
    token.map = [start_line, min(line + 1, end_line)]
    state.line = min(line + 1, end_line)
    return True
