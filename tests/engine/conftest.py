"""A real child with the demo model, shared by the tests of one file that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.engine import Engine, started


@pytest.fixture(scope="module")
def demo() -> Iterator[Engine]:
    """An engine with the demo model in 8,192 tokens of context."""
    with started() as with_model:
        with_model.load()
        yield with_model


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine of the test's own, without a model."""
    with started() as own:
        yield own
