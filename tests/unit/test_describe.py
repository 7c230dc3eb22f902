"""Everything known of one job: complete, true to `status`, and within the width of a screen."""

import pytest
from msgspec.structs import replace

from reconciler.core.desired import Desired
from reconciler.core.documents import TrainingFile
from reconciler.core.fields import OnChange, State
from reconciler.core.gates import Permission, gate
from reconciler.core.job import Checkpoint, Event, JobError
from reconciler.core.memory import OwnCancel, Refusal
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.status import Condition, Details, Progress, statuses
from reconciler.core.world import World
from reconciler.render.describe import _NEXT, Description, description_data, description_text, next_words
from tests.fakes.builders import R1, R2, asked_for_dpo, desired, fleet, job, memory, record, world
from tests.fakes.reviews import typed
from tests.fakes.screens import on_screen
from tests.fakes.situations import TABLE

NOW = 1_000.0


def described(w: World, name: str = "a", events: tuple[Event, ...] = (), **more: Progress) -> Description:
    checkpoints = {"j1": [Checkpoint(f"c{n}", n, f"ft:m:ckpt-step-{n}", 1, {}) for n in range(60, 0, -10)]}
    found = statuses(
        w,
        gate(plan(w), w, Permission(first_run=True)).plan,
        now=None,
        previous={},
        details=Details(checkpoints=checkpoints, progress=more),
    )
    return Description("fleet-1", found[name], NOW, typed, w.desired.get(name), more.get("j1"), events)


def rich_job() -> Desired:
    method = {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": 3, "beta": 0.1}}}
    spec = desired(on_change=OnChange.WAIT, retries=2, adopt=("j1", R1))
    body = {"model": "gpt-4o-mini", "method": method, "suffix": "tone"}
    form = {"rerun": 2}
    training, validation = TrainingFile("data/train.jsonl", "0" * 64, 9), TrainingFile("data/v.jsonl", "1" * 64, 9)
    return replace(
        spec,
        body=body,
        form=form,
        training=training,
        validation=validation,
        extra_body={"x": [1, {"y": 2}]},
        path="a.yaml",
        line=7,
    )


def test_a_running_job_at_80_columns() -> None:
    events = tuple(Event(f"e{n}", n, "info", "message", f"Step {n}/60", {}) for n in range(7))
    events += (Event("e8", 8, "error", "message", "bad \x1b[2J line", {}),)
    before = job("j0", revision=R2, status="cancelled", created=50, finished_at=90)
    w = world([before, job(created=400)], [rich_job()], remembers=memory(cancels={"j0": OwnCancel("Superseded")}))
    shown = described(w, events=events, j1=Progress(30, 60, {"train_loss": 0.5, "valid_loss": 0.625}, pace=4.0))
    assert on_screen(description_text(shown, width=80)).text == RUNNING


RUNNING = """\
Name:         a
Fleet:        fleet-1
Declared in:  a.yaml:7
Revision:     1111111111111111
Job:          j1
Status:       running
Progress:     step 30 of 60 (50 %), loss 0.5, about 2m left, validation loss
              0.625
Model:        -
Created:      1970-01-01 00:06:40 UTC (10m ago)

Spec:
  model: gpt-4o-mini
  method: dpo
  n_epochs: 3
  beta: 0.1
  suffix: tone
  training_file: data/train.jsonl
  validation_file: data/v.jsonl
  extra_body.x: [1, {"y": 2}]
  rerun: 2
  policy.on_change: wait
  policy.retries: 2
  policy.adopt.job_id: j1
  policy.adopt.revision: 1111111111111111

Conditions:
  Synced     True     Adopted, since 1970-01-01 00:06:40 UTC (10m ago)
    running already, named by policy.adopt; no second one is made
  Succeeded  Unknown  InProgress, since 1970-01-01 00:06:40 UTC (10m ago)
    the job is running

History:
  j0: attempt 1 of revision 2222222222222222, cancelled
    ended 1970-01-01 00:01:30 UTC by reconciler (Superseded): cancelled by
    reconciler from this directory: its manifest had another spec by then, and a
    job of that spec took its place
  j1: attempt 1 of revision 1111111111111111, running

Events:
  1970-01-01 00:00:03  Step 3/60
  1970-01-01 00:00:04  Step 4/60
  1970-01-01 00:00:05  Step 5/60
  1970-01-01 00:00:06  Step 6/60
  1970-01-01 00:00:08  error: bad \\x1b[2J line

Checkpoints:
  step 60: ft:m:ckpt-step-60
  step 50: ft:m:ckpt-step-50
  step 40: ft:m:ckpt-step-40
  step 30: ft:m:ckpt-step-30
  step 20: ft:m:ckpt-step-20
  and 1 more: reconciler checkpoints a -d fleet

What happens next:
  It trains on; the next apply or pass records it as the job of this name."""


def test_what_an_event_says_goes_on_below_its_first_word() -> None:
    said = (Event("e1", 8, "error", "message", "the server had an error while training; please try again", {}),)
    text = description_text(described(world([job()], [rich_job()]), events=said), width=60)
    assert f"error: the server had an error while\n{' ' * 23}training; please try again\n" in text


def test_a_wider_screen_takes_more_of_a_line_and_colour_is_that_of_the_status() -> None:
    failed = job(status="failed", error=JobError("invalid_file", "line 3 of the training file " * 4, "training_file"))
    shown = described(world([failed], [desired()]))
    narrow, wide = description_text(shown, width=80), description_text(shown, width=120)
    assert len(on_screen(wide, 120, 40).text.split("\n")) < len(on_screen(narrow).text.split("\n"))
    screen = on_screen(description_text(shown, width=120, colours=True), 120, 40)
    assert screen.text == on_screen(wide, 120, 40).text
    assert screen.colours == {"failed": "red"}


@pytest.mark.parametrize("situation", TABLE, ids=lambda row: row[0])
@pytest.mark.parametrize("width", [80, 120])
def test_every_situation_fits_and_says_what_happens_next(situation: tuple[str, World, object], width: int) -> None:
    w = situation[1]
    names = {change.name for change in plan(w).changes}
    for name in names:
        text = description_text(described(w, name), width=width)
        assert max(len(line) for line in text.split("\n")) <= width
        body = text.rpartition("What happens next:\n")[2]
        assert body.strip().endswith(".")
        assert "{" not in body


def test_every_reason_says_what_happens_next() -> None:
    assert set(_NEXT) == set(Reason)


OWN = Refusal("a", R1, "bad suffix", 1_060)
ALL = Refusal("b", R1, "quota", 1_060, of_all=True)


@pytest.mark.parametrize(
    ("w", "words"),
    [
        (
            world([job(status="cancelled")], [asked_for_dpo()]),
            "It is ended if it is live, and not made again until a person does what Blocked says.",
        ),
        (world([job()], [desired()]), "It trains on; the server is asked again after a day."),
        (
            world([], [desired(model_from="up"), desired("up")]),
            "It waits until up has a model; the pass after that creates its job.",
        ),
        (
            world([job(status="failed")], [desired()]),
            "Nothing, until a person: change the spec, or raise `rerun` to train it again.",
        ),
        (world([job()], [desired(state=State.CANCELLED)]), "The next apply or pass cancels it."),
        (
            world([job(status="cancelled")], [desired(state=State.CANCELLED)]),
            "Nothing, until `state: cancelled` is taken out.",
        ),
        (world([job(status="succeeded")], []), "Nothing is left to do."),
        (
            world([job("j1", "a"), job("j2", "b")], [], of=fleet(max_cancels=1)),
            "Nothing, until its gate lets it go: `reconciler plan fleet` says which, and the way on.",
        ),
        (
            world([job("j2", "up", status="failed")], [desired(model_from="up"), desired("up")]),
            "Nothing, until up is mended: `reconciler describe up -d fleet` says why.",
        ),
        (
            world([], [desired()], remembers=memory(records=[record()]), missing=frozenset({"j1"})),
            "Nothing, until the job is seen again, or a person runs `reconciler forget a -d fleet`.",
        ),
        (
            world([], [desired()], remembers=memory(refusals={"a": OWN}, echoes=True)),
            "A pass of `reconciler run` tries it again from 00:17 UTC on; `reconciler apply fleet` tries it at once.",
        ),
        (
            world([], [desired()], remembers=memory(refusals={"a": replace(OWN, next_at=900)}, echoes=True)),
            "The next apply or pass tries it again; a changed spec is tried at once.",
        ),
    ],
)
def test_what_happens_next(w: World, words: str) -> None:
    assert next_words(described(w)) == words


def test_the_refusal_of_another_is_named_and_not_quoted() -> None:
    w = world([], [desired()], remembers=memory(refused="quota", refusals={"b": ALL, "": ALL}, echoes=True))
    shown = described(w)
    text = description_text(shown, width=80)
    assert "quota" not in text
    assert "every create is held back since that of b" in text
    assert description_data(shown)["refusal"] == {
        "job": "b",
        "reason": "CreateRefused",
        "message": None,
        "next_try": 1_060,
    }
    own = described(world([], [desired()], remembers=memory(refusals={"a": replace(OWN, next_at=900)}, echoes=True)))
    assert "Last refusal:\n  bad suffix\n  next try: by the next apply or pass\n" in description_text(own, width=80)


def test_the_place_of_a_manifest_is_seen_from_where_the_reader_stands() -> None:
    shown = replace(described(world([job()], [rich_job()])), directory="fleets/support")
    assert "Declared in:  fleets/support/a.yaml:7\n" in description_text(shown, width=80)
    assert description_data(shown)["declared_in"] == {"path": "fleets/support/a.yaml", "line": 7}
    above = replace(shown, directory="..")
    assert above.declared_in == ("../a.yaml", 7)


def test_a_name_without_a_manifest_has_all_but_a_spec() -> None:
    shown = described(world([job(status="succeeded", model="ft:m", trained_tokens=12)], []))
    text = description_text(shown, width=80)
    assert "Declared in:  no manifest that can be read\n" in text
    assert "Spec:" not in text
    assert "Trained:      12 tokens\n" in text
    assert (description_data(shown)["declared_in"], description_data(shown)["spec"]) == (None, {})


def test_a_time_that_is_not_known_is_left_out() -> None:
    shown = described(world([], [desired()]))
    assert "NotCreated\n" in description_text(shown, width=80)
    odd = replace(
        shown.status, conditions=tuple(replace(c, last_transition_time="noon") for c in shown.status.conditions)
    )
    assert "since noon" in description_text(replace(shown, status=odd), width=80)
    assert isinstance(odd.conditions[0], Condition)


def test_old_hyperparameters_are_shown_by_their_names() -> None:
    spec = replace(desired(), body={"model": "m", "hyperparameters": {"n_epochs": 2}})
    assert described(world([], [spec])).spec == {"model": "m", "n_epochs": 2}


def test_a_command_is_never_broken_in_two() -> None:
    shown = described(world([job("j1", "a"), job("j2", "b")], [], of=fleet(max_cancels=1)))
    for width in range(30, 120):
        assert "`reconciler plan fleet`" in description_text(shown, width=width), width
    many = "and 1 more: reconciler checkpoints a -d fleet"
    assert many in description_text(described(world([job()], [desired()])), width=80)


def test_what_a_gate_says_is_said_of_the_status_and_once_of_the_conditions() -> None:
    shown = described(world([job("j1", "a"), job("j2", "b")], [], of=fleet(max_cancels=1)))
    assert description_text(shown, width=300).count("2 live jobs would end") == 2


def test_why_a_job_failed_is_said_once_above_its_spec() -> None:
    error = JobError("server_error", "the server had an error", "")
    above = description_text(described(world([job(status="failed", error=error)], [desired()])), width=80).partition(
        "Spec:"
    )[0]
    assert "Status:       failed\n" in above
    assert above.count("the server had an error") == 1


def test_what_an_error_is_about_stands_behind_its_sentence() -> None:
    error = JobError("invalid_training_file", "Line 3 is no JSON.", "training_file")
    text = description_text(described(world([job(status="failed", error=error)], [desired()])), width=120)
    assert "Error:        invalid_training_file: Line 3 is no JSON. (training_file)\n" in text


def test_a_spec_that_is_not_sent_is_tried_by_nobody_whatever_was_refused_before() -> None:
    w = replace(
        world([], [desired()], remembers=memory(refusals={"a": OWN}, echoes=True)), objections={"a": "it drops method"}
    )
    shown = described(w)
    assert next_words(shown) == (
        "Nothing, until a person does what Blocked says: this spec is not sent to this server as it is."
    )
    assert "Last refusal" not in description_text(shown, width=80)
    assert "not sent: it drops method" in description_text(shown, width=80)
