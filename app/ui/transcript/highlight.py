"""Colours of code, by Pygments, laid over a document whose text stays as it is."""

from collections.abc import Iterator
from functools import lru_cache

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Token, _TokenType
from pygments.util import ClassNotFound
from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextDocument, QTextLayout

from app.ui.theme import Theme

LONGEST = 40_000  # characters; more stays plain, lexers are slow
LONGEST_LINE = 2_000
STYLES = (  # the first that contains a token's type decides
    (Token.Comment, "comment"),
    (Token.Keyword.Type, "type"),
    (Token.Keyword.Constant, "constant"),
    (Token.Keyword, "keyword"),
    (Token.Operator.Word, "keyword"),
    (Token.Literal.String, "string"),
    (Token.Literal.Number, "number"),
    (Token.Name.Function, "function"),
    (Token.Name.Decorator, "function"),
    (Token.Name.Class, "type"),
    (Token.Name.Exception, "type"),
    (Token.Name.Builtin, "type"),
    (Token.Name.Namespace, "type"),
    (Token.Name.Tag, "function"),
    (Token.Name.Attribute, "function"),
    (Token.Name.Constant, "constant"),
    (Token.Operator, "operator"),
    (Token.Generic.Inserted, "inserted"),
    (Token.Generic.Deleted, "deleted"),
    (Token.Generic.Heading, "keyword"),
)


@lru_cache(maxsize=64)
def lexer(language: str) -> Lexer | None:
    """The lexer of a language as fences name it; None for unknown ones."""
    try:
        return get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


@lru_cache(maxsize=512)
def style_of(token: _TokenType) -> str:
    """The name in ``Syntax`` for a token's type; "" for ordinary text."""
    return next((name for kind, name in STYLES if token in kind), "")


class Highlighter:
    """Colours documents in one theme."""

    def __init__(self, theme: Theme) -> None:
        self._formats: dict[str, QTextCharFormat] = {}
        for _, name in STYLES:
            style = QTextCharFormat()
            style.setForeground(QColor(getattr(theme.colours.syntax, name)))
            if name == "comment":
                style.setFontItalic(True)
            elif name == "keyword":
                style.setFontWeight(QFont.Weight.DemiBold)
            self._formats[name] = style

    def colour(self, document: QTextDocument, language: str) -> None:
        """Lays the language's colours over the document; nothing for unknown languages and for very long code."""
        found = lexer(language) if language else None
        code = document.toPlainText()
        if found is None or len(code) > LONGEST or any(len(line) > LONGEST_LINE for line in code.split("\n")):
            return
        block = document.begin()
        for ranges in self._lines(found, code):
            if not block.isValid():
                break
            block.layout().setFormats(ranges)
            block = block.next()
        document.markContentsDirty(0, document.characterCount())

    def _lines(self, found: Lexer, code: str) -> Iterator[list[QTextLayout.FormatRange]]:
        ranges: list[QTextLayout.FormatRange] = []
        position = 0
        for token, text in found.get_tokens(code):
            name = style_of(token)
            for index, part in enumerate(text.split("\n")):
                if index:
                    yield ranges
                    ranges, position = [], 0
                if not part:
                    continue
                length = len(part) if part.isascii() else len(part.encode("utf-16-le")) // 2  # as Qt counts
                if name:
                    span = QTextLayout.FormatRange()
                    span.start, span.length, span.format = position, length, self._formats[name]  # pyright: ignore[reportAttributeAccessIssue]
                    ranges.append(span)
                position += length
        yield ranges
