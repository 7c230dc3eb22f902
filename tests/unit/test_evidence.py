"""What a row of readings proves, and what it does not."""

from pathlib import Path

from reconciler.core.evidence import Evidence
from reconciler.core.snapshot import Problem, Snapshot
from tests.fakes.builders import desired, fleet


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
    assert Evidence().gone_for(100, 10) == frozenset()
    assert Evidence().next_proof(0, 1, 10) == 1


def test_files_are_at_rest_when_two_readings_a_stability_apart_found_the_same() -> None:
    evidence = after((5, reading("a")))
    assert not evidence.steady(5.9, 1)
    assert evidence.steady(6, 1)
    assert after((5, reading("a")), (5.5, reading("a"))).steady(6, 1)
    assert not after((5, reading("a")), (6, reading("a", fingerprint="y"))).steady(6.5, 1)


def test_going_back_and_forth_is_no_rest() -> None:
    evidence = after((5, reading()), (6, reading(fingerprint="y")), (7, reading()))
    assert not evidence.steady(7.5, 1)


def test_a_name_is_gone_from_the_first_whole_reading_without_it() -> None:
    evidence = after((0, reading("a", "b")), (50, reading("b")), (55, reading("b")))
    assert evidence.gone_for(59, 10) == frozenset()
    assert evidence.gone_for(60, 10) == {"a"}


def test_a_broken_reading_begins_the_proof_anew() -> None:
    evidence = after((0, reading("a", "b")), (50, reading("b")), (55, reading("b", broken=True)), (58, reading("b")))
    assert evidence.gone_for(67, 10) == frozenset()
    assert evidence.gone_for(68, 10) == {"a"}
    assert after((0, reading("a")), (1, reading(with_fleet=False)), (2, reading())).gone_for(11, 10) == frozenset()


def test_a_name_that_a_broken_reading_does_not_show_is_gone_from_the_next_whole_one() -> None:
    evidence = after((0, reading("a", "b")), (50, reading("b", broken=True)), (55, reading("b")))
    assert evidence.gone_for(64, 10) == frozenset()
    assert evidence.gone_for(65, 10) == {"a"}


def test_what_was_read_by_others_since_a_broken_reading_or_a_record_was_not_gone_all_the_time() -> None:
    for before in (Evidence().after(reading(broken=True), 5), Evidence().recorded()):
        evidence = before.after(reading(), 10, names_read=["a"]).after(reading(), 20, names_read=["a"])
        assert evidence.gone_for(29, 10) == frozenset()
        assert evidence.gone_for(30, 10) == {"a"}


def test_what_was_read_by_others_before_a_record_of_another_name_is_read_once() -> None:
    begin = Evidence().after(reading("b"), 0, names_read=["a", "b"]).recorded()
    evidence = begin.after(reading(), 10, names_read=["b"]).after(reading(), 20, names_read=["b"])
    assert evidence.gone_for(20, 10) == {"a", "b"}


def test_the_same_reading_once_more_proves_something_only_while_a_name_is_gone() -> None:
    assert after((0, reading("a"))).stands(reading("a"))
    assert not after((0, reading("a"))).stands(reading("a", fingerprint="y"))
    assert not after((0, reading("a")), (5, reading())).stands(reading())


def test_a_name_that_came_back_is_not_gone() -> None:
    evidence = after((0, reading("a")), (5, reading()), (9, reading("a")), (30, reading()))
    assert evidence.gone_for(39, 10) == frozenset()


def test_what_nobody_here_read_is_gone_from_the_first_reading_that_could_tell() -> None:
    evidence = Evidence().after(reading("b"), 0).after(reading("b"), 50, live=["c"])
    assert evidence.gone_for(59, 10) == frozenset()
    assert evidence.gone_for(60, 10) == {"c"}


def test_what_somebody_else_read_meanwhile_was_not_gone_all_the_time() -> None:
    evidence = Evidence().after(reading(), 0, live=["c"]).after(reading(), 50, names_read=["c"], live=["c"])
    assert evidence.gone_for(59, 10) == frozenset()
    assert evidence.gone_for(60, 10) == {"c"}
    assert evidence.recorded().after(reading(), 55).gone_for(60, 10) == {"c"}, "nobody has read it since"


def test_what_somebody_else_reads_again_once_it_is_recorded_as_gone_was_not_gone_all_the_time() -> None:
    evidence = Evidence().after(reading("a"), 0, names_read=["a"]).after(reading(), 50, names_read=["a"])
    assert evidence.after(reading(), 65, names_read=["a"]).gone_for(65, 10) == {"a"}, "nobody read it again"
    evidence = evidence.recorded().after(reading(), 65, names_read=["a"])
    assert evidence.gone_for(74, 10) == set()
    assert evidence.gone_for(75, 10) == {"a"}


def test_what_is_read_again_and_again_is_gone_only_once_a_pass_has_recorded_it_anew() -> None:
    """Others may find it gone and read it again between two looks: that it stands there as read is all one can see."""
    evidence = Evidence().after(reading("a"), 0, names_read=["a"]).after(reading(), 50, names_read=["a"]).recorded()
    evidence = evidence.after(reading(), 65, names_read=["a"]).after(reading(), 95, names_read=["a"])
    assert evidence.gone_for(104, 10) == frozenset()
    assert evidence.recorded().after(reading(), 100).gone_for(105, 10) == {"a"}


def test_when_the_files_change_under_a_pass_every_proof_begins_anew() -> None:
    evidence = after((0, reading("a")), (50, reading())).changed_meanwhile()
    assert not evidence.steady(60, 1)
    evidence = evidence.after(reading(), 60)
    assert not evidence.steady(60.5, 1)
    assert evidence.gone_for(69, 10) == frozenset()
    assert evidence.gone_for(70, 10) == {"a"}


def test_the_next_proof_is_the_first_that_is_still_to_come() -> None:
    evidence = after((0, reading("a")), (50, reading(fingerprint="y")))
    assert evidence.next_proof(50, 1, 10) == 51
    assert evidence.next_proof(51, 1, 10) == 60
    assert evidence.next_proof(60, 1, 10) is None
