"""scripts/system_packages.py: what is missing, what it is called, how it is installed or asked for."""

from __future__ import annotations

import sys

import pytest

from scripts import system_packages
from scripts.steps import SetUpError
from scripts.system_packages import COMPILER, ENGINE, FONT, MANAGERS, QT, VENV, X11

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="root and sudo are POSIX's")


def names_missing(*, display: bool, present: set[str], font: bool = True) -> list[str]:
    """The names of what is missing where only some libraries are there."""
    needs = system_packages.missing_needs(
        venv=False, compiler=False, display=display, library=present.__contains__, font=lambda: font
    )
    return [need.name for need in needs]


ALL_LIBRARIES = {need.name for need in (*QT, *ENGINE, *X11)}


def test_nothing_is_missing_where_all_is_there() -> None:
    assert names_missing(display=True, present=ALL_LIBRARIES) == []


def test_each_missing_library_is_named() -> None:
    for library in ALL_LIBRARIES:
        assert names_missing(display=True, present=ALL_LIBRARIES - {library}) == [library]


def test_the_libraries_of_a_window_count_only_with_a_display() -> None:
    assert names_missing(display=False, present={need.name for need in (*QT, *ENGINE)}) == []
    assert names_missing(display=True, present={need.name for need in (*QT, *ENGINE)}) == [need.name for need in X11]


def test_a_font_is_needed() -> None:
    assert names_missing(display=False, present=ALL_LIBRARIES, font=False) == ["a font"]


def test_compiler_and_venv_are_asked_for_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "has_compiler", lambda: False)
    monkeypatch.setattr(system_packages, "has_venv", lambda: False)

    def missing(venv: bool, compiler: bool) -> list[system_packages.Need]:
        return system_packages.missing_needs(
            venv=venv, compiler=compiler, display=False, library=lambda _: True, font=lambda: True
        )

    assert missing(False, False) == []
    assert missing(False, True) == [COMPILER]
    assert missing(True, False) == [VENV]


@pytest.mark.parametrize(
    ("found", "expected"), [({"dnf"}, "dnf"), ({"pacman", "apt-get"}, "apt-get"), (set[str](), None)]
)
def test_the_package_manager_is_found(found: set[str], expected: str | None) -> None:
    assert system_packages.package_manager(lambda name: name if name in found else None) == expected


@pytest.mark.parametrize("manager", MANAGERS)
def test_every_need_has_a_package_everywhere(manager: str) -> None:
    needs = [*QT, *ENGINE, *X11, FONT, COMPILER, VENV]
    packages = system_packages.packages_for(needs, manager)
    assert all(packages)
    assert len(packages) == len(set(packages))
    commands = system_packages.install_commands(manager, packages)
    assert commands[-1][-len(packages) :] == packages
    assert all(manager in command for command in commands)


@needs_posix
def test_without_root_and_sudo_the_exact_command_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_packages, "missing_needs", lambda **_: [QT[0], COMPILER])
    monkeypatch.setattr(system_packages, "package_manager", lambda: "apt-get")
    monkeypatch.setattr(system_packages, "as_root", lambda: None)
    with pytest.raises(SetUpError) as error:
        system_packages.install_missing(venv=False, compiler=True)
    assert "libGL.so.1, a C++ compiler" in str(error.value)
    apt_get = "sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq"
    assert f"{apt_get} update && {apt_get} install -y" in str(error.value)
    assert str(error.value).rstrip().endswith("libgl1 g++")


@needs_posix
def test_as_root_the_packages_are_named_then_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []
    installed = [[QT[0]], []]
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_packages, "missing_needs", lambda **_: installed.pop(0))
    monkeypatch.setattr(system_packages, "package_manager", lambda: "dnf")
    monkeypatch.setattr(system_packages, "as_root", lambda: ["sudo"])
    monkeypatch.setattr(system_packages, "run", commands.append)
    system_packages.install_missing(venv=False, compiler=False)
    assert commands == [["sudo", "dnf", "install", "-y", "libglvnd-glx"]]
    assert "dnf install -y libglvnd-glx" in capsys.readouterr().err


@needs_posix
def test_a_library_that_is_still_missing_afterwards_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_packages, "missing_needs", lambda **_: [QT[1]])
    monkeypatch.setattr(system_packages, "package_manager", lambda: "pacman")
    monkeypatch.setattr(system_packages, "as_root", list[str])
    monkeypatch.setattr(system_packages, "run", lambda _: None)
    with pytest.raises(SetUpError, match=r"still lacks libEGL\.so\.1"):
        system_packages.install_missing(venv=False, compiler=False)


@needs_posix
def test_an_unknown_system_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(system_packages, "missing_needs", lambda **_: [FONT])
    monkeypatch.setattr(system_packages, "package_manager", lambda: None)
    with pytest.raises(SetUpError, match="lacks a font"):
        system_packages.install_missing(venv=False, compiler=False)


@pytest.mark.skipif(sys.platform != "linux", reason="the dynamic loader of Linux is asked")
def test_the_loader_is_asked() -> None:
    assert system_packages.has_library("libc.so.6")
    assert not system_packages.has_library("libnosuchthing.so.9")
