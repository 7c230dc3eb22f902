"""Training files: found by their name, uploaded once, waited for within reason."""

import tracemalloc
from collections.abc import Iterator

import pytest

from reconciler.errors import OutcomeUnknown, Refused, SourceError, Unreadable
from reconciler.provider.request import Upload
from tests.fakes.faulty import DROP, Reply, reply
from tests.fakes.servers import HTML, Wire, an_upload, caught, page, script

WANTED = ("n.jsonl", 3)


def file(
    file_id: str, name: str = "n.jsonl", size: object = 3, purpose: object = "fine-tune", status: object = "processed"
) -> dict[str, object]:
    return {"id": file_id, "filename": name, "bytes": size, "purpose": purpose, "status": status}


@pytest.mark.parametrize(
    ("there", "found"),
    [
        ([], None),
        ([file("file-1")], "file-1"),
        ([file("file-0", name="m.jsonl"), file("file-1")], "file-1"),
        ([file("file-1", size=4)], None),
        ([file("file-1", purpose="batch")], None),
        ([file("file-1", status="error")], None),
        ([{"id": "file-1"}], None),
        ([file("file-1", size="3")], "file-1"),
        ([file("file-1", size=3.0)], "file-1"),
        ([file("file-1", size=" 3.0 ")], "file-1"),
        ([file("file-1", size=None)], "file-1"),
        ([file("file-1", size="0")], "file-1"),
        ([file("file-1", size="4")], None),
        ([file("file-1", purpose="Fine_Tune")], "file-1"),
        ([file("file-1", purpose=None)], "file-1"),
        ([file("file-1", purpose="fine-tune-results")], None),
        ([file("file-1", status="Error")], None),
        ([file("file-1", status=None)], "file-1"),
        ([file("file-0", status="DELETED"), file("a/b")], "a/b"),
        ([file("x" * 282 + "==")], "x" * 282 + "=="),
    ],
)
def test_a_file_is_found_by_name_size_and_purpose(there: list[dict[str, object]], found: str | None) -> None:
    with Wire(lambda _: reply({"data": there, "has_more": False})) as wire:
        assert wire.client.find_files({WANTED}) == ({} if found is None else {WANTED: found})
        assert "purpose=fine-tune" in wire.server.requests[0].path


@pytest.mark.parametrize("name", ["n.jsonl", "other.jsonl"])
def test_a_listing_of_files_without_pages_stops_no_upload(name: str) -> None:
    with Wire(lambda _: reply({"data": [file("file-1"), file("file-2", name="m.jsonl")]})) as wire:
        assert wire.client.find_files({(name, 3)}) == ({WANTED: "file-1"} if name == "n.jsonl" else {})
        assert all(request.method == "GET" for request in wire.server.requests)


def test_several_files_are_found_in_one_walk() -> None:
    there = [file("file-1"), file("file-2", name="m.jsonl"), file("file-3", name="m.jsonl"), file("file-4", name="x")]
    with Wire(lambda _: reply({"data": there, "has_more": False})) as wire:
        wanted = {("n.jsonl", 3), ("m.jsonl", 3), ("gone.jsonl", 3)}
        assert wire.client.find_files(wanted) == {("n.jsonl", 3): "file-1", ("m.jsonl", 3): "file-2"}
        assert len(wire.server.requests) == 1
        assert wire.client.find_files(set()) == {}
        assert len(wire.server.requests) == 1, "nothing wanted, nothing asked"


@pytest.mark.parametrize("answer", [HTML, reply({"files": []}), reply({}, 500)], ids=["html", "no page", "500"])
def test_a_listing_of_files_that_is_none_is_told(answer: Reply) -> None:
    with Wire(lambda _: answer) as wire, pytest.raises(Unreadable):
        wire.client.find_files({WANTED})


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501])
def test_a_server_that_lists_no_files_has_none(status: int) -> None:
    with Wire(lambda _: reply({"detail": "Not Found"}, status)) as wire:
        assert wire.client.find_files({WANTED}) == {}
        assert len(wire.server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_files_that_may_not_be_listed_are_no_absent_files(status: int) -> None:
    with Wire(lambda _: reply({}, status)) as wire, pytest.raises(Refused):
        wire.client.find_files({WANTED})


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        pytest.param(reply(file("file-1", name="f.a.jsonl")), "f.a.jsonl", id="its name"),
        pytest.param(reply(file("file-2")), "", id="another file"),
        pytest.param(reply({"id": "file-1"}), "", id="no name"),
        pytest.param(reply({}, 404), "", id="no such file"),
        pytest.param(reply({}, 405), "", id="no such route"),
    ],
)
def test_the_name_of_a_file(answer: Reply, name: str) -> None:
    with Wire(lambda _: answer) as wire:
        assert wire.client.file_name("file-1") == name
        assert [(r.method, r.path) for r in wire.server.requests] == [("GET", "/v1/files/file-1")]


@pytest.mark.parametrize("answer", [HTML, reply({}, 500), reply({}, 403)], ids=["html", "500", "403"])
def test_a_name_that_cannot_be_read_is_not_an_absent_one(answer: Reply) -> None:
    with Wire(lambda _: answer) as wire, pytest.raises((Unreadable, Refused)):
        wire.client.file_name("file-1")


def test_the_names_of_all_files_are_read_in_one_bounded_walk() -> None:
    with Wire(lambda _: reply({"data": [file("a"), file("b", name="m.jsonl")], "has_more": False})) as wire:
        assert wire.client.file_names() == {"a": "n.jsonl", "b": "m.jsonl"}
    numbers = iter(range(10_000))
    page = lambda _: reply({"data": [file(f"f{next(numbers)}") for _ in range(100)], "has_more": True})  # noqa: E731
    with Wire(page) as wire:
        assert len(wire.client.file_names()) == 2000


@pytest.mark.parametrize("answer", [HTML, reply({}, 500), reply({}, 403), reply({}, 404)])
def test_a_listing_of_files_that_is_none_tells_no_names(answer: Reply) -> None:
    with Wire(lambda _: answer) as wire:
        assert wire.client.file_names() == {}


def test_an_upload() -> None:
    with Wire(lambda _: reply(file("file-9"))) as wire:
        assert wire.client.upload_file(an_upload(b"{}\n", "n.jsonl")) == "file-9"
        (request,) = wire.server.requests
        assert b'name="purpose"\r\n\r\nfine-tune' in request.body
        assert b'name="file"; filename="n.jsonl"' in request.body
        assert b"\r\n\r\n{}\n\r\n" in request.body


def test_an_upload_is_sent_once() -> None:
    with Wire(lambda _: reply({}, 500)) as wire:
        with pytest.raises(OutcomeUnknown):
            wire.client.upload_file(an_upload(b"{}\n", "n.jsonl"))
        assert len(wire.server.requests) == 1


def test_an_upload_is_read_while_it_is_sent() -> None:
    """A file of any size takes no more memory than a piece of it."""
    asked: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(64):
            asked.append(number)
            yield bytes(1_000_000)

    with Wire(lambda _: reply(file("file-9", size=64_000_000))) as wire:
        tracemalloc.start()
        try:
            assert wire.client.upload_file(Upload("n.jsonl", 64_000_000, pieces)) == "file-9"
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        (request,) = wire.server.requests
    assert len(request.body) > 64_000_000 > len(request.body) - 1000
    assert len(asked) == 64
    # The server of this test keeps the body, and joins it once.
    assert peak < 3 * 64_000_000


def test_a_file_that_changes_while_it_is_sent_never_arrives_whole() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"{}\n"
        raise SourceError(["it has changed"])

    with Wire(lambda _: reply(file("file-9"))) as wire:
        with pytest.raises(SourceError):
            wire.client.upload_file(Upload("n.jsonl", 6, pieces))
        wire.server.drain()
        assert wire.server.requests == []
        wire.client.file_name("file-9")
        assert [request.method for request in wire.server.requests] == ["GET"], "another connection goes on"


@pytest.mark.parametrize("size", [2, 4, "2", 2.0])
def test_an_upload_that_was_cut_is_deleted_and_never_used(size: object) -> None:
    with Wire(lambda request: reply(file("a/9", size=size)) if request.method == "POST" else reply({})) as wire:
        with pytest.raises(OutcomeUnknown, match="of the 3 bytes that were sent, the server says it has"):
            wire.client.upload_file(an_upload(b"{}\n", "n.jsonl"))
        assert [(r.method, r.path) for r in wire.server.requests] == [
            ("POST", "/v1/files"),
            ("DELETE", "/v1/files/a%2F9"),
        ]


@pytest.mark.parametrize("answer", [reply({}, 500), reply({}, 405), HTML], ids=["500", "405", "html"])
def test_a_cut_upload_that_cannot_be_deleted_is_not_used_either(answer: Reply) -> None:
    with Wire(script(reply(file("file-9", size=2)), answer, page())) as wire:
        with pytest.raises(OutcomeUnknown, match="not used"):
            wire.client.upload_file(an_upload(b"{}\n", "n.jsonl"))
        assert len(wire.server.requests) == 2, "a DELETE is sent once"


@pytest.mark.parametrize("size", [None, 0, "0"])
def test_a_server_that_says_no_size_is_believed(size: object) -> None:
    with Wire(lambda _: reply(file("file-9", size=size))) as wire:
        assert wire.client.upload_file(an_upload(b"{}\n", "n.jsonl")) == "file-9"


@pytest.mark.parametrize(
    ("answer", "raised"),
    [(reply({}, 404), Refused), (reply({}, 403), Refused), (reply({}, 500), OutcomeUnknown), (DROP, OutcomeUnknown)],
    ids=["404", "403", "500", "drop"],
)
def test_a_delete_is_sent_once(answer: Reply, raised: type[Exception]) -> None:
    with Wire(lambda _: answer) as wire:
        with pytest.raises(raised):
            wire.client.delete_file("file-1")
        assert [(r.method, r.path, r.body) for r in wire.server.requests] == [("DELETE", "/v1/files/file-1", b"")]


def test_a_file_is_waited_for() -> None:
    with Wire(script(reply(file("f", status="pending")), reply(file("f", status="running")), reply(file("f")))) as wire:
        wire.client.wait_for_file("f")
        assert wire.clock.slept == [1.0, 1.0]


@pytest.mark.parametrize(
    "first",
    [
        reply(file("f", status="uploaded")),
        reply(file("f", status="Pending")),
        reply(file("f", status="PROCESSING")),
        reply({"error": {"message": "No such File object: f"}}, 404),
    ],
    ids=["uploaded", "Pending", "PROCESSING", "404"],
)
def test_a_file_that_is_not_there_yet_is_waited_for(first: Reply) -> None:
    with Wire(script(first, first, first, reply(file("f")))) as wire:
        wire.client.wait_for_file("f")
        assert wire.clock.slept == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "answer", [reply(file("f", status=None)), reply({"id": "f"}), reply({}), reply({}, 405), reply({}, 501)], ids=repr
)
def test_a_file_of_which_a_server_says_nothing_is_left_to_the_create(answer: Reply) -> None:
    with Wire(lambda _: answer) as wire:
        wire.client.wait_for_file("f")
        assert len(wire.server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "polls"), [(reply(file("f", status="uploaded")), 20), (reply({}, 404), 10)], ids=["uploaded", "404"]
)
def test_what_may_be_a_servers_last_word_on_a_file_is_waited_for_once(answer: Reply, polls: int) -> None:
    with Wire(lambda _: answer) as wire:
        wire.client.wait_for_file("f")
        assert len(wire.server.requests) == polls
        wire.client.wait_for_file("g")
        assert len(wire.server.requests) == polls + 1


@pytest.mark.parametrize("status", ["error", "Failed", "DELETED"])
def test_a_file_that_the_server_cannot_use_is_a_refusal(status: str) -> None:
    with Wire(lambda _: reply(file("f", status=status))) as wire, pytest.raises(Refused, match="cannot be used"):
        wire.client.wait_for_file("f")


def test_a_file_that_never_gets_ready_is_given_up() -> None:
    with Wire(lambda _: reply(file("f", status="pending"))) as wire:
        with pytest.raises(Unreadable, match="still pending after 120 s"):
            wire.client.wait_for_file("f")
        assert len(wire.server.requests) == 120


@pytest.mark.parametrize("told", [{"id": "a\nb"}, {"id": "x" * 513}, {"id": "\ud800"}, {"id": None}])
def test_a_file_whose_id_cannot_be_used_is_no_file(told: dict[str, object]) -> None:
    """Judged before a job is created that would be paid for."""
    with Wire(lambda _: reply(told)) as wire, pytest.raises(OutcomeUnknown, match="a file"):
        wire.client.upload_file(an_upload(b"{}\n", "n.jsonl"))


@pytest.mark.parametrize("file_id", ["\ud800", "\x00", "x" * 100_000])
def test_a_files_id_is_checked_like_any_other(file_id: str) -> None:
    with Wire(lambda _: reply({"data": [{"id": file_id}], "has_more": False})) as wire:
        outcome = caught(lambda: wire.client.find_files({("n", 1)}))
        assert outcome == {} or isinstance(outcome, Unreadable)
    with Wire(lambda _: reply({"id": file_id})) as wire:
        outcome = caught(lambda: wire.client.upload_file(an_upload(b"{}", "n")))
        assert isinstance(outcome, OutcomeUnknown)


def test_every_training_file_is_listed_once_with_what_is_said_of_it() -> None:
    pages = (
        {"data": [file("a") | {"created_at": "1700000000"}, file("b", purpose="batch")], "has_more": True},
        {"data": [file("a"), file("c", size=None, name="")], "has_more": False},
    )
    with Wire(script(*(reply(one) for one in pages))) as wire:
        files = {one.id: one for one in wire.client.list_files()}
    assert files.keys() == {"a", "c"}
    assert (files["c"].size, files["c"].name, files["c"].created_at) == (0, "", 0)


@pytest.mark.parametrize("answer", [HTML, reply({}, 404), reply({}, 403)], ids=["html", "404", "403"])
def test_files_that_cannot_be_listed_are_not_no_files(answer: Reply) -> None:
    with Wire(lambda _: answer) as wire, pytest.raises((Unreadable, Refused)):
        wire.client.list_files()
