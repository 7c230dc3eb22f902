"""Lines that move, at a terminal: one for each job that is waited for and each file that is sent, then other waits.

Imported by `voice` at a terminal only. `rich` draws; what is drawn is in `render.progress`.
"""

import math
import threading
from collections.abc import Sequence
from typing import TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reconciler.cli import terminal
from reconciler.clock import Clock
from reconciler.errors import escaped
from reconciler.log import SteadyStream
from reconciler.render.progress import JobProgress, UploadProgress, measures, sent_of
from reconciler.render.text import about, age, clip, clip_name, hanging

_REDRAWS_A_SECOND = 4
_BAR, _BAR_MIN, _GAP = 16, 4, 2
# A name may be 63 characters long; the bar beside it must stay on the line.
_NAME_MAX, _NAME_MIN = 24, 8
# Lines that the shell's prompt needs.
_RESERVED = 2


class Live:
    """A `Voice` that redraws its last lines."""

    def __init__(self, clock: Clock, stream: TextIO) -> None:
        self._clock = clock
        self._console = Console(
            file=cast("TextIO", SteadyStream(stream)),
            force_terminal=True,
            color_system="standard" if terminal.colours(stream) else None,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._screen: Screen | None = None
        self._jobs: tuple[JobProgress, ...] = ()
        self._uploads: dict[str, UploadProgress] = {}
        self._what, self._until = "", 0.0
        self._changing = threading.RLock()  # whether there is a screen: files are sent by threads

    def say(self, line: str) -> None:
        """Above the lines that move."""
        for part in hanging(line, "", "  ", self._console.width):
            self._console.print(Text(part), soft_wrap=True)

    def waiting(self, seconds: float, what: str) -> None:
        """A countdown."""
        self._what, self._until = what, self._clock.monotonic() + seconds
        if seconds > 0 and (what or self._jobs):
            self._show()

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """A line each."""
        self._jobs = tuple(jobs)
        if self._screen is not None:
            self._screen.refresh()

    def uploading(self, upload: UploadProgress) -> None:
        """A line each, which the screen redraws by itself."""
        with self._changing:
            self._uploads[upload.path] = upload
            if self._screen is None:
                self._show()

    def sent(self, path: str) -> None:
        """Its line goes."""
        with self._changing:
            self._uploads.pop(path, None)
            self._rest()

    def go_on(self) -> None:
        """The countdown goes; the jobs stay while there are any."""
        self._what = ""
        self._rest()

    def _rest(self) -> None:
        """Close the screen where nothing is left that moves."""
        if not (self._jobs or self._uploads or self._what):
            self.close()

    def close(self) -> None:
        """Leave a clean line behind."""
        with self._changing:
            screen, self._screen = self._screen, None
            if screen is not None:
                screen.stop()

    def _show(self) -> None:
        with self._changing:
            if self._screen is not None:
                self._screen.refresh()
                return
            self._screen = Screen(
                console=self._console,
                get_renderable=self._draw,
                refresh_per_second=_REDRAWS_A_SECOND,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            terminal.manner.still = self.close
            self._screen.start(refresh=True)

    def _draw(self) -> RenderableType:
        wait = self._wait()
        room = max(1, self._console.height - _RESERVED - max(1, len(wait)))
        shown, hidden = self._jobs[:room], self._jobs[room:]
        parts: list[RenderableType] = [self._table(shown)] if shown else []
        if hidden:
            parts.append(Text(f"… and {len(hidden)} more"))
        parts += [self._sending(upload) for upload in tuple(self._uploads.values())]
        return Group(*parts, *(Text(line, overflow="ellipsis", no_wrap=True) for line in wait))

    def _wait(self) -> list[str]:
        """The countdown, and what it is for."""
        seconds = math.ceil(max(0.0, self._until - self._clock.monotonic()))
        if not (self._what and seconds):
            return []
        return hanging(f"waiting {seconds} s for {escaped(self._what)}", "", "  ", self._console.width)

    def _sending(self, upload: UploadProgress) -> Table:
        line = Table.grid(padding=(0, _GAP), pad_edge=False)
        for _ in range(3):
            line.add_column(no_wrap=True, overflow="ellipsis")
        name = Text(clip(upload.path, _NAME_MAX))
        line.add_row(name, ProgressBar(total=upload.size, completed=upload.sent, width=_BAR), Text(sent_of(upload)))
        return line

    def _table(self, jobs: Sequence[JobProgress]) -> Table:
        table = Table.grid(padding=(0, _GAP), pad_edge=False)
        for _ in range(5):
            table.add_column(no_wrap=True, overflow="ellipsis")
        words = [self._words(job) for job in jobs]
        # What is said of a job is never cut. Its name has the room that this and the shortest bar leave.
        room = self._console.width - sum(max(map(len, column)) + _GAP for column in zip(*words, strict=True)) - _GAP
        shortest = max(_BAR_MIN, *(0 if job.total else len(job.status) for job in jobs))
        longest = max(_NAME_MIN, min(_NAME_MAX, room - shortest))
        bar = max(shortest, min(_BAR, room - min(longest, max(len(job.name) for job in jobs))))
        for job, said in zip(jobs, words, strict=True):
            table.add_row(
                Text(clip_name(job.name, longest)),
                ProgressBar(total=job.total, completed=job.step or 0, width=bar) if job.total else Text(job.status),
                *map(Text, said),
            )
        return table

    def _words(self, job: JobProgress) -> tuple[str, str, str]:
        """How far it is, since when, and how long still."""
        now = self._clock.time()
        left = job.left(now)
        return (
            ", ".join(measures(job)),
            age(now - job.since) if job.since is not None else "",
            f"about {about(left)} left" if left is not None else "",
        )
