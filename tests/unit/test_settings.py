"""What the operator says: where memory is kept, which base URLs and keys are taken, and which are refused."""

import errno
import os
import socket
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.errors import UsageError
from reconciler.log import configure
from reconciler.provider.key import Key, KeyFile, Secrets, key_of_environment, read_key
from reconciler.provider.profile import Account
from reconciler.settings import Settings, account_of


def test_memory_does_not_move_away_at_a_trouble_of_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, **_: object) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", broken)
        with pytest.raises(UsageError, match="Input/output error.*--state-dir"):
            _ = Settings(root=tmp_path).state_directory


def test_memory_is_kept_in_the_fleet_directory(tmp_path: Path) -> None:
    assert Settings(root=tmp_path).state_directory == tmp_path / ".reconciler"
    assert Settings(root=tmp_path, state_dir=Path("/x")).state_directory == Path("/x")


def test_a_volume_that_a_tool_swaps_keeps_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    root = tmp_path / "fleet"
    (root / "..1").mkdir(parents=True)
    (root / "..data").symlink_to("..1")
    kept = Settings(root=root).state_directory
    assert kept.parent == tmp_path / "home" / "reconciler"
    assert kept.name.startswith("fleet-")
    assert Settings(root=root).state_directory == kept, "the same at every run"


def test_a_read_only_directory_keeps_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert Settings(root=tmp_path).state_directory != tmp_path / ".reconciler"


def test_a_user_without_a_home_is_told_what_to_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(UsageError, match="say --state-dir"):
        _ = Settings(root=tmp_path).state_directory


KEY = "sk-a-key-that-must-appear-nowhere"
HERE = Settings(root=Path(), provider=ProviderName.COMPATIBLE, base_url="http://x/v1")


def place(settings: Settings, environment: Mapping[str, str]) -> Account:
    """Where requests would go."""
    key = Key(partial(key_of_environment, environment))
    if settings.api_key_file is not None:
        key = KeyFile(settings.api_key_file, Secrets(), configure(form="json", secrets=[]))
    return account_of(settings, Fleet("f"), environment, key)


def key_in(path: Path, **environment: str) -> str:
    """The key that is taken with ``--api-key-file``."""
    return place(replace(HERE, api_key_file=path), environment).key.current()


# What dotenv files, `docker --env-file`, mounted secrets and copying leave around a value.
AROUND = {
    "as it is": "{}",
    "a line end": "{}\n",
    "CRLF": "{}\r\n",
    "CR": "{}\r",
    "several line ends": "\n\n{}\n\r\n\n",
    "spaces": " \t{} \t",
    "a no-break space": "\u00a0{}\u202f",
    "a BOM": "\ufeff{}",
    "no width": "\u200b{}\u2060\ufeff",
    "double quotes": '"{}"',
    "single quotes": "'{}'",
    "quotes and spaces": " ' {} ' \n",
    "a BOM before quotes": '\ufeff"{}"\r\n',
}
around = pytest.mark.parametrize("form", AROUND.values(), ids=AROUND.keys())


@around
def test_what_stands_around_a_value_is_no_part_of_it(form: str, tmp_path: Path) -> None:
    names = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
    values = (KEY, "http://y:1/v1/", "org-1", "proj-1")
    environment = {name: form.format(value) for name, value in zip(names, values, strict=True)}
    where = place(replace(HERE, base_url=None), environment)
    assert (where.key.current(), where.base_url) == (KEY, "http://y:1/v1")
    assert (where.organization, where.project) == ("org-1", "proj-1")
    assert place(replace(HERE, base_url=form.format("http://z/v1")), {}).base_url == "http://z/v1"
    (tmp_path / "key").write_bytes(form.format(KEY).encode())
    assert key_in(tmp_path / "key", OPENAI_API_KEY="sk-another") == KEY


@pytest.mark.parametrize(
    "form", ["Bearer {}", "bearer  {}\n", '"Bearer {}"', 'Bearer "{}"', "Authorization: Bearer {}"]
)
def test_a_key_may_come_with_its_scheme(form: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(form.format(KEY))
    assert key_in(tmp_path / "key") == KEY
    assert place(HERE, {"OPENAI_API_KEY": form.format(KEY)}).key.current() == KEY


def test_a_key_that_only_looks_like_a_scheme_or_an_assignment_stays_whole() -> None:
    for key in ("bearer-of-news", "sk-bearer", "QUJDS0VZ=", "abcKEY==", "sk:a=b", "it's"):
        assert place(HERE, {"OPENAI_API_KEY": key}).key.current() == key


NOTHING = ["", " ", "\n", '""', "' '", "Bearer", 'Bearer ""', "\ufeff", "\u00a0\r\n"]


@pytest.mark.parametrize("nothing", NOTHING)
def test_what_holds_nothing_is_unset_in_the_environment_and_an_error_in_a_file(nothing: str, tmp_path: Path) -> None:
    assert place(HERE, {"OPENAI_API_KEY": nothing}).key.current() == ""
    with pytest.raises(UsageError, match="needs a key"):
        place(Settings(root=Path(), provider=ProviderName.OPENAI), {"OPENAI_API_KEY": nothing})
    (tmp_path / "key").write_text(nothing)
    with pytest.raises(UsageError, match=r"--api-key-file .*/key: it holds no key"):
        key_in(tmp_path / "key", OPENAI_API_KEY=KEY)


@pytest.mark.parametrize("nothing", ["", " ", "\n", '""', "\ufeff"])
def test_a_base_url_of_nothing_is_none(nothing: str) -> None:
    unset = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": nothing, "OPENAI_ORG_ID": nothing, "OPENAI_PROJECT_ID": nothing}
    openai = Settings(root=Path(), provider=ProviderName.OPENAI, base_url=nothing)
    where = place(openai, unset)
    assert (where.base_url, where.organization, where.project) == ("https://api.openai.com/v1", "", "")
    with pytest.raises(UsageError, match="needs a base URL"):
        place(replace(openai, provider=ProviderName.AZURE), unset)
    assert place(replace(openai, provider=ProviderName.SANDBOX), unset).host == "sandbox"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (KEY.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + KEY.encode("utf-16-be"), "UTF-16"),
        (KEY.encode("utf-16-le"), "UTF-16 or no text"),
        (KEY.encode("utf-32"), "UTF-16"),
        (f"{KEY}\0".encode(), "UTF-16 or no text"),
        (KEY.encode() + b"\xe9", "not UTF-8"),
        (f"{KEY}\n{KEY}\n".encode(), "2 lines"),
        (f"# mine\n\n{KEY}\n".encode(), "3 lines"),
        (f"OPENAI_API_KEY={KEY}\n".encode(), "an assignment"),
        (f"export OPENAI_API_KEY='{KEY}'\nOPENAI_ORG_ID=o\n".encode(), "an assignment"),
        (f"api_key: {KEY}\n".encode(), "an assignment"),
        (f'{{"api_key": "{KEY}"}}'.encode(), "JSON"),
        (f'{{\n  "api_key": "{KEY}"\n}}'.encode(), "JSON"),
        (b"${OPENAI_API_KEY}", "a template"),
        (b"${{ secrets.OPENAI_API_KEY }}\n", "a template"),
        (b"$OPENAI_API_KEY", "a template"),
        (f"'{KEY}".encode(), "quotation mark"),
        (f"\"{KEY}'".encode(), "quotation mark"),
        (f"{KEY} {KEY}".encode(), "a space"),
        (f"\u201c{KEY}\u201d".encode(), "a space or a character"),
        (f"{KEY}\x1b".encode(), "a space or a character"),
        (KEY.encode() * 2000, "more than 65536 bytes"),
    ],
)
def test_a_key_that_is_none_is_refused_with_what_it_seems_to_be(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError) as refused:
        key_in(tmp_path / "key")
    assert words in str(refused.value)
    assert KEY not in str(refused.value)
    assert refused.value.__suppress_context__, "a traceback shows nothing either"


def test_a_key_of_the_environment_that_is_none_is_refused_by_its_name() -> None:
    with pytest.raises(UsageError, match="^OPENAI_API_KEY: it holds 2 lines"):
        place(HERE, {"OPENAI_API_KEY": f"{KEY}\n{KEY}"})


def test_a_key_file_that_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for path, words in [
        (tmp_path / "fifo", "it is no regular file"),
        (tmp_path / "dir", "it is a directory"),
        (Path(), "it is a directory"),
        (Path("/dev/null"), "it is no regular file"),
        (tmp_path / "socket", "no such device"),
        (tmp_path / "dangling", "no such file"),
        (tmp_path / "nowhere", "no such file"),
        (Path("a\0b"), "embedded null byte"),
    ]:
        with pytest.raises(UsageError, match=f"^--api-key-file .*: {words}"):
            key_in(path, OPENAI_API_KEY=KEY)


@pytest.mark.parametrize("slip", [KEY, "0123456789abcdef" * 2, "eyJhbGciOiJ.eyJzdWIiOiIx." + "x" * 300])
def test_a_key_that_was_given_for_a_path_is_not_shown(slip: str) -> None:
    with pytest.raises(UsageError, match="takes a file's name") as refused:
        key_in(Path(slip))
    assert slip not in str(refused.value)


def test_a_shells_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe:  # noqa: PTH123 - a descriptor
            for part in (KEY[:3], KEY[3:], "\n"):
                pipe.write(part.encode())
                pipe.flush()

    writer = threading.Thread(target=write)
    try:
        writer.start()
        assert key_in(Path(f"/dev/fd/{reading}")) == KEY
    finally:
        writer.join()
        os.close(reading)


def test_a_pipe_that_does_not_end_is_not_waited_for_for_ever() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, KEY.encode())
        with pytest.raises(UsageError, match="the pipe did not end within 0 s"):
            read_key(Path(f"/dev/fd/{reading}"), patience=0)
    finally:
        os.close(writing)
        os.close(reading)


@pytest.mark.parametrize(
    "url",
    [
        'http://x/v1"',
        "<http://x/v1>",
        "OPENAI_BASE_URL=http://x/v1",
        "http://[::1]]/v1",
        "http://x y/v1",
        "http://x\u00e9/v1",
        "http://x/\x7f",
    ],
)
def test_a_base_url_that_could_be_misread_is_refused_without_being_shown(url: str) -> None:
    settings = Settings(root=Path(), provider=ProviderName.COMPATIBLE, base_url=url)
    with pytest.raises(UsageError) as refused:
        place(settings, {})
    assert url not in str(refused.value)
