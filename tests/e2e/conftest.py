"""What the tests of commands share."""

import os

import pytest

from tests.fakes.shell import Shell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs commands in this process; nothing of this environment speaks to them."""
    for name in os.environ:
        if name.startswith(("OPENAI_", "RECONCILER_")):
            monkeypatch.delenv(name)
    return Shell(capsys)
