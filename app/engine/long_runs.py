"""Cuts texts so that llama.cpp's tokenizer survives them.

For a vocabulary of GPT-2's kind (BPE) it splits text into words with a regular expression whose matcher recurses once a
character: some 10,000 letters, spaces or dashes in a row overflow an 8 MB stack and end the process. Cutting such a run
costs at most a token at each cut and never changes the text; everything else stays whole, and so do its tokens.
"""

import re
import unicodedata
from collections.abc import Iterator

MAX_RUN = 1000
"""Characters; an eighth of what overflowed 8 MB, because threads and Windows have smaller stacks."""

# Cheap and coarse: where there is no such stretch there is no long run. Looked for at the beginnings of stretches
# alone: at each character of a word of 1,000 letters it would take the square of the time, and hold Python's lock.
_SUSPECT = re.compile(rf"(?<!\S)\S{{{MAX_RUN + 1}}}|(?<!\s)\s{{{MAX_RUN + 1}}}")


def bounded_runs(text: str) -> Iterator[str]:
    """The text in parts whose runs of letters, of spaces or of signs have at most ``MAX_RUN`` characters."""
    if not _SUSPECT.search(text):
        yield text
        return
    begin = 0
    length = 0
    run = ""
    for index, character in enumerate(text):
        kind = _kind(character)
        if kind not in ("", run):
            run = kind
            length = 0
        length = 0 if kind == "number" else length + 1  # digits stand in words of three
        if length > MAX_RUN:
            yield text[begin:index]
            begin = index
            length = 1
    yield text[begin:]


def _kind(character: str) -> str:
    """The kind of word a character is part of; "" for marks, which continue any."""
    if character.isspace():
        return "space"
    category = unicodedata.category(character)[0]
    return {"L": "letter", "N": "number", "M": ""}.get(category, "sign")
