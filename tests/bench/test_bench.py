"""The bench's own parts: its table, its comparison, its check, and the inputs that it makes."""

import re
from pathlib import Path

import pytest

from reconciler.source.directory import read_directory
from tests.bench import floor, shapes
from tests.bench.rows import ROWS, carried
from tests.bench.server import Account, answer
from tests.bench.shapes import Shape
from tests.bench.table import Goal, Line, Measured, as_markdown, as_text, cells, compared, exceeded, loaded, saved
from tests.bench.workbench import ROOT

LESS, MORE = Goal(4, 2, check=8), Goal(4, 10, check=2, more=True)


def line(measured: Measured | None, goal: Goal = LESS, *, unit: str = "s", name: str = "cold", why: str = "") -> Line:
    return Line(name, "cold plan / floor", unit, goal, measured, why)


# ── the table ──


def test_a_ratio_counts_ours_in_floors_and_a_peer_in_ours() -> None:
    assert line(Measured(6, 2)).score == 3
    assert line(Measured(6, 30), MORE).score == 5
    assert line(Measured(0.005), Goal(50, 5), unit="ms").score == 5


@pytest.mark.parametrize(
    ("measured", "goal", "verdict"),
    [
        (Measured(2, 1), LESS, "aim"),
        (Measured(4, 1), LESS, "yes"),
        (Measured(4.1, 1), LESS, "no"),
        (Measured(1, 10), MORE, "aim"),
        (Measured(1, 4), MORE, "yes"),
        (Measured(1, 3.9), MORE, "no"),
    ],
)
def test_a_row_says_which_of_its_goals_it_meets(measured: Measured, goal: Goal, verdict: str) -> None:
    assert cells(line(measured, goal))[-1] == verdict


def test_a_row_shows_both_figures_their_ratio_and_its_goals() -> None:
    shown = ("cold plan / floor", "2.50 s", "500 ms", "5.00 ×", "≤ 4.00 ×", "≤ 2.00 ×", "no")
    assert cells(line(Measured(2.5, 0.5))) == shown


def test_a_figure_of_its_own_has_no_ratio() -> None:
    shown = cells(line(Measured(1234.5), Goal(1024, 300), unit="B"))
    assert shown[1:] == ("1,234 B", "–", "–", "≤ 1,024 B", "≤ 300 B", "no")


def test_a_row_that_was_skipped_says_why() -> None:
    assert cells(line(None, why="octodns is not installed"))[-1] == "skipped: octodns is not installed"


def test_text_and_markdown_hold_the_same_cells_and_the_notes() -> None:
    lines = [line(Measured(2, 1, "carried on")), line(None, MORE, name="sdk", why="not there")]
    text, markdown = as_text(lines), as_markdown(lines)
    for cell in (cell for one in lines for cell in cells(one)):
        assert cell in text
        assert cell in markdown
    assert "`--only sdk`" in markdown
    assert "cold: carried on" in text
    assert "* cold plan / floor: carried on." in markdown


# ── two runs ──


def test_a_run_that_was_saved_is_read_back() -> None:
    lines = [line(Measured(2, 1, "n")), line(None, name="sdk")]
    assert loaded(saved(lines, {"date": "2026-11-27"})) == {"cold": Measured(2, 1, "n")}


@pytest.mark.parametrize("text", ["{}", "[]", '{"rows": {"cold": {"theirs": 1}}}', "nothing"])
def test_another_file_is_no_run(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a run|Expecting value"):
        loaded(text)


def test_a_comparison_counts_gains_whichever_way_is_better() -> None:
    lines = [line(Measured(1, 1)), line(Measured(84), Goal(100, 150, more=True), unit="/s", name="sim")]
    told = compared(lines, {"cold": Measured(3, 1), "sim": Measured(42)}).splitlines()
    assert told[1].split()[-2:] == ["3.00", "×"]
    assert told[2].split()[-2:] == ["2.00", "×"]


def test_a_row_that_one_of_the_runs_has_not_is_left_out() -> None:
    assert compared([line(Measured(1)), line(None, name="sdk")], {"sdk": Measured(1)}).count("\n") == 0


# ── the check ──


def test_a_row_beyond_its_limit_is_named_with_both_figures() -> None:
    assert exceeded([line(Measured(9, 1))]) == ["cold: cold plan / floor is 9.00 ×, and may be no more than 8.00 ×"]
    (sentence,) = exceeded([line(Measured(1, 1.5), MORE)])
    assert sentence.endswith("is 1.50 ×, and may be no less than 2.00 ×")


def test_what_was_missed_by_little_skipped_or_has_no_limit_passes() -> None:
    assert exceeded([line(Measured(7, 1)), line(Measured(1, 3), MORE), line(None), line(Measured(9), Goal(1, 1))]) == []


def test_no_row_that_depends_on_the_machine_is_checked() -> None:
    assert [row.name for row in ROWS if row.unit in {"ms", "/s"} and row.goal.check is not None] == []


def test_every_row_is_in_the_table_of_the_docs() -> None:
    page = (ROOT / "docs" / "speed.md").read_text()
    assert re.findall(r"`--only ([\w-]+)` \|$", page, re.MULTILINE) == [row.name for row in ROWS]


def test_a_check_is_wider_than_the_goal() -> None:
    for row in ROWS:
        if row.goal.check is not None:
            assert row.goal.met_by(row.goal.at_least, row.goal.check)


# ── what it measures over ──


def test_costs_are_carried_on_by_the_cost_of_one_more() -> None:
    assert carried(0.5 + 10, 0.5 + 1000, (10, 1000, 10_000)) == pytest.approx(0.5 + 10_000)


def test_every_manifest_is_valid_and_its_job_is_of_its_revision(tmp_path: Path) -> None:
    shape = Shape(3, 8, live=1)
    (tmp_path / "fleet.yaml").write_text(shapes.fleet_document(shape.fleet))
    for index in range(shape.manifests):
        (tmp_path / f"{index}.yaml").write_text(shapes.manifest(index))
    snapshot = read_directory(tmp_path)
    assert snapshot.problems == ()
    assert {d.name: d.revision for d in snapshot.desired.values()} == {
        shapes.name_of(i): shapes.revision(i) for i in range(shape.manifests)
    }
    assert len(list(floor.documents(str(tmp_path)))) == 4


def test_the_server_pages_through_every_job_the_newest_first() -> None:
    shape = Shape(100, 250, live=2)
    encoded = dict(shapes.jobs(shape))
    account = Account(list(encoded), encoded)
    said: list[str] = []
    found, after = [], ""
    while True:
        page = floor.decoder()[1](
            answer(account, "GET", f"/v1/fine_tuning/jobs?limit=100{after}", b"", said.append) or b""
        )
        found += page["data"]
        if not page["has_more"]:
            break
        after = f"&after={page['data'][-1]['id']}"
    assert [job["id"] for job in found] == list(encoded)
    assert [job["created_at"] for job in found] == sorted((job["created_at"] for job in found), reverse=True)
    assert [job["status"] for job in found].count("running") == 2
    assert said == ["list"]


def test_the_server_shows_a_job_that_was_created_first() -> None:
    account = Account([], {})
    said: list[str] = []
    body = b'{"model": "m", "training_file": "file-1", "seed": 5, "metadata": {"reconciler_job": "a"}}'
    made = answer(account, "POST", "/v1/fine_tuning/jobs", body, said.append)
    assert made is not None
    assert b'"reconciler_job": "a"' in made
    assert made in account.page("", 20)
    assert answer(account, "GET", f"/v1/fine_tuning/jobs/{account.ids[0]}", b"", said.append) == made
    assert said[0].startswith("post ")


def test_a_shape_is_read_back_from_its_word() -> None:
    assert Shape.of_word(Shape(10, 20, 3).word) == Shape(10, 20, 3)
    with pytest.raises(ValueError, match="each manifest has a job"):
        Shape(10, 5)
