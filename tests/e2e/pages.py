"""The fenced blocks of the pages: what a reader pastes, and what the page says that it prints.

A block of ``sh`` is pasted. A block of ``text`` right after it is what it prints, stdout and stderr together; in it a
line of three dots stands for any number of lines. `test_pages` compares. ``python -m tests.e2e.pages`` runs
everything, and rewrites the blocks that are not true any more.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.forked import program

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *(path / "README.md" for path in EXAMPLES))

STATE = shutil.ignore_patterns(".reconciler", ".sandbox")

# What runs nothing of ours, or what only another machine has: these blocks are read, not run.
_ELSEWHERE = ("pip install", "pytest", " -m tests.", "kubectl ")

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# The sandbox's jobs take seconds; what a reader waits for, a test does not. What is to be live still, is.
_SHIM = """#!/bin/sh
case " $* " in
  *" --wait "*|" run "*) export RECONCILER_SANDBOX_SPEED=100 ;;
  " apply "*) ;;
  *) unset RECONCILER_SANDBOX_SPEED ;;
esac
exec {program} "$@"
"""

# What differs from run to run, and what stands for it.
_VOLATILE = (
    (re.compile(r"\b(ftjob|ftevent|ftckpt|file)-[0-9A-Za-z]{8,}"), r"\1-ID"),
    (re.compile(r"(\bft:[\w.:-]+?):(?:[0-9A-Za-z]{8}\b|[0-9A-Za-z]{0,8}…)"), r"\1:ID"),
    (re.compile(r"(?:about )?[\d,]+ tokens, "), "TOKENS, "),  # exact with an extra alone
    (re.compile(r"[≈<] \$[\d.]+"), "USD"),
    (re.compile(r"^  tokens +.*"), "  tokens  TOKENS"),
    (re.compile(r"^  an example +.*"), "  an example  TOKENS"),
    (re.compile(r"^  cost +.*? for "), "  cost  USD for "),
    (re.compile(r"^Cost: .*? for "), "Cost: USD for "),
    (re.compile(r"(Digest:|--approve|the plan now is) [0-9a-f]{16}"), r"\1 DIGEST"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(Z| UTC)?"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)?(s|m|h|d)(\d+[smh])?\b"), "AGE"),
    (re.compile(r", step \d+ of \d+(, \$[\d.]+ spent)?"), ""),
    (re.compile(r"\b(validating_files|queued|running)\b"), "LIVE"),
    (re.compile(r"(?<=\S) {2,}"), "  "),
    (re.compile(r"^(\S+  LIVE)  (?:step|about|-).*  AGE$"), r"\1  -  AGE"),
    (re.compile(r"^(\S+  \S+  .{20}).*…  (AGE|-)$"), r"\1…  \2"),
)
# How far a job is: a line now and then, so never the same ones twice.
_PROGRESS = re.compile(r"^\S+: (validating_files|queued|running), .* so far")
# What a pass does, in the order in which the jobs come to it.
_STEP = re.compile(r"^(✓ |  )[\w-]+: ")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page; ``printed`` is the block after it that says what it prints."""

    language: str
    text: str
    printed: "Block | None" = None
    start: int = 0
    end: int = 0


def blocks(page: Path) -> list[Block]:
    """All of a page, in its order; a block that says what another prints is part of that one."""
    text = page.read_text()
    found: list[Block] = []
    for match in _FENCED.finditer(text):
        block = Block(match[1], match[2], None, match.start(2), match.end(2))
        last = found[-1] if found else None
        if (
            last
            and (last.language, block.language) == ("sh", "text")
            and not text[last.end + 3 : match.start()].strip()
        ):
            found[-1] = Block(last.language, last.text, block, last.start, last.end)
        else:
            found.append(block)
    return found


def pasted(page: Path) -> list[Block]:
    """What a reader pastes."""
    return [block for block in blocks(page) if block.language == "sh"]


def as_pasted(block: Block) -> str:
    """The commands without the installation, which a test has behind it."""
    installation = r"^python3 -m venv \.venv && \.venv/bin/pip install --quiet \. &&\n"
    return re.sub(installation, "", block.text).replace(".venv/bin/reconciler", "reconciler")


def runs_here(block: Block) -> bool:
    """Whether a test can run it."""
    return not any(word in as_pasted(block) for word in _ELSEWHERE)


def comparable(text: str) -> list[str]:
    """The lines without what differs from run to run, and with what happens side by side in one order."""
    lines: list[str] = []
    steps: list[str] = []
    for line in text.rstrip("\n").split("\n"):
        if _PROGRESS.match(line):
            continue
        for pattern, instead in _VOLATILE:
            line = pattern.sub(instead, line)  # noqa: PLW2901 - one rule after the other
        if _STEP.match(line):
            steps.append(line.rstrip())
            continue
        lines += [*sorted(steps), line.rstrip()]
        steps = []
    return lines + sorted(steps)


def says(page: str, printed: str) -> bool:
    """Whether a block of a page is what was printed; three dots alone on a line stand for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() in {"…", "..."} else re.escape(line) + "\n" for line in comparable(page)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in comparable(printed))) is not None


def contradiction(block: Block, printed: str) -> str:
    """What a block printed, beside what the page says that it prints; empty where that is the same."""
    if block.printed is None or says(block.printed.text, printed):
        return ""
    return f"{block.text}printed\n{printed}and the page says\n{block.printed.text}"


def make_shim(directory: Path) -> Path:
    """A directory for PATH with the `reconciler` of this environment."""
    directory.mkdir(parents=True)
    (script := directory / "reconciler").write_text(_SHIM.format(program=" ".join(program())))
    script.chmod(0o755)
    return directory


def run(script: str, where: Path, shim: Path, *, together: bool = False, **environment: str) -> str:
    """What a script prints in the shell: stdout, or both streams ``together``. A command that fails ends it."""
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=where,
        env={"PATH": f"{shim}:/usr/bin:/bin:/usr/local/bin", "HOME": str(where), "TMPDIR": str(where), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + (ended.stderr or "")
    return ended.stdout


def stand_in(page: Path, scratch: Path, shim: Path) -> Path:
    """Where a page's blocks are pasted: a copy of its example, in Git; else of the root of the repository."""
    copy = scratch / "copy"
    if page.parent.parent != ROOT / "examples":
        shutil.copytree(ROOT / "examples", copy / "examples", ignore=STATE)
        return copy
    shutil.copytree(page.parent, copy, ignore=STATE)
    git = "git -c user.name=x -c user.email=x@example.com -c init.defaultBranch=main"
    run(f"{git} init -q && {git} add . && {git} commit -qm start", copy, shim)
    return copy


def transcript(page: Path, copy: Path, shim: Path, speed: str = "0.01") -> Iterator[tuple[Block, str]]:
    """Each block that can be run, and what it printed, in the order of the page.

    At its usual ``speed``, a job that nobody waits for is live on the busiest machine.
    """
    for block in pasted(page):
        if runs_here(block):
            yield block, run(as_pasted(block), copy, shim, together=True, RECONCILER_SANDBOX_SPEED=speed)


def rewritten(page: Path, scratch: Path) -> str:
    """The page with every block that is not true any more as it is now."""
    text = page.read_text()
    shim = make_shim(scratch / "bin")
    printed = list(transcript(page, stand_in(page, scratch, shim), shim, "0.1"))
    for block, now in reversed(printed):
        if block.printed and contradiction(block, now):
            text = text[: block.printed.start] + now + text[block.printed.end :]
    return text


def _main() -> None:
    for page in map(Path.resolve, map(Path, sys.argv[1:] or PAGES)):
        with tempfile.TemporaryDirectory() as scratch:
            text = rewritten(page, Path(scratch))
        if text != page.read_text():
            page.write_text(text)
            os.write(1, f"rewritten: {page.relative_to(ROOT)}\n".encode())


if __name__ == "__main__":
    _main()
