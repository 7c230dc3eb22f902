"""A command that a message names can be copied: it is about the directory that its reader spoke of."""

from msgspec.structs import replace

from reconciler.core.gates import Permission, gate
from reconciler.core.plan import plan
from reconciler.core.status import Details, statuses
from reconciler.core.world import World
from reconciler.engine.apply import Result
from reconciler.engine.steps import Decided, Pass, Seen
from reconciler.render.commands import decided_here, result_here, statuses_here, typed_here
from tests.fakes.builders import desired, memory, record, world
from tests.fakes.reviews import typed

GONE = world([], [desired()], remembers=memory(records=[record()]), missing=frozenset({"j1"}))
COPIED = "`reconciler forget a -d fleet`"


def decided(of: World) -> Decided:
    wanted, permission = plan(of), Permission(first_run=True)
    return Decided(Seen(of, {}, frozenset(), settled=True), wanted, gate(wanted, of, permission), permission)


def test_a_command_gets_the_directory_that_its_reader_spoke_of() -> None:
    assert typed_here("run `reconciler forget tone -d DIR`, or not", typed) == (
        "run `reconciler forget tone -d fleet`, or not"
    )
    for text in ("`policy.adopt`", "reconciler forget a -d DIR", "`reconciler forget a`", ""):
        assert typed_here(text, typed) == text


def test_a_plan_its_gates_and_its_end_say_it_alike() -> None:
    shown = decided_here(decided(GONE), typed)
    assert [COPIED in change.message for change in (*shown.plan.changes, *shown.gated.plan.changes)] == [True, True]
    lost = world([], [desired("b")], remembers=memory(records=[record()]), missing=frozenset({"j1"}))
    refused = decided_here(decided(lost), typed).gated.refusals
    assert [COPIED in verdict.message for verdict in refused if verdict.gate == "all_missing"] == [True]
    found = statuses(GONE, plan(GONE), now=None, previous={}, details=Details())
    after = decided(GONE)
    ended = result_here(Result((), Pass(after, (), after, report=found)), typed).last
    assert COPIED in ended.after.gated.plan.changes[0].message
    assert COPIED in ended.report["a"].conditions[0].message


def test_a_status_keeps_everything_else() -> None:
    found = statuses(GONE, plan(GONE), now=None, previous={}, details=Details())
    shown = statuses_here(found, typed)["a"]
    assert [COPIED in c.message for c in shown.conditions] == [True, False, True]
    assert replace(shown, conditions=found["a"].conditions) == found["a"]
    quiet = world([], [desired()])
    plain = statuses(quiet, plan(quiet), now=None, previous={}, details=Details())
    assert statuses_here(plain, typed) == plain
