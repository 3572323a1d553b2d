"""Markdown as models write it comes out as a reader expects."""

from __future__ import annotations

import pytest

from app.ui.transcript.blocks import Block, BlockKind, Nest, NestKind, Span, plain_block
from app.ui.transcript.markdown import is_safe_link, make_parser
from app.ui.transcript.render import render, render_plain

PARSER = make_parser()


def styled(span: Span) -> str:
    """A span in a short notation: *bold*, /italic/, -strike-, `code`, $math$, [text](address)."""
    text = span.text
    if span.code:
        text = f"`{text}`"
    if span.math:
        text = f"${text}$"
    if span.bold:
        text = f"*{text}*"
    if span.italic:
        text = f"/{text}/"
    if span.strike:
        text = f"-{text}-"
    return f"[{text}]({span.href})" if span.href else text


def nested(nest: Nest) -> str:
    if nest.kind is NestKind.QUOTE:
        return ">"
    box = {None: "", True: "[x]", False: "[ ]"}[nest.checked]
    return f"{nest.marker}{box}" if nest.first else "_"


def shape(block: Block) -> str:
    """A block in one line: what it stands in, what it is, its text."""
    where = " ".join(nested(nest) for nest in block.nest)
    match block.kind:
        case BlockKind.PARAGRAPH:
            what = "".join(styled(span) for span in block.spans)
        case BlockKind.HEADING:
            what = f"h{block.level} " + "".join(styled(span) for span in block.spans)
        case BlockKind.CODE:
            what = f"code({block.language}) {block.code!r}"
        case BlockKind.MATH:
            what = f"math {block.code!r}"
        case BlockKind.RULE:
            what = "rule"
        case BlockKind.TABLE:
            assert block.table is not None
            rows = (block.table.header, *block.table.rows)
            cells = ["|".join("".join(styled(span) for span in cell) for cell in row) for row in rows]
            what = f"table{block.table.alignments} " + " / ".join(cells)
    return f"{where} {what}".strip()


CASES: list[tuple[str, str, list[str]]] = [
    ("a list right after a paragraph", "Steps:\n- one\n- two", ["Steps:", "• one", "• two"]),
    ("a numbered list right after a paragraph", "Steps:\n1. one\n2. two", ["Steps:", "1. one", "2. two"]),
    ("two-space nesting under bullets", "- a\n  - b\n    - c", ["• a", "_ ◦ b", "_ _ ▪ c"]),
    ("two-space nesting under numbers", "1. a\n  - b\n  - c\n2. d", ["1. a", "_ • b", "_ • c", "2. d"]),
    ("four-space nesting", "- a\n    - b", ["• a", "_ ◦ b"]),
    ("numbers under numbers by two spaces", "1. a\n  1. b\n2. c", ["1. a", "_ 1. b", "2. c"]),
    ("two digits and two spaces", "10. a\n  - b\n11. c", ["10. a", "_ • b", "11. c"]),
    ("a fence in a bullet", "- a\n  ```py\n  x\n  ```\n- b", ["• a", "_ code(py) 'x'", "• b"]),
    ("a fence in a number, two spaces", "1. a\n  ```sh\n  x\n  ```\n2. b", ["1. a", "_ code(sh) 'x'", "2. b"]),
    ("a fence in a number, three spaces", "1. a\n   ```sh\n   x\n   ```\n2. b", ["1. a", "_ code(sh) 'x'", "2. b"]),
    ("a fence between numbers", "1. a\n```sh\nx\n```\n2. b", ["1. a", "code(sh) 'x'", "2. b"]),
    ("a paragraph in an item", "1. a\n\n   more\n2. b", ["1. a", "_ more", "2. b"]),
    ("an item without text", "-\n- b", ["•", "• b"]),
    ("a list straight in an item", "1. - a\n2. b", ["1. • a", "2. b"]),
    ("a list that starts late", "3. c\n4. d", ["3. c", "4. d"]),
    ("brackets behind numbers", "1) a\n2) b", ["1) a", "2) b"]),
    ("tasks", "- [ ] a\n- [x] b\n- [X] c", ["•[ ] a", "•[x] b", "•[x] c"]),
    (
        "a table without a blank line",
        "Text:\n| a | b |\n|---|--:|\n| 1 | **2** |",
        ["Text:", "table('', 'right') a|b / 1|*2*"],
    ),
    ("a table row that is too short", "|a|b|\n|-|-|\n|1|", ["table('', '') a|b / 1|"]),
    ("bold beside Chinese", "注意：**“重点”**是这里", ["注意：*“重点”*是这里"]),
    ("bold beside Japanese", "これは**「太字」**です", ["これは*「太字」*です"]),
    ("bold and a letter behind its colon", "**Note:**text", ["*Note:*text"]),
    ("stars that are none", "2 ** 3 ** 4 and a * b * c", ["2 ** 3 ** 4 and a * b * c"]),
    ("snake case", "my_long_name and __init__", ["my_long_name and *init*"]),
    ("strikethrough", "~~old~~ new", ["-old- new"]),
    ("bold, italic and both", "**a** *b* ***c***", ["*a* /b/ /*c*/"]),
    ("an unclosed fence", "```python\nx = 1", ["code(python) 'x = 1'"]),
    ("a fence of tildes", "~~~\n```\n~~~", ["code() '```'"]),
    ("a fence in a longer fence", "````md\n```py\n````", ["code(md) '```py'"]),
    ("a fence after text", "Run:\n```\nx\n```\nDone", ["Run:", "code() 'x'", "Done"]),
    ("a rule under a paragraph", "Text\n---\nMore", ["Text", "rule", "More"]),
    ("line breaks of a poem", "Roses\nViolets  \nSugar", ["Roses\nViolets\nSugar"]),
    ("headings", "# A\n### B **c**", ["h1 A", "h3 B *c*"]),
    ("quotes", "> a\n> - b\n\nc", ["> a", "> • b", "c"]),
    ("raw HTML", "<b>x</b> <your-name> List<String>", ["<b>x</b> <your-name> List<String>"]),
    ("a block of HTML", "<div>\n\n**x**\n\n</div>", ["<div>", "*x*", "</div>"]),
    ("entities", "a &lt; b &amp; c", ["a < b & c"]),
    ("a link", "[t](https://a.org)", ["[t](https://a.org)"]),
    ("a bare address", "see https://a.org/x_(y).", ["see [https://a.org/x_(y)](https://a.org/x_(y))."]),
    ("a bare address in bold", "**https://a.org**", ["[*https://a.org*](https://a.org)"]),
    ("a link by reference", "[t][1]\n\n[1]: https://a.org", ["[t](https://a.org)"]),
    ("a script link", "[t](javascript:alert(1))", ["[t](javascript:alert(1))"]),
    ("a data link", "[t](data:text/html,x)", ["[t](data:text/html,x)"]),
    ("a file link", "[t](file:///etc/passwd)", ["[t](file:///etc/passwd)"]),
    ("a picture", "![cat](https://a.org/c.png)", ["[[image: cat]](https://a.org/c.png)"]),
    ("a picture in a file", "![x](file:///etc/passwd)", ["![x](file:///etc/passwd)"]),
    ("a formula", r"so \(x^2\) is", ["so $x^2$ is"]),
    ("a displayed formula", "\\[\nx\n\\]", ["math 'x'"]),
    ("a formula in dollars", "$$ y $$", ["math 'y'"]),
    ("single dollars", "$a+b$ is", ["$a+b$ is"]),
    ("prices", "it costs $5 and $10", ["it costs $5 and $10"]),
    ("an escaped bracket", r"\[not math", ["[not math"]),
    ("indented code", "    x = 1", ["code() 'x = 1'"]),
    ("a tab before a bullet", "1. a\n\t- b", ["1. a", "_ • b"]),
    ("control characters", "a\x00b\ufffcc\ufdd0d", ["a\ufffdb\ufffdc\ufffdd"]),
    ("half a surrogate", "a\ud800b", ["a\ufffdb"]),
    ("line ends", "a\r\n\r\nb\rc", ["a", "b\nc"]),
    ("nothing", "", []),
    ("blank lines", "\n \n", []),
]


@pytest.mark.parametrize(("source", "expected"), [(s, e) for _, s, e in CASES], ids=[name for name, _, _ in CASES])
def test_a_habit_of_models(source: str, expected: list[str]) -> None:
    assert [shape(block) for block in render(PARSER, source)] == expected


def test_a_tight_list_is_tight_and_a_loose_one_is_not() -> None:
    assert [block.tight for block in render(PARSER, "- a\n- b")] == [True, True]
    assert [block.tight for block in render(PARSER, "- a\n\n- b")] == [False, False]


def test_the_sources_of_the_blocks_are_the_text() -> None:
    source = "# A\n\ntext\n\n- a\n- b\n\n```py\nx\n```"
    assert "\n\n".join(block.source for block in render(PARSER, source) if block.source) == source


PLAIN = [
    ("as typed", "a  b\n\n\n*c* <d>", ["a  b\n\n\n*c* <d>"]),
    ("a fence", "look:\n```py\nx\n```\nwhy?", ["look:", "code(py) 'x'", "why?"]),
    ("an open fence", "```\nx\ny", ["code() 'x\ny'".replace("\n", "\\n")]),
    ("an address", "see https://a.org", ["see [https://a.org](https://a.org)"]),
    ("nothing", "", []),
]


@pytest.mark.parametrize(("source", "expected"), [(s, e) for _, s, e in PLAIN], ids=[name for name, _, _ in PLAIN])
def test_what_a_person_typed_stays(source: str, expected: list[str]) -> None:
    assert [shape(block) for block in render_plain(source)] == expected


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://a.org", True),
        ("HTTP://A.ORG", True),
        ("mailto:a@b.c", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("smb://host/share", False),
        ("data:text/html,x", False),
        ("//host/x", False),
        ("https:host", False),
        ("", False),
        ("https://a.org/\nx", False),
        (" https://a.org", False),
    ],
)
def test_only_web_and_mail_links_are_followed(address: str, safe: bool) -> None:
    assert is_safe_link(address) is safe


def test_a_long_list_is_cut_into_parts_that_go_on_counting() -> None:
    source = "\n".join(f"{n}. item number {n} with some text behind it" for n in range(1, 601))
    blocks = render(PARSER, source)
    assert [block.nest[0].marker for block in blocks] == [f"{n}." for n in range(1, 601)]
    assert sum(bool(block.source) for block in blocks) > 3


def test_a_long_table_is_cut_and_each_part_has_its_header() -> None:
    source = "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | text |" for n in range(2000))
    tables = [block.table for block in render(PARSER, source)]
    assert len(tables) > 3
    assert all(
        table is not None and plain_block(Block(BlockKind.TABLE, table=table)).startswith("a\tb") for table in tables
    )
    assert sum(len(table.rows) for table in tables if table) == 2000
