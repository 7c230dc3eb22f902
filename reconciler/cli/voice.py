"""How a command that ends speaks while it works: on stderr, in lines, and at a terminal in lines that move.

`voice_of` chooses one for a command; `apply` and `wiring` speak through it. The result of a command is not said here:
it goes to stdout. A stderr that nobody reads any more ends nothing.
"""

import sys
from collections.abc import Sequence
from typing import Protocol

from reconciler.cli import terminal
from reconciler.clock import Clock
from reconciler.errors import escaped
from reconciler.log import Log
from reconciler.render.progress import JobProgress, UploadProgress, progress_line, upload_line
from reconciler.startup import allow_rich

# Seconds between two lines about one job, where lines stay: a day of training is a screen or two.
_NOW_AND_THEN = 60.0
# Shorter waits are not worth a line.
_SHORT = 0.5


class Voice(Protocol):
    """What a person hears of a command."""

    def say(self, line: str) -> None:
        """Say that something happened."""

    def waiting(self, seconds: float, what: str) -> None:
        """Say that nothing will happen for so many seconds, and why; ``what`` "": the jobs are waited for."""

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """Say how far the jobs are that are waited for; no others are shown from now on."""

    def uploading(self, upload: UploadProgress) -> None:
        """Say how far a file is; from whatever thread sends it."""

    def sent(self, path: str) -> None:
        """Nothing more is to be said of that file."""

    def go_on(self) -> None:
        """The wait is over."""

    def close(self) -> None:
        """Leave a clean screen behind."""


class Silent:
    """``-q``: the result says it all."""

    def say(self, line: str) -> None:
        """Not said."""

    def waiting(self, seconds: float, what: str) -> None:
        """Not said."""

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """Not said."""

    def uploading(self, upload: UploadProgress) -> None:
        """Not said."""

    def sent(self, path: str) -> None:
        """Not said."""

    def go_on(self) -> None:
        """Not said."""

    def close(self) -> None:
        """Nothing is left behind."""


class Logged(Silent):
    """``--log-format json``: every line of stderr is JSON, so waits and progress are events."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._uploads: dict[str, float] = {}
        self._waits_for = ""
        self._shown: dict[str, JobProgress] = {}

    def waiting(self, seconds: float, what: str) -> None:
        """An event for each new thing that is waited for."""
        if what and seconds > 0 and what != self._waits_for:
            self._log.info("wait.started", waiting_for=escaped(what), seconds=round(seconds, 3))
        self._waits_for = what

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """An event for each job that has come further."""
        for job in jobs:
            if self._shown.get(job.job_id) != job:
                self._log.info(
                    "job.progressed",
                    job=job.name,
                    job_id=job.job_id,
                    status=job.status,
                    step=job.step,
                    total_steps=job.total,
                    train_loss=job.loss,
                )
        self._shown = {job.job_id: job for job in jobs}

    def uploading(self, upload: UploadProgress) -> None:
        """An event now and then."""
        now = self._clock.monotonic()
        if now - self._uploads.setdefault(upload.path, now) >= _NOW_AND_THEN:
            self._uploads[upload.path] = now
            self._log.info("file.upload_progressed", path=upload.path, sent=upload.sent, size=upload.size)

    def sent(self, path: str) -> None:
        """The log of the upload says so."""
        self._uploads.pop(path, None)


class Plain:
    """Where lines stay: a pipe, a file, the log of a pipeline. Each line says something new."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits_for = ""
        self._said: dict[str, tuple[float, JobProgress]] = {}
        self._uploads: dict[str, float] = {}  # when something was last said of each file

    def say(self, line: str) -> None:
        """Print it."""
        terminal.echo(line, err=True)

    def waiting(self, seconds: float, what: str) -> None:
        """A line for each new thing that is waited for."""
        if what and seconds >= _SHORT and what != self._waits_for:
            self.say(f"waiting {seconds:.0f} s for {escaped(what)}")
        self._waits_for = what

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """A line for a job when its status changes, and now and then while it goes on."""
        now = self._clock.monotonic()
        for job in jobs:
            at, before = self._said.get(job.job_id, (0.0, None))
            if before is None or before.status != job.status or (now - at >= _NOW_AND_THEN and before != job):
                self._said[job.job_id] = (now, job)
                self.say(progress_line(job, self._clock.time()))

    def uploading(self, upload: UploadProgress) -> None:
        """A line now and then."""
        now = self._clock.monotonic()
        if now - self._uploads.setdefault(upload.path, now) >= _NOW_AND_THEN:
            self._uploads[upload.path] = now
            self.say(upload_line(upload))

    def sent(self, path: str) -> None:
        """What comes of it is said by who wanted it."""
        self._uploads.pop(path, None)

    def go_on(self) -> None:
        """Nothing moves here."""

    def close(self) -> None:
        """Nothing is left behind."""


class Ordered:
    """A `Voice` that can be held back until what its lines are about has been shown."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._held: list[str] | None = None

    def hold(self) -> None:
        """Keep every line until `release`."""
        self._held = []

    def release(self) -> None:
        """Say what was kept, and from here on everything at once."""
        held, self._held = self._held or [], None
        for line in held:
            self._voice.say(line)

    def say(self, line: str) -> None:
        """Say it, or keep it."""
        if self._held is None:
            self._voice.say(line)
        else:
            self._held.append(line)

    def waiting(self, seconds: float, what: str) -> None:
        """At once: nobody waits before a silent screen."""
        self._voice.waiting(seconds, what)

    def jobs(self, jobs: Sequence[JobProgress]) -> None:
        """At once."""
        self._voice.jobs(jobs)

    def uploading(self, upload: UploadProgress) -> None:
        """At once."""
        self._voice.uploading(upload)

    def sent(self, path: str) -> None:
        """At once."""
        self._voice.sent(path)

    def go_on(self) -> None:
        """At once."""
        self._voice.go_on()

    def close(self) -> None:
        """Nothing that was kept is lost."""
        self.release()
        self._voice.close()


def voice_of(clock: Clock, *, quiet: bool, moving: bool) -> Voice:
    """The voice for a person; ``moving``: nothing but it writes to stderr, so that lines may be redrawn."""
    if quiet:
        return Silent()
    if moving and terminal.obeys(sys.stderr):
        # Imported here: only a terminal pays for it (100 ms).
        allow_rich()
        from reconciler.cli.live import Live  # noqa: PLC0415

        return Live(clock, sys.stderr)
    return Plain(clock)
