"""A fleet on a screen: worst first, within its width, with why, how far and how long still."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.core.fields import State
from reconciler.core.gates import Permission, gate
from reconciler.core.job import Event, JobError
from reconciler.core.memory import Refusal
from reconciler.core.plan import plan
from reconciler.core.status import Details, Progress, Status, statuses
from reconciler.core.world import World
from reconciler.engine.follow import in_turn, progress_at
from reconciler.errors import ProviderError
from reconciler.render.status_line import Rank, status_line
from reconciler.render.status_screen import status_screen, wide_table
from tests.fakes.builders import R1, R2, desired, fleet, job, memory, record, world
from tests.fakes.clocks import ManualClock
from tests.fakes.provider import MemoryProvider
from tests.fakes.screens import on_screen
from tests.fakes.situations import TABLE
from tests.fakes.worlds import worlds

NOW = 1_000.0
MODEL = "ft:gpt-4o-mini-2024-07-18:an-organisation:a-suffix:AbCdEfGh"
LIMIT = Refusal("refused", R1, "POST /fine_tuning/jobs: HTTP 429 quota: you exceeded your quota.", 4_600, of_all=True)


def report(w: World, **read: Progress) -> list[Status]:
    found = statuses(
        w, gate(plan(w), w, Permission(first_run=True)).plan, now=None, previous={}, details=Details(progress=read)
    )
    return list(found.values())


def a_fleet() -> list[Status]:
    """One of each kind."""
    jobs = [
        job("j1", "trains", created=400),
        job("j2", "done", status="succeeded", model=MODEL, created=300),
        job("j3", "broken", status="failed", error=JobError("invalid", "invalid training file, line 3", ""), created=1),
        job("j4", "queued", status="queued", created=990),
        job("j5", "gone", status="cancelled", created=100),
    ]
    names = ("trains", "done", "broken", "queued", "gone", "refused", "held-back", "missing")
    remembers = memory(
        records=[record("j9", "missing")], echoes=True, refused="x", refusals={"refused": LIMIT, "": LIMIT}
    )
    wants = [*(desired(name) for name in names), desired("waits", model_from="trains")]
    w = world(jobs, wants, remembers=remembers, missing=frozenset({"j9"}))
    return report(w, j1=Progress(120, 300, {"train_loss": 0.4242}, pace=2.0))


READ: Mapping[str, Progress] = {"j1": Progress(120, 300, {}, pace=2.0)}


def test_at_80_columns_worst_first() -> None:
    screen = on_screen(status_screen(a_fleet(), now=NOW, width=80, progress=READ))
    assert [line.split()[:2] for line in screen.lines if line] == [
        ["NAME", "STATUS"],
        ["broken", "failed"],
        ["gone", "cancelled"],
        ["held-back", "blocked"],
        ["missing", "missing"],
        ["refused", "blocked"],
        ["waits", "waiting"],
        ["queued", "queued"],
        ["trains", "running"],
        ["done", "succeeded"],
    ]
    assert screen.lines[1:3] == [
        "broken     failed     invalid training file, line 3                       16m39s",
        "gone       cancelled  cancelled by somebody else: a person, or a run wi…  15m",
    ]
    rows = {line.split()[0]: line for line in screen.lines if line}
    assert "step 120 of 300 (40 %), loss 0.424, about 6m left" in rows["trains"]
    assert "waits for the model of job trains" in rows["waits"]
    assert "; next try 01:16 UTC" in rows["refused"]
    assert "refused: quota: you exceeded" in rows["refused"]
    assert "quota" not in rows["held-back"], "that was said to another"


def test_more_is_shown_at_120_columns() -> None:
    rows = on_screen(status_screen(a_fleet(), now=NOW, width=120, progress=READ), 120, 40).text
    assert MODEL in rows
    assert "refused: quota: you exceeded your quota; next try 01:16 UTC" in rows
    assert "the provider takes no new jobs at the moment (last refused: refused); next try 01:16 UTC" in rows


def test_colours_say_how_bad_it_is_and_change_nothing_else() -> None:
    plain = status_screen(a_fleet(), now=NOW, width=80, progress=READ)
    coloured = on_screen(status_screen(a_fleet(), now=NOW, width=80, progress=READ, colours=True))
    assert "\x1b" not in plain
    assert coloured.text == on_screen(plain).text
    assert coloured.colours == {
        "failed": "red",
        "cancelled": "red",
        "blocked": "red",
        "missing": "red",
        "waiting": "brown",
        "queued": "cyan",
        "running": "cyan",
        "succeeded": "green",
    }


def test_wide_adds_the_id_the_conditions_and_the_whole_model() -> None:
    rows = {line.split()[0]: line for line in wide_table(a_fleet(), now=NOW, progress=READ).split("\n")}
    assert rows["NAME"].split()[4:] == ["JOB", "SYNCED", "SUCCEEDED", "BLOCKED", "MODEL"]
    assert rows["done"].endswith(f"j2   True                   True       -                     {MODEL}")
    assert "True (CreateRefused)" in rows["refused"]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_wide_breaks_no_id_and_no_model_where_a_line_can_hold_it(columns: int) -> None:
    found = [replace(s, job_id=s.job_id and f"ftjob-{'x' * 40}-{s.job_id}") for s in a_fleet()]
    text = wide_table(found, now=NOW, width=columns, progress=READ)
    screen = on_screen(text, columns, 60)
    assert screen.text.split("\n") == text.split("\n"), "no line goes on in the next"
    words = screen.text.split()
    for status in found:
        assert (status.fine_tuned_model or MODEL) in words
        assert status.job_id is None or status.job_id in words
    assert max(map(len, text.split("\n"))) <= columns


def test_wide_has_columns_where_they_fit_and_where_nobodys_screen_ends() -> None:
    text = wide_table(a_fleet(), now=NOW, progress=READ)
    size = max(map(len, text.split("\n")))
    assert wide_table(a_fleet(), now=NOW, progress=READ, width=size) == text
    below = wide_table(a_fleet(), now=NOW, progress=READ, width=size - 1).split("\n")
    done = next(i for i, line in enumerate(below) if line.startswith("done"))
    assert below[done + 1] == f"  job j2  synced True  succeeded True  blocked -  model {MODEL}"


def test_a_model_too_long_for_its_label_has_a_line_of_its_own() -> None:
    (status,) = report(world([job(status="succeeded", model="ft:" + "m" * 57)], [desired()]))
    assert wide_table([status], now=NOW, width=60).split("\n")[-2:] == ["  model", "ft:" + "m" * 57]


LONG = "a-name-of-sixty-three-letters-that-a-team-has-given-to-its-jobs"


@given(worlds(), st.integers(40, 130), st.booleans())
def test_no_row_is_wider_than_the_screen(w: World, width: int, colours: bool) -> None:
    found = [replace(s, name=f"{s.name}-{LONG}"[:63], fine_tuned_model=MODEL * 3) for s in report(w)]
    text = status_screen(found, now=NOW, width=width, colours=colours)
    assert len(on_screen(text, width, 60).text.split("\n")) == len(found) + 1, "no row goes on in the next line"


def test_names_of_one_family_stay_apart() -> None:
    found = [replace(s, name=f"{LONG[:60]}-{end}") for s in report(world([job()], [desired()])) for end in ("v1", "v2")]
    rows = on_screen(status_screen(found, now=NOW, width=80)).lines
    assert [row.split()[0][-3:] for row in rows[1:3]] == ["-v1", "-v2"]


@pytest.mark.parametrize("situation", TABLE, ids=lambda row: row[0])
def test_every_situation_has_a_word_and_a_detail(situation: tuple[str, World, object]) -> None:
    for status in report(situation[1]):
        brief = status_line(status, now=NOW)
        assert brief.word != "-"
        assert brief.detail


def of(w: World, **more: Any) -> tuple[str, Rank, str]:
    (status,) = report(w)
    brief = status_line(replace(status, **more), now=NOW)
    return brief.word, brief.rank, brief.detail + brief.tail


@pytest.mark.parametrize(
    ("w", "expected"),
    [
        (world([], [desired(state=State.SUSPENDED)]), ("suspended", Rank.DONE)),
        (world([], [desired(state=State.CANCELLED)]), ("cancelled", Rank.DONE)),
        (world([job()], [desired(state=State.CANCELLED)]), ("running", Rank.WAITS)),
        (world([job(status="Pausing…")], [desired()]), ("Pausing…", Rank.RUNS)),
        (world([], [desired()], broken=frozenset("a")), ("blocked", Rank.TROUBLE)),
        (world([job(revision=R2)], [desired()], of=fleet(max_cancels=0)), ("blocked", Rank.TROUBLE)),
    ],
)
def test_the_status_is_a_persons_word(w: World, expected: tuple[str, Rank]) -> None:
    assert of(w)[:2] == expected


def test_a_refusal_says_when_it_is_tried_again_and_stays_when_that_is_over() -> None:
    own = Refusal("a", R1, "bad suffix", 1_060)
    (status,) = report(world([], [desired()], remembers=memory(refusals={"a": own}, echoes=True)))
    said = [status_line(status, now=now) for now in (NOW, NOW + 60)]
    assert [s.detail + s.tail for s in said] == [
        "refused: bad suffix; next try 00:17 UTC",
        "refused: bad suffix; tried again next",
    ]


@pytest.mark.parametrize(
    ("progress", "more", "words"),
    [
        (Progress(10, 40, {}, pace=2.0), {}, "step 10 of 40 (25 %), about 1m left"),
        (Progress(10, 40, {}), {}, "step 10 of 40 (25 %), about 45m left"),
        (Progress(10, 40, {}), {"estimated_finish": 1_030}, "step 10 of 40 (25 %), about 30s left"),
        (Progress(10, 40, {}), {"estimated_finish": 900}, "step 10 of 40 (25 %)"),
        (Progress(10, 40, {}), {"created_at": None}, "step 10 of 40 (25 %)"),
        (Progress(40, 40, {"train_loss": 1.0}), {}, "step 40 of 40 (100 %), loss 1"),
        (Progress(7, None, {}), {}, "step 7"),
        (None, {"estimated_finish": 8_200}, "about 2h left"),
        (None, {}, "-"),
    ],
)
def test_how_far_and_how_long_still(progress: Progress | None, more: dict[str, Any], words: str) -> None:
    read = {} if progress is None else {"j1": progress}
    (status,) = report(world([job()], [desired()]), **read)
    assert status_line(replace(status, **more), now=NOW, progress=progress).detail == words


def event(step: float, at: int, **metrics: float) -> Event:
    return Event(f"e{step}", at, "info", "metrics", "", {"step": step, **metrics})


def test_progress_is_read_of_each_job_and_one_that_cannot_be_read_is_left_out() -> None:
    provider = MemoryProvider(ManualClock())
    provider.events = {
        "j1": [event(10, 100), event(30, 160, total_steps=60.0, train_loss=0.5)],
        "j2": [],
        "j3": [event(5, 100)],
    }
    provider.trouble["events"] = [ProviderError("503")]
    assert progress_at(provider, ["j4", "j1", "j2", "j3"], in_turn) == {
        "j1": Progress(30, 60, {"train_loss": 0.5}, pace=3.0),
        "j3": Progress(5, None, {}, pace=None),
    }


def test_a_row_says_where_an_adopted_job_is_not_what_its_manifest_says() -> None:
    other = replace(job("j9", marked=False), model="gpt-4o", training_file="file-1")
    for shown in (other, replace(other, status="succeeded", fine_tuned_model=MODEL)):
        (status,) = report(world([shown], [desired(adopt=("j9", R1))]))
        found = status_line(status, now=NOW)
        assert (found.word, found.detail) == (
            shown.status,
            "it is not what its manifest says: model gpt-4o, its manifest m",
        )


def test_a_paused_job_says_who_has_paused_it() -> None:
    paused = replace(job(), status="paused")
    (from_here,) = report(world([paused], [desired(state=State.PAUSED)]))
    (by_hand,) = report(world([paused], [desired()]), j1=Progress(1, 8, {}))
    assert status_line(from_here, now=NOW).detail == "it is paused, as its manifest says (state: paused)"
    assert status_line(by_hand, now=NOW).detail.startswith("it was not paused from here, so it is left so")
    assert status_line(by_hand, now=NOW).detail.endswith("; step 1 of 8 (12 %)")


def test_what_of_a_job_is_not_as_it_was_sent_is_beside_how_far_it_is() -> None:
    words = "suffix: none was sent, the server shows x\\x1b"
    wants, read = [desired()], {"j1": Progress(1, 2, {})}
    for jobs, detail in (
        ([job(suffix="x\x1b")], f"step 1 of 2 (50 %); {words}"),
        ([job(suffix="x\x1b", status="succeeded", model="ft:m")], f"ft:m; {words}"),
    ):
        (status,) = report(world(jobs, wants), **read)
        assert status_line(status, now=NOW).detail == detail
    (status,) = report(world([job(suffix="x")], wants))
    assert status_line(status, now=NOW).detail == "suffix: none was sent, the server shows x"
