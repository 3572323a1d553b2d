"""What a child says of a failure is not believed before it fills a sentence."""

from __future__ import annotations

import pytest

from app.domain.errors import ErrorCode
from app.engine.failures import error_of
from app.engine.protocol import Failed


@pytest.mark.parametrize(
    ("failed", "code"),
    [
        (Failed(1, "prompt-too-long", {"tokens": "9", "room": "8"}), ErrorCode.PROMPT_TOO_LONG),
        (Failed(1, "no-model-loaded"), ErrorCode.NO_MODEL_LOADED),
        (Failed(1, "bug", {"reason": "x", "code": "y", "self": "z"}), ErrorCode.BUG),
        (Failed(1, "no-such-code"), ErrorCode.ENGINE_GARBAGE),
        (Failed(1, "bug", {"code": "x"}), ErrorCode.ENGINE_GARBAGE),
        (Failed(1, "file-not-found"), ErrorCode.ENGINE_GARBAGE),
    ],
    ids=lambda value: str(value),
)
def test_a_failure_becomes_an_error_with_sentences(failed: Failed, code: ErrorCode) -> None:
    error = error_of(failed)

    assert error.code is code
    assert str(error)
    if code is not ErrorCode.ENGINE_GARBAGE:
        assert error.values == failed.values
