# ruff: noqa: INP001 - a page's picture is drawn beside the page
"""Draw docs/screen.svg: a terminal in which the real program runs against the sandbox.

``python docs/screen.py FILE [SECONDS]`` writes FILE. SECONDS (8 unless said) is how long the jobs of
examples/02-change-and-remove train before the screen is taken. Ids, ages and digests are the same in every drawing,
so that only what the program says changes the file.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

EXAMPLE = Path(__file__).parent.parent / "examples" / "02-change-and-remove"
COLUMNS = 104
REFUSED = 3  # the exit code of a plan of which a gate refuses a part
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (210, 153, 34),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)
ID = re.compile(r"(?<=\bftjob-)[0-9A-Za-z]{24}|(?<=Digest: )[0-9a-f]{16}|(?<=--approve )[0-9a-f]{16}")
AGE = re.compile(r"\b\d+s\b")
STEP = re.compile(r"(?<=step )\d+(?= of)")


def main(target: Path, seconds: float) -> None:
    """Take the screen and write it."""
    lines = "".join(_screen(seconds)).rstrip("\n")
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(_settled(lines)), soft_wrap=False)
        drawn = console.export_svg(title="reconciler", theme=THEME, unique_id="screen")
    # The font would come from another site; every system has one of its own.
    target.write_text(re.sub(r" *@font-face \{.*?\}\n", "", drawn, flags=re.DOTALL).rstrip("\n") + "\n")


def _screen(seconds: float) -> list[str]:
    """What is typed, and what is printed."""
    with tempfile.TemporaryDirectory() as directory:
        fleet = Path(directory) / "fleet"
        shutil.copytree(EXAMPLE, fleet, ignore=shutil.ignore_patterns(".reconciler", ".sandbox"))
        _printed("apply .", fleet, "--sandbox-speed", "1" if seconds else "0.01")
        time.sleep(seconds)
        manifest = fleet / "tone.yaml"
        manifest.write_text(manifest.read_text().replace("n_epochs: 10", "n_epochs: 8"))
        (fleet / "summaries.yaml").unlink()
        typed = "sed -i 's/n_epochs: 10/n_epochs: 8/' tone.yaml && rm summaries.yaml"
        planned = _printed("plan .", fleet)
        return [_prompt(typed), _prompt("reconciler plan ."), planned]


def _printed(command: str, fleet: Path, *more: str) -> str:
    """What a command prints for a terminal that shows colours, stdout and stderr together."""
    ended = subprocess.run(
        [sys.executable, "-m", "reconciler", *command.split(), *more],
        cwd=fleet,
        env={**os.environ, "FORCE_COLOR": "1", "NO_COLOR": "", "COLUMNS": str(COLUMNS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode not in {0, REFUSED}:
        raise SystemExit(ended.stdout)
    return ended.stdout


def _prompt(typed: str) -> str:
    return f"\x1b[32m$\x1b[0m \x1b[1m{typed}\x1b[0m\n"


def _settled(text: str) -> str:
    """The text with the same ids, ages and steps in every drawing."""
    known: dict[str, str] = {}

    def instead(match: re.Match[str]) -> str:
        number = str(len(known))
        return known.setdefault(match[0], hashlib.sha256(number.encode()).hexdigest()[: len(match[0])])

    return STEP.sub("48", AGE.sub("8s", ID.sub(instead, text)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float([*sys.argv[2:], "8"][0]))
