"""Runs first in every Python that a test starts, because the tests put this folder on PYTHONPATH."""

import importlib.util
import pathlib

_path = pathlib.Path(__file__).resolve().parents[1] / "network.py"
_spec = importlib.util.spec_from_file_location("alcove_test_network_guard", _path)
assert _spec is not None
assert _spec.loader is not None
_guard = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_guard)
_guard.install()
