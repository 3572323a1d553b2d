"""What llama.cpp's error lines mean for the user. It has no error codes: the lines are all it says of a failure."""

import re
from collections.abc import Sequence
from pathlib import Path

from app.domain.errors import ErrorCode, UserError


def load_error(path: Path, errors: Sequence[str]) -> UserError:
    """The error for a model file that llama.cpp did not load, from the error lines of the attempt."""
    text = "\n".join(errors)
    if match := re.search(r"unknown model architecture: '([^']*)'", text):
        return UserError(ErrorCode.UNKNOWN_ARCHITECTURE, architecture=match[1])
    if "not within the file bounds" in text:
        return UserError(ErrorCode.GGUF_TRUNCATED, path=str(path))
    if "invalid magic" in text or "failed to read magic" in text:
        return UserError(ErrorCode.NOT_A_GGUF, path=str(path))
    if re.search(r"unable to allocate|failed to allocate|cannot allocate|bad_alloc|out of memory", text, re.IGNORECASE):
        return UserError(ErrorCode.OUT_OF_MEMORY, name=path.name)
    if "gguf_init" in text:
        return UserError(ErrorCode.GGUF_BROKEN, path=str(path), reason=_cause(errors, "gguf_init"))
    return UserError(ErrorCode.MODEL_LOAD_FAILED, name=path.name, reason=_cause(errors, "error loading model"))


def adapter_cause(errors: Sequence[str]) -> str:
    """Why llama.cpp did not take a LoRA adapter, from the error lines of the attempt."""
    line = _cause(errors, "failed to apply lora adapter")
    return line.removeprefix("failed to apply lora adapter: ").replace(" (hint: maybe wrong base model?)", "")


# The function's name, and what was being done.
_PREFIX = re.compile(r"(?:\w+: )?(?:error loading model(?: \w+)?: )*")


def _cause(errors: Sequence[str], mark: str) -> str:
    line = next((line for line in errors if mark in line), errors[-1] if errors else "")
    return _PREFIX.sub("", line, count=1) or "no reason given"
