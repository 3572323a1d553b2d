"""Text from outside, made safe to stand in a sentence, a label or a terminal."""

import re

# What a terminal obeys (C0, DEL, C1), what breaks a line, half characters, and what turns the direction of all
# that follows. Joiners and direction marks stay: scripts and emoji need them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with U+FFFD in place of each character that acts instead of being seen; a line break is a space."""
    return _UNPRINTABLE.sub(lambda found: " " if found.group() in "\t\n\r" else "\ufffd", text)
