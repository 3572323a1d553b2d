"""The name of a chat that nobody has named yet."""

import re
import unicodedata

LONGEST_TITLE = 60
_JOINER = "\u200d"
# Headings, quotations and list items by what follows; fences and rules say nothing.
_MARKERS = re.compile(r"^(?:(?:#{1,6}|>|[-*+]) +)+")
_ONLY_MARKUP = re.compile(r"(?:```|~~~).*|[-*_=#>+ ]+")


def title_from(text: str) -> str:
    """The first line of a message that says something, shortened to ``LONGEST_TITLE`` characters.

    Cut at a space where one is near, never inside a letter with accents or an emoji of several parts. "" when the
    text has nothing to show.
    """
    for line in text.splitlines():
        words = " ".join("".join(c if c.isprintable() or c == _JOINER else " " for c in line).split())
        words = _MARKERS.sub("", words)
        if words and not _ONLY_MARKUP.fullmatch(words):
            return _shortened(words)
    return ""


def _shortened(line: str) -> str:
    if len(line) <= LONGEST_TITLE:
        return line
    end = LONGEST_TITLE - 1
    space = line.rfind(" ", end // 2, end + 1)
    if space > 0:
        end = space
    else:
        while end > 1 and (_continues(line[end]) or line[end - 1] == _JOINER):
            end -= 1
    return line[:end].rstrip() + "…"


def _continues(character: str) -> bool:
    """Whether a character belongs to the one before it (accents, variation selectors, joiners, skin tones)."""
    return (
        unicodedata.category(character) in {"Mn", "Mc", "Me"}
        or character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )
