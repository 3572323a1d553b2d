"""Where a profile's files are."""

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import write_error

_NAME = "Alcove"


@dataclass(frozen=True, slots=True)
class ProfilePaths:
    """The folders of a profile; nothing exists until ``create``."""

    config_folder: Path
    data_folder: Path
    models_folder: Path
    cache_folder: Path
    log_folder: Path

    @classmethod
    def locate(cls, folder: Path | None = None) -> "ProfilePaths":
        """The profile under ``folder``, or the platform's own places for the user."""
        if folder is not None:
            # A home that is not known stays as it was given; ``create`` says so.
            root = folder
            with contextlib.suppress(RuntimeError):
                root = folder.expanduser().absolute()
            return cls(root / "config", root / "data", root / "models", root / "cache", root / "logs")
        data = platformdirs.user_data_path(_NAME, appauthor=False)
        return cls(
            config_folder=platformdirs.user_config_path(_NAME, appauthor=False),
            data_folder=data,
            models_folder=data / "models",
            cache_folder=platformdirs.user_cache_path(_NAME, appauthor=False),
            log_folder=platformdirs.user_log_path(_NAME, appauthor=False),
        )

    @property
    def settings_file(self) -> Path:
        """The settings, TOML."""
        return self.config_folder / "settings.toml"

    @property
    def chats_file(self) -> Path:
        """The chats, SQLite."""
        return self.data_folder / "chats.sqlite3"

    @property
    def library_file(self) -> Path:
        """The list of model files that were added, TOML."""
        return self.data_folder / "models.toml"

    @property
    def load_plans_file(self) -> Path:
        """What was learned about loading models, JSON."""
        return self.cache_folder / "load-plans.json"

    @property
    def memories_folder(self) -> Path:
        """What the engine keeps of long chats; may go at any time."""
        return self.cache_folder / "memories"

    @property
    def log_file(self) -> Path:
        """The program's log."""
        return self.log_folder / "alcove.log"

    @property
    def engine_log_file(self) -> Path:
        """The log of the engine child."""
        return self.log_folder / "engine.log"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders of the profile."""
        return (self.config_folder, self.data_folder, self.models_folder, self.cache_folder, self.log_folder)

    def create(self) -> None:
        """Make the folders, readable by this user alone, and see that they can be written to.

        Raises ``UserError``: ``PROFILE_UNWRITABLE`` or ``DISK_FULL``.
        """
        for folder in self.folders:
            try:
                folder.expanduser().mkdir(mode=0o700, parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
            except OSError as error:
                raise write_error(folder, error) from error
            except RuntimeError as error:
                reason = "this home folder is not known"
                raise UserError(ErrorCode.PROFILE_UNWRITABLE, path=str(folder), reason=reason) from error
