"""One program per profile."""

from PySide6.QtCore import QObject, Signal


class SingleInstance(QObject):
    """``raise_requested()``: a second start wants to see this window."""

    raise_requested = Signal()
