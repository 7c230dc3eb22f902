"""The operations of the port: ids as they are, and a value or an error of ours whatever the server answers."""

from collections.abc import Callable, Iterator
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.job import Marks
from reconciler.errors import OutcomeUnknown, ProviderError, Refused, Unreadable
from reconciler.provider.profile import Assumed
from tests.fakes.faulty import HANG, Reply, Request, reply
from tests.fakes.servers import CREATE, JOB, Wire, an_upload, caught, page
from tests.fakes.strategies import bodies, headers, statuses


@pytest.mark.parametrize("status", [200, 201])
def test_a_created_job(status: int) -> None:
    with Wire(lambda _: reply(JOB, status)) as wire:
        job = wire.client.create_job(CREATE)
        assert wire.server.requests[0].json == CREATE
    assert (job.id, job.status) == ("ftjob-1", "running")
    assert job.marks == Marks("f", "a", "0" * 16, 1)


def test_a_cancel_is_sent_once() -> None:
    with Wire(lambda _: HANG, deadline=0.4) as wire:
        with pytest.raises(OutcomeUnknown):
            wire.client.cancel_job("ftjob-1")
        assert [(r.method, r.path) for r in wire.server.requests] == [("POST", "/v1/fine_tuning/jobs/ftjob-1/cancel")]
    with Wire(lambda _: Reply(200, b"whatever")) as wire:
        wire.client.cancel_job("ftjob-1")


def test_an_answer_about_another_job_is_no_answer() -> None:
    with Wire(lambda _: reply({"id": "ftjob-2"})) as wire, pytest.raises(Unreadable, match="ftjob-2"):
        wire.client.retrieve_job("ftjob-1")


def test_an_operators_status_words_reach_every_job() -> None:
    told = {**JOB, "status": "Finished", "data": [{**JOB, "status": "FINISHED"}], "has_more": False}
    with Wire(lambda _: reply(told), assumed=Assumed(words={"finished": "succeeded"})) as wire:
        jobs = [wire.client.create_job(CREATE), *wire.client.list_jobs(), wire.client.retrieve_job("ftjob-1")]
    assert [job.status for job in jobs] == ["succeeded"] * 3


def test_events_stop_when_there_are_enough() -> None:
    def answer(request: Request) -> Reply:
        assert "limit=2" in request.path
        return page("e1", "e2", has_more=True)

    with Wire(answer) as wire:
        assert [e.id for e in wire.client.list_events("ftjob-1", limit=2)] == ["e1", "e2"]
        assert len(wire.server.requests) == 1


def test_checkpoints() -> None:
    with Wire(lambda _: page("c2", "c1", step_number=5)) as wire:
        assert [(c.id, c.step) for c in wire.client.list_checkpoints("ftjob-1")] == [("c2", 5), ("c1", 5)]
        assert wire.server.requests[0].path.startswith("/v1/fine_tuning/jobs/ftjob-1/checkpoints?")


CALLS = ["retrieve_job", "cancel_job", "list_events", "list_checkpoints", "wait_for_file"]


ODD_IDS = {
    ".": "%2E",
    "..": "%2E%2E",
    "...": "...",
    "a/b": "a%2Fb",
    "../files/x": "%2E%2E%2Ffiles%2Fx",
    "a/../../x": "a%2F%2E%2E%2F%2E%2E%2Fx",
    "a\\..\\b": "a%5C%2E%2E%5Cb",
    "/": "%2F",
    "//host/x": "%2F%2Fhost%2Fx",
    "http://host/x": "http%3A%2F%2Fhost%2Fx",
    "a?b": "a%3Fb",
    "a#b": "a%23b",
    "a;b": "a%3Bb",
    "a b": "a%20b",
    "é": "%C3%A9",
    "\u202e": "%E2%80%AE",
    "YWJj==": "YWJj%3D%3D",
    "%2e%2e": "%252e%252e",
    "%": "%25",
    "a.b~c_d-e": "a.b~c_d-e",
    "x" * 129: "x" * 129,
    "\U0001f600" * 512: "%F0%9F%98%80" * 512,
}


@pytest.mark.parametrize("job_id", ["", "a\nb", "\x00", "\x7f", "\x85", "\ud800", "x" * 513])
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_id_is_never_asked_for(call: str, job_id: str) -> None:
    with Wire(lambda _: reply(JOB)) as wire:
        with pytest.raises(Unreadable, match="cannot be used in a path"):
            getattr(wire.client, call)(job_id)
        assert wire.server.requests == []


@pytest.mark.parametrize("job_id", ODD_IDS)
@pytest.mark.parametrize("call", CALLS)
def test_an_id_is_one_step_of_a_path_and_arrives_as_it_is(call: str, job_id: str) -> None:
    told = {"id": job_id, "status": "processed", "data": [], "has_more": False}
    start = "/v1/files/" if call == "wait_for_file" else "/v1/fine_tuning/jobs/"
    end = {"cancel_job": "/cancel", "list_events": "/events", "list_checkpoints": "/checkpoints"}.get(call, "")
    with Wire(lambda _: reply(told)) as wire:
        getattr(wire.client, call)(job_id)
        (request,) = wire.server.requests
    assert request.path.partition("?")[0] == f"{start}{ODD_IDS[job_id]}{end}"


@given(job_id=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=512))
def test_no_id_reaches_another_path(hostile_wire: tuple["Wire", list[Reply]], job_id: str) -> None:
    wire, answers = hostile_wire
    wire.server.requests.clear()
    answers[:] = [reply({"id": job_id, "status": "running"}, connection="close")]
    assert wire.client.retrieve_job(job_id).id == job_id
    wire.client.cancel_job(job_id)
    asked_for, cancelled = (request.path.split("/") for request in wire.server.requests)
    assert [*asked_for, "cancel"] == cancelled
    assert asked_for[:4] == ["", "v1", "fine_tuning", "jobs"]
    assert len(asked_for) == 5
    assert unquote(asked_for[4]) == job_id
    assert asked_for[4] not in {".", ".."}


@pytest.fixture(scope="module")
def hostile_wire() -> Iterator[tuple[Wire, list[Reply]]]:
    answers: list[Reply] = []
    with Wire(lambda _: answers[0]) as wire:
        yield wire, answers


@given(
    status=statuses,
    body=bodies,
    headers=headers,
    call=st.sampled_from(["create", "list", "retrieve", "cancel", "events", "checkpoints", "find", "upload", "wait"]),
)
def test_whatever_a_server_answers_ends_in_a_value_or_in_our_own_error(
    hostile_wire: tuple[Wire, list[Reply]], status: int, body: bytes, headers: dict[str, str], call: str
) -> None:
    wire, answers = hostile_wire
    answers[:] = [Reply(status, b"" if status in {204, 205, 304} else body, {**headers, "connection": "close"})]
    client = wire.client
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: client.create_job(CREATE),
        "list": client.list_jobs,
        "retrieve": lambda: client.retrieve_job("j"),
        "cancel": lambda: client.cancel_job("j"),
        "events": lambda: client.list_events("j"),
        "checkpoints": lambda: client.list_checkpoints("j"),
        "find": lambda: client.find_files({("n", 1)}),
        "upload": lambda: client.upload_file(an_upload(b"{}", "n")),
        "wait": lambda: client.wait_for_file("f"),
    }
    outcome = caught(calls[call])
    assert str(outcome).isprintable()
    if call == "create" and isinstance(outcome, ProviderError):
        # What cannot be inflated is no answer, whatever its status: nobody knows then what became of the create.
        answered = outcome.status is not None or "content-encoding" not in headers
        refused = answered and status in {400, 401, 403, 404, 413, 422, 429}
        assert isinstance(outcome, Refused if refused else OutcomeUnknown)
