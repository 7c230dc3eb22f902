"""Every command and every output of README and docs is what the program accepts and prints."""

import html
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from reconciler.cli.group import command_named
from reconciler.cli.names import COMMANDS
from reconciler.source.directory import read_directory
from tests.e2e.pages import (
    PAGES,
    ROOT,
    Block,
    as_pasted,
    blocks,
    comparable,
    contradiction,
    make_shim,
    pasted,
    runs_here,
    says,
    stand_in,
    transcript,
)

# The examples are run by test_examples, which looks at what they leave behind, too.
RUN = [page for page in PAGES if page.parent.parent != ROOT / "examples" and any(map(runs_here, pasted(page)))]

LANGUAGES = {"sh", "text", "yaml", "json", "promql"}
# What no command of the page prints: the drawings of the map, and what other tests compare with the program.
ALONE = {
    ("docs/how-it-works.md", "text"): "drawings",
    ("docs/daemon.md", "text"): "tests/unit/test_telemetry.py",
    ("docs/daemon.md", "promql"): "tests/unit/test_telemetry.py",
    ("docs/configuration.md", "json"): "tests/unit/test_docs.py",
}


def of_page(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUN, ids=of_page)
def test_every_block_of_a_page_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    shim = make_shim(tmp_path / "bin")
    copy = stand_in(page, tmp_path, shim)
    assert [told for block, printed in transcript(page, copy, shim) if (told := contradiction(block, printed))] == []


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_no_output_stands_on_a_page_without_the_commands_that_print_it(page: Path) -> None:
    assert {block.language for block in blocks(page)} <= LANGUAGES
    alone = {(of_page(page), block.language) for block in blocks(page)} - {
        (of_page(page), "sh"),
        (of_page(page), "yaml"),
    }
    assert alone <= ALONE.keys()


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_block_of_a_page_is_fenced_and_so_compared(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"\n\n(?: {4}|\t).*|^ +```.*", prose, re.MULTILINE) == []


def lines_of(block: Block) -> Iterator[str]:
    """Each command of ours in a block: what is piped, substituted, or put in the background is one of its own."""
    text = as_pasted(block).replace("\\\n", " ")
    substituted = r'"?\$\(([^()]*)\)"?'
    inner = "".join(f"\n{command}" for command in re.findall(substituted, text))
    for part in re.split(r"&&|\|\||[|;&\n]", re.sub(substituted, "WORD", text) + inner):
        words = part.strip()
        if words.startswith("reconciler "):
            yield re.split(r"\s(?:2?>|<)|\s#", words)[0]


def inline(page: Path) -> Iterator[str]:
    """Each command of ours in running text."""
    for span in re.findall(r"`(?:\.venv/bin/)?(reconciler [^`\n]+)`", page.read_text()):
        yield re.split(r" [|>]|\$\(", span)[0]


def steps_of(block: Block) -> Iterator[str]:
    """Each command of ours in a step of a workflow."""
    yield from re.findall(r"run: (reconciler .*)", block.text)


def refusal(line: str) -> str:
    """Why the command line is not accepted; empty where it is."""
    _, name, *arguments = shlex.split(line)
    if name in {"--help", "--version", "COMMAND"}:
        return ""
    if name not in COMMANDS:
        return f"no command {name}"
    command = command_named(name)
    try:
        command.make_context(name, arguments)
    except click.MissingParameter:
        return ""  # running text names commands without their arguments
    except click.exceptions.Exit:
        return ""  # --help
    except click.ClickException as error:
        return error.format_message()
    return ""


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_command_line_on_a_page_is_accepted(page: Path) -> None:
    lines = [*inline(page), *(line for block in pasted(page) for line in lines_of(block))]
    lines += [line for block in blocks(page) if block.language == "yaml" for line in steps_of(block)]
    assert {line: why for line in lines if (why := refusal(line))} == {}


@pytest.mark.parametrize("line", ["reconciler plam .", "reconciler plan . --waits", "reconciler apply . --timeout x"])
def test_a_command_line_that_is_not_accepted_is_noticed(line: str) -> None:
    assert refusal(line)


def test_commands_are_found_in_pipes_and_substitutions() -> None:
    block = Block(
        "sh", "x=$(reconciler plan a | sed s/a/b/)\nreconciler apply b --wait > c || reconciler status d 2> e\n"
    )
    assert list(lines_of(block)) == ["reconciler apply b --wait", "reconciler status d", "reconciler plan a"]


@pytest.mark.parametrize(
    ("page", "printed", "same"),
    [
        ("Done: 1 created.\n", "Done: 1 created.\n", True),
        ("Done: 1 created.\n", "Done: 2 created.\n", False),
        ("Digest: 0123456789abcdef\n", "Digest: fedcba9876543210\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nb\nc\n", False),
        ("a: queued, 1s so far\nb\n", "b\n", True),
        ("a  queued    -  2s\n", "a  running  about 3s left  14s\n", True),
        ("a  failed  -  2s\n", "a  running  about 3s left  14s\n", False),
        ("✓ a: done\n✓ b: done\n", "✓ b: done\n✓ a: done\n", True),
        ("✓ a: done\n\n✓ b: done\n", "✓ b: done\n\n✓ a: done\n", False),
    ],
)
def test_outputs_are_the_same_but_for_ids_times_and_order_of_steps(page: str, printed: str, same: bool) -> None:
    assert says(page, printed) == same


@pytest.mark.parametrize("page", PAGES, ids=of_page)
def test_every_manifest_on_a_page_is_valid(page: Path, tmp_path: Path) -> None:
    manifests = [b.text for b in blocks(page) if b.language == "yaml" and "apiVersion: reconciler/" in b.text]
    for number, text in enumerate(manifests):
        fleet = tmp_path / str(number)
        (fleet / "data").mkdir(parents=True)
        line = (ROOT / "examples" / "01-first-job" / "data" / "train.jsonl").read_text()
        (fleet / "data" / "train.jsonl").write_text(line)
        (fleet / "data" / "valid.jsonl").write_text(line)
        (fleet / "manifest.yaml").write_text(text)
        if not any(document["kind"] == "Fleet" for document in yaml.safe_load_all(text)):
            shown = (ROOT / "examples" / "01-first-job" / "fleet.yaml").read_text()
            (fleet / "fleet.yaml").write_text(shown)
        snapshot = read_directory(fleet)
        assert snapshot.problems == ()
        assert snapshot.desired


def words_of(drawing: Path) -> list[str]:
    """The lines that a screen shows; spaces alone are not drawn, so a column says where a text begins."""
    rows: dict[float, str] = {}
    text = r'<text class="screen-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>'
    for left, height, words in re.findall(text, drawing.read_text(), re.DOTALL):
        shown = html.unescape(words).replace("\xa0", " ").strip("\n")
        rows[float(height)] = rows.get(float(height), "").ljust(round(float(left) / 12.2)) + shown
    return comparable("\n".join(rows[height].rstrip() for height in sorted(rows)))


def test_the_picture_is_what_the_program_prints(tmp_path: Path) -> None:
    """To draw it again: python docs/screen.py docs/screen.svg."""
    drawn = tmp_path / "screen.svg"
    subprocess.run([sys.executable, str(ROOT / "docs" / "screen.py"), str(drawn), "0"], check=True)
    assert "reconciler plan ." in "\n".join(words_of(drawn))
    assert words_of(drawn) == words_of(ROOT / "docs" / "screen.svg")
