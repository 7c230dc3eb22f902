"""A listing is complete, or there is none."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.errors import NoData, Refused, Unreadable
from reconciler.provider import listing as listing_module
from reconciler.provider.key import Key
from reconciler.provider.profile import Assumed, Assumption
from tests.fakes.faulty import DROP, Answer, Reply, Request, reply
from tests.fakes.servers import HTML, JOB, KEY, Wire, page, script


def by_cursor(pages: dict[str, Reply]) -> Answer:
    def answer(request: Request) -> Reply:
        _, _, after = request.path.partition("after=")
        return pages[after.partition("&")[0]]

    return answer


def listed(answer: Answer) -> list[str]:
    with Wire(answer) as wire:
        return [job.id for job in wire.client.list_jobs()]


def test_pages_are_walked_to_the_last() -> None:
    assert listed(by_cursor({"": page("a", "b", has_more=True), "b": page("c")})) == ["a", "b", "c"]


def test_a_server_that_does_not_say_is_asked_until_a_page_is_empty() -> None:
    assert listed(
        by_cursor({"": page("a", has_more=None), "a": page("b", has_more=None), "b": page(has_more=None)})
    ) == ["a", "b"]


def test_a_server_that_always_says_more_is_asked_until_a_page_is_empty() -> None:
    assert listed(by_cursor({"": page("a", has_more=True), "a": page(has_more=True)})) == ["a"]


def test_jobs_that_were_pushed_down_are_counted_once_and_the_later_showing_wins() -> None:
    first = page("a", "b", has_more=True)
    second = reply({"data": [{"id": "b", "status": "failed"}, {"id": "c"}], "has_more": False})
    with Wire(by_cursor({"": first, "b": second})) as wire:
        assert [(j.id, j.status) for j in wire.client.list_jobs()] == [
            ("a", "running"),
            ("b", "failed"),
            ("c", "unknown"),
        ]


def test_a_first_page_that_comes_again_is_not_read_again_and_one_that_differs_is() -> None:
    first, other = page("a", has_more=True), page("b", has_more=True)
    with Wire(script(first, first, other, first)) as wire:
        shown = [next(wire.client.job_pages()).jobs for _ in range(4)]
    assert [[job.id for job in jobs] for jobs in shown] == [["a"], ["a"], ["b"], ["a"]]
    assert shown[0] is shown[1]


def test_what_follows_the_first_page_is_read_each_time() -> None:
    with Wire(by_cursor({"": page("a", has_more=True), "a": page("a", "b")})) as wire:
        before, again = (list(wire.client.job_pages()) for _ in range(2))
    assert [[job.id for job in shown.jobs] for shown in again] == [["a"], ["a", "b"]]
    assert [was.jobs is shown.jobs for was, shown in zip(before, again, strict=True)] == [True, False]


def test_a_key_that_is_known_by_now_is_not_shown_by_a_page_that_came_before() -> None:
    said = reply({"data": [{**JOB, "error": {"code": "c", "message": "no, sk-another-one"}}], "has_more": False})
    key = Key(lambda: KEY)
    with Wire(script(said, said), api_key=key) as wire:
        before = next(wire.client.job_pages()).jobs[0].error
        key.secrets.add("sk-another-one")
        after = next(wire.client.job_pages()).jobs[0].error
    assert before is not None
    assert after is not None
    assert ("another" in before.message, "another" in after.message) == (True, False)


def test_a_job_that_is_shown_as_it_is_known_is_that_very_job() -> None:
    with Wire(by_cursor({"": page("a", "b", has_more=True), "b": page("c")})) as wire:
        before = wire.client.list_jobs()
        known = {job.id: job for job in (before[0], replace(before[1], status="queued"))}
        again = wire.client.list_jobs(known)
    assert again == before
    assert again[0] is before[0]


IMPOSSIBLE: dict[str, Answer] = {
    "repeats": lambda _: page("a", "b", has_more=True),
    "repeats and ends": by_cursor({"": page("a", "b", has_more=True), "b": page("a")}),
    "cursor back": by_cursor({"": page("a", "b", has_more=True), "b": page("c", "a", has_more=True), "a": page("d")}),
    "cursor back, silently": by_cursor({"": page("a", "b", has_more=None), "b": page("c", "a", has_more=None)}),
    "another key": lambda _: reply({"jobs": []}),
    "an error": lambda _: reply({"error": {"message": "overloaded"}}),
    "an error beside null": lambda _: reply({"data": None, "error": {"message": "overloaded"}}),
    "a detail": lambda _: reply({"detail": "Not Found"}),
    "no object": lambda _: reply("a"),
    "a number": lambda _: reply(0),
    "null": lambda _: reply(None),
    "data is an object": lambda _: reply({"data": {}, "has_more": False}),
    "data is a text": lambda _: reply({"data": "", "has_more": False}),
    "more without data": lambda _: reply({"has_more": True}),
    "no id": lambda _: reply({"data": [{"status": "running"}], "has_more": False}),
    "an item that is none": lambda _: reply({"data": ["x"], "has_more": False}),
    "an item that is null": lambda _: reply({"data": [None], "has_more": False}),
    "odd more": lambda _: page("a", has_more="yes"),
    "odd more, a number": lambda _: page("a", has_more=2),
    "odd more, a list": lambda _: page("a", has_more=[]),
    "odd more, an empty text": lambda _: page("a", has_more=""),
    "nothing, and more": lambda _: page(has_more=True),
    "null, and more": lambda _: reply({"data": None, "has_more": True}),
    "nothing where more was to follow": by_cursor({"": page("a", has_more=True), "a": reply({})}),
    "null where more was to follow": by_cursor({"": page("a", has_more=True), "a": reply({"data": None})}),
    "500": by_cursor({"": page("a", has_more=True), "a": reply({}, 500)}),
    "html": by_cursor({"": page("a", has_more=True), "a": HTML}),
    "drop": by_cursor({"": page("a", has_more=True), "a": DROP}),
}


@pytest.mark.parametrize("answer", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_an_impossible_or_broken_listing_is_no_listing(answer: Answer) -> None:
    with pytest.raises(Unreadable) as raised:
        listed(answer)
    assert not isinstance(raised.value, NoData)


@pytest.mark.parametrize("told", [{}, {"object": "list"}, {"data": None}, {"data": None, "has_more": False}, []])
def test_a_listing_without_data_is_told_from_an_empty_one(told: object) -> None:
    with pytest.raises(NoData):
        listed(lambda _: reply(told))
    with Wire(lambda _: reply(told)) as wire:
        assert wire.client.list_events("j") == ()
        assert wire.client.list_checkpoints("j") == ()
        assert wire.client.find_files({("n", 1)}) == {}


def test_an_empty_page_that_says_more_is_asked_for_once_more() -> None:
    assert listed(script(page(has_more=True), page("a"))) == ["a"]
    with Wire(lambda _: page(has_more=True)) as wire:
        with pytest.raises(Unreadable, match="--assume empty-listing"):
            wire.client.list_jobs()
        assert len(wire.server.requests) == 2


@pytest.mark.parametrize("told", [page(has_more=True), page(has_more="true"), page(has_more=1)])
def test_an_operator_may_say_that_a_server_answers_so_where_there_is_nothing(told: Reply) -> None:
    assumed = Assumed(frozenset({Assumption.EMPTY_LISTING}))
    with Wire(lambda _: told, assumed=assumed) as wire:
        assert wire.client.list_jobs() == ()


@pytest.mark.parametrize(
    "last", [page(has_more=True), page(), page(has_more=None), reply({"data": None, "has_more": False})]
)
def test_an_empty_page_ends_a_listing_that_held_items(last: Reply) -> None:
    assert listed(by_cursor({"": page("a", has_more=True), "a": last})) == ["a"]


@pytest.mark.parametrize(("more", "no_more"), [("true", "false"), ("True", "False"), (1, 0)])
def test_whether_more_follows_may_be_spelt_in_another_way(more: object, no_more: object) -> None:
    assert listed(by_cursor({"": page("a", has_more=more), "a": page("b", has_more=no_more)})) == ["a", "b"]


@pytest.mark.parametrize("count", [1, 3, 99, 101, 150])
@pytest.mark.parametrize("bare", [False, True])
def test_a_server_without_pages_shows_everything_at_once(count: int, bare: bool) -> None:
    jobs = [{"id": f"j{i}", "status": "running"} for i in range(count)]
    with Wire(lambda _: reply(jobs if bare else {"data": jobs})) as wire:
        assert [job.id for job in wire.client.list_jobs()] == [f"j{i}" for i in range(count)]
        assert len(wire.server.requests) == 2


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ({"next_page_token": "t"}, "goes on by next_page_token"),
        ({"nextPageToken": "t"}, "goes on by nextPageToken"),
        ({"next": "https://x/?page=2"}, "goes on by next"),
        ({"@odata.nextLink": "https://x"}, "goes on by @odata.nextLink"),
        ({"links": {"self": "x", "next": "y"}}, "goes on by links.next"),
        ({"meta": {"cursor": "c"}}, "goes on by meta.cursor"),
        ({"pageInfo": {"hasNextPage": True}}, "goes on by pageInfo.hasNextPage"),
        ({"total": 5}, "it has 5 jobs, and shows 2"),
        ({"total_count": "5"}, "it has 5 jobs, and shows 2"),
    ],
)
def test_a_listing_that_says_in_its_own_way_that_it_goes_on_is_not_whole(beside: dict[str, Any], told: str) -> None:
    page = {"data": [JOB | {"id": "j1"}, JOB | {"id": "j2"}], **beside}
    with Wire(lambda _: reply(page)) as wire, pytest.raises(Unreadable, match=told):
        wire.client.list_jobs()


@pytest.mark.parametrize(
    "beside",
    [
        {"next": None, "next_page_token": "", "links": {"next": None}},
        {"total": 2, "meta": {"page": 1}},
        {"total": 5, "next": "x", "has_more": False},
    ],
)
def test_a_listing_that_says_that_this_was_all_is_whole(beside: dict[str, Any]) -> None:
    page = {"data": [JOB | {"id": "j1"}, JOB | {"id": "j2"}], **beside}
    with Wire(lambda _: reply(page)) as wire:
        assert [job.id for job in wire.client.list_jobs()] == ["j1", "j2"]


def test_what_is_made_while_a_server_without_pages_is_listed_is_seen() -> None:
    assert listed(script(page("a", "b", has_more=None), page("c", "a", "b", has_more=None))) == ["a", "b", "c"]


@pytest.mark.parametrize("count", [20, 100])
def test_a_page_that_may_have_been_cut_is_no_whole_listing(count: int) -> None:
    """A server that obeys `limit` (or has the API's own) and not `after` would show the youngest jobs only."""
    ids = [f"j{i}" for i in range(count)]
    with pytest.raises(Unreadable, match="which may not be all .*--assume whole-listing"):
        listed(lambda _: page(*ids, has_more=None))
    with Wire(lambda _: page(*ids, has_more=None), assumed=Assumed(frozenset({Assumption.WHOLE_LISTING}))) as wire:
        assert len(wire.client.list_jobs()) == count
        assert len(wire.client.list_events("j")) == count


def test_a_server_that_begins_again_after_its_last_page_has_been_walked() -> None:
    first, second = [f"a{i}" for i in range(100)], ["b"]
    walked = by_cursor(
        {"": page(*first, has_more=None), "a99": page(*second, has_more=None), "b": page(*first, has_more=None)}
    )
    assert listed(walked) == [*first, *second]


def test_a_listing_that_is_refused_on_its_second_page_is_no_listing() -> None:
    with pytest.raises(Refused):
        listed(by_cursor({"": page("a", has_more=True), "a": reply({}, 403)}))


def test_cursors_are_escaped() -> None:
    with Wire(by_cursor({"": page("a/../b?c&d", has_more=True), "a%2F..%2Fb%3Fc%26d": page("e")})) as wire:
        assert [j.id for j in wire.client.list_jobs()] == ["a/../b?c&d", "e"]


def endless(_: Request, count: Iterator[int] = itertools.count()) -> Reply:  # noqa: B008 - one counter for all
    return page(f"job-{next(count)}", has_more=True)


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [("_PAGES_LIMIT", 5, "more than 5 pages"), ("_LISTING_BYTES", 300, "more than 300 bytes")],
)
def test_a_listing_that_never_ends_is_given_up(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int, words: str
) -> None:
    assert getattr(listing_module, limit) <= 256 * 1024 * 1024
    monkeypatch.setattr(listing_module, limit, value)
    with Wire(endless) as wire:
        with pytest.raises(Unreadable, match=words):
            wire.client.list_jobs()
        assert len(wire.server.requests) <= 6


def test_a_listing_that_trickles_in_is_given_up_after_a_quarter_of_an_hour() -> None:
    late = itertools.cycle([reply({}, 429, **{"retry-after": "100"}), None])
    with Wire(lambda request: next(late) or endless(request)) as wire:
        with pytest.raises(Unreadable, match="no end after 900 s"):
            wire.client.list_jobs()
        assert len(wire.server.requests) < 20


@pytest.mark.parametrize(
    "odd",
    [{}, {"created_at": 1692661014.5}, {"model": "\ud800\u00e9"}, {"status": "failed", "error": {"message": KEY}}],
    ids=["plain", "float", "surrogate", "key"],
)
def test_jobs_of_a_long_page_are_read_as_each_is_alone(odd: dict[str, Any]) -> None:
    """A long page is read by a decoder of its own."""
    jobs = [{**JOB, "id": f"j{i}", "method": {"type": "x" * 90}, **odd} for i in range(400)]

    def answer(request: Request) -> Reply:
        one = request.path.partition("/jobs/")[2]
        return reply(jobs[int(one[1:])] if one else {"data": jobs, "has_more": False})

    with Wire(answer) as wire:
        listed = wire.client.list_jobs()
        assert [wire.client.retrieve_job(f"j{i}") for i in (0, 399)] == [listed[0], listed[399]]
