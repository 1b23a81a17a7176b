"""What the tests of what users register share."""

from collections.abc import Iterator

import pytest
from registrations import forgotten


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Let each test begin without the operators of another."""
    with forgotten():
        yield
