"""What holds for every test: nothing is left behind, nothing leaves this machine, nobody's profile is
touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import leaks, network

CHILD_GUARD = Path(__file__).parent / "support" / "child"

if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# Python programs that tests start refuse outside connections too.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CHILD_GUARD), os.environ.get("PYTHONPATH")]))
network.install()

# A shared machine is slow at times, and a suite that is red by chance is read by nobody: the everyday
# examples are the same each time. ALCOVE_HYPOTHESIS=search looks for new ones.
hypothesis.settings.register_profile(
    "everyday",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "search",
    deadline=None,
    max_examples=2000,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile(os.environ.get("ALCOVE_HYPOTHESIS", "everyday"))


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_the_session() -> Iterator[None]:
    """Processes and threads of fixtures that serve several tests end too."""
    before = leaks.snapshot()
    yield
    left = [*leaks.leaked_threads(before), *leaks.leaked_children(before)]
    assert not left, f"left behind by the whole session: {', '.join(left)}"


@pytest.fixture(autouse=True)
def _nothing_left_behind(_nothing_outlives_the_session: None) -> Iterator[None]:
    """Each test ends its threads and processes and deletes its windows."""
    before = leaks.snapshot()
    yield
    left = leaks.leaks(before)
    assert not left, f"left behind by this test: {', '.join(left)}"


@pytest.fixture(autouse=True)
def _own_profile(
    _nothing_left_behind: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A profile folder of its own, also for the programs that the test starts."""
    monkeypatch.setenv("ALCOVE_PROFILE_DIR", str(tmp_path_factory.mktemp("profile")))
