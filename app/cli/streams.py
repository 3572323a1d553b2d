"""The standard streams of a headless command: UTF-8 on every system, bounded, and safe to look at."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from app.domain.conversation_file import MAX_CHARS
from app.domain.errors import ErrorCode, UserError

# What a terminal would obey: C0 but tab and newline, DEL, C1.
_OBEYED = {code: "�" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


class Output:
    """Writes text as it comes, and raises ``UserError(OUTPUT_FAILED)`` when it cannot.

    A model's words may hold escape sequences; a terminal is not given them, a file or a pipe gets every character.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_terminal = stream.isatty()

    def write(self, text: str) -> None:
        """Write at once. BrokenPipeError, which means that the reader has left, is passed on."""
        self.write_as_is(text.translate(_OBEYED) if self.is_terminal else text)

    def write_as_is(self, text: str) -> None:
        """Write the program's own words, which may colour a terminal."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(ErrorCode.OUTPUT_FAILED, reason=error.strerror or str(error)) from error


def prepare_streams() -> None:
    """UTF-8 in and out with plain newlines; a stream that was closed becomes one that holds nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the whole run
        elif isinstance(stream, io.TextIOWrapper):
            newline = None if name == "stdin" else "\n"
            stream.reconfigure(encoding="utf-8", errors="replace", newline=newline)


def silence_output() -> None:
    """Point stdout and stderr at nothing, so that the interpreter's last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def question(argument: str) -> str:
    """The words of ``PROMPT|-``; raises ``UserError(EMPTY_PROMPT)`` when there are none."""
    text = _bounded(sys.stdin).removesuffix("\n") if argument == "-" else argument
    # An argument that was not UTF-8 arrives as lone surrogates, which no tokenizer takes.
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if not text.strip():
        raise UserError(ErrorCode.EMPTY_PROMPT)
    return text


def file_text(argument: str) -> str:
    """The text of a file, or of stdin for "-". Raises ``UserError``."""
    if argument == "-":
        return _bounded(sys.stdin)
    path = Path(argument)
    try:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise UserError(ErrorCode.NOT_A_FILE, path=argument, kind=kind)
        with path.open(encoding="utf-8-sig") as file:
            return _bounded(file)
    except FileNotFoundError:
        raise UserError(ErrorCode.FILE_NOT_FOUND, path=argument) from None
    except UnicodeDecodeError:
        raise UserError(ErrorCode.INVALID_JSON, source=argument, reason="it is not UTF-8 text") from None
    except OSError as error:
        raise UserError(ErrorCode.FILE_UNREADABLE, path=argument, reason=error.strerror or str(error)) from None


def _bounded(stream: TextIO) -> str:
    """All of a stream; no more is read than a conversation may have."""
    text = stream.read(MAX_CHARS + 1)
    if len(text) > MAX_CHARS:
        raise UserError(ErrorCode.INVALID_REQUEST, reason=f"it is longer than {MAX_CHARS:,} characters")
    return text
