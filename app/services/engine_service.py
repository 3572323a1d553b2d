"""The engine as the status line sees it."""

from PySide6.QtCore import QObject, Signal

from app.services.payloads import EngineState


class EngineService(QObject):
    """Owns the worker thread that drives the engine child.

    ``state_changed(EngineState)`` comes at most once per frame.
    """

    state_changed = Signal(object)

    @property
    def state(self) -> EngineState:
        """What the engine is doing now."""
        raise NotImplementedError
