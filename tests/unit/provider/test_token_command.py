"""A token that expires: when its command is run, what it may print, and that nothing of it is shown."""

import io
import json
import shlex
import sys
import threading
import time
from pathlib import Path

import pytest

from reconciler.errors import OutcomeUnknown, Refused, UsageError
from reconciler.log import configure
from reconciler.provider.key import Secrets
from reconciler.provider.token_command import TokenCommand, command_of, entra_command, token_of
from tests.fakes.faulty import Reply, Request, reply
from tests.fakes.servers import CREATE, JOB, Wire, page

HOUR = 3600
# Prints what stands in the file `say`, a line on stderr, and keeps count of its runs.
PROGRAM = """
import pathlib, sys
here = pathlib.Path(sys.argv[1])
with (here / "runs").open("a") as runs: runs.write("x")
said = (here / "say").read_text()
number = str(len((here / "runs").read_text()))
sys.stdout.write(said.replace("N", number))
sys.stderr.write((here / "err").read_text().replace("N", number) if (here / "err").exists() else "")
sys.exit(int((here / "code").read_text()) if (here / "code").exists() else 0)
"""


class Minted:
    """A token command, what it prints, and how often it was run."""

    def __init__(self, here: Path, say: str = "token-number-N", seconds: float = 30.0) -> None:
        self.here = here
        self.now = 1_000_000_000.0
        self.say(say)
        self.secrets = Secrets()
        self.out = io.StringIO()
        log = configure(form="json", secrets=self.secrets, stream=self.out)
        command = [sys.executable, "-c", PROGRAM, str(here)]
        self.key = TokenCommand(command, self.secrets, log, seconds=seconds, now=lambda: self.now)

    def say(self, text: str, *, err: str = "", code: int = 0) -> None:
        for name, content in (("say", text), ("err", err), ("code", str(code))):
            (self.here / name).write_text(content)

    def expiring(self, seconds: float) -> str:
        return json.dumps({"token": "token-number-N", "expiresOn": self.now + seconds})

    @property
    def runs(self) -> int:
        runs = self.here / "runs"
        return len(runs.read_text()) if runs.exists() else 0

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.out.getvalue().splitlines()]


@pytest.fixture
def minted(tmp_path: Path) -> Minted:
    return Minted(tmp_path)


# ── when it is run ──


def test_it_is_run_once_for_each_pass(minted: Minted) -> None:
    assert minted.key.current() == "token-number-1", "what is needed at the start is had at once"
    for number in (1, 2, 3):
        minted.key.before_pass()
        assert [minted.key.current(), minted.key.held()] == [f"token-number-{number}"] * 2
    assert minted.runs == 3


def test_it_is_not_run_while_its_token_lasts(minted: Minted) -> None:
    minted.say(minted.expiring(HOUR))
    for after, number in ((0, 1), (HOUR - 301, 1), (HOUR - 300, 2)):
        minted.now = 1_000_000_000.0 + after
        minted.key.before_pass()
        assert minted.key.current() == f"token-number-{number}"
        minted.say(minted.expiring(HOUR))


def test_a_token_that_is_over_in_the_middle_of_a_pass_is_had_anew_for_a_read(minted: Minted) -> None:
    minted.say(minted.expiring(HOUR))
    minted.key.before_pass()
    minted.now += HOUR
    assert minted.key.held() == "token-number-1", "never for a write"
    assert minted.key.current() == "token-number-2"
    assert [minted.key.current(), minted.runs] == ["token-number-2", 2], (
        "not before each request where it is over at once"
    )


def test_it_is_run_once_after_a_401(minted: Minted) -> None:
    assert minted.key.current() == "token-number-1"
    assert minted.key.renewed("token-number-1") == "token-number-2"
    assert minted.key.renewed("token-number-1") == "token-number-2", "another thread that was refused the old one"
    assert minted.runs == 2


def by_token(request: Request) -> Reply:
    return reply({}, 401) if request.headers["authorization"].endswith("-1") else page("ftjob-1")


def test_a_pass_begins_with_a_token_that_lasts_and_a_401_renews_it(minted: Minted) -> None:
    with Wire(by_token, api_key=minted.key) as wire:
        wire.client.list_jobs()
        wire.client.list_jobs()
        sent = [request.headers["authorization"] for request in wire.server.requests]
    assert sent == ["Bearer token-number-1", "Bearer token-number-2", "Bearer token-number-2"]
    assert minted.runs == 2, "the token that followed the 401 serves the next pass"


def test_a_server_that_refuses_every_token_is_asked_twice(minted: Minted) -> None:
    with Wire(lambda _: reply({}, 401), api_key=minted.key) as wire:
        with pytest.raises(Refused):
            wire.client.list_jobs()
        assert len(wire.server.requests) == minted.runs == 2


@pytest.mark.parametrize("status", [401, 500])
def test_no_command_is_run_for_a_write(minted: Minted, status: int) -> None:
    with Wire(lambda _: reply({}, status), api_key=minted.key) as wire:
        with pytest.raises((Refused, OutcomeUnknown)):
            wire.client.create_job(CREATE)
        assert (len(wire.server.requests), minted.runs) == (1, 1)
        wire.server.answer = lambda _: reply(JOB)
        wire.client.retrieve_job("ftjob-1")
        assert wire.server.requests[-1].headers["authorization"] == f"Bearer token-number-{2 if status == 401 else 1}"


def test_a_write_goes_out_with_the_token_that_there_is(minted: Minted) -> None:
    minted.say(minted.expiring(HOUR))
    with Wire(lambda _: reply(JOB), api_key=minted.key) as wire:
        minted.now += HOUR
        wire.client.create_job(CREATE)
        assert minted.runs == 1
        wire.client.retrieve_job("ftjob-1")
        assert minted.runs == 2


def test_the_deadline_of_a_request_does_not_run_while_the_command_does(minted: Minted) -> None:
    with Wire(lambda _: page("ftjob-1"), api_key=minted.key, deadline=0.5) as wire:
        slow = minted.key._run

        def slowly() -> None:
            wire.clock.sleep(20)
            slow()

        minted.key._run = slowly  # type: ignore[method-assign]
        wire.client.list_jobs()
        wire.client.list_jobs()
    assert wire.clock.slept == [20]


def test_many_threads_run_it_once(minted: Minted) -> None:
    threads = [threading.Thread(target=minted.key.current) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert minted.runs == 1


# ── what it prints ──


@pytest.mark.parametrize(
    ("printed", "token", "expires"),
    [
        ("plain\n", "plain", None),
        ("  plain \r\n", "plain", None),
        ("Bearer plain\n", "plain", None),
        ('{"token": "t", "expiresOn": 1700000000}', "t", 1700000000),
        ('{"token": "t", "expiresOn": "2023-11-14T22:13:20Z"}', "t", 1700000000),
        ('{"token": "t", "expiresOn": "2023-11-14T23:13:20+01:00"}', "t", 1700000000),
        ('{"accessToken": "t", "expiresOn": "2023-11-14 09:13:20.000000", "expires_on": 1700000000}', "t", 1700000000),
        ('{"access_token": "t", "expires_in": 3599}', "t", None),
        ('{"token": "t"}', "t", None),
        ('{"token": "t", "expiresOn": "soon"}', "t", None),
        ('{"token": "t", "expiresOn": "1700000000000"}', "t", 1700000000),
    ],
)
def test_what_it_may_print(printed: str, token: str, expires: int | None) -> None:
    found = token_of(printed)
    assert (found.text, found.expires) == (token, expires)


def test_a_date_without_a_zone_is_local_time_as_az_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-5")
    time.tzset()
    try:
        assert token_of('{"accessToken": "t", "expiresOn": "2023-11-15 03:13:20.000000"}').expires == 1700000000
    finally:
        monkeypatch.undo()
        time.tzset()


SECRET = "eyJhbGciOiJub25l.eyJzZWNyZXQiOjF9.c2ln"


@pytest.mark.parametrize(
    ("said", "err", "code", "words"),
    [
        ("", "ERROR: Please run 'az login'\n", 1, "it ended with exit code 1; it says: ERROR: Please run 'az login'"),
        (SECRET, f"got {SECRET}\n", 3, "it ended with exit code 3; it says: got [redacted]"),
        ("opaque-secret-0123456789", "opaque-secret-0123456789 is bad", 1, "exit code 1; it says: [redacted] is bad"),
        ("", "key sk-0123456789abcdef, Bearer opaque", 1, "it says: key [redacted], Bearer [redacted]"),
        ("", "\x1b[31mred\x1b[0m", 1, r"it says: \x1b[31mred"),
        ("", "", 0, "it printed no token: it printed nothing"),
        ('{"secret": "s3cr3t"}', "", 0, "there is no token or accessToken or access_token in its JSON"),
        ("two words-of-a-secret", "", 0, "it printed no token: the key holds a space"),
        ("a\nb", "", 0, "it printed no token: it holds 2 lines"),
        ("[1]", "", 0, "it printed no token: it seems to be JSON"),
        ("x" * 70_000, "", 0, "more than 65536 bytes, which is no token"),
    ],
)
def test_a_command_that_prints_none_is_an_error_without_a_secret(
    minted: Minted, said: str, err: str, code: int, words: str
) -> None:
    minted.say(said, err=err, code=code)
    with pytest.raises(UsageError) as failed:
        minted.key.current()
    assert str(failed.value).startswith("--token-command: ")
    assert words in str(failed.value)
    for secret in ("eyJ", "opaque-secret", "sk-0123", "s3cr3t", "words-of", "\x1b"):
        assert secret not in str(failed.value)


def test_the_last_token_stays_while_the_command_fails(minted: Minted) -> None:
    assert minted.key.current() == "token-number-1"
    minted.key.before_pass()
    minted.say("", err="token-number-1 is over", code=1)
    minted.key.before_pass()
    minted.key.before_pass()
    assert minted.key.renewed("token-number-1") == "token-number-1"
    assert minted.events == ["key.unreadable"], "said once"
    assert "[redacted] is over; the key that was read before is used" in minted.out.getvalue()
    minted.say("token-number-N")
    minted.key.before_pass()
    assert minted.events == ["key.unreadable", "key.readable"]
    assert sorted(minted.secrets) == ["token-number-1", "token-number-5"], "every token ever held"


def test_every_token_ever_held_is_in_no_message(minted: Minted) -> None:
    def echo(request: Request) -> Reply:
        sent = request.headers["authorization"].removeprefix("Bearer ")
        return reply({"error": {"message": f"token-number-1, {sent}"}}, 401)

    with Wire(echo, api_key=minted.key) as wire, pytest.raises(Refused) as refused:
        wire.client.list_jobs()
    assert "[redacted], [redacted]" in str(refused.value)
    assert "token-number" not in repr(wire.records)


# ── what may go wrong with it ──


@pytest.mark.parametrize(
    "program",
    [
        "import time; time.sleep(600)",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])",
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])",
        "import sys\nwhile True: sys.stderr.write('x' * 9999)",
        "import os, time; os.close(1); os.close(2); time.sleep(600)",
    ],
    ids=["hangs", "its child hangs", "its child outlives it", "talks for ever", "closes its streams"],
)
def test_a_command_that_does_not_end_is_ended(program: str) -> None:
    log = configure(form="json", secrets=[], stream=io.StringIO())
    key = TokenCommand([sys.executable, "-c", program], Secrets(), log, seconds=0.5)
    began = time.monotonic()
    with pytest.raises(UsageError, match="it did not end within 0.5 s"):
        key.current()
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "--token-command: it is no program that can be found"),
        ("no-such-program-here --flag secret", "--token-command: no-such-program-here is no program that can be found"),
        ("'open", "--token-command: No closing quotation"),
    ],
)
def test_a_command_that_is_none_is_refused(given: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        command_of(given)
    assert str(refused.value) == words


def test_a_command_is_no_shells(tmp_path: Path) -> None:
    words = command_of(f"{shlex.quote(sys.executable)} -c 'a b' $(touch {tmp_path}/x) ; id")
    assert words[1:] == ["-c", "a b", "$(touch", f"{tmp_path}/x)", ";", "id"]


# ── Microsoft Entra ──

IDENTITY = """
class DefaultAzureCredential:
    def get_token(self, scope):
        from azure.core.exceptions import ClientAuthenticationError
        from types import SimpleNamespace
        if "cognitive" not in scope: raise ClientAuthenticationError("DefaultAzureCredential failed:\\n no identity")
        return SimpleNamespace(token="entra-for-" + scope, expires_on=1700000000)
"""
ERRORS = """
class ClientAuthenticationError(Exception):
    def __init__(self, message):
        self.message = message
"""


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("https://cognitiveservices.azure.com/.default", ""),
        (
            "https://elsewhere/.default",
            "it ended with exit code 1; it says: DefaultAzureCredential failed: no identity",
        ),
    ],
)
def test_a_token_of_entra_is_asked_for_its_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scope: str, said: str
) -> None:
    for name, source in (("identity", IDENTITY), ("core/exceptions", ERRORS)):
        module = tmp_path / "azure" / f"{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = configure(form="json", secrets=[], stream=io.StringIO())
    key = TokenCommand(entra_command(scope), Secrets(), log, flag="--entra")
    if not said:
        assert key.current() == f"entra-for-{scope}"
        return
    with pytest.raises(UsageError, match=f"^--entra: {said}"):
        key.current()


def test_without_azure_identity_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "azure.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = configure(form="json", secrets=[], stream=io.StringIO())
    with pytest.raises(UsageError, match=r"pip install 'finetune-reconciler\[azure\]'"):
        TokenCommand(entra_command("s"), Secrets(), log, flag="--entra").current()
