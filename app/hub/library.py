"""The models on this machine: the built-in guide, and files that were added where they lie."""

import contextlib
import os
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import tomlkit

from app.domain.errors import ErrorCode, UserError
from app.files.atomic import reason_of, set_aside, write_atomically
from app.gguf.parts import first_part, is_part_name, part_paths, plain_stem
from app.gguf.shape import ModelShape, read_shape

DEMO_ID: Final = "demo"
DEMO_NAME: Final = "Demo guide (built in)"
_LARGEST: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be chosen. ``path`` is its first file, ``size_bytes`` that of all, ``trained_context`` in
    tokens, 0 when unknown.

    ``missing``: a file of it is not there (any more); ``broken``: it is there, but no model can be read from it.
    """

    id: str
    name: str
    path: Path
    architecture: str = ""
    quantization: str = ""
    parameters: int = 0
    size_bytes: int = 0
    trained_context: int = 0
    layers: int = 0
    has_chat_template: bool = False
    speaks_harmony: bool = False
    builtin: bool = False
    missing: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """An added file as the list keeps it: what its header said when it had this size and time. Of a model in several
    files the first file's place, the size of all and the time of the newest.
    """

    id: str
    path: str
    size: int
    modified_ns: int
    shape: ModelShape


@dataclass(frozen=True, slots=True)
class _List:
    """What the list's file holds."""

    version: int = 1
    models: tuple[_Entry, ...] = field(default_factory=tuple)


class Library:
    """The models of a profile, for one thread at a time. Files are used in place, never copied or changed.

    ``problems`` says what was wrong with the list when it was read, for the user.
    """

    def __init__(self, models_toml: Path, demo_path: Path) -> None:
        self._file = models_toml
        self._demo_path = demo_path
        self._entries: tuple[_Entry, ...] = ()
        self._stored = self._entries
        self._unread: UserError | None = None
        self._demo: ModelShape | None = None
        self.problems = self._load()

    def models(self) -> tuple[InstalledModel, ...]:
        """The built-in guide first, then the added ones in the order they came, as their files are now."""
        added = tuple(self._installed(entry) for entry in self._renewed())
        return (self._built_in(), *added)

    def add(self, path: Path) -> InstalledModel:
        """List a model file; one that is listed already is found again. Any part of a model in several files stands
        for the model.

        Raises ``UserError``: those of ``read_parts``, and of reading and writing the list.
        """
        self._load_if_unread()
        try:
            found = path.expanduser().resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UserError(ErrorCode.FILE_NOT_FOUND, path=_shown(path)) from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a home that is not known, links in a circle
            reason = reason_of(error) if isinstance(error, OSError) else str(error)
            raise UserError(ErrorCode.FILE_UNREADABLE, path=_shown(path), reason=reason) from error
        if _shown(found) != str(found):
            # The list, the pipe to the engine and llama.cpp itself all speak UTF-8.
            raise UserError(ErrorCode.FILE_UNREADABLE, path=_shown(found), reason="its name is not valid text")
        if (listed := self._listed(found)) is not None:
            return listed
        # Hugging Face's cache has links with the right names to files with others: those, a part would not be found by.
        named = found if is_part_name(found) or not is_part_name(path) else _named(path)
        if (first := first_part(named)) != found and (listed := self._listed(first)) is not None:
            return listed
        known = next((entry for entry in self._entries if entry.path == str(first)), None)
        entry = _entry(known.id if known else uuid4().hex[:12], first)
        self._write((*(other for other in self._entries if other is not known), entry))
        return self._installed(entry)

    def forget(self, model_id: str) -> None:
        """Take an added model off the list; its file stays. The built-in guide stays listed: ValueError."""
        if model_id == DEMO_ID:
            raise ValueError(model_id)
        self._load_if_unread()
        self._write(tuple(entry for entry in self._entries if entry.id != model_id))

    def _listed(self, file: Path) -> InstalledModel | None:
        """The sound model that is listed with this file."""
        models = (model for model in self.models() if not (model.missing or model.broken))
        return next((model for model in models if _same_file(model.path, file)), None)

    def _built_in(self) -> InstalledModel:
        try:
            self._demo = self._demo or read_shape(self._demo_path)
        except UserError as error:
            missing = error.code is ErrorCode.FILE_NOT_FOUND
            return InstalledModel(
                DEMO_ID, DEMO_NAME, self._demo_path, builtin=True, missing=missing, broken=not missing
            )
        return _installed(DEMO_ID, DEMO_NAME, self._demo_path, self._demo, builtin=True)

    def _installed(self, entry: _Entry) -> InstalledModel:
        path = Path(entry.path)
        missing = broken = False
        try:
            broken = not _is_as_read(entry, path)
        except OSError:
            missing = True
        except UserError:  # the list was changed: a first part has another name
            broken = True
        return _installed(
            entry.id, entry.shape.name or plain_stem(path), path, entry.shape, missing=missing, broken=broken
        )

    def _renewed(self) -> tuple[_Entry, ...]:
        """The entries; a file that has changed is read again, once, and one that cannot be stays as it was."""
        self._entries = tuple(map(_renewed, self._entries))
        if self._entries != self._stored:
            # What a header says can be read again at any time: a list that cannot be written is no reason to fail.
            with contextlib.suppress(UserError):
                self._write(self._entries)
        return self._entries

    def _load(self) -> tuple[UserError, ...]:
        """Take the entries from the list's file; what was wrong with it."""
        self._unread = None
        try:
            with self._file.open("rb") as file:
                data = file.read(_LARGEST)
            self._entries = msgspec.convert(tomllib.loads(data.decode()), _List).models
        except FileNotFoundError:
            pass
        except OSError as error:
            # The list itself may be sound: it stays where it is, and nothing is written over it.
            reason = reason_of(error)
            self._unread = UserError(ErrorCode.FILE_UNREADABLE, path=_shown(self._file), reason=reason)
            return (self._unread,)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, msgspec.ValidationError):
            return (self._set_aside(),)
        self._stored = self._entries
        return ()

    def _load_if_unread(self) -> None:
        """Try a list again that could not be read; raises why it still cannot."""
        if self._unread is not None:
            self._load()
        if self._unread is not None:
            raise self._unread

    def _set_aside(self) -> UserError:
        try:
            return UserError(ErrorCode.LIBRARY_BROKEN, aside=str(set_aside(self._file)))
        except UserError as error:
            return error

    def _write(self, entries: tuple[_Entry, ...]) -> None:
        document = tomlkit.document()
        document.add(tomlkit.comment("Model files that were added to Alcove. They stay where they are."))
        document["version"] = _List().version
        document["models"] = [asdict(entry) for entry in entries]
        write_atomically(self._file, tomlkit.dumps(document).encode())
        self._entries = self._stored = entries


def _entry(model_id: str, path: Path, files: int = 1) -> _Entry:
    """A model as it is now; ``UserError`` as ``read_shape``."""
    try:
        # Before the header is read: a file that changes meanwhile is then seen to have changed.
        size, modified_ns = _state(path, files)
    except OSError as error:
        raise UserError(ErrorCode.FILE_UNREADABLE, path=_shown(path), reason=reason_of(error)) from error
    shape = read_shape(path)
    if shape.files != files:
        return _entry(model_id, path, shape.files)
    return _Entry(model_id, str(path), size, modified_ns, shape)


def _renewed(entry: _Entry) -> _Entry:
    path = Path(entry.path)
    try:
        return entry if _is_as_read(entry, path) else _entry(entry.id, path)
    except (OSError, UserError):
        return entry


def _is_as_read(entry: _Entry, path: Path) -> bool:
    return _state(path, entry.shape.files) == (entry.size, entry.modified_ns)


def _state(path: Path, files: int) -> tuple[int, int]:
    """The size of a model in so many files, and the time of the newest in nanoseconds."""
    found = [part.stat() for part in part_paths(path, files)]
    return sum(status.st_size for status in found), max(status.st_mtime_ns for status in found)


def _named(path: Path) -> Path:
    """A file that is there, by its own name though it be a link."""
    path = path.expanduser()
    return path.parent.resolve() / path.name


def _installed(
    model_id: str,
    name: str,
    path: Path,
    shape: ModelShape,
    *,
    builtin: bool = False,
    missing: bool = False,
    broken: bool = False,
) -> InstalledModel:
    return InstalledModel(
        id=model_id,
        name=name,
        path=path,
        architecture=shape.architecture,
        quantization=shape.quantization,
        parameters=shape.parameters,
        size_bytes=shape.size_bytes,
        trained_context=shape.trained_context,
        layers=shape.layers,
        has_chat_template=shape.has_chat_template,
        speaks_harmony=shape.speaks_harmony,
        builtin=builtin,
        missing=missing,
        broken=broken,
    )


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _shown(path: Path) -> str:
    """A path as text that can be printed and stored, whatever bytes its name has."""
    return os.fsencode(path).decode(errors="replace")
