"""What the engine keeps of chats on the disk, as far as the window has to do with it."""

from pathlib import Path

from PySide6.QtCore import QObject

from app.domain.settings import SNAPSHOT_SPACE
from app.domain.tree import ConversationInfo
from app.engine.protocol import Keeping
from app.engine.snapshots import SnapshotFolder
from app.services.engine_service import EngineService
from app.services.job_thread import JobThread
from app.services.settings_service import SettingsService

_GB = 1_000_000_000


class ChatMemories(QObject):
    """Tells the engine where and how much it may keep, when a chat is left, and when one is deleted."""

    def __init__(
        self,
        engine: EngineService,
        settings: SettingsService,
        folder: Path,
        files: JobThread[None],
        *,
        least_s: float = 5.0,
    ) -> None:
        """``folder`` need not exist; ``files`` is the thread that waits for disks. ``least_s`` as in `Keeping`."""
        super().__init__()
        self._engine = engine
        self._settings = settings
        self._folder = folder
        self._files = files
        self._least_s = least_s
        settings.changed.connect(self._setting_changed)
        self._setting_changed(SNAPSHOT_SPACE.key)

    def left(self, *_: object) -> None:
        """Another chat is shown."""
        self._engine.leave()

    def deleted(self, info: ConversationInfo) -> None:
        """Nothing of this chat may stay in the folder, whether an engine runs or not."""
        self._engine.forget(str(info.id))
        self._files.submit(lambda _: SnapshotFolder(self._folder, 0).forget(str(info.id)))

    def _setting_changed(self, key: str) -> None:
        if key != SNAPSHOT_SPACE.key:
            return
        space = self._settings.settings.get(SNAPSHOT_SPACE) * _GB
        self._engine.set_keeping(Keeping(str(self._folder), space, self._least_s))
        if space:
            self._files.submit(lambda _: SnapshotFolder(self._folder, space).make_room())
        else:
            self._files.submit(lambda _: SnapshotFolder(self._folder, 0).forget_all())
