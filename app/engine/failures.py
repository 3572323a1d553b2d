"""A failure as the child tells it, made an error again."""

from app.domain.errors import ErrorCode, UserError
from app.engine.protocol import Failed


def error_of(failed: Failed) -> UserError:
    """The error that a ``Failed`` carries.

    A child that names an unknown one, or values that do not fill its sentences, is no better than one that sends
    garbage: ``ENGINE_GARBAGE``.
    """
    try:
        error = UserError(ErrorCode(failed.code), **failed.values)
        str(error)
    except (ValueError, KeyError):
        return UserError(ErrorCode.ENGINE_GARBAGE)
    return error
