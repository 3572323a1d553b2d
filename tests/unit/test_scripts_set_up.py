"""scripts/environment.py, run.py, test.py and lock.py: when something has to be done, and what is then
started.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts import environment, lock, run, test
from scripts.steps import SetUpError
from scripts.steps import run as run_step

PYPROJECT: dict[str, Any] = {"project": {"name": "alcove"}, "tool": {"uv": {"a": 1}, "ruff": {"line-length": 110}}}


def fingerprint(tmp_path: Path, **changes: Any) -> str:
    """A fingerprint of one requirements file and PYPROJECT, with changes."""
    file = tmp_path / "runtime.txt"
    file.write_text(changes.get("text", "a==1"))
    return environment.fingerprint(
        [file],
        PYPROJECT | changes.get("pyproject", {}),
        changes.get("interpreter", "3.11.2"),
        changes.get("extras", ["linux", "cpu"]),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "a==2"},
        {"pyproject": {"project": {"name": "other"}}},
        {"pyproject": {"build-system": {"requires": []}}},
        {"pyproject": {"tool": {"uv": {"a": 2}}}},
        {"interpreter": "3.12.1"},
        {"extras": ["linux", "cuda"]},
    ],
    ids=str,
)
def test_what_decides_about_the_environment_changes_its_fingerprint(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert fingerprint(tmp_path, **changes) != fingerprint(tmp_path)


def test_a_lint_rule_does_not(tmp_path: Path) -> None:
    changed = {"tool": {"uv": {"a": 1}, "ruff": {"line-length": 100}}}
    assert fingerprint(tmp_path, pyproject=changed) == fingerprint(tmp_path)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("home = x\nversion = 3.11.2\n", "3.11.2"),
        ("home = x\nversion_info = 3.12.1\n", "3.12.1"),
        ("home = x\n", ""),
        (None, ""),
    ],
)
def test_the_environment_s_python_is_read(tmp_path: Path, text: str | None, version: str) -> None:
    if text is not None:
        (tmp_path / "pyvenv.cfg").write_text(text)
    assert environment.interpreter_version(tmp_path) == version


def test_stamps_are_kept_beside_each_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp.json")
    assert environment.read_stamps() == {}
    environment.write_stamp("runtime", "1")
    environment.write_stamp("llama", "2")
    assert environment.read_stamps() == {"runtime": "1", "llama": "2"}
    (tmp_path / "stamp.json").write_text("{")
    assert environment.read_stamps() == {}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the steps that a set-up takes, which are not really taken."""
    taken: list[str] = []
    python = tmp_path / "bin" / "python"
    monkeypatch.setattr(environment, "STAMP", tmp_path / "stamp.json")
    monkeypatch.setattr(environment, "tool", lambda name: tmp_path / "bin" / name)

    def take(name: str) -> Any:
        def step(*_arguments: object, **_options: object) -> None:
            taken.append(name)
            if name == "make_venv":
                python.parent.mkdir()
                python.touch()

        return step

    for name in ("make_venv", "install_uv", "install_requirements", "install_project", "install_llama"):
        monkeypatch.setattr(environment, name, take(name))
    monkeypatch.setattr(environment.system_packages, "install_missing", take("install_missing"))
    monkeypatch.setattr(environment.build_needs, "require", lambda _backend: None)
    monkeypatch.setattr(environment.build_needs, "cuda_lacks", lambda: ["nvcc"])
    return taken


ALL_STEPS = [
    "install_missing",
    "make_venv",
    "install_uv",
    "install_requirements",
    "install_project",
    "install_llama",
]


def test_the_first_run_does_everything_and_the_second_nothing(steps: list[str]) -> None:
    environment.set_up(development=False)
    assert steps == ALL_STEPS
    steps.clear()
    environment.set_up(development=False)
    assert steps == []


def test_tests_need_more_than_the_program_and_the_program_nothing_more_than_tests(steps: list[str]) -> None:
    environment.set_up(development=False)
    steps.clear()
    environment.set_up(development=True)
    assert "install_requirements" in steps
    steps.clear()
    environment.set_up(development=False)
    assert steps == []


def test_another_backend_is_set_up(steps: list[str]) -> None:
    environment.set_up(development=False, backend="cpu")
    steps.clear()
    environment.set_up(development=False, backend="vulkan")
    assert "install_llama" in steps


def test_a_backend_that_was_asked_for_stays_until_another_is(steps: list[str]) -> None:
    environment.set_up(development=False, backend="vulkan")
    steps.clear()
    environment.set_up(development=False)
    assert steps == []
    environment.set_up(development=False, backend="cpu")
    steps.clear()
    environment.set_up(development=False)
    assert steps == []
    assert environment.chosen_backend() == "cpu"


def test_what_cannot_be_compiled_is_said_before_anything_is_done(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(backend: str) -> None:
        raise SetUpError(f"no {backend} here")

    monkeypatch.setattr(environment.build_needs, "require", refuse)
    monkeypatch.setattr(environment.build_llama, "cached_wheel", lambda _recipe: None)
    with pytest.raises(SetUpError, match="no cuda here"):
        environment.set_up(development=False, backend="cuda")
    assert steps == []


@pytest.mark.parametrize(
    ("backend", "lacking", "offered"), [("cpu", [], True), ("cuda", [], False), ("cpu", ["cuBLAS"], False)]
)
def test_cuda_is_offered_where_its_compiler_is(
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    backend: str,
    lacking: list[str],
    offered: bool,
) -> None:
    monkeypatch.setattr(environment.build_needs, "cuda_lacks", lambda: lacking)
    environment.set_up(development=False, backend=backend)
    assert ("--backend cuda" in capsys.readouterr().err) is offered


def test_a_display_that_was_not_there_before_is_set_up_once(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    environment.set_up(development=False)
    steps.clear()
    monkeypatch.setenv("DISPLAY", ":0")
    environment.set_up(development=False)
    assert "install_missing" in steps
    steps.clear()
    environment.set_up(development=False)
    monkeypatch.delenv("DISPLAY")
    environment.set_up(development=False)
    assert steps == []


def test_another_uv_is_installed(steps: list[str], tmp_path: Path) -> None:
    environment.set_up(development=False)
    environment.tool("uv").touch()
    environment.write_stamp("runtime", "old")
    steps.clear()
    environment.set_up(development=False)
    assert "install_uv" not in steps
    environment.write_stamp("runtime", "old")
    environment.write_stamp("uv", "old")
    environment.set_up(development=False)
    assert "install_uv" in steps


def test_an_old_python_is_refused_in_words(tmp_path: Path) -> None:
    program = "import sys; sys.version_info = (3, 9, 1); import scripts"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=environment.ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == "Alcove needs Python 3.11 or later; this is 3.9.1.\n"


def test_a_step_that_fails_names_its_command() -> None:
    with pytest.raises(SetUpError, match=r"exit status 3.*raise SystemExit\(3\)"):
        run_step([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(SetUpError, match="no-such-program could not be started"):
        run_step(["no-such-program"])


@pytest.mark.parametrize(
    ("arguments", "own", "passed"),
    [
        ([], [], []),
        (["--setup-only"], ["--setup-only"], []),
        (["--", "ask", "a -- b", "--"], [], ["ask", "a -- b", "--"]),
        (["--backend", "cpu", "--", "--smoke-test"], ["--backend", "cpu"], ["--smoke-test"]),
    ],
)
def test_what_stands_after_the_dashes_is_for_the_program(
    arguments: list[str], own: list[str], passed: list[str]
) -> None:
    assert run.split_arguments(arguments) == (own, passed)


def test_a_failed_set_up_is_one_clear_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(**_: object) -> None:
        raise SetUpError("There is no compiler.")

    monkeypatch.setattr(environment, "set_up", fail)
    assert run.main(["--setup-only"]) == 1
    assert test.main([]) == 1
    captured = capsys.readouterr()
    assert captured.err == "There is no compiler.\n" * 2
    assert captured.out == ""


def test_a_whole_run_measures_coverage_and_a_part_does_not() -> None:
    assert test.pytest_command(everything=False, passed=[])[1:] == ["-m", "pytest", "-p", "tests.support.coverage_bar"]
    assert test.pytest_command(everything=True, passed=[])[3:5] == ["-m", ""]
    assert test.pytest_command(everything=False, passed=["-k", "x"])[1:] == ["-m", "pytest", "-k", "x"]


def test_requirements_are_pinned_with_hashes_for_every_system() -> None:
    command = lock.compile_command(Path("uv"), "runtime.txt", ["pyproject.toml"], "--upgrade")
    assert {"--universal", "--generate-hashes", "--upgrade"} < set(command)
    assert command[-1] == "pyproject.toml"
