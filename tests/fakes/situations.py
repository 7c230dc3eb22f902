"""Situations, each with the plan that it must have: the decision table, for the tests of plan and of status."""

import dataclasses
from typing import Any

from msgspec.structs import replace

from reconciler.core.body import derived_seed
from reconciler.core.change import Action
from reconciler.core.documents import TrainingFile
from reconciler.core.fields import OnCancelled, OnChange, State
from reconciler.core.job import Job, JobError, Marks
from reconciler.core.memory import Intent, Memory, OwnCancel, OwnPause, Rejection
from reconciler.core.reason import Reason
from reconciler.core.training import Training
from reconciler.core.world import World
from tests.fakes.builders import (
    CURABLE,
    FLEET,
    R1,
    R2,
    R3,
    asked_for_dpo,
    desired,
    fleet,
    job,
    memory,
    record,
    world,
)

PAUSE, RESUME = Action.PAUSE, Action.RESUME
CREATE, CANCEL, KEEP, WAIT, HOLD, ADOPT = (
    Action.CREATE,
    Action.CANCEL,
    Action.KEEP,
    Action.WAIT,
    Action.HOLD,
    Action.ADOPT,
)

Line = tuple[Action, Reason, str | None]

DPO = Training("dpo")
ASKED = {"method": {"type": "dpo"}}

LOST = Intent("a", R1, 1, seed=5)
SENT = derived_seed(Marks(FLEET, "a", R1, 1))


def unmarked(job_id: str, model: str, **more: Any) -> Job:
    """A job as a server shows it that drops metadata."""
    return replace(job(job_id, marked=False, **more), model=model)


# A server that drops metadata and returns the name of the training file, and a job whose file is uploaded.
BY_FILE = memory(echoes=False, files=True)
FROM_HERE = replace(desired(), training=TrainingFile("t.jsonl", "f" * 64, 7), body={"model": "m"})

NOBODY_KNOWS = Memory(inherited=False, echoes=True)
KNOWS_NOTHING = memory(echoes=True)
UNMARKED = memory(records=[record(), record("j2", revision=R2)], wanted=[("a", R1), ("a", R2)], seeds=True)


# The journal holds j1 for the revision that it was adopted for, and that this manifest had then.
ADOPTED_ONCE = replace(memory(records=[record(attempt=0)], echoes=True), wanted={("a", R1): {"model": "m"}})


def pauses(*, revision: str = R1, **own: OwnPause) -> Memory:
    """Job j1 is known, and these were paused from here."""
    return memory(records=[record(revision=revision)], wanted={("a", revision)}, echoes=True, pauses=own)


def own(*jobs: Job, **cancels: str) -> Memory:
    """A run that has recorded these jobs and wanted them, with its own cancels by job id."""
    ended = [record(j.id, j.marks.name, j.marks.revision, j.marks.attempt, live=False) for j in jobs if j.marks]
    wanted = [(j.marks.name, j.marks.revision) for j in jobs if j.marks]
    return memory(records=ended, wanted=wanted, cancels=cancels, echoes=True)


old = job("j1", status="cancelled")
young = job("j2", revision=R2, status="succeeded", created=200)
ENDED = memory(records=[record(live=False)], wanted=[("a", R2)])

# One case for each branch of each row: (situation, world, the plan).
TABLE: list[tuple[str, World, list[Line]]] = [
    # A. Hold?
    ("1 broken manifest", world([], [], broken=frozenset("a")), [(HOLD, Reason.SOURCE_INVALID, None)]),
    (
        "1 broken manifest, its job runs",
        world([job()], [], broken=frozenset("a")),
        [(HOLD, Reason.SOURCE_INVALID, "j1")],
    ),
    (
        "2 unknown outcome",
        world([], [desired()], remembers=memory(intents=[LOST], echoes=True)),
        [(HOLD, Reason.CREATE_UNRESOLVED, None)],
    ),
    (
        "2 looked for in vain, marks never seen",
        world([], [desired()], remembers=memory(intents=[LOST]), looked_for=frozenset("a")),
        [(HOLD, Reason.CREATE_UNRESOLVED, None)],
    ),
    (
        "2 looked for in vain, marks echoed",
        world([], [desired()], remembers=memory(intents=[LOST], echoes=True), looked_for=frozenset("a")),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "2 found by its marks",
        world([job()], [desired()], remembers=memory(intents=[LOST], echoes=True)),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "2 found by the name of its training file",
        world([job(file_name=f"{FLEET}.a.{R1}.1.jsonl")], [desired()], remembers=memory(intents=[LOST], files=True)),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "2 a person named it",
        world(
            [job("j9", marked=False)],
            [desired(adopt=("j9", R1))],
            remembers=memory(intents=[LOST]),
        ),
        [(ADOPT, Reason.ADOPTED, "j9")],
    ),
    (
        "3 recorded job of r is gone",
        world([], [desired()], remembers=memory(records=[record(live=False)]), missing=frozenset({"j1"})),
        [(HOLD, Reason.MISSING, "j1")],
    ),
    (
        "3 job last seen live is gone",
        world([], [], remembers=memory(records=[record(revision=R2)]), missing=frozenset({"j1"})),
        [(HOLD, Reason.MISSING, "j1")],
    ),
    (
        "3 ended job of another revision is gone",
        world([], [desired()], remembers=memory(records=[record(revision=R2, live=False)]), missing=frozenset({"j1"})),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "3 adopted job unknown",
        world([], [desired(adopt=("j9", R1))], missing=frozenset({"j9"})),
        [(HOLD, Reason.MISSING, None)],
    ),
    ("4 job suspended", world([job()], [desired(state=State.SUSPENDED)]), [(HOLD, Reason.SUSPENDED, "j1")]),
    ("4 job suspended, no job", world([], [desired(state=State.SUSPENDED)]), [(HOLD, Reason.SUSPENDED, None)]),
    (
        "4 fleet suspended",
        world([job()], [desired()], of=fleet(state=State.SUSPENDED)),
        [(HOLD, Reason.SUSPENDED, "j1")],
    ),
    (
        "4 fleet suspended, gone name",
        world([job()], [], of=fleet(state=State.SUSPENDED)),
        [(HOLD, Reason.SUSPENDED, "j1")],
    ),
    ("4 fleet suspended, gone and ended", world([job(status="failed")], [], of=fleet(state=State.SUSPENDED)), []),
    ("4 job to be paused", world([job()], [desired(state=State.PAUSED)]), [(PAUSE, Reason.PAUSING, "j1")]),
    (
        "4 job to be paused, of an earlier spec too",
        world([job(), job("j2", revision=R2)], [desired(state=State.PAUSED)]),
        [(PAUSE, Reason.PAUSING, "j1"), (PAUSE, Reason.PAUSING, "j2")],
    ),
    (
        "4 job paused",
        world([job(status="paused")], [desired(state=State.PAUSED)]),
        [(HOLD, Reason.PAUSED, "j1")],
    ),
    ("4 job paused, nothing live", world([], [desired(state=State.PAUSED)]), [(HOLD, Reason.PAUSED, None)]),
    (
        "4 job paused, failed before",
        world([job(status="failed", error=CURABLE)], [desired(state=State.PAUSED, retries=3)]),
        [(HOLD, Reason.PAUSED, None)],
    ),
    (
        "4 job paused, and its model exists",
        world([job(status="succeeded")], [desired(state=State.PAUSED)]),
        [(KEEP, Reason.SUCCEEDED, "j1")],
    ),
    ("4 job paused, gone name", world([job(status="paused")], []), [(CANCEL, Reason.REMOVED, "j1")]),
    (
        "4 a pause is under way",
        world([job(status="pausing")], [desired(state=State.PAUSED)]),
        [(HOLD, Reason.PAUSING, "j1")],
    ),
    (
        "4 a pause that does not take waits",
        world([job()], [desired(state=State.PAUSED)], remembers=pauses(j1=OwnPause(waiting=True))),
        [(HOLD, Reason.PAUSING, "j1")],
    ),
    (
        "4 a pause that does not take is sent again",
        world([job()], [desired(state=State.PAUSED)], remembers=pauses(j1=OwnPause())),
        [(PAUSE, Reason.PAUSING, "j1")],
    ),
    (
        "4 a server that cannot pause",
        world([job()], [desired(state=State.PAUSED)], remembers=memory(can_pause=False, echoes=True)),
        [(HOLD, Reason.CANNOT_PAUSE, "j1")],
    ),
    (
        "4 job without marks to be paused",
        world([job(marked=False)], [desired(state=State.PAUSED, adopt=("j1", R1))]),
        [(HOLD, Reason.CANNOT_PAUSE, "j1")],
    ),
    (
        "4 job to be paused, of another method",
        world([job()], [asked_for_dpo(state=State.PAUSED)]),
        [(CANCEL, Reason.METHOD_LOST, "j1")],
    ),
    (
        "7 a job that was paused here goes on",
        world([job(status="paused")], [desired()], remembers=pauses(j1=OwnPause())),
        [(RESUME, Reason.RESUMING, "j1"), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "7 a resume that does not take waits",
        world([job(status="paused")], [desired()], remembers=pauses(j1=OwnPause(waiting=True))),
        [(HOLD, Reason.RESUMING, "j1"), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "7 a job that was paused here runs",
        world([job()], [desired()], remembers=pauses(j1=OwnPause())),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "7 a job that somebody else paused is left so",
        world([job(status="paused")], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D a job of an earlier spec that was paused here may end first",
        world(
            [job(revision=R2, status="paused")],
            [desired(on_change=OnChange.WAIT)],
            remembers=pauses(j1=OwnPause(), revision=R2),
        ),
        [
            (WAIT, Reason.WAITING_FOR_PREVIOUS, None),
            (RESUME, Reason.RESUMING, "j1"),
            (KEEP, Reason.IN_PROGRESS, "j1"),
        ],
    ),
    ("4 job cancelled", world([job()], [desired(state=State.CANCELLED)]), [(CANCEL, Reason.CANCEL_REQUESTED, "j1")]),
    (
        "4 job cancelled that was paused here",
        world([job(status="paused")], [desired(state=State.CANCELLED)], remembers=pauses(j1=OwnPause())),
        [(CANCEL, Reason.CANCEL_REQUESTED, "j1")],
    ),
    (
        "4 job cancelled, nothing live",
        world([job(status="failed")], [desired(state=State.CANCELLED)]),
        [(HOLD, Reason.CANCEL_REQUESTED, None)],
    ),
    (
        "4 fleet cancelled",
        world([job()], [desired()], of=fleet(state=State.CANCELLED)),
        [(CANCEL, Reason.CANCEL_REQUESTED, "j1")],
    ),
    (
        "4 fleet cancelled, gone name",
        world([job()], [], of=fleet(state=State.CANCELLED)),
        [(CANCEL, Reason.CANCEL_REQUESTED, "j1")],
    ),
    ("4 fleet cancelled, gone and ended", world([job(status="failed")], [], of=fleet(state=State.CANCELLED)), []),
    (
        "4 cancelled ends an adopted job that is ours",
        world([job()], [desired(adopt=("j1", R1), state=State.CANCELLED)]),
        [(CANCEL, Reason.CANCEL_REQUESTED, "j1")],
    ),
    (
        "4 cancelled leaves an adopted job",
        world([job("j9", marked=False)], [desired(adopt=("j9", R1), state=State.CANCELLED)]),
        [(HOLD, Reason.NO_IDENTITY, "j9")],
    ),
    ("5 gone and live", world([job()], []), [(CANCEL, Reason.REMOVED, "j1")]),
    ("5 gone and ended", world([job(status="succeeded")], []), []),
    ("5 gone, orphan", world([job(orphan=True)], []), [(HOLD, Reason.ORPHANED, "j1")]),
    ("5 gone, fleet does not prune", world([job()], [], of=fleet(prune=False)), [(HOLD, Reason.PRUNE_DISABLED, "j1")]),
    ("5 gone, this run does not prune", world([job()], [], prune=False), [(HOLD, Reason.PRUNE_DISABLED, "j1")]),
    (
        "5 gone, orphan, paused from here",
        world([job(status="paused", orphan=True)], [], remembers=pauses(j1=OwnPause())),
        [(HOLD, Reason.ORPHANED, "j1")],
    ),
    (
        "5 gone, not pruned, paused by somebody else",
        world([job(status="paused")], [], of=fleet(prune=False)),
        [(HOLD, Reason.PRUNE_DISABLED, "j1")],
    ),
    ("5 gone, never wanted here", world([job()], [], remembers=KNOWS_NOTHING), [(HOLD, Reason.AHEAD, "j1")]),
    (
        "5 gone, another revision of it was wanted here",
        world([job()], [], remembers=memory(wanted=[("a", R2)])),
        [(CANCEL, Reason.REMOVED, "j1")],
    ),
    (
        "5 gone, without memory, in the first listing",
        world([job()], [], remembers=NOBODY_KNOWS, seen_first=frozenset({"j1"})),
        [(CANCEL, Reason.REMOVED, "j1")],
    ),
    (
        "5 gone, without memory, appeared later",
        world([job()], [], remembers=NOBODY_KNOWS),
        [(HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "5 gone, without memory, of a name that this run read before",
        world([job()], [], remembers=replace(NOBODY_KNOWS, wanted={("a", R2): {"model": "m"}})),
        [(CANCEL, Reason.REMOVED, "j1")],
    ),
    (
        "5 gone, without memory, of a name that was only taken over",
        world([job()], [], remembers=replace(NOBODY_KNOWS, wanted={("a", R2): None})),
        [(HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "5 gone, a person agreed",
        world([job()], [], remembers=KNOWS_NOTHING, approved_ahead=frozenset({"j1"})),
        [(CANCEL, Reason.REMOVED, "j1")],
    ),
    # B. What stands for r?
    (
        "5 adopted for a revision that the manifest never had",
        world([job("j9", marked=False)], [desired("a", R2, adopt=("j9", R1))]),
        [(HOLD, Reason.ADOPTION_REFUSED, "j9")],
    ),
    (
        "5 adopted for another revision than its own marks say",
        world([job(revision=R2)], [desired("a", R2, adopt=("j1", R1))]),
        [(HOLD, Reason.ADOPTION_REFUSED, "j1")],
    ),
    (
        "5 adopted for a revision that was once wanted, and never was its own",
        world(
            [job("j9", marked=False)], [desired("a", R2, adopt=("j9", R1))], remembers=replace(ADOPTED_ONCE, records={})
        ),
        [(HOLD, Reason.ADOPTION_REFUSED, "j9")],
    ),
    (
        "5 recorded for a revision that was never read here",
        world([job(marked=False)], [desired("a", R2, adopt=("j1", R1))], remembers=memory(records=[record()])),
        [(HOLD, Reason.ADOPTION_REFUSED, "j1")],
    ),
    (
        "5 adopted under another name",
        world(
            [job(marked=False)],
            [desired("a", R2, adopt=("j1", R1))],
            remembers=replace(ADOPTED_ONCE, records={"j1": record(name="b", attempt=0)}),
        ),
        [(HOLD, Reason.ADOPTION_REFUSED, "j1")],
    ),
    (
        "6 made with another method",
        world([job()], [asked_for_dpo()]),
        [(CANCEL, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 made with another method, ended by us",
        world([old], [asked_for_dpo(on_cancelled=OnCancelled.RECREATE)], remembers=own(old, j1="MethodLost")),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 made with another method, ended before anybody here can remember",
        world([old, young], [asked_for_dpo()], remembers=NOBODY_KNOWS, seen_first=frozenset({"j1", "j2"})),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 made with another method, and failed",
        world([job(status="failed", error=CURABLE)], [asked_for_dpo(retries=3)]),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 made with another method, and trained to its end",
        world([job(status="succeeded")], [asked_for_dpo()]),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 made with another method that the server shows, and failed",
        world([job(status="failed", training=Training("supervised"))], [asked_for_dpo()]),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 several of them",
        world([job("j1"), job("j2", created=200)], [asked_for_dpo()]),
        [(CANCEL, Reason.METHOD_LOST, "j1"), (CANCEL, Reason.METHOD_LOST, "j2")],
    ),
    (
        "6 one beside the job that was asked for, which is younger",
        world([job("j1"), job("j2", created=200, training=DPO)], [asked_for_dpo()]),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (CANCEL, Reason.DUPLICATE, "j1")],
    ),
    (
        "6 one that has ended beside the job that was asked for",
        world([job("j1", status="succeeded"), job("j2", attempt=2, training=DPO)], [asked_for_dpo()]),
        [(KEEP, Reason.IN_PROGRESS, "j2")],
    ),
    (
        "6 the operator says that it is trained although it is not shown",
        world([job()], [asked_for_dpo()], method_assumed=True),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "6 the operator says so once it has been ended",
        world([old], [asked_for_dpo()], remembers=own(old, j1="MethodLost"), method_assumed=True),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "6 a person says that it is the one",
        world([job(marked=False)], [asked_for_dpo(adopt=("j1", R1))]),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "6 without marks, known by its id",
        world([job(marked=False)], [asked_for_dpo()], remembers=memory(records=[record()], seeds=True)),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 without marks, and the answer to our create named it",
        world(
            [job(marked=False)],
            [asked_for_dpo()],
            remembers=memory(records=[record()], cancels={"j1": OwnCancel("MethodLost", counts=False)}, seeds=True),
        ),
        [(CANCEL, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 its cancel does not take",
        world(
            [job()],
            [asked_for_dpo()],
            remembers=memory(records=[record()], cancels={"j1": OwnCancel("MethodLost", waiting=True)}, echoes=True),
        ),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 its cancel was given up",
        world(
            [job()],
            [asked_for_dpo()],
            remembers=memory(records=[record()], cancels={"j1": OwnCancel("MethodLost", left=True)}, echoes=True),
        ),
        [(HOLD, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 the earlier job is kept",
        world([job("j1"), job("j2", revision=R2)], [asked_for_dpo()]),
        [(CANCEL, Reason.METHOD_LOST, "j1"), (KEEP, Reason.IN_PROGRESS, "j2")],
    ),
    (
        "D made with another method, also where it may end by itself",
        world(
            [job("j1", revision=R2), job("j2", created=200)],
            [desired(on_change=OnChange.WAIT)],
            remembers=replace(
                memory(records=[record("j1", revision=R2), record("j2")], echoes=True),
                wanted={("a", R1): {}, ("a", R2): ASKED},
            ),
        ),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (CANCEL, Reason.METHOD_LOST, "j1")],
    ),
    (
        "6 two live",
        world([job("j1"), job("j2", created=200)], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j1"), (CANCEL, Reason.DUPLICATE, "j2")],
    ),
    (
        "6 two live at the same second: the id decides",
        world([job("j2"), job("j1")], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j1"), (CANCEL, Reason.DUPLICATE, "j2")],
    ),
    (
        "6 live beside a succeeded one",
        world([job("j1"), job("j2", status="succeeded", created=200)], [desired()]),
        [(KEEP, Reason.SUCCEEDED, "j2"), (CANCEL, Reason.DUPLICATE, "j1")],
    ),
    (
        "6 the adopted one is kept",
        world([job("j1"), job("j9", marked=False, created=200)], [desired(adopt=("j9", R1))]),
        [(ADOPT, Reason.ADOPTED, "j9"), (CANCEL, Reason.DUPLICATE, "j1")],
    ),
    (
        "6 the adopted is kept, although the other succeeded",
        world([job("j1", status="succeeded"), job("j9", marked=False, created=200)], [desired(adopt=("j9", R1))]),
        [(ADOPT, Reason.ADOPTED, "j9")],
    ),
    (
        "6 an adopted job is never cancelled when it is not ours",
        world(
            [job("j1", marked=False), job("j9", created=50)],
            [desired(adopt=("j1", R1))],
        ),
        [(ADOPT, Reason.ADOPTED, "j1"), (CANCEL, Reason.DUPLICATE, "j9")],
    ),
    (
        "6 a job of an earlier spec ends too: the one that is kept is its successor",
        world([job("j1"), job("j2", created=200), job("j3", revision=R2, created=50)], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j1"), (CANCEL, Reason.DUPLICATE, "j2"), (CANCEL, Reason.SUPERSEDED, "j3")],
    ),
    ("7 one live", world([job()], [desired()]), [(KEEP, Reason.IN_PROGRESS, "j1")]),
    ("7 one live, not known", world([job()], [desired()], remembers=KNOWS_NOTHING), [(ADOPT, Reason.ADOPTED, "j1")]),
    (
        "7 a status nobody knows is live",
        world([job(status="sleeping")], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    ("8 succeeded", world([job(status="succeeded")], [desired()]), [(KEEP, Reason.SUCCEEDED, "j1")]),
    (
        "8 succeeded and failed",
        world([job("j1", status="succeeded"), job("j2", attempt=2, status="failed")], [desired()]),
        [(KEEP, Reason.SUCCEEDED, "j1")],
    ),
    (
        "8 an adopted one that succeeded",
        world(
            [job("j1", status="succeeded"), job("j9", marked=False, status="succeeded")], [desired(adopt=("j9", R1))]
        ),
        [(KEEP, Reason.SUCCEEDED, "j9")],
    ),
    (
        "8 succeeded, model not named yet",
        world([replace(job(status="succeeded"), fine_tuned_model=None)], [desired()]),
        [(KEEP, Reason.SUCCEEDED, "j1")],
    ),
    ("9 failed", world([job(status="failed", error=CURABLE)], [desired()]), [(HOLD, Reason.FAILED, "j1")]),
    (
        "9 failed, retry left",
        world([job(status="failed", error=CURABLE)], [desired(retries=1)]),
        [(CREATE, Reason.RETRY, None)],
    ),
    (
        "9 failed without a reason, retry left",
        world([job(status="failed")], [desired(retries=1)]),
        [(CREATE, Reason.RETRY, None)],
    ),
    (
        "9 failed twice, one retry",
        world(
            [job("j1", status="failed", error=CURABLE), job("j2", attempt=2, status="failed", error=CURABLE)],
            [desired(retries=1)],
        ),
        [(HOLD, Reason.FAILED, "j2")],
    ),
    (
        "9 failed for good: its code says so",
        world([job(status="failed", error=JobError("invalid_training_file", "bad", ""))], [desired(retries=3)]),
        [(HOLD, Reason.FAILED, "j1")],
    ),
    (
        "9 failed for good: it is about the file",
        world([job(status="failed", error=JobError("x", "bad", "training_file"))], [desired(retries=3)]),
        [(HOLD, Reason.FAILED, "j1")],
    ),
    (
        "9 failed for good: it is about the validation file",
        world([job(status="failed", error=JobError("x", "bad", "validation_file"))], [desired(retries=3)]),
        [(HOLD, Reason.FAILED, "j1")],
    ),
    (
        "10 cancelled by us for a removal",
        world([old], [desired()], remembers=own(old, j1="Removed")),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "10 cancelled by us for a removal, after an attempt that failed",
        world(
            [job("j1", status="failed"), job("j2", attempt=2, status="cancelled")],
            [desired()],
            remembers=own(job("j1"), job("j2", attempt=2), j2="Removed"),
        ),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "10 cancelled by us because its manifest said so",
        world([old], [desired()], remembers=own(old, j1="CancelRequested")),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "10 cancelled by us as a duplicate is not restored",
        world([old], [desired()], remembers=own(old, j1="Duplicate")),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 our cancel is void",
        world(
            [old],
            [desired()],
            remembers=memory(records=[record(live=False)], cancels={"j1": OwnCancel("Removed", counts=False)}),
        ),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 without memory, replaced",
        world([old, young], [desired()], remembers=NOBODY_KNOWS, seen_first=frozenset({"j1"})),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "10 without memory, but it was not there at first",
        world([old, young], [desired()], remembers=NOBODY_KNOWS),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 it ended before the journal began, replaced",
        world([old, young], [desired()], remembers=memory(records=[record(live=False, ended_before=True)])),
        [(CREATE, Reason.RESTORED, None)],
    ),
    (
        "10 this journal saw it live, and did not cancel it",
        world([old, young], [desired()], remembers=memory(records=[record(live=False)])),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 without memory, not replaced",
        world([old], [desired()], remembers=NOBODY_KNOWS, seen_first=frozenset({"j1"})),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 without memory, the other is older",
        world([replace(old, created_at=300), young], [desired()], remembers=NOBODY_KNOWS, seen_first=frozenset({"j1"})),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "10 without memory, a second attempt",
        world(
            [job("j1", attempt=2, status="cancelled"), young],
            [desired()],
            remembers=NOBODY_KNOWS,
            seen_first=frozenset({"j1"}),
        ),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    ("11 cancelled by somebody", world([old], [desired()]), [(HOLD, Reason.CANCELLED, "j1")]),
    (
        "11 canceled, in Azure's spelling",
        world([job(status="canceled")], [desired()]),
        [(HOLD, Reason.CANCELLED, "j1")],
    ),
    (
        "11 cancelled by somebody, recreate",
        world([old], [desired(on_cancelled=OnCancelled.RECREATE)]),
        [(CREATE, Reason.CANCELLED, None)],
    ),
    ("12 nothing", world([], [desired()]), [(CREATE, Reason.NOT_CREATED, None)]),
    # C. May it be sent now?
    (
        "12 the manifest of an adopted job has changed",
        world([job(marked=False)], [desired("a", R2, adopt=("j1", R1))], remembers=ADOPTED_ONCE),
        [(CREATE, Reason.NOT_CREATED, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "12 so has that of a job of its own that it names",
        world([job()], [desired("a", R2, adopt=("j1", R1))]),
        [(CREATE, Reason.NOT_CREATED, None), (CANCEL, Reason.SUPERSEDED, "j1")],
    ),
    (
        "12 the job of the change was made already",
        world([job(marked=False), job("j2", revision=R2)], [desired("a", R2, adopt=("j1", R1))]),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    (
        "13 upstream still trains",
        world([job("j1", name="up")], [desired("up"), desired("a", model_from="up")]),
        [(WAIT, Reason.WAITING_FOR_JOB, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "13 upstream is not created yet",
        world([], [desired("up"), desired("a", model_from="up")]),
        [(WAIT, Reason.WAITING_FOR_JOB, None), (CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "13 upstream is held",
        world([job("j1", name="up", status="failed")], [desired("up"), desired("a", model_from="up")]),
        [(WAIT, Reason.DEPENDENCY_FAILED, None), (HOLD, Reason.FAILED, "j1")],
    ),
    (
        "13 two steps up is held",
        world(
            [job("j1", name="up", status="failed")],
            [desired("up"), desired("b", model_from="up"), desired("a", model_from="b")],
        ),
        [(WAIT, Reason.DEPENDENCY_FAILED, None), (WAIT, Reason.DEPENDENCY_FAILED, None), (HOLD, Reason.FAILED, "j1")],
    ),
    (
        "13 upstream's create is unresolved: that ends by itself",
        world(
            [],
            [desired("up"), desired("a", model_from="up")],
            remembers=memory(intents=[Intent("up", R1, 1)], echoes=True),
        ),
        [(WAIT, Reason.WAITING_FOR_JOB, None), (HOLD, Reason.CREATE_UNRESOLVED, None)],
    ),
    (
        "13 upstream has a model",
        world([job("j1", name="up", status="succeeded")], [desired("up"), desired("a", model_from="up")]),
        [(CREATE, Reason.NOT_CREATED, None), (KEEP, Reason.SUCCEEDED, "j1")],
    ),
    (
        "13 upstream is nowhere: no manifest that was read says so, and a plan is made of any world",
        world([], [desired("a", model_from="nobody")]),
        [(WAIT, Reason.WAITING_FOR_JOB, None)],
    ),
    (
        "13 two upstreams of each other",
        world([], [desired("a", model_from="b"), desired("b", model_from="a")]),
        [(WAIT, Reason.WAITING_FOR_JOB, None), (WAIT, Reason.WAITING_FOR_JOB, None)],
    ),
    (
        "14 the provider takes no jobs",
        world([], [desired()], remembers=memory(refused="quota")),
        [(WAIT, Reason.CREATE_REFUSED, None)],
    ),
    (
        "14 this create was rejected",
        world([], [desired()], remembers=memory(rejected={"a": Rejection(R1, "bad suffix")})),
        [(WAIT, Reason.CREATE_REJECTED, None)],
    ),
    (
        "14 every create is to be sent later",
        world([], [desired()], remembers=memory(put_off={("", ""): "the provider asks to wait"})),
        [(WAIT, Reason.NOT_CREATED, None)],
    ),
    (
        "14 this create is to be sent later",
        world([], [desired()], remembers=memory(put_off={("a", R1): "its file is not ready"})),
        [(WAIT, Reason.NOT_CREATED, None)],
    ),
    (
        "14 another create is to be sent later",
        world([], [desired()], remembers=memory(put_off={("a", R2): "not ready", ("b", R1): "not ready"})),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "14 another revision was rejected",
        world([], [desired()], remembers=memory(rejected={"a": Rejection(R2, "bad suffix")})),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "14 metadata does not come back",
        world([], [desired()], remembers=memory(echoes=False)),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "14 a file that is uploaded for this create will bear its name",
        world([], [FROM_HERE], remembers=BY_FILE),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "14 a file that the manifest names by its id bears no name of ours",
        world([], [desired()], remembers=BY_FILE),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "14 no file's name comes back",
        world([], [FROM_HERE], remembers=memory(echoes=False)),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "14 files' names come back, and of a listed job nothing does",
        world([unmarked("j0", "m")], [FROM_HERE], remembers=BY_FILE),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "14 a job without marks trains on the file of this very job",
        world(
            [replace(unmarked("j1", "m", seed=9), file_name=f"{FLEET}.a.{R1}.1.jsonl")],
            [FROM_HERE],
            remembers=BY_FILE,
        ),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "14 a job on a file of an earlier spec, whose seed nobody remembers, is left",
        world(
            [replace(unmarked("j1", "m", seed=9), file_name=f"{FLEET}.a.{R2}.1.jsonl")],
            [FROM_HERE],
            remembers=BY_FILE,
        ),
        [(CREATE, Reason.NOT_CREATED, None), (HOLD, Reason.ORPHANED, "j1")],
    ),
    (
        "14 a job whose file has another name may be this very job by its seed",
        world(
            [replace(unmarked("j1", "m", seed=7), file_name="train.jsonl")],
            [replace(desired(), body={"model": "m", "seed": 7})],
            remembers=memory(inherited=False),
        ),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "15 wait for the earlier job",
        world([job(revision=R2)], [desired(on_change=OnChange.WAIT)]),
        [(WAIT, Reason.WAITING_FOR_PREVIOUS, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "15 a live job is ahead",
        world([job(revision=R2)], [desired()], remembers=KNOWS_NOTHING),
        [(WAIT, Reason.WAITING_FOR_PREVIOUS, None), (HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "16 max_active is reached",
        world([job("j1", name="b")], [desired(), desired("b")], of=fleet(max_active=1)),
        [(WAIT, Reason.WAITING_FOR_CAPACITY, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "16 one place is left for two",
        world([], [desired(), desired("b")], of=fleet(max_active=1)),
        [(CREATE, Reason.NOT_CREATED, None), (WAIT, Reason.WAITING_FOR_CAPACITY, None)],
    ),
    (
        "16 two places are left for three",
        world([job("j1", name="a")], [desired(name) for name in "abcd"], of=fleet(max_active=3)),
        [
            (KEEP, Reason.IN_PROGRESS, "j1"),
            (CREATE, Reason.NOT_CREATED, None),
            (CREATE, Reason.NOT_CREATED, None),
            (WAIT, Reason.WAITING_FOR_CAPACITY, None),
        ],
    ),
    (
        "16 the job that is replaced does not count",
        world([job(revision=R2)], [desired()], of=fleet(max_active=1)),
        [(CREATE, Reason.NOT_CREATED, None), (CANCEL, Reason.SUPERSEDED, "j1")],
    ),
    (
        "16 a job that nobody here ends counts",
        world(
            [job(marked=False)],
            [desired("a", R2, adopt=("j1", R1))],
            of=fleet(max_active=1),
            remembers=ADOPTED_ONCE,
        ),
        [(WAIT, Reason.WAITING_FOR_CAPACITY, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D a job without marks outlives its spec, and that is said",
        world([job(marked=False), job("j2", revision=R2)], [desired("a", R2)], remembers=UNMARKED),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D so is one whose successor has succeeded",
        world([job(marked=False), job("j2", revision=R2, status="succeeded")], [desired("a", R2)], remembers=UNMARKED),
        [(KEEP, Reason.SUCCEEDED, "j2"), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D until its successor exists it is what there is",
        world([job(marked=False)], [desired("a", R2)], remembers=UNMARKED),
        [(CREATE, Reason.NOT_CREATED, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D with on_change: wait it is left to end like any other",
        world([job(marked=False)], [desired("a", R2, on_change=OnChange.WAIT)], remembers=UNMARKED),
        [(WAIT, Reason.WAITING_FOR_PREVIOUS, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "16 a job whose cancel was given up counts",
        world(
            [job(revision=R2)],
            [desired()],
            of=fleet(max_active=1),
            remembers=memory(
                records=[record(revision=R2)],
                wanted=[("a", R2)],
                cancels={"j1": OwnCancel("Superseded", left=True)},
                echoes=True,
            ),
        ),
        [(WAIT, Reason.WAITING_FOR_CAPACITY, None), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    # D. Live jobs of other revisions
    (
        "D once r is live",
        world([job("j1", revision=R2), job("j2", created=200)], [desired()]),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (CANCEL, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D once r has succeeded",
        world([job("j1", revision=R2), job("j2", status="succeeded")], [desired()]),
        [(KEEP, Reason.SUCCEEDED, "j2"), (CANCEL, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D never before: r has failed",
        world([job("j1", revision=R2), job("j2", status="failed")], [desired()]),
        [(HOLD, Reason.FAILED, "j2"), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D never before: the create waits",
        world([job(revision=R2)], [desired()], remembers=memory(wanted=[("a", R2)], refused="quota")),
        [(WAIT, Reason.CREATE_REFUSED, None), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D of several only the youngest is spared",
        world([job("j1", revision=R2), job("j2", revision=R3, created=200)], [desired()]),
        [(CREATE, Reason.NOT_CREATED, None), (CANCEL, Reason.SUPERSEDED, "j1"), (CANCEL, Reason.SUPERSEDED, "j2")],
    ),
    (
        "D on_change: wait leaves them to end",
        world([job("j1", revision=R2), job("j2", created=200)], [desired(on_change=OnChange.WAIT)]),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "D ahead",
        world([job("j1", revision=R2), job("j2", created=200)], [desired()], remembers=memory(wanted=[("a", R1)])),
        [(ADOPT, Reason.ADOPTED, "j2"), (HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "D without memory, of a spec that this run read",
        world(
            [job("j1", revision=R2), job("j2", created=200)],
            [desired()],
            remembers=replace(NOBODY_KNOWS, wanted={("a", R2): {"model": "m"}}),
        ),
        [(ADOPT, Reason.ADOPTED, "j2"), (CANCEL, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D without memory, of a spec that was only taken over",
        world(
            [job("j1", revision=R2), job("j2", created=200)],
            [desired()],
            remembers=replace(NOBODY_KNOWS, wanted={("a", R2): None}),
        ),
        [(ADOPT, Reason.ADOPTED, "j2"), (HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "D a cancel that does not take waits",
        world(
            [job("j1", revision=R2), job("j2", created=200)],
            [desired()],
            remembers=memory(
                records=[record("j1", revision=R2), record("j2")],
                wanted=[("a", R1), ("a", R2)],
                cancels={"j1": OwnCancel("Superseded", waiting=True)},
            ),
        ),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    (
        "D a cancel that a person gave up",
        world(
            [job("j1", revision=R2), job("j2", created=200)],
            [desired()],
            remembers=memory(
                records=[record("j1", revision=R2), record("j2")],
                wanted=[("a", R1), ("a", R2)],
                cancels={"j1": OwnCancel("Superseded", left=True)},
            ),
        ),
        [(KEEP, Reason.IN_PROGRESS, "j2"), (HOLD, Reason.SUPERSEDED, "j1")],
    ),
    # What is not ours
    ("unmarked jobs", world([job(marked=False, suffix="a")], []), []),
    ("another fleet's job of the same name", world([job(fleet="fleet-2")], []), []),
    (
        "another fleet's job stands for nothing",
        world([job(fleet="fleet-2")], [desired()]),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "a server that drops metadata: known by its id",
        world([job(marked=False)], [desired()], remembers=memory(records=[record()], echoes=False)),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "a server that drops metadata: never cancelled",
        world([job(marked=False)], [], remembers=memory(records=[record()], wanted=[("a", R1)], echoes=False)),
        [(HOLD, Reason.ORPHANED, "j1")],
    ),
    (
        "a server that drops metadata: the adopted is kept, although the recorded is older",
        world(
            [job("j1", marked=False), job("j9", marked=False, created=200)],
            [desired(adopt=("j9", R1))],
            remembers=memory(records=[record()], echoes=False),
        ),
        [(ADOPT, Reason.ADOPTED, "j9"), (HOLD, Reason.DUPLICATE, "j1")],
    ),
    (
        "a server that drops metadata: its job is known by its seed when the journal is lost",
        world([unmarked("j1", "m", seed=SENT)], [desired()], remembers=memory(inherited=False)),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "... with the suffix that its manifest sets",
        world(
            [unmarked("j1", "m-2026-01-01", seed=SENT, suffix="s")],
            [replace(desired(), body={"model": "m", "suffix": "s"})],
            remembers=memory(inherited=False),
        ),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "... and never cancelled",
        world([unmarked("j1", "m", seed=SENT)], [desired(state=State.CANCELLED)], remembers=memory(inherited=False)),
        [(HOLD, Reason.NO_IDENTITY, "j1")],
    ),
    (
        "... whatever the model is called there",
        world([unmarked("j1", "other", seed=SENT)], [desired()], remembers=memory(inherited=False)),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "... whichever attempt it is, and whatever its marks have become",
        world(
            [job("j1", fleet="fleet", seed=derived_seed(Marks(FLEET, "a", R1, 3)))],
            [desired()],
            remembers=memory(inherited=False),
        ),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "... but not with another suffix; and it is not made again either",
        world([unmarked("j2", "m", seed=SENT, suffix="x")], [desired()], remembers=memory(inherited=False)),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "... nor where the provider returns marks: it may have been made when it did not",
        world([unmarked("j1", "m", seed=SENT)], [desired()], remembers=memory(echoes=True)),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "... nor by a seed that a manifest sets: others may have set it too, and nobody can say",
        world(
            [unmarked("j1", "m", seed=7)],
            [replace(desired(), body={"model": "m", "seed": 7})],
            remembers=memory(inherited=False),
        ),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "... which does not matter where marks come back",
        world(
            [unmarked("j1", "m", seed=7)],
            [replace(desired(), body={"model": "m", "seed": 7})],
            remembers=memory(echoes=True),
        ),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "... or another suffix says whose it is",
        world(
            [unmarked("j1", "m", seed=7, suffix="x")],
            [replace(desired(), body={"model": "m", "seed": 7})],
            remembers=memory(inherited=False),
        ),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "a server that drops metadata and returns the seed: further names are created",
        world([unmarked("j0", "m")], [desired()], remembers=memory(inherited=False, echoes=False, seeds=True)),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "a server that returns the id alone: whoever remembers jobs there goes on",
        world(
            [unmarked("j0", "m")],
            [desired()],
            remembers=memory(records=[record("j7", "b", live=False)], echoes=False),
        ),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "a server that returns the id alone: nobody else does",
        world([unmarked("j0", "m")], [desired()], remembers=memory()),
        [(WAIT, Reason.NO_IDENTITY, None)],
    ),
    (
        "a server that drops metadata: a recorded job is known by its id, whatever its marks have become",
        world([job(fleet="fleet")], [desired()], remembers=memory(records=[record()], echoes=False)),
        [(KEEP, Reason.IN_PROGRESS, "j1")],
    ),
    (
        "2 found by its seed",
        world(
            [unmarked("j1", "m", seed=SENT)],
            [desired()],
            remembers=memory(intents=[dataclasses.replace(LOST, seed=SENT)]),
        ),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "2 found by its seed, although marks come back",
        world(
            [unmarked("j1", "m", seed=SENT)],
            [desired()],
            remembers=memory(intents=[dataclasses.replace(LOST, seed=SENT)], echoes=True),
            looked_for=frozenset("a"),
        ),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "2 found by the seed of its manifest, its suffix and its model",
        world(
            [unmarked("j1", "M-2026-01-01", seed=5, suffix="S", training_file="file-1")],
            [replace(desired(), body={"model": "m", "seed": 5, "suffix": "s", "training_file": "file-1"})],
            remembers=memory(intents=[LOST]),
        ),
        [(ADOPT, Reason.ADOPTED, "j1")],
    ),
    (
        "2 two with the seed of its manifest: nobody can say",
        world(
            [unmarked("j1", "m", seed=5), unmarked("j2", "m", seed=5)],
            [desired()],
            remembers=memory(intents=[LOST], seeds=True),
            looked_for=frozenset("a"),
        ),
        [(HOLD, Reason.CREATE_UNRESOLVED, None)],
    ),
    (
        "2 looked for in vain, seeds come back",
        world([], [desired()], remembers=memory(intents=[LOST], echoes=False, seeds=True), looked_for=frozenset("a")),
        [(CREATE, Reason.NOT_CREATED, None)],
    ),
    (
        "2 looked for, seeds come back",
        world([], [desired()], remembers=memory(intents=[LOST], echoes=False, seeds=True)),
        [(HOLD, Reason.CREATE_UNRESOLVED, None)],
    ),
    (
        "overtaken by another run on this state directory",
        world([job()], [desired()], overtaken=frozenset("a")),
        [(HOLD, Reason.OVERTAKEN, "j1")],
    ),
    (
        "... and it has no live job",
        world([], [desired()], overtaken=frozenset("a")),
        [(HOLD, Reason.OVERTAKEN, None)],
    ),
    (
        "3 a recorded job that cannot be read",
        world([], [desired()], remembers=memory(records=[record()]), unseen=frozenset({"j1"})),
        [(HOLD, Reason.MISSING, "j1")],
    ),
    (
        "3 an adopted job that cannot be read",
        world([], [desired(adopt=("j9", R1))], unseen=frozenset({"j9"})),
        [(HOLD, Reason.MISSING, None)],
    ),
    (
        "3 gone: a live job of an earlier spec is left alone too",
        world([job("j2", revision=R2)], [desired()], remembers=ENDED, missing=frozenset({"j1"})),
        [(HOLD, Reason.MISSING, "j1")],
    ),
    (
        "3 cannot be read: a live job of an earlier spec is left alone too",
        world([job("j2", revision=R2)], [desired()], remembers=ENDED, unseen=frozenset({"j1"})),
        [(HOLD, Reason.MISSING, "j1")],
    ),
    (
        "5 gone, and made again by somebody else since",
        world([job()], [], remembers=memory(wanted=[("a", R1)], gone=frozenset("a"), echoes=True)),
        [(HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "... as it was recorded then",
        world([job()], [], remembers=memory(records=[record(stranger=True)], wanted=[("a", R1)], echoes=True)),
        [(HOLD, Reason.AHEAD, "j1")],
    ),
    (
        "5 gone, orphan by its last manifest",
        world([job()], [], remembers=memory(wanted=[("a", R1)], orphans={"a": True}, echoes=True)),
        [(HOLD, Reason.ORPHANED, "j1")],
    ),
    (
        "5 gone, no orphan any more by its last manifest",
        world([job(orphan=True)], [], remembers=memory(wanted=[("a", R1)], orphans={"a": False}, echoes=True)),
        [(CANCEL, Reason.REMOVED, "j1")],
    ),
    (
        "9 two failures of one attempt are one",
        world(
            [job("j1", status="failed", error=CURABLE), job("j2", status="failed", error=CURABLE)], [desired(retries=1)]
        ),
        [(CREATE, Reason.RETRY, None)],
    ),
    (
        "9 too many requests pass",
        world([job(status="failed", error=JobError("rate_limit_exceeded", "", ""))], [desired(retries=1)]),
        [(CREATE, Reason.RETRY, None)],
    ),
    (
        "9 a reason without a code",
        world([job(status="failed", error=JobError("", "bad day", ""))], [desired(retries=1)]),
        [(CREATE, Reason.RETRY, None)],
    ),
    (
        "9 a healed duplicate says nothing of its revision",
        world(
            [job("j0", attempt=0, status="failed", error=CURABLE), job("j1", status="cancelled")],
            [desired(retries=1)],
            remembers=memory(cancels={"j1": "Duplicate"}, echoes=True),
        ),
        [(CREATE, Reason.RETRY, None)],
    ),
]
