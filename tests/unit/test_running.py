"""What `run` is started with: an address that serves what was written, and a directory that is one."""

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from reconciler.cli.group import command_named
from reconciler.cli.running import listen_address
from reconciler.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8099", ("127.0.0.1", 8099)),
        ("localhost:8099", ("localhost", 8099)),
        ("0.0.0.0:8099", ("0.0.0.0", 8099)),
        ("[::1]:8099", ("::1", 8099)),
        ("[::]:8099", ("::", 8099)),
        ("8099", ("127.0.0.1", 8099)),
        ("0", ("127.0.0.1", 0)),
        (" 8099 ", ("127.0.0.1", 8099)),
    ],
)
def test_an_address_is_what_was_written_and_a_port_alone_is_for_this_machine(
    text: str, address: tuple[str, int]
) -> None:
    assert listen_address(text) == address


_EVERY = "write 127.0.0.1:8099, or 0.0.0.0:8099 to serve every address of this machine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (":8099", _EVERY),
        ("*:8099", _EVERY),
        ("[]:8099", _EVERY),
        ("::1:8099", r"an IPv6 address as \[::1\]:8099"),
        ("::8099", r"an IPv6 address as \[::1\]:8099"),
        ("http://127.0.0.1:8099", r"write it as 127\.0\.0\.1:8099"),
        ("127.0.0.1", r"write it as 127\.0\.0\.1:8080"),
        ("[::1]", r"write it as 127\.0\.0\.1:8080"),
        ("localhost:http", r"write it as 127\.0\.0\.1:8080"),
        ("127.0.0.1:65536", r"write it as 127\.0\.0\.1:8080"),
        ("127.0.0.1:-1", r"write it as 127\.0\.0\.1:8080"),
        ("127.0.0.1:٣", r"write it as 127\.0\.0\.1:8080"),
        ("", r"write it as 127\.0\.0\.1:8080"),
    ],
)
def test_an_address_that_serves_more_than_was_written_is_refused_with_what_to_write(text: str, why: str) -> None:
    with pytest.raises(click.UsageError, match=why):
        listen_address(text)


def _file(path: Path) -> Path:
    path.write_text("kind: Fleet\n")
    return path


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda root: root / "nowhere", "no such directory: .*/nowhere; run watches the directory that holds"),
        (lambda root: _file(root / "fleet.yaml"), "fleet.yaml is no directory; .*: reconciler run .*"),
        (lambda root: _file(root / "fleet.yaml") / "below", "no such directory: .*/fleet.yaml/below"),
        (lambda _: Path(os.devnull), "/dev/null is no directory"),
        (lambda root: root / ("x" * 300), r"it cannot be looked at \(file name too long\)"),
        (lambda root: root / "a\x1bb", r"no such directory: .*/a\\x1bb;"),
        (lambda root: root / "a\0b", r"it cannot be looked at \(embedded null"),
    ],
    ids=["missing", "a file", "below a file", "a device", "too long", "an escape", "a NUL"],
)
def test_a_path_that_is_no_directory_is_said_at_the_start(
    tmp_path: Path, make: Callable[[Path], Path], why: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(UsageError, match=why) as raised:
        command_named("run").main([str(path), "--state-dir", str(tmp_path / "state")], standalone_mode=False)
    assert raised.value.exit_code == 64
    assert not (tmp_path / "state").exists(), "nothing is made"
