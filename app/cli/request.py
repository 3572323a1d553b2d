"""What a command asks for: the model, the plan and the sampling, from the arguments and the profile's settings."""

import os
import sys
from argparse import Namespace
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from app.domain.conversation import Dialogue, Effort
from app.domain.errors import ErrorCode, UserError
from app.domain.generation import Sampling
from app.domain.settings import CURRENT_MODEL, EFFORT, INSTRUCTIONS, Settings
from app.engine.model_loading import Target
from app.gguf.parts import first_part, plain_stem
from app.hub.library import InstalledModel, Library
from app.resources import DEMO_MODEL
from app.store.paths import ProfilePaths
from app.store.settings_file import SettingsFile


@dataclass(frozen=True, slots=True)
class HeadlessRequest:
    """Everything a headless command needs besides its own words. ``log_file``, ``cache_folder`` and ``plans_file`` are
    None where nothing can be written.
    """

    target: Target
    sampling: Sampling
    effort: Effort
    instructions: str
    log_file: Path | None
    cache_folder: Path | None = None
    plans_file: Path | None = None

    def empty_dialogue(self) -> Dialogue:
        """A conversation without messages that starts today."""
        return Dialogue((), date=today(), effort=self.effort, instructions=self.instructions)


def headless_request(options: Namespace) -> HeadlessRequest:
    """The request that ``options`` make on top of the profile's settings."""
    paths = ProfilePaths.locate(profile_folder(options))
    log_file: Path | None = paths.engine_log_file
    cache_folder: Path | None = paths.cache_folder
    plans_file: Path | None = paths.load_plans_file
    try:
        paths.create()
    except UserError as problem:  # a question can be answered all the same
        print(f"alcove: {problem}", file=sys.stderr)
        log_file = cache_folder = plans_file = None
    loaded = SettingsFile(paths.settings_file).load()
    library = Library(paths.library_file, DEMO_MODEL)
    settings = loaded.settings
    model, name = _model(options, settings, library)
    for problem in (*loaded.problems, *library.problems):
        print(f"alcove: {problem}", file=sys.stderr)
    return HeadlessRequest(
        target=Target(str(model), name, settings.wishes(), tuple(getattr(options, "lora", None) or ())),
        sampling=with_options(settings.sampling(), options),
        effort=getattr(options, "effort", None) or Effort(settings.get(EFFORT)),
        instructions=_given(getattr(options, "instructions", None), settings.get(INSTRUCTIONS)),
        log_file=log_file,
        cache_folder=cache_folder,
        plans_file=plans_file,
    )


def profile_folder(options: Namespace) -> Path | None:
    """``--profile-dir``, else ``ALCOVE_PROFILE_DIR``, else None: the platform's own places."""
    given = getattr(options, "profile_dir", None) or os.environ.get("ALCOVE_PROFILE_DIR")
    return Path(given) if given else None


def today() -> str:
    """The local date in ISO format, for the system message."""
    return date.today().isoformat()  # noqa: DTZ011 - the user's own date is meant


def with_options(sampling: Sampling, options: Namespace) -> Sampling:
    """``sampling`` with what the command line overrides."""
    given = {name: getattr(options, name, None) for name in ("temperature", "seed", "max_tokens")}
    return replace(sampling, **{name: value for name, value in given.items() if value is not None})


def _model(options: Namespace, settings: Settings, library: Library) -> tuple[Path, str]:
    """The file of ``--model``, the first when it is one of several; else the model chosen in the window, else the demo.
    And the model's name.
    """
    models = library.models()
    if (given := getattr(options, "model", None)) is not None:
        shown = str(given).encode("utf-8", "replace").decode()
        if shown != str(given):  # bytes that are no UTF-8 arrive as lone surrogates, which no frame carries
            raise UserError(ErrorCode.FILE_UNREADABLE, path=shown, reason="its name is not valid text")
        first = first_part(given)
        known = next((m for m in models if _same_file(m, first)), None)
        return first, known.name if known else plain_stem(first)
    current = next((m for m in models if m.id == settings.get(CURRENT_MODEL)), models[0])
    return current.path, current.name


def _same_file(model: InstalledModel, file: Path) -> bool:
    try:
        return file.samefile(model.path)
    except OSError:  # one of them is not there, or not for this user
        return False


def _given(said: str | None, otherwise: str) -> str:
    return otherwise if said is None else said
