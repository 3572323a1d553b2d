"""The sentences of known errors in the language of the interface."""

from PySide6.QtCore import QCoreApplication

from app.domain.errors import SENTENCES, UserError

CONTEXT = "Errors"


def what(error: UserError) -> str:
    """What happened and what it means."""
    return QCoreApplication.translate(CONTEXT, SENTENCES[error.code].what).format(**error.values)


def remedy(error: UserError) -> str:
    """What to do next."""
    return QCoreApplication.translate(CONTEXT, SENTENCES[error.code].remedy).format(**error.values)
