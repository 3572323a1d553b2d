"""What must hold for the committed files as a whole, and for what they pin."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import app

ROOT = Path(__file__).resolve().parents[2]
BINARY = {".gguf", ".png", ".ico", ".icns", ".ttf", ".otf", ".woff2", ".gif", ".jpg", ".webp", ".sqlite3"}
# Spelled in parts, so that this file does not hold what it forbids.
INDEX_ADDRESS = re.compile(
    "pypi" + r"\.org|files\.python" + r"hosted|registry\." + "npmjs|index-" + "url|find-" + "links"
)
HOME_PATH = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work)/" + r"[\w.-]+")


@cache
def committed_files() -> list[Path]:
    """The files of the repository; without git's own knowledge, all that lie outside of hidden folders."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        parts = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        return [ROOT / p for p in parts if not any(q.startswith(".") for q in p.parts) and (ROOT / p).is_file()]
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    """Every committed text with its path."""
    files = [path for path in committed_files() if path.suffix not in BINARY]
    return [(path, path.read_text(encoding="utf-8")) for path in files]


def found(pattern: re.Pattern[str]) -> list[str]:
    """Where a pattern stands in the committed texts."""
    return [f"{path.relative_to(ROOT)}: {match[0]}" for path, text in texts() for match in pattern.finditer(text)]


def test_the_listing_is_of_this_repository() -> None:
    assert ROOT / "pyproject.toml" in committed_files()


def test_no_file_names_a_package_index() -> None:
    assert found(INDEX_ADDRESS) == []


def test_no_file_holds_a_path_of_somebody_s_machine() -> None:
    assert found(HOME_PATH) == []


def test_no_package_shadows_pypi_s_packaging() -> None:
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_every_pinned_package_has_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        entries = re.split(r"\n(?=[A-Za-z0-9])", path.read_text(encoding="utf-8"))
        packages = [entry for entry in entries if not entry.startswith("#")]
        assert packages, path
        for entry in packages:
            assert "==" in entry, entry
            assert "--hash=sha256:" in entry, entry


def names_in(file: str) -> set[str]:
    """The packages that a requirements file pins."""
    text = (ROOT / "requirements" / file).read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))


def test_the_requirements_are_those_of_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[^\w.-]", requirement)[0].lower() for requirement in requirements}

    runtime = names(project["dependencies"]) - {"llama-cpp-python"}
    assert runtime <= names_in("runtime.txt")
    assert runtime | names(project["optional-dependencies"]["dev"]) <= names_in("development.txt")


def test_llama_cpp_s_own_needs_are_pinned_and_itself_is_not() -> None:
    assert {"numpy", "jinja2", "diskcache", "typing-extensions"} <= names_in("runtime.txt")
    assert "llama-cpp-python" not in names_in("runtime.txt") | names_in("development.txt")


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert app.__version__ == project["version"]


def imported_modules(path: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", ["app/domain", "scripts"])
def test_these_need_the_standard_library_only(package: str) -> None:
    allowed = set(sys.stdlib_module_names) | {"app", "scripts"}
    files = list((ROOT / package).rglob("*.py"))
    if package == "scripts":
        # The others run inside the environment.
        names = ("run", "test", "check", "lock", "build_llama", "environment", "steps", "system_packages")
        files = [ROOT / "scripts" / f"{name}.py" for name in names]
    assert files
    assert {str(path.relative_to(ROOT)): imported_modules(path) - allowed for path in files} == {
        str(path.relative_to(ROOT)): set[str]() for path in files
    }


@pytest.mark.parametrize("package", ["app/domain", "app/harmony"])
def test_these_do_no_input_or_output(package: str) -> None:
    forbidden = {"os", "io", "pathlib", "socket", "subprocess", "threading", "multiprocessing", "urllib", "http"}
    files = list((ROOT / package).rglob("*.py"))
    assert files
    assert [str(path) for path in files if imported_modules(path) & forbidden] == []


def test_pickle_is_never_used() -> None:
    files = list((ROOT / "app").rglob("*.py"))
    assert files
    assert [str(path) for path in files if imported_modules(path) & {"pickle", "marshal", "shelve", "dill"}] == []


# PySide6 6.12.0 steals a reference to None in each of these calls and aborts on Python 3.11 after some 5,000.
MANY_VOID_CALLS = """
from PySide6.QtCore import QObject
o = QObject()
for _ in range(20_000):
    o.setObjectName("x")
    o.blockSignals(False)
    o.deleteLater
    o.setParent(None)
print("alive")
"""


def test_this_pyside_survives_many_void_calls() -> None:
    result = subprocess.run(
        [sys.executable, "-c", MANY_VOID_CALLS], capture_output=True, text=True, check=False, timeout=120
    )
    assert (result.returncode, result.stdout) == (0, "alive\n"), result.stderr
