"""Any world that a decision may see, as a hypothesis strategy: for the properties of plan, gates and status."""

from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.core.fields import OnCancelled, OnChange, State
from reconciler.core.job import JobError
from reconciler.core.memory import Intent, OwnPause
from reconciler.core.world import World
from tests.fakes.builders import CURABLE, FLEET, R1, R2, desired, fleet, job, memory, record, world

STATUSES = ("validating_files", "running", "paused", "succeeded", "failed", "cancelled", "canceled", "??")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names, revisions = ("a", "b"), (R1, R2)
    jobs = [
        job(
            f"j{i}",
            draw(st.sampled_from(names)),
            draw(st.sampled_from(revisions)),
            draw(st.integers(1, 2)),
            draw(st.sampled_from(STATUSES)),
            created=draw(st.integers(1, 3)),
            fleet=draw(st.sampled_from((FLEET, FLEET, FLEET, "other"))),
            marked=draw(st.booleans()) or i > 1,
            orphan=draw(st.booleans()),
            error=draw(st.sampled_from((None, CURABLE, JobError("invalid_x", "", "")))),
        )
        for i in range(draw(st.integers(0, 5)))
    ]
    wants = [
        desired(
            name,
            draw(st.sampled_from(revisions)),
            model_from="b" if name == "a" and draw(st.booleans()) else None,
            state=draw(st.sampled_from((State.ACTIVE, State.ACTIVE, *State))),
            on_change=draw(st.sampled_from(tuple(OnChange))),
            on_cancelled=draw(st.sampled_from(tuple(OnCancelled))),
            retries=draw(st.integers(0, 2)),
        )
        for name in draw(st.sampled_from(((), ("a",), ("b",), names)))
    ]
    if not any(d.name == "b" for d in wants):
        wants = [replace(d, model_from=None) for d in wants]
    some = st.sets(st.sampled_from([j.id for j in jobs])) if jobs else st.just(set())
    records = [
        record(j.id, j.marks.name, j.marks.revision, j.marks.attempt, live=j.live)
        for j in jobs
        if j.belongs_to(FLEET) and j.marks
    ]
    remembers = memory(
        records=[r for r in records if draw(st.booleans())],
        wanted=draw(st.sets(st.tuples(st.sampled_from(names), st.sampled_from(revisions)))),
        cancels={i: draw(st.sampled_from(("Removed", "Duplicate"))) for i in draw(some)},
        pauses={i: OwnPause(waiting=draw(st.booleans())) for i in draw(some)},
        can_pause=draw(st.sampled_from((None, True, False))),
        intents=[Intent("a", R1, 1)] if draw(st.integers(0, 9)) == 0 else [],
        inherited=draw(st.booleans()),
        echoes=draw(st.sampled_from((True, True, None, False))),
        refused=draw(st.sampled_from(("", "", "", "quota"))),
    )
    return world(
        jobs,
        wants,
        remembers=remembers,
        of=fleet(
            state=draw(st.sampled_from((State.ACTIVE, State.ACTIVE, State.ACTIVE, *State))),
            prune=draw(st.booleans()),
            max_active=draw(st.sampled_from((None, 1, 2))),
        ),
        broken=frozenset({"b"}) if draw(st.integers(0, 9)) == 0 else frozenset(),
        seen_first=frozenset(draw(some)),
        looked_for=frozenset({"a"}) if draw(st.booleans()) else frozenset(),
    )
