"""What streams in comes out as what is rendered at once, and is not taken back."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ui.transcript.blocks import BlockKind, plain_block
from app.ui.transcript.habits import tidy
from app.ui.transcript.markdown import make_parser
from app.ui.transcript.render import render
from app.ui.transcript.streaming import StreamedMarkdown
from app.ui.transcript.tail import close_inline, presentable
from tests.unit.markdown.test_render import CASES

PARSER = make_parser()
LINES = [
    "# Head", "one **bold** text", "second line", "", "", "- item", "- other", "  - nested", "    - deep", "1. one",
    "2. two", "   - sub", "  - two-space", "```python", "x = 1", "```", "~~~", "> quote", "> - in quote", "| a | b |",
    "|---|---|", "| 1 | 2 |", "---", "* * *", "***", "\\[", "x^2", "\\]", "$$", "$$ y $$", "[a]: http://x.org",
    "[a] ref", "    indented", "  ```", "   ```js", "with `code` and [l](http://a.b)", "10. ten", "- [ ] task",
    "\tTab", "<div>", "+ plus", "1) par", "  text two", "注**意**", "a\rb", "===", "-", "1.", "![i](http://a.b/c)",
]  # fmt: skip
ANSWER = """# Sorting

Here is **quick** sort in *Python*, see [the docs](https://docs.example.org/sort):

1. Choose a pivot
  - the first
  - the `last`
2. Partition

```python
def sort(items):
    return items if len(items) < 2 else sort(items[1:])
```

| n | time |
|---|-----:|
| 10 | 1 ms |

It takes \\(O(n \\log n)\\) on average:

\\[
T(n) = 2 T(n/2) + n
\\]

> Mind the worst case.
"""


def chunks(text: str, seed: int) -> list[str]:
    rng = random.Random(seed)
    result: list[str] = []
    start = 0
    while start < len(text):
        size = rng.randint(1, rng.choice([1, 4, 30, 200]))
        result.append(text[start : start + size])
        start += size
    return result


def check(text: str, seed: int) -> None:
    stream = StreamedMarkdown(PARSER)
    rng = random.Random(seed)
    frozen: tuple[object, ...] = ()
    for piece in chunks(text, seed):
        stream.feed(piece)
        if rng.random() < 0.6:
            shown = stream.blocks()
            assert shown[: len(frozen)] == frozen, "a finished block changed"
            frozen = shown[: stream.frozen]
    assert stream.finish() == render(PARSER, text)


@given(st.lists(st.sampled_from(LINES), max_size=14), st.integers(0, 2**30))
def test_any_text_in_any_pieces(lines: list[str], seed: int) -> None:
    check("\n".join(lines), seed)


@given(st.text(alphabet="ab *_`[]()\n#-|>~$\\1.!", max_size=80), st.integers(0, 2**30))
def test_any_characters_in_any_pieces(text: str, seed: int) -> None:
    check(text, seed)


@pytest.mark.parametrize("source", [source for _, source, _ in CASES], ids=[name for name, _, _ in CASES])
def test_each_habit_in_any_pieces(source: str) -> None:
    for seed in range(5):
        check(source + "\n\nAnd more.\n", seed)


@pytest.mark.parametrize("seed", range(10))
def test_an_answer_with_everything(seed: int) -> None:
    check(ANSWER, seed)


def test_a_long_list_and_a_long_table_freeze_while_they_grow() -> None:
    listing = "\n".join(f"{n}. item number {n} with some words" for n in range(1, 800)) + "\n"
    table = "| a | b |\n|---|---|\n" + "".join(f"| {n} | text |\n" for n in range(20))
    for text in (listing, listing + "\n" + table):
        stream = StreamedMarkdown(PARSER)
        for start in range(0, len(text), 311):
            stream.feed(text[start : start + 311])
            stream.blocks()
        assert stream.frozen > 600
        assert stream.finish() == render(PARSER, text)


def test_an_open_fence_is_code_from_its_first_line_on() -> None:
    stream = StreamedMarkdown(PARSER, "```python\nx = 1\n")
    (code,) = stream.blocks()
    assert (code.kind, code.language, code.code) == (BlockKind.CODE, "python", "x = 1")
    stream.feed("``")
    assert stream.blocks()[0].code == "x = 1"
    stream.feed("`\nDone.")
    assert [block.kind for block in stream.blocks()] == [BlockKind.CODE, BlockKind.PARAGRAPH]


def test_shown_text_is_hardly_ever_taken_back() -> None:
    stream = StreamedMarkdown(PARSER)
    before = ""
    retracted = 0
    updates = 0
    for start in range(0, len(ANSWER), 4):
        stream.feed(ANSWER[start : start + 4])
        now = "\n".join(plain_block(block) for block in stream.blocks())
        updates += 1
        retracted += not now.startswith(before.rstrip("\n"))
        before = now
    assert retracted <= 0.02 * updates


@pytest.mark.parametrize(
    ("growing", "shown"),
    [
        ("a **bo", "a **bo**"),
        ("a **bold*", "a **bold**"),
        ("a **", "a "),
        ("a *it", "a *it*"),
        ("a ~~ol", "a ~~ol~~"),
        ("a `co", "a `co`"),
        ("a `", "a "),
        ("see [the te", "see "),
        ("see [text](htt", "see text"),
        ("see ![pic](htt", "see pic"),
        ("so \\(x^", "so "),
        ("so $x", "so "),
        ("it costs $5 an", "it costs $5 an"),
        ("text\n-", "text"),
        ("text\n1.", "text"),
        ("text\n| a | b |", "text"),
        ("| a | b |\n|---", ""),
        ("| a | b |\n|---|---|\n| 1", "| a | b |\n|---|---|"),
        ("text\n```", "text"),
        ("```py\nx\n``", "```py\nx"),
        ("text\n\\[\nx", "text"),
        ("plain", "plain"),
    ],
)
def test_what_is_undecided_is_held_back_or_closed(growing: str, shown: str) -> None:
    assert presentable(growing).strip() == shown.strip()


@given(st.text(alphabet="ab *_`[]()~$\\!", max_size=60))
def test_closing_leaves_finished_text_alone_and_never_fails(text: str) -> None:
    assert close_inline("word " + text.replace("\n", " ")).startswith("word")


@given(st.lists(st.sampled_from(LINES), max_size=14))
def test_tidying_keeps_every_line_and_only_indents(lines: list[str]) -> None:
    source = "\n".join(lines)
    tidied = tidy(source)
    assert [line.lstrip(" ") for line in tidied.split("\n")] == [line.lstrip(" ") for line in source.split("\n")]
