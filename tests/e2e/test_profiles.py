"""What the operator says of a server, from the command line to the wire; and that nothing secret of it is shown."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

import pytest

from tests.fakes.faulty import FaultyServer, Proxy, Reply, Request, reply
from tests.fakes.fleets import FleetDirectory
from tests.fakes.sandboxes import SharedSandbox
from tests.fakes.shell import Shell

SECRETS = {
    "OPENAI_API_KEY": "sk-the-key-itself",
    "X_TOKEN": "the-value-of-a-header",
    "X_BASIC": "Basic dGhlLXBhc3N3b3Jk",
}
ONCE = ("--settle", "0", "--first-run", "--yes")


@pytest.fixture
def fleet(tmp_path: Path) -> FleetDirectory:
    directory = FleetDirectory(tmp_path / "fleet")
    directory.fleet(provider="compatible")
    return directory


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: Shell, shared_sandbox: SharedSandbox
) -> Iterator[Proxy]:
    del shell  # it cleans the environment first
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with shared_sandbox.serving(tmp_path / "served", speed=1000) as sandbox, Proxy(sandbox.base_url) as proxy:
        monkeypatch.setenv("OPENAI_BASE_URL", proxy.base_url)
        yield proxy


def test_what_the_operator_adds_reaches_the_wire_from_flags_and_environment(
    shell: Shell, fleet: FleetDirectory, server: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("from-a-file\n")
    fleet.job("a")
    monkeypatch.setenv("RECONCILER_QUERY", "api-version=preview tenant=t")
    ran = shell("apply", fleet.root, *ONCE, "--header", "x-a=$X_TOKEN", "--header", f"x-b=@{tmp_path}/file")
    assert ran.code == 0, ran.err
    for request in server.requests:
        assert (request.headers["x-a"], request.headers["x-b"]) == (SECRETS["X_TOKEN"], "from-a-file")
        assert "api-version=preview&tenant=t" in request.path
    monkeypatch.setenv("RECONCILER_HEADER", f"x-a=$X_TOKEN x-b=@{tmp_path}/file")
    assert shell("plan", fleet.root, "--settle", "0").code == 0
    assert server.requests[-1].headers["x-b"] == "from-a-file"


def test_a_body_field_goes_with_every_create(shell: Shell, fleet: FleetDirectory, server: Proxy) -> None:
    fleet.job("a")
    ran = shell("apply", fleet.root, *ONCE, "--body", "tier=batch")
    assert "Unknown parameter: 'tier'" in ran.out, "which the sandbox does not know"
    assert [r.json["tier"] for r in server.requests if r.creates] == ["batch"]


def test_nothing_secret_stands_in_any_output_or_file(
    shell: Shell, fleet: FleetDirectory, server: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a-value-in-a-file")
    secrets = [*SECRETS.values(), "dGhlLXBhc3N3b3Jk", "a-value-in-a-file"]
    fleet.job("a")
    fleet.job("b", seed=1)
    server.fault = lambda request, was: (
        reply({"error": {"message": ", ".join(secrets), "code": secrets[1]}}, 400)
        if "/jobs" in request.path and request.method == "POST"
        else was
    )
    own = ("--header", "x-a=$X_TOKEN", "--header", "x-b=$X_BASIC", "--header", f"x-c=@{tmp_path}/file")
    said = [
        shell("plan", fleet.root, "-v", *own),
        shell("apply", fleet.root, *ONCE, "-v", *own),
        shell("apply", fleet.root, *ONCE, "--log-format", "json", *own),
        shell("status", fleet.root, *own),
        shell("describe", "a", "-d", fleet.root, "-o", "json", *own),
    ]
    assert said[1].code == 1
    assert "[redacted]" in said[1].out
    assert "--header 'x-a=$X_TOKEN'" in said[0].out, "the command to approve names where it is"
    kept = b"".join(path.read_bytes() for path in fleet.root.rglob("*") if path.is_file())
    for secret in secrets:
        assert secret not in "".join(ran.out + ran.err for ran in said)
        assert secret.encode() not in kept


QUERIES = {"code": "c0de/with+signs==", "api-key": "the-api-key-of-a-gateway", "sig": "a%2Fsignature%3D"}


@pytest.mark.parametrize("inherited", [False, True])
def test_what_is_secret_in_a_query_stands_in_no_output_or_file(
    shell: Shell, fleet: FleetDirectory, server: Proxy, monkeypatch: pytest.MonkeyPatch, inherited: bool
) -> None:
    pairs = [f"{name}={value}" for name, value in {"api-version": "preview", **QUERIES}.items()]
    own = [] if inherited else [word for pair in pairs for word in ("--query", pair)]
    if inherited:
        monkeypatch.setenv("RECONCILER_QUERY", " ".join(pairs))
    fleet.job("a")

    def echo(request: Request, was: Reply) -> Reply:
        return reply({"error": {"message": f"{request.path} {QUERIES}"}}, 400) if request.creates else was

    server.fault = echo
    said = [
        shell("plan", fleet.root, "-v", *own),
        shell("plan", fleet.root, "-o", "json", *own),
        shell("apply", fleet.root, *ONCE, "-v", *own),
        shell("apply", fleet.root, *ONCE, "--log-format", "json", *own),
        shell("status", fleet.root, *own),
        shell("describe", "a", "-d", fleet.root, "-o", "json", *own),
        shell("doctor", fleet.root, "-o", "json", *own),
    ]
    server.fault = lambda _request, _was: reply({}, 302, location=f"/elsewhere?code={QUERIES['code']}")
    said += [shell("plan", fleet.root, *own), shell("plan", fleet.root, "-o", "json", *own)]
    assert all("code=c0de" in request.path for request in server.requests)
    assert "api-version=preview" in said[0].out, "what is no secret is written out"
    spoken = "".join(ran.out + ran.err for ran in said)
    kept = b"".join(path.read_bytes() for path in fleet.root.rglob("*") if path.is_file())
    for secret in QUERIES.values():
        for spelt in (secret, quote(secret, safe=""), quote_plus(secret)):
            assert spelt not in spoken
            assert spelt.encode() not in kept


def test_what_is_secret_in_a_url_stands_in_no_output(
    shell: Shell, fleet: FleetDirectory, server: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [shell("plan", fleet.root, "--base-url", "https://user:a-pass-word@127.0.0.1:1/v1")]
    monkeypatch.setenv("HTTP_PROXY", "http://user:a-pass-word@127.0.0.1:1")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://models.example/v1")
    said += [shell("plan", fleet.root, "-v"), shell("doctor", fleet.root, "-o", "json", "--log-format", "json")]
    assert [ran.code for ran in said] == [64, 1, 1]
    assert "a-pass-word" not in "".join(ran.out + ran.err for ran in said)


def test_no_value_of_a_header_or_a_query_is_in_the_title_of_the_process(
    fleet: FleetDirectory, server: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.job("a")
    monkeypatch.setenv("RECONCILER_QUERY", f"code={QUERIES['code']}")
    hung: list[str] = []

    def look(request: Request, was: Reply) -> Reply:
        titles = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        hung.extend(title.decode(errors="replace") for title in titles if b"plan" in title)
        return was

    server.fault = look
    command = [sys.executable, "-m", "reconciler", "plan", str(fleet.root), "--header", "x-a=$X_TOKEN"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 3, "a first run has to be said"
    assert "--query 'code=[redacted]'" in ran.stdout
    assert any("x-a=$X_TOKEN" in title for title in hung)
    for secret in (SECRETS["X_TOKEN"], QUERIES["code"]):
        assert not any(secret in title for title in hung)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--header", "x-a=literal-secret"], "x-a: no value is given here"),
        (["--header", "literal-secret"], "write it as NAME=@FILE"),
        (["--header", "host=$X_TOKEN"], "--header host: this program sets it"),
        (["--header", "authorization=$X_BASIC"], "it comes from the key"),
        (["--header", "x-a=$NOWHERE"], "the environment variable NOWHERE is not set"),
        (["--header", "x-a=$X_TOKEN", "--header", "X-A=$X_BASIC"], "--header X-A is given twice"),
        (["--header", "x-a=$X_TOKEN", "--header", "x-a=$X_BASIC"], "--header x-a is given twice"),
        (["--query", "literal-secret"], "write it as NAME=VALUE"),
        (["--query", "a b=c"], "write it as NAME=VALUE"),
        (["--query", "limit=1"], "--query limit: this program sets it"),
        (["--body", "model=m"], "--body model: this program sets it"),
        (["--base-url", "http://x/v1?k=literal-secret"], "--query NAME=VALUE"),
        (["--base-url", "http://u:literal-secret@x/v1"], "must hold no user"),
        (["--api-key-file", "x", "--token-command", "y"], "--api-key-file and --token-command each name a key"),
        (["--entra", "--token-command", "y"], "--token-command and --entra each name a key"),
        (["--entra", "--auth", "api-key"], "never as api-key"),
        (["--entra"], "--entra goes with provider azure"),
        (["--auth", "basic"], "'basic' is not one of bearer, api-key"),
        (["--provider", "azure", "--base-url", "https://r.openai.azure.com/openai"], "--query api-version=2024-10-21"),
        (["--provider", "litellm", "--base-url", "http://p:4000"], "--query custom_llm_provider=openai"),
        (["--provider", "portkey", "--base-url", "http://p:8787/v1"], "x-portkey-provider=$PORTKEY_PROVIDER"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_what_is_refused_before_anything_is_sent(
    shell: Shell, fleet: FleetDirectory, server: Proxy, options: list[str], said: str
) -> None:
    ran = shell("plan", fleet.root, *options)
    assert (ran.code, ran.out) == (64, "")
    assert said in " ".join(ran.err.split())
    assert "literal-secret" not in ran.err
    assert server.requests == []


@pytest.mark.parametrize("field", ["headers", "query", "base_url", "auth", "token_command"])
def test_none_of_it_is_read_from_a_manifest(shell: Shell, fleet: FleetDirectory, server: Proxy, field: str) -> None:
    fleet.fleet(provider="compatible", **{field: "x"})
    ran = shell("plan", fleet.root)
    assert (ran.code, f"spec.{field}" in ran.out + ran.err) == (1, True)
    assert server.requests == []


# ── specs that a server would train as something else ──


def test_a_spec_that_the_native_route_would_strip_is_not_sent(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    fleet.job("a", method={"type": "dpo"})
    fleet.job("b", seed=1)
    native = ("--provider", "litellm", "--query", "custom_llm_provider=openai", "--settle", "0")
    plan = shell("plan", fleet.root, *native, "-o", "json").json
    a, b = plan["changes"]
    assert (a["action"], a["reason"], b["action"]) == ("wait", "CreateRejected", "create")
    assert a["message"].startswith("not sent: LiteLLM's native route drops method without a word")
    ran = shell("apply", fleet.root, *native, "--first-run", "--yes", "--wait", "--timeout", "1h")
    assert ran.code in {1, 6}, ran.out + ran.err
    assert [r.json["seed"] for r in server.requests if r.method == "POST" and "/jobs?" in r.path] == [1]
    assert "LiteLLM's native route drops method" in " ".join(ran.out.split())


# ── tokens that expire ──


def test_a_token_command_serves_a_whole_apply(
    shell: Shell, fleet: FleetDirectory, server: Proxy, tmp_path: Path
) -> None:
    program = tmp_path / "mint.py"
    program.write_text(
        "import json, pathlib, time\nruns = pathlib.Path(__file__).with_suffix('.runs')\n"
        "runs.open('a').write('x')\n"
        "print(json.dumps({'token': 'minted-token-%d' % len(runs.read_text()), 'expiresOn': time.time() + 3600}))"
    )
    fleet.job("a")
    command = ("--token-command", f"{shlex.quote(sys.executable)} {program}")
    refused: list[Request] = []

    def once(request: Request, was: Reply) -> Reply:
        if refused:
            return was
        refused.append(request)
        return reply({"error": {"message": f"over: {request.headers['authorization']}"}}, 401)

    server.fault = once
    ran = shell("apply", fleet.root, *ONCE, "-v", *command)
    assert ran.code == 0, ran.err
    assert [r.headers["authorization"] for r in server.requests[:2]] == [
        "Bearer minted-token-1",
        "Bearer minted-token-2",
    ]
    assert {r.headers["authorization"] for r in server.requests[1:]} == {"Bearer minted-token-2"}
    assert len(program.with_suffix(".runs").read_text()) == 2
    assert "minted-token" not in ran.out + ran.err
    assert SECRETS["OPENAI_API_KEY"] not in json.dumps([r.headers for r in server.requests])


def test_a_token_command_that_fails_ends_the_command_before_anything_is_sent(
    shell: Shell, fleet: FleetDirectory, server: Proxy
) -> None:
    ran = shell("plan", fleet.root, "--token-command", "sh -c 'echo please log in >&2; exit 3'")
    assert ran.code == 64
    assert "--token-command: it ended with exit code 3; it says: please log in" in ran.err
    assert server.requests == []


# ── no other origin ──


@pytest.mark.parametrize("status", [200, 201, 301, 302, 307, 308])
def test_nothing_is_asked_of_a_server_that_the_operator_did_not_name(
    shell: Shell, fleet: FleetDirectory, server: Proxy, status: int
) -> None:
    """Azure answers a create with 201 and a `Location` on another host and version."""
    fleet.job("a")
    with FaultyServer(lambda _: reply({})) as other:

        def elsewhere(_request: Request, was: Reply) -> Reply:
            to = {**was.headers, "location": f"{other.base_url}/fine_tuning/jobs/ftjob-1?api-version=1"}
            moved = status if status > 299 or _request.method == "POST" else was.status
            return Reply(moved, was.body, {**to, "operation-location": to["location"]})

        server.fault = elsewhere
        ran = shell("apply", fleet.root, *ONCE)
        assert other.requests == []
    assert ran.code == (0 if status < 300 else 1), ran.err
    assert {urlsplit(r.path).netloc for r in server.requests} == {""}
