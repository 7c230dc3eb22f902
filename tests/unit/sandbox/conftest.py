from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .builders import Api, an_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with an_api(tmp_path) as api:
        yield api
