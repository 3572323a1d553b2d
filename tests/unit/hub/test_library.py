"""The library: files used in place, found again, missed, and never trusted."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.errors import ErrorCode, UserError
from app.hub.library import DEMO_ID, DEMO_NAME, InstalledModel, Library
from app.resources import DEMO_MODEL
from tests.support.full_disk import no_file_beyond
from tests.support.gguf_builder import GGUF, HARMONY, STRING, U32, array, entry
from tests.support.model_parts import ALIGNMENT, split_model

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "data").mkdir()
    return Library(tmp_path / "data" / "models.toml", DEMO_MODEL)


def again(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "models.toml", DEMO_MODEL)


def model_file(path: Path, name: str = "Gpt Oss 20B", tokens: list[str] = HARMONY) -> Path:
    entries = [
        entry("general.architecture", STRING, "gpt-oss"),
        entry("general.name", STRING, name),
        entry("gpt-oss.context_length", U32, 131_072),
        entry("gpt-oss.block_count", U32, 24),
        array("tokenizer.ggml.tokens", STRING, tokens),
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(GGUF(entries).build())
    return path


@contextlib.contextmanager
def no_more_files() -> Iterator[None]:
    """While inside, this process can open no file (POSIX)."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def refusal(library: Library, path: Path) -> ErrorCode:
    before = library.models()
    with pytest.raises(UserError) as caught:
        library.add(path)
    assert str(caught.value)
    assert library.models() == before
    return caught.value.code


def test_the_demo_is_always_there(library: Library, tmp_path: Path) -> None:
    [demo] = library.models()
    assert (demo.id, demo.name, demo.path, demo.builtin) == (DEMO_ID, DEMO_NAME, DEMO_MODEL, True)
    assert (demo.architecture, demo.speaks_harmony, demo.missing, demo.broken) == ("gpt-oss", True, False, False)
    with pytest.raises(ValueError, match="demo"):
        library.forget(DEMO_ID)
    assert not (tmp_path / "data" / "models.toml").exists()


def test_a_demo_that_was_deleted_or_broken_is_still_listed(tmp_path: Path) -> None:
    gone = Library(tmp_path / "models.toml", tmp_path / "none.gguf").models()
    assert [(m.id, m.missing, m.broken) for m in gone] == [(DEMO_ID, True, False)]
    (tmp_path / "bad.gguf").write_bytes(b"x")
    broken = Library(tmp_path / "models.toml", tmp_path / "bad.gguf").models()
    assert [(m.id, m.missing, m.broken) for m in broken] == [(DEMO_ID, False, True)]


def test_added_models_are_used_in_place_and_remembered(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "models" / "gpt-oss-20b.gguf")
    before = path.stat()
    model = library.add(path)
    assert model == InstalledModel(
        id=model.id,
        name="Gpt Oss 20B",
        path=path,
        architecture="gpt-oss",
        quantization="F16",
        parameters=64,
        size_bytes=before.st_size,
        trained_context=131_072,
        layers=24,
        speaks_harmony=True,
    )
    other = library.add(model_file(tmp_path / "models" / "other.gguf", "", ["a"]))
    assert (other.name, other.speaks_harmony) == ("other", False)
    assert again(tmp_path).models() == library.models() == (library.models()[0], model, other)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert sorted(file.name for file in path.parent.iterdir()) == ["gpt-oss-20b.gguf", "other.gguf"]


def test_a_listed_file_is_not_opened_again_to_be_listed(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf")
    model = library.add(path)
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert again(tmp_path).models()[1] == model


def test_one_file_is_one_entry(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = model_file(tmp_path / "a.gguf")
    model = library.add(path)
    monkeypatch.chdir(tmp_path)
    assert library.add(path) == library.add(Path("a.gguf")) == library.add(tmp_path / "data" / ".." / "a.gguf") == model
    assert library.add(DEMO_MODEL).builtin
    assert len(library.models()) == 2


@posix
def test_links_are_one_with_what_they_lead_to(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "models" / "a.gguf")
    (tmp_path / "link.gguf").symlink_to(path)
    (tmp_path / "hard.gguf").hardlink_to(path)
    model = library.add(tmp_path / "link.gguf")
    assert model.path == path
    assert library.add(tmp_path / "hard.gguf") == library.add(path) == model
    (tmp_path / "link.gguf").unlink()
    assert library.models()[1] == model
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    assert refusal(library, tmp_path / "circle") in {ErrorCode.FILE_UNREADABLE, ErrorCode.FILE_NOT_FOUND}
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    assert refusal(library, tmp_path / "dangling") is ErrorCode.FILE_NOT_FOUND


def test_the_users_home_is_understood(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    path = model_file(tmp_path / "a.gguf")
    assert library.add(Path("~/a.gguf")).path == path
    assert refusal(library, Path("~no-such-user-here/a.gguf")) in {
        ErrorCode.FILE_UNREADABLE,
        ErrorCode.FILE_NOT_FOUND,
    }


def test_a_file_that_vanished_is_listed_as_missing_and_comes_back(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf")
    model = library.add(path)
    path.rename(tmp_path / "b.gguf")
    [_, gone] = again(tmp_path).models()
    assert (gone.id, gone.name, gone.missing, gone.broken) == (model.id, model.name, True, False)
    (tmp_path / "b.gguf").rename(path)
    assert again(tmp_path).models()[1] == model


def test_a_file_that_changed_is_read_again(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf")
    model = library.add(path)
    model_file(path, "Another model")
    [_, changed] = library.models()
    assert (changed.id, changed.name) == (model.id, "Another model")
    path.write_bytes(path.read_bytes()[:-1])
    [_, broken] = library.models()
    assert (broken.id, broken.missing, broken.broken) == (model.id, False, True)
    assert refusal(library, path) is ErrorCode.GGUF_TRUNCATED
    model_file(path, "Mended")
    mended = library.add(path)
    assert (mended.id, mended.name, mended.broken) == (model.id, "Mended", False)
    assert len(library.models()) == 2


@pytest.mark.parametrize("how", ["listed", "added"])
def test_a_file_that_changed_is_read_again_once(library: Library, tmp_path: Path, how: str) -> None:
    path = model_file(tmp_path / "a.gguf")
    library.add(path)
    model_file(path, "Another model")
    changed = library.models()[1] if how == "listed" else library.add(path)
    assert changed.name == "Another model"
    status = path.stat()
    path.write_bytes(b"\0" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert library.models()[1] == again(tmp_path).models()[1] == changed


@posix
def test_a_changed_file_is_listed_though_the_list_cannot_be_written(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf")
    library.add(path)
    model_file(path, "Another model")
    with no_file_beyond(50):
        assert library.models()[1].name == "Another model"
        assert library.add(path).name == "Another model"
    assert library.models()[1] == again(tmp_path).models()[1]


def test_forgotten_models_leave_their_file(library: Library, tmp_path: Path) -> None:
    path = model_file(tmp_path / "a.gguf")
    model = library.add(path)
    library.forget("no such id")
    library.forget(model.id)
    assert path.exists()
    assert len(library.models()) == len(again(tmp_path).models()) == 1
    assert library.add(path).id != model.id


def test_what_cannot_be_added_is_said_and_not_listed(library: Library, tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "text.gguf").write_text("This is not a model.")
    (tmp_path / "cut.gguf").write_bytes(DEMO_MODEL.read_bytes()[:1000])
    assert refusal(library, tmp_path / "empty.gguf") is ErrorCode.FILE_EMPTY
    assert refusal(library, tmp_path / "text.gguf") is ErrorCode.NOT_A_GGUF
    assert refusal(library, tmp_path / "cut.gguf") is ErrorCode.GGUF_TRUNCATED
    assert refusal(library, tmp_path / "none.gguf") is ErrorCode.FILE_NOT_FOUND
    assert refusal(library, tmp_path / "text.gguf" / "deeper") is ErrorCode.FILE_NOT_FOUND
    assert refusal(library, tmp_path) is ErrorCode.NOT_A_FILE
    assert not (tmp_path / "data" / "models.toml").exists()


@posix
def test_pipes_devices_and_unspeakable_names(library: Library, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert refusal(library, tmp_path / "pipe.gguf") is ErrorCode.NOT_A_FILE
    assert refusal(library, Path("/dev/zero")) is ErrorCode.NOT_A_FILE
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.gguf"))
    odd.write_bytes(GGUF().build())
    assert refusal(library, odd) is ErrorCode.FILE_UNREADABLE


@posix
def test_odd_but_valid_names_come_back(library: Library, tmp_path: Path) -> None:
    for name in ['a "b" \\ c.gguf', "new\nline.gguf", "Grüße 👍.gguf", "'''.gguf"]:
        library.add(model_file(tmp_path / name, ""))
    assert again(tmp_path).models() == library.models()


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"[[models]",
        b"models = 3",
        b"[[models]]\nid = 'x'",
        b"version = 1\nmodels = [3]",
        b"a = " + b"[" * 5000,
    ],
)
def test_a_broken_list_is_set_aside_and_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "models.toml"
    file.write_bytes(data)
    library = again(tmp_path)
    assert [problem.code for problem in library.problems] == [ErrorCode.LIBRARY_BROKEN]
    assert [model.id for model in library.models()] == [DEMO_ID]
    assert file.with_name("models.toml.broken-1").read_bytes() == data
    library.add(model_file(tmp_path / "a.gguf"))
    assert again(tmp_path).problems == ()
    assert len(again(tmp_path).models()) == 2


@posix
def test_a_list_that_cannot_be_read_now_is_left_alone(library: Library, tmp_path: Path) -> None:
    first = library.add(model_file(tmp_path / "a.gguf"))
    file = tmp_path / "data" / "models.toml"
    before = file.read_bytes()
    second = model_file(tmp_path / "b.gguf")
    with no_more_files():
        late = again(tmp_path)
    assert [problem.code for problem in late.problems] == [ErrorCode.FILE_UNREADABLE]
    assert all(str(file) in str(problem) for problem in late.problems)
    assert [model.id for model in late.models()] == [DEMO_ID]
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.read_bytes() == before
    # Once it can be read again, nothing that it holds is lost.
    added = late.add(second)
    assert late.models()[1:] == again(tmp_path).models()[1:] == (first, added)


def test_a_list_that_stays_unreadable_is_never_overwritten(library: Library, tmp_path: Path) -> None:
    file = tmp_path / "data" / "models.toml"
    file.mkdir()
    broken = again(tmp_path)
    assert [problem.code for problem in broken.problems] == [ErrorCode.FILE_UNREADABLE]
    assert refusal(broken, model_file(tmp_path / "a.gguf")) is ErrorCode.FILE_UNREADABLE
    with pytest.raises(UserError) as caught:
        broken.forget("no such id")
    assert caught.value.code is ErrorCode.FILE_UNREADABLE
    assert file.is_dir()
    assert list(file.parent.iterdir()) == [file]


@posix
def test_a_full_disk_changes_nothing(library: Library, tmp_path: Path) -> None:
    first = library.add(model_file(tmp_path / "a.gguf"))
    second = model_file(tmp_path / "b.gguf")
    with no_file_beyond(50):
        assert refusal(library, second) is ErrorCode.DISK_FULL
        with pytest.raises(UserError):
            library.forget(first.id)
    assert library.models()[1:] == again(tmp_path).models()[1:] == (first,)


def test_it_opens_no_socket(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr(socket, "socket", lambda *args, **more: opened.append(args))
    library.add(model_file(tmp_path / "a.gguf"))
    library.models()
    library.forget(library.models()[1].id)
    assert opened == []


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """A model in three files."""
    folder = tmp_path / "models"
    folder.mkdir()
    return split_model(DEMO_MODEL, folder, 3, name="guide")


@pytest.mark.parametrize("chosen", [0, 1, 2])
def test_a_model_in_several_files_is_one(library: Library, tmp_path: Path, parts: list[Path], chosen: int) -> None:
    model = library.add(parts[chosen])
    whole = library.models()[0]
    assert model.path == parts[0]
    assert (model.parameters, model.layers, model.speaks_harmony) == (whole.parameters, whole.layers, True)
    padding = sum(part.stat().st_size for part in parts) - model.size_bytes
    assert 0 <= padding < 3 * ALIGNMENT
    assert [library.add(part) for part in parts] == [model] * 3
    assert library.models() == again(tmp_path).models() == (whole, model)


def test_a_part_that_goes_and_comes_back(library: Library, tmp_path: Path, parts: list[Path]) -> None:
    model = library.add(parts[0])
    for part in parts:
        part.rename(tmp_path / "away")
        assert [(m.id, m.missing, m.broken) for m in again(tmp_path).models()[1:]] == [(model.id, True, False)]
        for chosen in {*parts} - {part}:
            assert refusal(library, chosen) is ErrorCode.MODEL_PART_MISSING
        (tmp_path / "away").rename(part)
        assert again(tmp_path).models()[1] == model


def test_a_part_that_changed_is_read_again(library: Library, tmp_path: Path, parts: list[Path]) -> None:
    model = library.add(parts[0])
    data = parts[2].read_bytes()
    parts[2].write_bytes(data[:-100])
    assert [(m.id, m.missing, m.broken) for m in library.models()[1:]] == [(model.id, False, True)]
    assert refusal(library, parts[1]) is ErrorCode.GGUF_TRUNCATED
    parts[2].write_bytes(data)
    assert library.models()[1] == again(tmp_path).models()[1] == model


def test_a_model_whose_files_become_fewer(library: Library, tmp_path: Path) -> None:
    (one,) = split_model(DEMO_MODEL, tmp_path, 1, name="guide")
    whole = one.rename(tmp_path / "guide-00001-of-00002.gguf").read_bytes()
    split = split_model(DEMO_MODEL, tmp_path, 2, name="guide")
    model = library.add(split[1])
    split[0].write_bytes(whole)
    split[1].unlink()
    # A part of what it was is missing: it is looked at again when it is added again.
    assert library.models()[1].missing
    added = library.add(split[0])
    assert (added.id, added.missing, added.size_bytes) == (model.id, False, len(whole))
    assert library.models()[1] == again(tmp_path).models()[1] == added


def test_parts_that_were_renamed(library: Library, parts: list[Path]) -> None:
    for number, part in enumerate(parts):
        assert refusal(library, part.rename(part.with_name(f"{number}.gguf"))) is ErrorCode.MODEL_PART_RENAMED


def test_a_list_with_a_name_that_no_first_part_has(library: Library, tmp_path: Path, parts: list[Path]) -> None:
    library.add(parts[0])
    (tmp_path / "models" / "other.gguf").write_bytes(DEMO_MODEL.read_bytes())
    file = tmp_path / "data" / "models.toml"
    file.write_text(file.read_text().replace("guide-00001-of-00003.gguf", "other.gguf"))
    assert [(m.missing, m.broken) for m in again(tmp_path).models()[1:]] == [(False, True)]


@posix
@pytest.mark.parametrize("chosen", [0, 1])
def test_links_with_the_names_of_parts(library: Library, tmp_path: Path, parts: list[Path], chosen: int) -> None:
    # As in Hugging Face's cache: the files are named by their sums.
    links = tmp_path / "snapshot"
    links.mkdir()
    for number, part in enumerate(parts):
        (links / part.name).symlink_to(part.rename(part.with_name(f"sum{number}")))
    model = library.add(links / parts[chosen].name)
    assert (model.path, model.missing, model.broken) == (links / parts[0].name, False, False)
    assert [library.add(path) for path in links.iterdir()] == [model] * 3
    assert library.models()[1:] == (model,)


@posix
def test_a_link_of_another_name_to_a_part(library: Library, tmp_path: Path, parts: list[Path]) -> None:
    (tmp_path / "link.gguf").symlink_to(parts[2])
    assert library.add(tmp_path / "link.gguf").path == parts[0]


def test_a_model_without_a_name_has_its_files(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "nameless.gguf"
    path.write_bytes(DEMO_MODEL.read_bytes().replace(b"general.name", b"general.nome"))
    assert library.add(split_model(path, tmp_path, 2, name="Large")[1]).name == "Large"
