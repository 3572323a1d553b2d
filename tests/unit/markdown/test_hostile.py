"""Text made to hurt: no crash, bounded time, no word lost."""

from __future__ import annotations

import time

import pytest

from app.ui.transcript.blocks import plain_block
from app.ui.transcript.markdown import make_parser
from app.ui.transcript.render import render, render_plain
from app.ui.transcript.streaming import StreamedMarkdown

PARSER = make_parser()
SECONDS = 6.0  # many times what it takes on a machine at leisure; without bounds it is minutes
HOSTILE = {
    "4,000 brackets": "[" * 4000,
    "20,000 brackets": "[" * 20_000,
    "emphasis": "*a **b " * 4000,
    "underscores": "_a __b " * 4000,
    "deep quotes": ">" * 5000 + " x",
    "deep lists": "".join("  " * depth + "- a\n" for depth in range(400)),
    "deep numbers": "".join("  " * depth + "1. a\n" for depth in range(200)),
    "one word of 100 KB": "w" * 100_000,
    "one line of 100 KB": "word " * 20_000,
    "backticks": " ".join("`" * n for n in range(1, 300)),
    "links": "[a](" * 5000,
    "pictures": "![a" * 5000,
    "addresses": "<http://" * 5000,
    "bare addresses": "http://" * 10_000,
    "dollars": "$a " * 20_000,
    "formulas": "\\(" * 20_000,
    "open formulas": "\\[\n" * 3000,
    "pipes": "|" * 20_000 + "\n" + "|-" * 20_000,
    "a huge table": "|a|b|\n|-|-|\n" + "|1|2|\n" * 3000,
    "a wide table": "|a" * 500 + "|\n" + "|-" * 500 + "|\n" + "|1" * 500 + "|\n",
    "entities": "&amp;" * 20_000,
    "references": "[a]: http://x.org\n" * 3000,
    "fences": "```\n" * 5001,
    "HTML": "<div>" * 10_000,
    "comments": "<!-- " * 10_000,
    "mixed lists": "1. a\n  - b\n" * 3000,
    "tabs": "\t" * 10_000 + "x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_soon(name: str) -> None:
    source = HOSTILE[name]
    start = time.process_time()
    render(PARSER, source)
    render_plain(source)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("name", ["deep quotes", "deep lists", "one word of 100 KB", "4,000 brackets", "HTML"])
def test_no_word_is_lost(name: str) -> None:
    source = HOSTILE[name]
    shown = "".join(plain_block(block) for block in render(PARSER, source))
    letters = [character for character in source if character.isalpha()]
    assert [character for character in shown if character.isalpha()] == letters


@pytest.mark.parametrize("name", HOSTILE)
def test_it_streams(name: str) -> None:
    source = HOSTILE[name][:12_000]
    stream = StreamedMarkdown(PARSER)
    start = time.process_time()
    for at in range(0, len(source), 600):
        stream.feed(source[at : at + 600])
        stream.blocks()
    assert stream.finish() == render(PARSER, source)
    assert time.process_time() - start < 2 * SECONDS
