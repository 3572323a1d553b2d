"""Text that comes in from a terminal, a pipe or a file."""

import sys
from pathlib import Path

from app.domain.errors import ErrorCode, UserError


def question(argument: str) -> str:
    """The words of ``PROMPT|-``; raises ``UserError(EMPTY_PROMPT)`` when there are none."""
    text = sys.stdin.read() if argument == "-" else argument
    # An argument that was not UTF-8 arrives as lone surrogates, which no tokenizer takes.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text.strip():
        raise UserError(ErrorCode.EMPTY_PROMPT)
    return text.removesuffix("\n") if argument == "-" else text


def file_text(argument: str) -> str:
    """The text of a file, or of stdin for "-". Raises ``UserError``."""
    if argument == "-":
        return sys.stdin.read()
    path = Path(argument)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(ErrorCode.FILE_NOT_FOUND, path=argument) from None
    except UnicodeDecodeError:
        raise UserError(ErrorCode.INVALID_JSON, source=argument, reason="it is not UTF-8 text") from None
    except OSError as error:
        raise UserError(ErrorCode.FILE_UNREADABLE, path=argument, reason=error.strerror or str(error)) from None
