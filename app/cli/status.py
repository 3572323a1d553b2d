"""How a headless command ends."""

from enum import IntEnum

from app.domain.errors import ErrorCode

BAD_INPUT = frozenset(
    {
        ErrorCode.FILE_NOT_FOUND,
        ErrorCode.FILE_UNREADABLE,
        ErrorCode.FILE_EMPTY,
        ErrorCode.NOT_A_FILE,
        ErrorCode.NOT_A_GGUF,
        ErrorCode.GGUF_TRUNCATED,
        ErrorCode.GGUF_BROKEN,
        ErrorCode.GGUF_UNSUPPORTED,
        ErrorCode.MODEL_PART_MISSING,
        ErrorCode.MODEL_PART_RENAMED,
        ErrorCode.NOT_THE_FIRST_PART,
        ErrorCode.UNKNOWN_ARCHITECTURE,
        ErrorCode.NO_CHAT_TEMPLATE,
        ErrorCode.CHAT_TEMPLATE_FAILED,
        ErrorCode.ADAPTER_UNFIT,
        ErrorCode.MODEL_LOAD_FAILED,
        ErrorCode.EMPTY_PROMPT,
        ErrorCode.PROMPT_TOO_LONG,
        ErrorCode.MESSAGE_TOO_LONG,
        ErrorCode.PINNED_TOO_LONG,
        ErrorCode.INSTRUCTIONS_TOO_LONG,
        ErrorCode.INVALID_JSON,
        ErrorCode.INVALID_CONVERSATION,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.INVALID_OPTION,
    }
)
"""Errors that the input is to blame for."""


class Status(IntEnum):
    """Exit statuses; 130 is a shell's own for a program that Ctrl+C ended."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    INTERRUPTED = 130

    @classmethod
    def of(cls, code: ErrorCode) -> "Status":
        """The status of a command that ended with this error."""
        return cls.BAD_INPUT if code in BAD_INPUT else cls.FAILED
