"""What `plan` and `apply` show: the plan as a review, each write's outcome, how far jobs are, and how it all ended.

The commands of `reconciling` call it. How a thing reads is in `render`; `voice` and `terminal` know where it goes.
"""

import sys
from collections.abc import Mapping

from reconciler.cli import github, terminal
from reconciler.cli.output import print_document
from reconciler.cli.wiring import RunContext
from reconciler.core.body import unhashed
from reconciler.core.change import Cancel, Create, Hold
from reconciler.core.estimate import Estimate
from reconciler.core.job import Job
from reconciler.core.schedule import Due, Next
from reconciler.core.snapshot import Problem
from reconciler.core.status import Progress
from reconciler.engine.act import Outcome
from reconciler.engine.apply import Result
from reconciler.engine.follow import in_turn, progress_at
from reconciler.engine.steps import Decided, Pass
from reconciler.errors import ProviderError
from reconciler.provider.port import Provider
from reconciler.render.closing import closing_lines, failure_of, outcome_line
from reconciler.render.commands import decided_here, result_here
from reconciler.render.plan_data import plan_data
from reconciler.render.plan_text import plan_text
from reconciler.render.progress import job_progress
from reconciler.render.review import Review, needed
from reconciler.render.status_screen import status_screen
from reconciler.render.step_summary import apply_markdown, step_outputs
from reconciler.render.text import Typed

# Jobs that are asked how far they are: those that a plan would cancel, or that are waited for.
_LOOKUPS = 20
# Columns where stdout is no terminal: wide enough for a model's name, which is copied from there.
_WIDE = 120
_OUTDATED = (
    "the manifests or training files changed meanwhile; this apply did what they said at its start. "
    "For what they say now, plan again"
)


def digest_of(context: RunContext, decided: Decided) -> str:
    """What a person approves: this plan, with all that it sends, at this account."""
    desired = decided.seen.world.desired
    return decided.plan.digest(_target(context), lambda name: unhashed(desired[name]))


def _target(context: RunContext) -> str:
    where = context.account
    return f"{context.fleet.name} {where.server} {where.organization} {where.project}"


def review_of(
    context: RunContext,
    decided: Decided,
    command: str = "",
    *,
    looks: bool = True,
    warnings: tuple[Problem, ...] = (),
) -> Review:
    """The decision as a review. ``command`` is an `apply` without its approval; "" where it is about to be done.

    ``looks``: ask the provider how far jobs have come and which files it has, because that is going to be shown.
    ``warnings`` are those of the reading.
    """
    note = ""
    if context.reconciler.watch.cold and decided.gated.plan.writes and not decided.seen.settled:
        note = f"Apply waits one settle window before it writes: {context.reconciler.watch.cold}."
    identity = decided.seen.world.memory.identity
    digest = digest_of(context, decided)
    progress = _progress(context.provider, decided) if looks else {}
    return Review(
        fleet=context.fleet.name,
        provider=context.account.profile.name,
        base_url=context.account.server,
        host=context.account.host,
        organization=context.account.organization,
        digest=digest,
        plan=decided.gated.plan,
        verdicts=decided.gated.verdicts,
        world=decided.seen.world,
        now=context.ports.clock.time(),
        progress=progress,
        there=_there(context.provider, decided) if looks else None,
        estimates=_estimates(context, decided) if looks else {},
        so_far=_so_far(context, decided, progress) if looks else {},
        note=" ".join(part for part in (note, f"Note: {identity}." if identity else "") if part),
        command=f"{command} --approve {digest}" if command else "",
        warnings=warnings,
    )


def _progress(provider: Provider, decided: Decided) -> Mapping[str, Progress]:
    """How far the jobs have come that this plan would end, where the provider tells it."""
    ends = [c.write for c in decided.gated.plan.changes if isinstance(c.write, Cancel) and not isinstance(c, Hold)]
    return progress_at(provider, [end.job_id for end in ends[:_LOOKUPS]], in_turn)


def _estimates(context: RunContext, decided: Decided) -> Mapping[str, Estimate]:
    """What each create of this plan will cost, by name; those that wait are included."""
    creates = [c.write for c in decided.gated.plan.changes if isinstance(c.write, Create)]
    return {create.name: context.pricing().of_create(create, decided.seen.world) for create in creates}


def _so_far(context: RunContext, decided: Decided, progress: Mapping[str, Progress]) -> Mapping[str, float]:
    """What the jobs that this plan would end have cost so far, by id; without those of which that is not known."""
    world = decided.seen.world
    jobs = {job.id: job for job in world.jobs}
    ends = [c.write for c in decided.gated.plan.changes if isinstance(c.write, Cancel) and c.write.job_id in jobs]
    found = {
        end.job_id: context.pricing().so_far(
            jobs[end.job_id], progress.get(end.job_id), world.memory.wanted.get((end.name, end.revision))
        )
        for end in ends
    }
    return {job_id: usd for job_id, usd in found.items() if usd is not None}


def _there(provider: Provider, decided: Decided) -> frozenset[str] | None:
    """Which of the local files that this plan needs the provider has, by upload name; None where it does not tell."""
    creates = [c.write for c in decided.gated.plan.changes if isinstance(c.write, Create)]
    files = {(name, file.size) for c in creates for file, names in needed(decided.seen.world, c) for name in names}
    try:
        return frozenset(name for name, _ in provider.find_files(files))
    except ProviderError:
        return None


def text_of(review: Review) -> str:
    """As fits stdout: a terminal has a width, and perhaps colours."""
    return plan_text(review, colours=terminal.colours(), width=terminal.width_of(sys.stdout))


class Console:
    """What `apply` shows while it goes on: the plan, each write's outcome, how far jobs are, and how it all ended."""

    def __init__(  # noqa: PLR0913 - what it shows, and how
        self,
        context: RunContext,
        command: str,
        typed: Typed,
        *,
        form: str,
        shown: bool,
        warnings: tuple[Problem, ...],
    ) -> None:
        """``warnings`` as `review_of` has them; ``shown``: the plan was, when its approval was asked for."""
        self._context = context
        self._command = command
        self._typed = typed
        self._form = form
        self._shown = shown
        self._warnings = warnings
        self._first: Review | None = None
        self._last: Pass | None = None
        context.voice.hold()  # that a job ended while nobody looked is said below the plan
        self._put_off: set[str] = set()  # names whose create was put off: said once, not at every try

    def announce(self, decided: Decided) -> None:
        """The plan, before anything is sent."""
        self._first = review_of(self._context, decided_here(decided, self._typed), warnings=self._warnings)
        if self._form == "text" and not self._shown:
            terminal.tell(text_of(self._first))
        self._context.voice.release()

    def wrote(self, outcome: Outcome) -> None:
        """What came of one write."""
        if outcome.put_off is not None and outcome.name in self._put_off:
            return
        (self._put_off.discard if outcome.put_off is None else self._put_off.add)(outcome.name)
        self._context.voice.say(outcome_line(outcome))

    def passed(self, done: Pass) -> None:
        """A pass is over; its jobs are those that may be waited for."""
        self._last = done

    def waiting(self, seconds: float, following: Next) -> None:
        """Nothing happens for a while: the jobs are waited for, or something else."""
        jobs = _live(self._last) if self._last is not None and following.due is Due.JOBS else ()
        if jobs:
            read = progress_at(self._context.provider, [job.id for _, job in jobs[:_LOOKUPS]], in_turn)
            self._context.reconciler.progress = read
            self._context.voice.jobs(job_progress(jobs, read))
        # Why a create waits has been said beside its job.
        what = "the next create" if following.due is Due.LATER and self._put_off else following.why
        self._context.voice.waiting(seconds, "" if jobs else what)

    def conclude(self, result: Result) -> None:
        """How it ended."""
        self._context.voice.close()
        result = result_here(result, self._typed)
        after = review_of(self._context, result.last.after, self._command, looks=False)
        first = self._first or after
        github.report(lambda: apply_markdown(first, result, after, typed=self._typed), lambda: step_outputs(first))
        self._tell(result, first, after)
        if result.outdated and all(verdict.gate != "evidence" for verdict in after.refusals):
            terminal.remark(f"warning: {_OUTDATED}: {self._typed('plan', '')}")

    def _tell(self, result: Result, first: Review, after: Review) -> None:
        if self._form != "text":
            data = plan_data(first, result.outcomes)
            data |= {"converged": after.converged, "requeue_after": after.requeue_after}
            data |= {"gates": plan_data(after)["gates"], "failure": failure_of(result) or None}
            print_document(data, self._form, say=terminal.tell)
            return
        if result.outcomes or result.unsuccessful or result.timed_out:
            terminal.tell("")
            terminal.tell(_standing(self._context, result))
        width, colours = terminal.width_of(sys.stdout), terminal.colours()
        lines = list(closing_lines(result, first, after, typed=self._typed, colours=colours, width=width))
        if lines:
            terminal.tell("\n".join(["", *lines]))


def _live(done: Pass) -> tuple[tuple[str, Job], ...]:
    """The live jobs of declared names, with their names."""
    cases = done.after.seen.world.cases
    return tuple((name, n.job) for name, case in cases.items() if case.desired for n in case.live)


def _standing(context: RunContext, result: Result) -> str:
    """How the declared jobs stand: what the status files say by now."""
    shown = (status for status in result.last.report.values() if not status.past)
    width = terminal.width_of(sys.stdout) or _WIDE
    return status_screen(shown, now=context.ports.clock.time(), width=width, colours=terminal.colours())
