"""Gates: what each refuses, what it leaves alone, and what its message says."""

from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from reconciler.core.change import Action, Cancel, Wait
from reconciler.core.desired import Expect
from reconciler.core.estimate import Estimate
from reconciler.core.fields import State
from reconciler.core.gates import Gated, Permission, Verdict, approval_key, expectation, gate
from reconciler.core.memory import OwnPause
from reconciler.core.plan import plan
from reconciler.core.reason import Reason
from reconciler.core.retirement import kept_meanwhile
from reconciler.core.world import World
from tests.fakes.builders import R1, R2, asked_for_dpo, desired, fleet, job, memory, record, world
from tests.fakes.worlds import worlds

BEGIN = Permission(first_run=True)


def gated(w: World, permission: Permission = BEGIN) -> Gated:
    return gate(plan(w), w, permission)


def sent(w: World, permission: Permission = BEGIN) -> list[str]:
    return [f"{c.action} {c.job_id or c.name}" for c in gated(w, permission).plan.writes]


def refused(w: World, permission: Permission = BEGIN) -> list[str]:
    return [v.gate for v in gated(w, permission).refusals]


def verdict(w: World, name: str, permission: Permission = BEGIN) -> Verdict:
    return next(v for v in gated(w, permission).verdicts if v.gate == name)


REMOVAL = world([job("j1", name="gone"), job("j2", name="kept")], [desired("kept"), desired("new")])


def test_a_plan_that_no_gate_refuses_is_left_as_it_is() -> None:
    assert gated(REMOVAL).plan == plan(REMOVAL)
    assert sent(REMOVAL) == ["cancel j1", "create new"]


def test_files_that_changed_while_they_were_read_stop_every_write() -> None:
    unsteady = replace(BEGIN, steady=False)
    assert sent(REMOVAL, unsteady) == []
    assert refused(REMOVAL, unsteady) == ["evidence"]
    assert refused(world([], []), unsteady) == []


TURNS = world(
    [job("j1"), job("j2", "b", status="paused")],
    [desired(state=State.PAUSED), desired("b")],
    remembers=memory(
        records=[record("j1"), record("j2", "b")], wanted={("a", R1), ("b", R1)}, echoes=True, pauses={"j2": OwnPause()}
    ),
)


def test_a_pause_and_a_resume_need_evidence_and_a_yes_as_every_write() -> None:
    assert sent(TURNS) == ["pause j1", "resume j2"]
    unsteady = replace(BEGIN, steady=False)
    assert (sent(TURNS, unsteady), refused(TURNS, unsteady)) == ([], ["evidence"])
    assert [c.gates for c in gated(TURNS, unsteady).plan.changes if isinstance(c, Wait)] == [("evidence",)] * 2
    assert sent(TURNS, agreed(TURNS)) == ["pause j1", "resume j2"]
    nothing = replace(BEGIN, approved=frozenset())
    assert (sent(TURNS, nothing), refused(TURNS, nothing)) == ([], ["approval"])


def test_one_bad_manifest_stops_removals_and_nothing_else() -> None:
    partial = replace(BEGIN, all_valid=False)
    assert sent(REMOVAL, partial) == ["create new"]
    assert refused(REMOVAL, partial) == ["removal_evidence"]


def test_a_name_that_is_gone_only_now_is_not_removed_yet_and_stops_no_other() -> None:
    w = world([job(), job("j2", "b")], [], of=fleet(max_cancels=5))
    gated = gate(plan(w), w, Permission(gone=frozenset({"a"})))
    assert [c.name for c in gated.plan.writes] == ["a"]
    assert [(v.gate, v.count) for v in gated.refusals] == [("removal_evidence", 1)]
    assert [c.gates for c in gated.plan.changes if isinstance(c, Wait)] == [("removal_evidence",)]


def test_what_a_gate_refuses_becomes_a_wait_that_names_it() -> None:
    change = gated(REMOVAL, replace(BEGIN, all_valid=False)).plan.changes[0]
    assert (change.action, change.reason) == (Action.WAIT, Reason.BLOCKED)
    assert change.message.startswith("gate removal_evidence refuses it")
    assert isinstance(change.write, Cancel), "it is still in the digest"


def test_what_two_gates_refuse_says_both_and_what_changes_meanwhile_says_only_that() -> None:
    few = replace(REMOVAL, fleet=fleet(max_cancels=0))
    (both, *_) = gated(few, replace(BEGIN, all_valid=False)).plan.changes
    assert isinstance(both, Wait)
    assert both.gates == ("removal_evidence", "max_cancels")
    first, second = both.message.split("; gate max_cancels refuses it: ")
    assert first.startswith("gate removal_evidence refuses it: ")
    assert second.startswith("1 live job would end")
    unsteady = gated(few, replace(BEGIN, all_valid=False, steady=False)).plan.changes[0]
    assert isinstance(unsteady, Wait)
    assert unsteady.gates == ("evidence",)
    assert "max_cancels" not in unsteady.message


def test_a_fleet_without_a_single_job_is_begun_only_when_asked_to() -> None:
    empty = world([job("j9", marked=False)], [desired()])
    assert sent(empty, Permission()) == []
    assert sent(empty, BEGIN) == ["create a"]
    ended = world([job("j1", name="b", status="failed")], [desired()])
    assert sent(ended, Permission()) == ["create a"]
    assert refused(world([], []), Permission()) == []


def test_a_create_that_waits_counts_for_the_first_run_too() -> None:
    waiting = world([], [desired()], remembers=memory(refused="quota"))
    assert refused(waiting, Permission()) == ["first_run"]
    assert gated(waiting, Permission()).plan.changes[0].reason is Reason.CREATE_REFUSED, "its own reason stays"


def test_when_every_recorded_job_is_gone_nothing_is_created() -> None:
    told = memory(records=[record("j1", "b", live=False), record("j2", "c", live=False)], echoes=True)
    gone = world([], [desired()], remembers=told)
    assert refused(gone) == ["all_missing"]
    of_one = memory(records=[record("j1", "b", live=False), record("j2", "b", R2, live=False)], echoes=True)
    said = verdict(replace(gone, memory=of_one), "all_missing", Permission()).message
    assert said.endswith("if they are really gone, run `reconciler forget b -d DIR`")
    assert refused(replace(gone, jobs=(job("j9", fleet="fleet-2"), job("j8", marked=False)))) == ["all_missing"]
    assert not refused(replace(gone, jobs=(job("j9", name="z"),))), (
        "a job of this fleet shows that it is the right account"
    )
    one_left = world([job("j1", name="b", status="failed")], [desired()], remembers=told)
    assert refused(one_left) == []
    assert refused(world([], [], remembers=told)) == [], "no creates wanted: nothing to refuse"


@pytest.mark.parametrize(("wanted", "passes"), [(2, True), (3, False)])
def test_max_creates(wanted: int, passes: bool) -> None:
    w = world([], [desired(f"n{i}") for i in range(wanted)], of=fleet(max_creates=2))
    assert len(sent(w)) == (wanted if passes else 0)
    assert refused(w) == ([] if passes else ["max_creates"])


def test_max_creates_counts_those_that_wait() -> None:
    w = world([], [desired(f"n{i}") for i in range(3)], of=fleet(max_creates=2, max_active=1))
    found = verdict(w, "max_creates")
    assert (found.count, found.limit, found.refused) == (3, 2, True)


@pytest.mark.parametrize(
    ("limit", "live", "gone", "passes"),
    [
        (1, 4, 1, True),
        (1, 4, 2, False),
        (0, 4, 1, False),
        ("50%", 4, 2, True),
        ("50%", 5, 3, False),
        ("1%", 3, 1, True),
    ],
)
def test_max_cancels(limit: int | str, live: int, gone: int, passes: bool) -> None:
    jobs = [job(f"j{i}", name=f"n{i}") for i in range(live)]
    w = world(jobs, [desired(f"n{i}") for i in range(gone, live)], of=fleet(max_cancels=limit))
    assert len(sent(w)) == (gone if passes else 0)
    assert verdict(w, "max_cancels").count == gone


def test_the_share_is_of_this_fleets_live_jobs() -> None:
    others = [job(f"x{i}", fleet="other") for i in range(9)] + [
        job(f"e{i}", name=f"e{i}", status="failed") for i in range(9)
    ]
    jobs = [job(f"j{i}", name=f"n{i}") for i in range(4)]
    w = world([*jobs, *others], [desired(f"n{i}") for i in range(2, 4)], of=fleet(max_cancels="30%"))
    assert verdict(w, "max_cancels").limit == 1


def test_a_create_that_replaces_a_live_job_counts_as_a_cancel_and_its_follower_does_not() -> None:
    jobs = [job("j1", name="gone"), job("j2", name="a", revision=R2)]
    w = world(jobs, [desired()], of=fleet(max_cancels=1))
    assert verdict(w, "max_cancels").count == 2
    assert sent(w) == []
    assert sent(replace(w, fleet=fleet(max_cancels=2))) == ["cancel j1", "create a"]


def test_a_create_that_waits_for_capacity_and_replaces_is_not_counted_before_it_goes() -> None:
    jobs = [job("j1", name="a", revision=R2), job("j2", name="b")]
    w = world(
        jobs, [desired(), desired("b")], of=fleet(max_cancels=0), remembers=memory(refused="no", wanted=[("a", R2)])
    )
    assert verdict(w, "max_cancels").count == 0


def test_neither_duplicates_nor_superseded_nor_requested_cancels_are_counted() -> None:
    zero = fleet(max_cancels=0)
    doubled = world([job("j1"), job("j2", created=200)], [desired()], of=zero)
    superseded = world([job("j1", revision=R2), job("j2", created=200)], [desired()], of=zero)
    requested = world([job("j1")], [], of=fleet(max_cancels=0, state=State.CANCELLED))
    assert [sent(w) for w in (doubled, superseded, requested)] == [["cancel j2"], ["cancel j1"], ["cancel j1"]]


def test_while_a_create_is_refused_the_job_that_it_replaces_goes_on() -> None:
    replacing = world([job("j1", revision=R2), job("j2", "b")], [desired(), desired("b")], of=fleet(max_cancels=0))
    create, follower, other = gated(replacing).plan.changes
    assert (create.action, create.reason) == (Action.WAIT, Reason.BLOCKED)
    assert (follower.action, follower.reason, follower.job_id) == (Action.KEEP, Reason.IN_PROGRESS, "j1")
    assert follower.message == "of an earlier spec; kept until its successor exists"
    assert other == plan(replacing).changes[2]


def test_the_job_of_a_create_that_goes_is_followed_although_another_is_refused() -> None:
    w = world([job("j1", revision=R2), job("j2", "b")], [desired()], of=fleet(max_cancels=2))
    create, follower, removal = gated(w, replace(BEGIN, all_valid=False)).plan.changes
    assert (create.action, removal.action) == (Action.CREATE, Action.WAIT)
    assert isinstance(follower, Cancel)
    assert follower.follows


# ── what a verdict says ──

NEW, TWO_NEW = world([], [desired()]), world([], [desired(), desired("b")], of=fleet(max_creates=1))
KNOWN = world([job("j1", "b", status="failed"), job("j2", "b", status="failed")], [desired()])
LOST = memory(records=[record("j1", "b", live=False), record("j2", "c", live=False)], echoes=True)
ALL_GONE = world([], [desired()], remembers=LOST)
ONE_GONE = world([job("j1", "b", status="failed")], [desired()], remembers=LOST)
ENDING = world([job(f"j{i}", f"n{i}") for i in range(4)], [desired("n3")], of=fleet(max_cancels=2))
WAY_ON = "check the plan and approve its digest, or raise the limit"


@pytest.mark.parametrize(
    ("w", "permission", "expected"),
    [
        (REMOVAL, BEGIN, Verdict("evidence", None, 2, False, "files at rest")),
        (
            REMOVAL,
            replace(BEGIN, steady=False),
            Verdict(
                "evidence", None, 2, True, "the files changed while they were read; run again when they are at rest"
            ),
        ),
        (
            REMOVAL,
            replace(BEGIN, steady=False, gone=frozenset({"gone"})),
            Verdict(
                "evidence",
                None,
                2,
                True,
                "the files changed while they were read; it goes on by itself once they are at rest",
            ),
        ),
        (REMOVAL, BEGIN, Verdict("removal_evidence", None, 0, False, "every manifest is valid")),
        (
            REMOVAL,
            replace(BEGIN, all_valid=False),
            Verdict(
                "removal_evidence",
                None,
                1,
                True,
                "nothing is removed while any manifest is broken or cannot be read; mend it first",
            ),
        ),
        (
            REMOVAL,
            replace(BEGIN, gone=frozenset()),
            Verdict(
                "removal_evidence",
                None,
                1,
                True,
                "the manifest of gone is not gone long enough to be believed; it is looked for again by itself",
            ),
        ),
        (REMOVAL, BEGIN, Verdict("approval", None, 0, False, "nothing beyond it")),
        (
            REMOVAL,
            replace(BEGIN, approved=frozenset()),
            Verdict("approval", None, 2, True, "it was not part of the approved plan; plan again"),
        ),
        (KNOWN, Permission(), Verdict("first_run", None, 1, False, "2 jobs of this fleet known")),
        (
            replace(KNOWN, memory=memory(records=[record("j1", "b", live=False)])),
            Permission(),
            Verdict("first_run", None, 1, False, "2 jobs of this fleet known"),
        ),
        (
            world([job("j1", "b", status="failed")], [desired()]),
            Permission(),
            Verdict("first_run", None, 1, False, "1 job of this fleet known"),
        ),
        (
            NEW,
            Permission(),
            Verdict(
                "first_run",
                None,
                1,
                True,
                "this provider shows no job of fleet fleet-1 (none of others). A wrong key or project looks the same; if this is the first run, say --first-run",
            ),
        ),
        (
            replace(NEW, memory=replace(NEW.memory, neighbours={"old-name": 2, "older": 1})),
            Permission(),
            Verdict(
                "first_run",
                None,
                1,
                True,
                "this provider shows no job of fleet fleet-1 (none of others). A wrong key or project looks the same; if this is the first run, say --first-run. Live here under another name: old-name (2 jobs), older (1 job); a fleet that is renamed begins anew, and those go on",
            ),
        ),
        (ONE_GONE, BEGIN, Verdict("all_missing", None, 1, False, "recorded jobs that are there: 1 of 2")),
        (
            ALL_GONE,
            BEGIN,
            Verdict(
                "all_missing",
                None,
                2,
                True,
                "this provider knows none of the jobs recorded here (2): check the key, organisation and project; if they are really gone, run `reconciler forget b -d DIR`, and the same for c",
            ),
        ),
        (replace(TWO_NEW, fleet=fleet(max_creates=2)), BEGIN, Verdict("max_creates", 2, 2, False, "2 of 2")),
        (
            TWO_NEW,
            BEGIN,
            Verdict("max_creates", 1, 2, True, f"2 new jobs wanted, limits.max_creates is 1; {WAY_ON}"),
        ),
        (replace(ENDING, fleet=fleet(max_cancels=3)), BEGIN, Verdict("max_cancels", 3, 3, False, "3 of 3")),
        (
            ENDING,
            BEGIN,
            Verdict(
                "max_cancels",
                2,
                3,
                True,
                f"3 live jobs would end (removed or replaced), limits.max_cancels allows 2 of 4; {WAY_ON}",
            ),
        ),
        (
            replace(REMOVAL, fleet=fleet(max_cancels=0)),
            BEGIN,
            Verdict(
                "max_cancels",
                0,
                1,
                True,
                f"1 live job would end (removed or replaced), limits.max_cancels allows 0 of 2; {WAY_ON}",
            ),
        ),
    ],
    ids=lambda v: f"{v.gate}{' refuses' if v.refused else ''}" if isinstance(v, Verdict) else "",
)
def test_what_a_verdict_says(w: World, permission: Permission, expected: Verdict) -> None:
    assert verdict(w, expected.gate, permission) == expected


# ── a person's yes ──


def agreed(w: World, *, waived: bool = True) -> Permission:
    keys = frozenset(approval_key(c.write) for c in plan(w).changes if c.write is not None)
    return replace(BEGIN, approved=keys, limits_waived=waived)


def test_an_approval_waives_the_limits_for_exactly_its_writes() -> None:
    w = world([], [desired("a"), desired("b")], of=fleet(max_creates=1))
    assert sent(w, agreed(w)) == ["create a", "create b"]
    assert sent(w, agreed(w, waived=False)) == []
    more = world([], [desired("a"), desired("b"), desired("c")], of=fleet(max_creates=1))
    assert sent(more, agreed(w)) == ["create a", "create b"], "the third is within the limit, but nobody agreed to it"
    assert refused(more, agreed(w)) == ["approval"]


def test_an_approval_names_each_job_that_ends() -> None:
    gone = world([job("j1", "gone"), job("j2", "kept")], [desired("kept")])
    assert sent(gone, agreed(gone)) == ["cancel j1"]
    assert sent(replace(gone, desired={}), agreed(gone)) == ["cancel j1"], "that a job was kept is no yes to its end"


def test_an_approval_never_waives_evidence() -> None:
    assert sent(REMOVAL, replace(agreed(REMOVAL), steady=False)) == []


def test_duplicates_are_healed_without_an_approval() -> None:
    w = world([job("j1"), job("j2", created=200)], [desired()])
    assert sent(w, replace(BEGIN, approved=frozenset())) == ["cancel j2"]


def test_a_job_of_another_method_is_ended_without_an_approval_and_counts_for_no_limit() -> None:
    w = world([job("j1"), job("j2", "b")], [asked_for_dpo(), asked_for_dpo("b")], of=fleet(max_cancels=1))
    assert sent(w, replace(BEGIN, approved=frozenset())) == ["cancel j1", "cancel j2"]


def test_an_approval_of_one_attempt_is_not_one_of_the_next() -> None:
    first = world([], [desired(retries=1)])
    second = world([job(status="failed")], [desired(retries=1)])
    assert sent(second, agreed(first)) == []


# ── expect ──


def test_expect_compares_what_it_names() -> None:
    def expected(expect: Expect | None) -> Verdict:
        return expectation(expect, host="api.example.com", port=443, organization=None, project="p")

    assert not expected(None).refused
    assert not expected(Expect(host="api.example.com")).refused
    assert expected(Expect(host="API.example.com")) == Verdict("expect", None, 0, False, "as expected")
    differing = (
        "host is api.example.com, expected other; organization is not set, expected org-1; project is p, expected q"
    )
    assert expected(Expect(host="other", organization="org-1", project="q")) == Verdict(
        "expect", None, 3, True, f"{differing}; nothing is read or written there"
    )
    assert expected(Expect(organization="o", project="p")).count == 1


@pytest.mark.parametrize(
    ("want", "there", "port"),
    [
        ("localhost:8080", "localhost:8080", 8080),
        ("localhost", "localhost:8080", 8080),
        ("LocalHost:8080", "localhost:8080", 8080),
        ("api.openai.com.", "api.openai.com", 443),
        ("api.openai.com", "API.openai.com.", 443),
        ("api.openai.com:443", "api.openai.com", 443),
        ("api.openai.com.:443", "api.openai.com", 443),
        ("h:80", "h", 80),
        ("EXAMPLE.org", "example.org", 443),
        ("[::1]:8080", "[::1]:8080", 8080),
        ("[::1]", "[::1]:8080", 8080),
        ("::1", "[::1]:8080", 8080),
        ("fe80::A", "[fe80::a]", 443),
        ("sandbox", "sandbox", None),
    ],
)
def test_a_host_is_expected_with_the_port_that_the_header_shows_or_without(
    want: str, there: str, port: int | None
) -> None:
    assert not expectation(Expect(host=want), host=there, port=port, organization=None, project=None).refused


@pytest.mark.parametrize(
    ("want", "there", "port", "words"),
    [
        ("localhost:8081", "localhost:8080", 8080, "host is localhost:8080, expected localhost:8081;"),
        ("api.openai.com:80", "api.openai.com", 443, "host is api.openai.com, expected api.openai.com:80;"),
        ("openai.com", "api.openai.com", 443, "expected openai.com;"),
        ("api.openai.com..", "api.openai.com", 443, "expected api.openai.com..;"),
        ("[::2]:8080", "[::1]:8080", 8080, "expected [::2]:8080;"),
        ("[::1", "[::1]", 80, "expected [::1;"),
        ("h:x", "h", 80, "expected h:x;"),
        ("a:b:c", "a", 80, "expected a:b:c;"),
        ("sandbox:1", "sandbox", None, "expected sandbox:1;"),
        ("https://api.openai.com/v1", "api.openai.com", 443, "write it as api.openai.com;"),
        ("https://[::1", "h", 443, "write it as [::1;"),
        ("localhost:8080/v1", "localhost:8080", 8080, "write it as localhost:8080;"),
        ("other:1/v1", "localhost:8080", 8080, "write it as other:1;"),
        ("https://u:pa/ss@x/v1", "h:8080", 8080, "write it as h:8080;"),
        ("u@x", "h", 80, "write it as h;"),
        ("https://", "h", 80, "write it as h;"),
    ],
)
def test_another_host_is_refused_and_what_to_write_is_said(want: str, there: str, port: int | None, words: str) -> None:
    verdict = expectation(Expect(host=want), host=there, port=port, organization=None, project=None)
    assert (verdict.refused, verdict.count, words in verdict.message) == (True, 1, True), verdict.message
    assert "pa/" not in verdict.message


# ── properties ──


@given(worlds())
def test_a_gate_only_ever_takes_away(w: World) -> None:
    before, after = plan(w), gated(w, Permission())
    assert set(after.plan.writes) <= set(before.writes)
    assert len(after.plan.changes) == len(before.changes)
    for was, now in zip(before.changes, after.plan.changes, strict=True):
        if isinstance(was, Cancel) and was.follows:
            assert now in {was, kept_meanwhile(was)}
            assert now.name == was.name
        else:
            assert was == now or now.reason is Reason.BLOCKED
        assert was == now or was.action in {Action.CREATE, Action.CANCEL}
    assert after.plan.digest("x", lambda _: "") == before.digest("x", lambda _: ""), (
        "a refusal does not change what a person would approve"
    )


GAP = "team: an empty directory"


@pytest.mark.parametrize(
    ("gaps", "leftovers", "permission", "told"),
    [
        ((GAP,), {}, BEGIN, "a part of the directory may be missing, so nothing is removed: team: an empty directory"),
        (
            (GAP, "x: y", "z: y"),
            {},
            BEGIN,
            "a part of the directory may be missing, so nothing is removed: team: an empty directory, x: y, z: y",
        ),
        (
            (GAP, "x: y", "z: y", "q: y"),
            {},
            BEGIN,
            (
                "a part of the directory may be missing, so nothing is removed: "
                "team: an empty directory, x: y, z: y and 1 more"
            ),
        ),
        (
            (),
            {"gone": "gone.txt", "other": "o"},
            BEGIN,
            (
                "not deleted, but not read as a manifest any more: gone in gone.txt; "
                "delete the file, or move it out of the directory, if the job is to be cancelled"
            ),
        ),
        (
            ("x: y",),
            {"gone": "g\x1b"},
            replace(BEGIN, gone=frozenset()),
            (
                "a part of the directory may be missing, so nothing is removed: x: y; "
                "not deleted, but not read as a manifest any more: gone in g\\x1b; "
                "delete the file, or move it out of the directory, if the job is to be cancelled"
            ),
        ),
        (
            ("x: y",),
            {},
            replace(BEGIN, all_valid=False),
            "nothing is removed while any manifest is broken or cannot be read; mend it first",
        ),
    ],
)
def test_what_may_be_there_although_it_was_not_read_is_not_removed(
    gaps: tuple[str, ...], leftovers: dict[str, str], permission: Permission, told: str
) -> None:
    doubtful = replace(REMOVAL, gaps=gaps, leftovers=leftovers)
    assert verdict(doubtful, "removal_evidence", permission) == Verdict("removal_evidence", None, 1, True, told)
    assert sent(doubtful, permission) == ["create new"]
    approved = replace(permission, approved=frozenset({"cancel j1", "create new new 1"}), limits_waived=True)
    assert "cancel j1" not in sent(doubtful, approved)


def test_a_file_that_stands_holds_its_own_name_alone() -> None:
    two = world([job("j1", name="x"), job("j2", name="y")], [desired("z")], leftovers={"x": "x.txt"})
    assert sent(two, replace(BEGIN, limits_waived=True, approved=frozenset({"cancel j1", "cancel j2"}))) == [
        "cancel j2"
    ]


# ── max_cost ──


def priced(*usd: float | None, limit: float = 5.0, **more: Any) -> tuple[World, Permission]:
    """A fleet with a limit, and a new job at each of these estimates."""
    names = "abcdefgh"[: len(usd)]
    found = {
        name: Estimate(usd=one, why="" if one is not None else f"no price known for m-{name}")
        for name, one in zip(names, usd, strict=True)
    }
    permission = Permission(first_run=True, estimates=found)
    return world([], [desired(name) for name in names], of=fleet(max_cost=limit, **more)), permission


def test_new_jobs_may_cost_as_much_as_the_limit_together() -> None:
    assert sent(*priced(2.0, 3.0)) == ["create a", "create b"]
    assert sent(*priced(0.1, 0.2, limit=0.3)) == ["create a", "create b"], "0.1 + 0.2 is 0.3 to a person"
    assert sent(*priced(1.0000004, limit=1.0)) == ["create a"], "less than a millionth of a dollar is no money"
    of, permission = priced(2.0, 3.0)
    told = verdict(of, "max_cost", permission)
    assert (told.limit, told.count, told.refused, told.message) == (5.0, 5.0, False, "$5.00 of $5.00")


def test_over_the_limit_none_of_the_new_jobs_is_sent() -> None:
    of, permission = priced(2.0, 3.01)
    assert sent(of, permission) == []
    assert refused(of, permission) == ["max_cost"]
    told = verdict(of, "max_cost", permission)
    assert (told.limit, told.count) == (5.0, 5.01)
    assert told.message == (
        "new jobs for $5.01 wanted, limits.max_cost is $5.00; check the plan and approve its digest, or raise the limit"
    )


def test_new_jobs_that_wait_count_for_the_cost_too() -> None:
    assert sent(*priced(2.0, 3.01, max_active=1)) == []


def test_a_cost_that_is_not_known_is_refused_and_the_others_go_on() -> None:
    of, permission = priced(2.0, None)
    assert sent(of, permission) == ["create a"]
    told = verdict(of, "max_cost", permission)
    assert (told.limit, told.count, told.refused) == (5.0, 2.0, True)
    assert told.message == (
        "what 1 new job will cost is not known (b: no price known for m-b), and limits.max_cost is $5.00; "
        "say the price with --prices FILE, or check the plan and approve its digest"
    )
    of, permission = priced(None, None, None, None)
    many = verdict(of, "max_cost", permission).message
    assert many.startswith("what 4 new jobs will cost is not known (a: no price known for m-a, b: ")
    assert "and 1 more)" in many


def test_what_nobody_has_estimated_is_not_known() -> None:
    of, permission = priced(2.0)
    nothing = replace(permission, estimates={})
    assert "a: nobody has estimated it" in verdict(of, "max_cost", nothing).message
    assert sent(of, nothing) == []


def test_an_approval_of_the_plan_passes_the_cost_by() -> None:
    of, permission = priced(2.0, 30.0, None)
    keys = frozenset(approval_key(c.write) for c in plan(of).changes if c.write is not None)
    approved = replace(permission, approved=keys, limits_waived=True)
    assert sent(of, approved) == ["create a", "create b", "create c"]
    rest = frozenset(key for key in keys if "create a " not in key)
    assert sent(of, replace(approved, approved=rest)) == ["create b", "create c"], "what it did not name is not sent"
    assert sent(of, replace(permission, approved=keys)) == [], "a yes without the digest waives no limit"


def test_what_costs_nothing_is_known_to() -> None:
    assert sent(*priced(0.0, 0.0, limit=0.01)) == ["create a", "create b"]


def test_a_fleet_without_that_limit_has_no_such_gate() -> None:
    of, permission = priced(None)
    free = replace(of, fleet=fleet())
    assert "max_cost" not in {v.gate for v in gated(free, permission).verdicts}
    assert sent(free, permission) == ["create a"]


def test_a_replacement_that_costs_too_much_leaves_the_running_job() -> None:
    of = world([job("j1", "a")], [desired("a", R2)], of=fleet(max_cost=1.0))
    seen = gated(of, Permission(estimates={"a": Estimate(usd=2.0)}))
    assert seen.plan.writes == ()
    assert [v.gate for v in seen.refusals] == ["max_cost"]
