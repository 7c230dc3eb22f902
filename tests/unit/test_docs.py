"""What the pages say of the program is there: names in the code, links and headings."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.output import failure
from reconciler.core.snapshot import Problem
from reconciler.errors import SourceError
from reconciler.render.problems import as_data
from reconciler.sandbox import scripts
from reconciler.sandbox.scripts import find

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CODE = sorted(ROOT.glob("reconciler/**/*.py"))

FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# What begins with a room of the house, or a module beside them.
NAME = re.compile(
    r"(?<![\w./])(?:core|dataset|source|provider|state|engine|render|cli|sandbox|settings|errors|log|clock)(?:\.\w+)+"
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def named(page: Path) -> list[str]:
    """The names of the code that a page says, as `module.function` or `module.Class.method`."""
    return sorted(set(NAME.findall(page.read_text())))


def exists(name: str) -> bool:
    """Whether a module of that name can be imported, or has what the rest of it says."""
    parts = ["reconciler", *name.split(".")]
    for length in range(len(parts), 1, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def headings(page: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Each heading as GitHub links to it."""
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def test_every_name_in_the_map_is_in_the_code() -> None:
    names = named(ROOT / "docs" / "how-it-works.md")
    assert "engine.reconcile.Reconciler.one_pass" in names
    assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize("name", ["core.plan.plam", "core.nothing.plan", "engine.reconcile.Reconciler.two_passes"])
def test_a_name_that_is_not_in_the_code_is_noticed(name: str) -> None:
    assert not exists(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_the_document_of_a_failure_is_as_the_page_shows_it() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    (shown,) = (json.loads(sample) for sample in re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    problems = as_data(Problem(**problem) for problem in shown["problems"])
    assert problems
    printed = failure(SourceError([shown["error"]], problems), shown["error"])
    assert json.dumps(printed) == json.dumps(shown)


def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# My job\n[a](#my-job) [b](#our-job) [c](page.md#my-job) [d](other.md) [e](https://example.com)\n")
    assert list(broken_links(page)) == ["#our-job", "other.md"]


def test_what_the_code_says_of_the_pages_is_there() -> None:
    """Docstrings name a section as README, *Section*, and a page by its path."""
    text = "\n".join(path.read_text() for path in CODE)
    sections = set(re.findall(r"README,\s+\*([^*]+)\*", text))
    pages = set(re.findall(r"docs/[\w-]+\.md", text))
    assert sections
    assert pages
    assert sections - headings(ROOT / "README.md") == set()
    assert [page for page in sorted(pages) if not (ROOT / page).exists()] == []


def test_every_suffix_that_the_page_names_is_a_script_of_the_sandbox() -> None:
    section = (ROOT / "docs" / "commands.md").read_text().partition("## A job that fails\n")[2].partition("\n## ")[0]
    cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    named = set(re.findall(r"`([\w-]+)`", " ".join(cells)))
    assert {name for name in named if find(suffix=name, model="") is None} == set()
    assert named == set(re.findall(r"^\| `([\w-]+)`", str(scripts.__doc__), re.MULTILINE))
