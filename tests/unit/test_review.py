"""A plan as a reader sees it: what a gate refuses stays what it is, and every number counts that."""

from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.estimate import Estimate
from reconciler.core.gates import Permission
from reconciler.core.memory import Elsewhere, Refusal
from reconciler.core.reason import Reason
from reconciler.core.status import Progress
from reconciler.core.world import World
from reconciler.render.plan_data import plan_data
from reconciler.render.plan_markdown import plan_markdown
from reconciler.render.plan_text import details, plan_text, summary_line
from reconciler.render.review import Difference
from tests.fakes.builders import R1, R2, R3, asked_for_dpo, desired, fleet, job, memory, record, world
from tests.fakes.reviews import review
from tests.fakes.situations import ADOPTED_ONCE

# Two live jobs that nobody declares any more, and one whose spec is another: max_cancels allows one of three.
ENDING = world([job("j1", "a"), job("j2", "b"), job("j3", "c")], [desired("c", R2)], of=fleet(max_cancels=1))


def since_world(before: object, after: object) -> World:
    old, new = {"model": "m", "n_epochs": before}, {"model": "m", "n_epochs": after}
    wish = replace(desired("a", R2), form={k: v for k, v in new.items() if v is not None})
    remembers = memory(records=[record(live=False)], wanted=[("a", R1), ("a", R2)], echoes=True)
    remembers = replace(remembers, wanted={("a", R1): {k: v for k, v in old.items() if v is not None}, ("a", R2): None})
    return world([job(status="succeeded")], [wish], remembers=remembers)


def test_a_refused_change_keeps_its_action_its_reason_and_what_it_costs() -> None:
    shown = {(e.change.name, e.word, e.change.reason, e.refused) for e in review(ENDING).entries}
    assert shown == {
        ("a", "cancel", Reason.REMOVED, ("max_cancels",)),
        ("b", "cancel", Reason.REMOVED, ("max_cancels",)),
        ("c", "replace", Reason.NOT_CREATED, ("max_cancels",)),
        ("c", "cancel", Reason.SUPERSEDED, ("max_cancels",)),
    }
    assert [job.id for e in review(ENDING).entries for job in e.ends] == ["j1", "j2", "j3", "j3"]


def test_the_summary_counts_what_would_be_done_and_what_of_it_is_refused() -> None:
    assert review(ENDING).summary == {
        "create": 1, "cancel": 3, "upload": 0, "adopt": 0, "keep": 0, "wait": 0, "hold": 0
    }  # fmt: skip
    assert review(ENDING).refused == 4
    assert summary_line(review(ENDING)) == "Plan: 1 to create, 3 to cancel; 4 of them refused."


def test_a_change_that_two_gates_refuse_names_both_in_every_form() -> None:
    wanted = world([], [desired("a"), desired("b")], of=fleet(max_creates=1, max_cost=1.0))
    shown = review(wanted, Permission(first_run=True, estimates={name: Estimate(usd=5.0) for name in "ab"}))
    assert {e.refused for e in shown.entries} == {("max_creates", "max_cost")}
    assert plan_text(shown).count("refused: max_creates, max_cost\n") == 2
    assert plan_markdown(shown).count("— refused: max_creates, max_cost</summary>") == 2
    data: Any = plan_data(shown)
    assert [(c["refused"], c["refused_by"]) for c in data["changes"]] == [
        ("max_creates", ["max_creates", "max_cost"])
    ] * 2
    assert shown.approvable


def test_of_two_gates_one_that_nobody_may_waive_is_enough_to_approve_nothing() -> None:
    removal = review(replace(ENDING, desired={}), Permission(all_valid=False))
    assert {e.refused for e in removal.entries} == {("removal_evidence", "max_cancels")}
    assert not removal.approvable


def test_a_plan_is_the_same_with_and_without_its_gates_but_for_the_gates() -> None:
    free = review(replace(ENDING, fleet=fleet(max_cancels=9)))
    assert [(e.word, e.change) for e in free.entries] == [(e.word, e.change) for e in review(ENDING).entries]
    assert {e.refused for e in free.entries} == {()}


def test_the_way_on_is_a_command_where_a_person_may_say_yes() -> None:
    text = plan_text(review(ENDING))
    assert text.count("--approve") == 1
    assert text.endswith(f"To do exactly this: reconciler apply fleet --approve {'d' * 16}")


def test_an_adopted_job_whose_manifest_has_changed_is_said_to_run_on() -> None:
    w = world([job(marked=False)], [desired("a", R2, adopt=("j1", R1))], remembers=ADOPTED_ONCE)
    said = (
        "leaves running j1: running, 1h1m old; it does not carry this fleet's marks, so it is never cancelled from "
        "here: cancel it by hand"
    )
    shown = review(w, Permission(first_run=True))
    assert said in plan_text(shown)
    assert said in plan_markdown(shown)
    data: Any = plan_data(shown)
    create, _ = data["changes"]
    assert [left["job_id"] for left in create["leaves_running"]] == ["j1"]
    assert create["throws_away"] == []


def test_where_an_adopted_job_differs_no_reader_misses_it() -> None:
    w = world([replace(job("j9", marked=False), model="gpt-4o", training_file="file-1")], [desired(adopt=("j9", R1))])
    assert "warning: it is not what its manifest says: model gpt-4o, its manifest m" in plan_text(review(w))
    assert "- **Adopted, and not what its manifest says**: `a`: `model gpt-4o, its manifest m`" in plan_markdown(
        review(w)
    )


THERE = Elsewhere("https://api.openai.com/v1", "org-1", "", "a", R1, "j7", live=True)
LEFT = (
    "This fleet had 1 live job elsewhere when it was last seen there: a (j7 at api.openai.com (org-1)). Nothing there "
    "is looked at or cancelled from here."
)


def test_after_a_change_of_provider_a_plan_says_what_would_train_again_and_what_still_runs() -> None:
    ended = replace(THERE, base_url="https://old.example/v1", organization="", revision=R2, job_id="j6", live=False)
    moved = replace(memory(echoes=True), elsewhere=(ended, THERE))
    shown = review(world([], [desired("a"), desired("b")], remembers=moved))
    text = plan_text(shown)
    assert LEFT in text
    assert LEFT.removesuffix(".") in plan_markdown(shown)
    assert "trains again what api.openai.com (org-1) has as job j7 (this very spec; live when last seen)" in text
    assert "trains again what old.example has as job j6 (another spec; ended when last seen)" in text
    assert text.count("trains again what") == 2
    data: Any = plan_data(shown)
    assert [job["job_id"] for job in data["elsewhere"]] == ["j7"]


def test_what_is_elsewhere_is_said_only_while_it_is_about_to_be_trained_here() -> None:
    moved = replace(memory(echoes=True), elsewhere=(THERE,))
    for w in (world([job()], [desired("a")], remembers=moved), world([], [desired("b")], remembers=moved)):
        assert "elsewhere" not in plan_text(review(w))
        assert plan_data(review(w))["elsewhere"] == []


def test_evidence_is_not_a_persons_to_give() -> None:
    unsteady = review(ENDING, Permission(first_run=True, steady=False))
    assert {e.refused for e in unsteady.entries} == {("evidence",)}
    assert "--approve" not in plan_text(unsteady)


def test_a_plan_of_nothing_says_so_and_has_no_digest() -> None:
    text = plan_text(review(world([job()], [desired()])))
    assert text.splitlines()[-1] == "Nothing to do: everything is as declared (1 kept)."
    assert "Digest" not in text


def test_what_a_cancel_throws_away_is_said_as_far_as_it_is_known() -> None:
    shown = plan_text(review(ENDING, progress={"j1": Progress(40, 100, {}), "j2": Progress(7, None, {})}))
    assert "      throws away: running, 1h1m old, step 40 of 100\n" in shown
    assert "      throws away: running, 1h1m old, step 7\n" in shown
    assert "      then cancels j3: running, 1h1m old\n" in shown


def test_an_edited_finished_job_shows_what_is_different_and_counts_the_rest() -> None:
    (entry,) = review(since_world(3, 20)).entries
    assert entry.since is not None
    assert (entry.since.differences, entry.since.unchanged) == ((Difference("n_epochs", 3, 20),), 1)
    text = plan_text(review(since_world(3, 20)))
    assert "  + create   a  NotCreated" in text
    assert "      changes since job j1 (succeeded) (1 unchanged field hidden):\n        n_epochs: 3 → 20\n" in text


def test_a_field_that_is_new_or_gone_is_told_from_one_that_changed() -> None:
    assert "n_epochs: (unset) → 20" in plan_text(review(since_world(None, 20)))
    assert "n_epochs: 3 → (unset)" in plan_text(review(since_world(3, None)))


def test_an_earlier_spec_that_was_never_read_here_is_said_to_be_unknown() -> None:
    unknown = world([job(status="succeeded", revision=R3)], [desired("a", R2)])
    (entry,) = review(unknown).entries
    assert entry.since is not None
    assert entry.since.differences is None
    assert "is not known here" in plan_text(review(unknown))


def test_a_job_of_another_method_is_in_the_plan_and_in_its_data() -> None:
    seen = review(world([job()], [asked_for_dpo()]))
    changes = plan_data(seen)["changes"]
    assert isinstance(changes, list)
    (change,) = changes
    assert (change["action"], change["reason"], change["job_id"]) == ("cancel", "MethodLost", "j1")
    assert "MethodLost: another job than was asked for: method dpo was sent" in plan_text(seen)
    held = review(world([job(status="cancelled")], [asked_for_dpo()]))
    data = plan_data(held)
    assert (data["changes_present"], data["converged"]) == (False, False)
    assert "say --assume method" in plan_text(held).replace("\n", " ")


def test_data_says_what_a_bot_needs() -> None:
    changes = plan_data(review(ENDING, progress={"j3": Progress(40, 100, {})}))["changes"]
    assert isinstance(changes, list)
    by_key = {(c["name"], c["action"]): c for c in changes}
    created = by_key["c", "create"]
    assert (created["model"], created["files"], created["refused"]) == ("m", ["file-1"], "max_cancels")
    assert created["throws_away"] == [
        {"job_id": "j3", "status": "running", "age": 3700, "step": 40, "total_steps": 100, "usd": None}
    ]
    assert by_key["a", "cancel"]["throws_away"][0]["step"] is None
    assert by_key["a", "cancel"]["model"] is None


REJECTED = Refusal("a", R1, "POST /fine_tuning/jobs: HTTP 400: no such model\x1b", 4_600)
OF_ALL = Refusal("a", R1, "HTTP 403: no quota", 3_900, of_all=True)


@pytest.mark.parametrize(
    ("refusals", "words"),
    [
        ({}, {}),
        ({"a": replace(REJECTED, revision=R2)}, {}),
        (
            {"a": REJECTED},
            {
                "a": "CreateRejected before: the provider rejected this job: POST /fine_tuning/jobs: HTTP 400: "
                "no such model\\x1b; next try 01:16 UTC; apply tries at once"
            },
        ),
        (
            {"a": replace(REJECTED, message="no", next_at=3_800)},
            {"a": "CreateRejected before: the provider rejected this job: no; tried again next; apply tries at once"},
        ),
        (
            {"a": OF_ALL, "": replace(OF_ALL, next_at=4_600)},
            {
                "b": "CreateRefused before: the provider takes no new jobs at the moment (last refused: a); "
                "next try 01:16 UTC; apply tries at once",
            },
        ),
    ],
)
def test_a_create_that_was_refused_before_says_so_and_when_it_is_tried_again(
    refusals: dict[str, Refusal], words: dict[str, str]
) -> None:
    """What `status` says of it: the reason, the provider's sentence, the next try."""
    seen = review(world([], [desired("a"), desired("b")], remembers=memory(echoes=True, refusals=refusals)))
    said = {e.change.name: [d for d in details(e, seen) if " before: " in d] for e in seen.entries}
    assert said == {name: [words[name]] if name in words else [] for name in ("a", "b")}
    changes = plan_data(seen)["changes"]
    assert isinstance(changes, list)
    assert [c["message"].endswith("; job b is tried first, alone") for c in changes] == ["b" in words, False]
    data = {c["name"]: c["last_refusal"] for c in changes}
    assert {name for name, found in data.items() if found} == words.keys()
    if "b" in words:
        assert data["b"] == {
            "reason": "CreateRefused",
            "message": "the provider takes no new jobs at the moment (last refused: a)",
            "next_try": "1970-01-01T01:16:40Z",
        }


def test_no_line_is_wider_than_the_screen_but_the_command_that_is_copied() -> None:
    long = world([job("ftjob-" + "x" * 24, "a" * 40)], [desired("b" * 50)], of=fleet(max_cancels=0))
    seen = review(long, note="Apply waits one settle window before it writes: " + "this run has no memory, " * 3)
    lines = plan_text(replace(seen, fleet="f" * 63, host="a-host.example.com"), width=80).splitlines()
    assert max(len(line) for line in lines if not line.startswith("To do exactly")) <= 80
