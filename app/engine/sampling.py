"""The bounds of sampling parameters, checked before llama.cpp, which checks nothing, sees them."""

import math

from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling


def check_finite(sampling: Sampling) -> None:
    """Raises UserError for an infinite parameter or one that is no number: JSON cannot carry them."""
    for name in ("temperature", "top_p", "min_p", "repeat_penalty"):
        if not math.isfinite(getattr(sampling, name)):
            raise UserError(ErrorCode.INVALID_REQUEST, reason=f"{name} is not a number")


def check_sampling(sampling: Sampling) -> None:
    """Raises UserError when a parameter is out of its bounds."""
    rules = (
        ("temperature", sampling.temperature >= 0),
        ("top_p", 0 <= sampling.top_p <= 1),
        ("top_k", 0 <= sampling.top_k < 2**31),
        ("min_p", 0 <= sampling.min_p <= 1),
        ("repeat_penalty", sampling.repeat_penalty > 0),
        ("max_tokens", sampling.max_tokens >= 0),
    )
    for name, holds in rules:
        if not holds:
            raise UserError(ErrorCode.INVALID_REQUEST, reason=f"{name} is out of its bounds")
