"""What a row of readings proves, and what it does not."""

from pathlib import Path

from reconciler.evidence import Evidence
from reconciler.source import Problem, Snapshot
from tests.build import desired, fleet


def reading(*names: str, fingerprint: str = "x", broken: bool = False, with_fleet: bool = True) -> Snapshot:
    return Snapshot(
        root=Path(),
        fleet=fleet() if with_fleet else None,
        desired={name: desired(name) for name in names},
        problems=(Problem("a.yaml", 1, 1, "", "broken"),) if broken else (),
        fingerprint=fingerprint,
    )


def after(*readings: tuple[float, Snapshot]) -> Evidence:
    evidence = Evidence()
    for at, snapshot in readings:
        evidence = evidence.after(snapshot, at)
    return evidence


def test_without_a_reading_nothing_is_proved() -> None:
    assert not Evidence().steady(100, 0)
    assert not Evidence().whole(100, 0)
    assert Evidence().recent(100, 10) == frozenset()
    assert Evidence().next_proof(0, 1, 10) == 1


def test_files_are_at_rest_when_two_readings_a_stability_apart_found_the_same() -> None:
    evidence = after((5, reading("a")))
    assert not evidence.steady(5.9, 1)
    assert evidence.steady(6, 1)
    assert not after((5, reading("a")), (6, reading("a", fingerprint="y"))).steady(6.5, 1)


def test_going_back_and_forth_is_no_rest() -> None:
    evidence = after((5, reading()), (6, reading(fingerprint="y")), (7, reading()))
    assert not evidence.steady(7.5, 1)


def test_a_name_is_gone_from_the_first_whole_reading_without_it() -> None:
    evidence = after((0, reading("a", "b")), (50, reading("b")), (55, reading("b")))
    assert evidence.recent(59, 10) == {"a"}
    assert evidence.recent(60, 10) == frozenset()
    assert evidence.whole(60, 10)


def test_a_broken_reading_begins_the_proof_anew() -> None:
    evidence = after((0, reading("a", "b")), (50, reading("b")), (55, reading("b", broken=True)), (58, reading("b")))
    assert evidence.recent(61, 10) == {"a"}
    assert not evidence.whole(61, 10)
    assert evidence.whole(68, 10)
    assert after((0, reading("a", with_fleet=False))).whole_since is None


def test_a_name_that_came_back_is_not_gone() -> None:
    evidence = after((0, reading("a")), (5, reading()), (9, reading("a")), (30, reading()))
    assert evidence.recent(39, 10) == {"a"}


def test_the_next_proof_is_the_first_that_is_still_to_come() -> None:
    evidence = after((0, reading("a")), (50, reading(fingerprint="y")))
    assert evidence.next_proof(50, 1, 10) == 51
    assert evidence.next_proof(51, 1, 10) == 60
    assert evidence.next_proof(60, 1, 10) is None
    assert after((0, reading(broken=True))).next_proof(1, 1, 10) is None
