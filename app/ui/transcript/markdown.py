"""The Markdown that models write: CommonMark with tables, strikethrough and formulas, and nothing that loads or runs.

Raw HTML is text. Links other than http, https and mailto are text. Images are shown as their description. Setext
headings are off: a model that writes ``---`` under a paragraph means a rule.
"""

import re

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline.state_inline import Scanned, StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType

from app.ui.transcript.mathrules import math_block, math_inline

SAFE_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\u3000-\u303f]")
NESTING = 60
LONGEST_INLINE = 4_000  # characters of one paragraph; longer ones are shown without styles


def is_safe_link(address: str) -> bool:
    """Whether a link may be offered at all: http, https or mailto, without control characters."""
    return bool(SAFE_LINK.match(address)) and all(character > " " and character != "\x7f" for character in address)


class ChatInlineState(StateInline):
    """CommonMark's emphasis, with two habits of models allowed.

    Beside Chinese, Japanese or Korean a ``**`` may open or close although no space is there; and ``**Note:**text``
    is bold although the closing mark stands between punctuation and a letter.
    """

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N803
        scanned = super().scanDelims(start, canSplitWord)
        mark = self.src[start]
        if mark != "*" or (scanned.can_open and scanned.can_close):
            return scanned
        end = start + scanned.length
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        can_open, can_close = scanned.can_open, scanned.can_close
        if CJK.match(before) or CJK.match(after):
            can_open = can_open or not after.isspace()
            can_close = can_close or not before.isspace()
        elif scanned.length == 2 and not before.isspace() and not before.isalnum() and after.isalnum():
            can_close = True
        return Scanned(can_open, can_close, scanned.length)


class ChatInline(ParserInline):
    """The inline parser over ``ChatInlineState``."""

    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = ChatInlineState(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def inline_within_bounds(state: StateCore) -> None:
    """Parses the inside of paragraphs and cells; the time of hostile ones grows with the square of their length."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = []
            if len(token.content) <= LONGEST_INLINE:
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def make_parser() -> MarkdownIt:
    """A parser for messages. It holds no state between calls; references are kept in the ``env`` given to it."""
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTING})
    inline = ChatInline()
    for name in ("strikethrough", "linkify"):
        inline.ruler.disable(name, ignoreInvalid=True)
    parser.inline = inline
    inline.ruler.enableOnly(
        ["text", "newline", "escape", "backticks", "strikethrough", "emphasis", "link", "image", "autolink", "entity"]
    )
    inline.ruler2.enableOnly(["balance_pairs", "strikethrough", "emphasis", "fragments_join"])
    inline.ruler.before("escape", "math", math_inline)
    parser.enable("table").disable(["lheading", "html_block"])
    parser.block.ruler.before(
        "fence", "math_block", math_block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.core.ruler.at("inline", inline_within_bounds)
    parser.validateLink = is_safe_link  # pyright: ignore[reportAttributeAccessIssue]
    return parser
