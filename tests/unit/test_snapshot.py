"""What a reading with errors leaves in doubt: nothing of that may be cancelled."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.core.snapshot import Problem, Snapshot, broken_names
from tests.fakes.builders import desired, fleet

LAST_SEEN = {"a": "a.yaml", "b": "b.yaml", "c": "c.yaml"}
WHOLE = Snapshot(Path(), fleet(), {name: desired(name) for name in "abc"})
WRONG = (Problem("a.yaml", 1, 1, "", "broken"),)


@pytest.mark.parametrize(
    ("line", "column", "field", "said"),
    [
        (3, 5, "spec.model", "a.yaml:3:5: spec.model: wrong"),
        (3, 0, "", "a.yaml:3: wrong"),
        (0, 0, "", "a.yaml: wrong"),
    ],
)
def test_a_problem_is_one_line_that_begins_with_its_place(line: int, column: int, field: str, said: str) -> None:
    assert str(Problem("a.yaml", line, column, field, "wrong")) == said


def test_after_a_whole_reading_only_what_is_broken_itself_is_in_doubt() -> None:
    assert broken_names(WHOLE, LAST_SEEN) == frozenset()
    assert broken_names(replace(WHOLE, broken=frozenset("c")), LAST_SEEN) == {"c"}


def test_a_file_with_an_error_may_hold_what_stands_nowhere_else() -> None:
    wrong = replace(WHOLE, problems=WRONG)
    assert broken_names(wrong, LAST_SEEN) == frozenset()
    assert broken_names(replace(wrong, desired={"b": desired("b")}), LAST_SEEN) == {"a"}


def test_a_file_that_cannot_be_read_to_its_end_may_hold_all_that_it_held() -> None:
    assert broken_names(replace(WHOLE, unreadable=frozenset({"b.yaml"})), LAST_SEEN) == {"b"}


def test_without_a_fleet_every_name_is_in_doubt() -> None:
    no_fleet = replace(WHOLE, fleet=None, broken=frozenset("x"), desired={"new": desired("new")})
    assert broken_names(no_fleet, LAST_SEEN) == {"a", "b", "c", "new", "x"}


def test_what_is_built_on_a_name_in_doubt_is_in_doubt() -> None:
    built_on = {"a": "x", "b": "a", "c": "b", "d": "x", "e": None, "f": "e"}
    jobs = {name: replace(desired(name), model_from=upstream) for name, upstream in built_on.items()}
    assert broken_names(replace(WHOLE, desired=jobs, broken=frozenset("x")), {}) == {"x", "a", "b", "c", "d"}


def test_jobs_that_wait_for_each_other_are_walked_once() -> None:
    jobs = {"a": replace(desired("a"), model_from="b"), "b": replace(desired("b"), model_from="a")}
    assert broken_names(replace(WHOLE, desired=jobs, broken=frozenset("a")), {}) == {"a", "b"}
