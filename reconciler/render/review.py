"""A plan as a review: per job what happens and why, what is lost, what changed, the gates, the digest.

Pure. `plan` and `apply` fill a `Review` and print it as text, JSON or Markdown. Every text in it that a server or
a manifest chose is escaped.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.core.change import Action, Adopt, Cancel, Change, Create, Hold, Keep, Plan, Wait
from reconciler.core.documents import TrainingFile
from reconciler.core.gates import Verdict
from reconciler.core.job import Job
from reconciler.core.schedule import goes_on
from reconciler.core.world import World
from reconciler.engine.act import Outcome
from reconciler.errors import escaped, printable
from reconciler.render.text import age, paint, plural

# Lines beyond this many are counted instead of shown: a review that nobody reads is none.
_QUIET_LIMIT = 40

_SYMBOLS: Mapping[Action, tuple[str, str]] = {
    Action.CREATE: ("+", "green"),
    Action.CANCEL: ("-", "red"),
    Action.ADOPT: ("=", "cyan"),
    Action.KEEP: ("=", ""),
    Action.WAIT: ("~", "yellow"),
    Action.HOLD: ("!", "yellow"),
}

_RECHECK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Review:
    """A gated plan and what a reader needs beside it.

    ``now`` is in Unix seconds. ``steps`` is the last training step of each job that would be
    cancelled, as far as the provider tells. ``note`` is said before anything else.
    """

    fleet: str
    provider: str
    base_url: str
    host: str
    organization: str
    digest: str
    plan: Plan
    verdicts: tuple[Verdict, ...]
    world: World
    now: float
    steps: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each action; ``upload`` counts local files that may have to be sent."""
        counts = {a: sum(1 for c in self.plan.changes if c.action is a) for a in Action}
        files = {file for c in self.plan.changes if isinstance(c, Create) for file in self.files(c)}
        return {
            "create": counts[Action.CREATE],
            "cancel": counts[Action.CANCEL],
            "upload": len(files),
            "adopt": counts[Action.ADOPT],
            "keep": counts[Action.KEEP],
            "wait": counts[Action.WAIT],
            "hold": counts[Action.HOLD],
        }

    @property
    def ends_if_approved(self) -> tuple[str, ...]:
        """The `Ahead` jobs: left alone by a plain apply, ended where a person approves this very plan."""
        return tuple(end.job_id for end in self.plan.ahead)

    @property
    def changes_present(self) -> bool:
        """Whether anything would be written at the provider, now or after waiting."""
        return any(c.write is not None and not isinstance(c, Hold) for c in self.plan.changes)

    @property
    def converged(self) -> bool:
        """Whether everything is as the manifests say: nothing to send, nothing to wait for, nothing in doubt."""
        return not self.changes_present and not any(
            isinstance(c, Wait | Adopt) or not c.reason.as_declared for c in self.plan.changes
        )

    @property
    def requeue_after(self) -> int | None:
        """Seconds after which another pass is worth making; None where only a person can change anything."""
        if self.plan.writes:
            return 0
        live = {job.id for job in self.world.jobs if job.live}
        moving = any(goes_on(change, live) for change in self.plan.changes)
        return _RECHECK_SECONDS if moving else None

    def files(self, change: Create) -> tuple[TrainingFile, ...]:
        """The local files that its job is trained on and judged by."""
        desired = self.world.desired[change.name]
        return tuple(f for f in (desired.training, desired.validation) if f is not None)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────


def as_data(review: Review, outcomes: Iterable[Outcome] | None = None) -> dict[str, object]:
    """The document of ``-o json``; with ``outcomes`` that of `apply`."""
    data: dict[str, object] = {
        "fleet": review.fleet,
        "provider": review.provider,
        "base_url": review.base_url,
        "digest": review.digest,
        "complete": True,
        "changes_present": review.changes_present,
        "converged": review.converged,
        "requeue_after": review.requeue_after,
        "summary": review.summary,
        "changes": [_change_data(c) for c in review.plan.changes],
        "gates": [
            {"gate": v.gate, "limit": v.limit, "count": v.count, "refused": v.refused, "message": v.message}
            for v in review.verdicts
        ],
        "unmanaged": review.plan.unmanaged,
    }
    if outcomes is not None:
        data["outcomes"] = [
            {
                "name": o.name,
                "action": o.action,
                "reason": o.reason,
                "job_id": o.job_id,
                "ok": o.ok,
                "message": o.message,
            }
            for o in outcomes
        ]
    return data


def _change_data(change: Change) -> dict[str, object]:
    return {
        "name": change.name,
        "action": change.action,
        "reason": change.reason,
        "job_id": change.job_id,
        "revision": change.revision,
        "attempt": change.attempt,
        "message": change.message,
    }


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def header(fleet: str, host: str, organization: str) -> str:
    """The first line of `plan` and `apply`: where this would happen."""
    return f"fleet {fleet} at {escaped(host)}{f' (organization {escaped(organization)})' if organization else ''}"


def as_text(review: Review, *, colours: bool = False) -> str:
    """The review for a terminal."""
    lines = [header(review.fleet, review.host, review.organization), ""]
    if review.note:
        lines += [review.note, ""]
    width = max((len(c.name) for c in review.plan.changes), default=0)
    quiet = 0
    for change in review.plan.changes:
        if _follows(change):
            continue  # shown under the create that it follows
        if isinstance(change, Keep):
            quiet += 1
            if quiet > _QUIET_LIMIT:
                continue
        lines.append(_line(change, width, colours=colours))
        lines += [f"      {detail}" for detail in _details(change, review)]
    if quiet > _QUIET_LIMIT:
        lines.append(f"  = and {quiet - _QUIET_LIMIT} more that are kept")
    if not review.plan.changes:
        lines.append("  nothing is declared, and nothing of this fleet is live")
    refusals = [v for v in review.verdicts if v.refused]
    lines += ["", *(paint(f"Gate {v.gate} refuses: {v.message}.", "red", colours=colours) for v in refusals)]
    lines += [summary_line(review), *_approval(review), f"Digest: {review.digest}"]
    return "\n".join(lines)


def summary_line(review: Review) -> str:
    """One line of counts; zeros are left out."""
    words = {
        "create": "to create",
        "cancel": "to cancel",
        "adopt": "to adopt",
        "keep": "kept",
        "wait": "waiting",
        "hold": "held",
    }
    counts = review.summary
    said = [f"{counts[key]} {word}" for key, word in words.items() if counts[key]]
    files = f" ({plural(counts['upload'], 'training file')} to upload where missing)" if counts["upload"] else ""
    unmanaged = f" {plural(review.plan.unmanaged, 'job')} at this provider not ours." if review.plan.unmanaged else ""
    return f"Plan: {', '.join(said) or 'nothing to do'}{files}.{unmanaged}"


def _approval(review: Review) -> Iterator[str]:
    if review.ends_if_approved:
        jobs = ", ".join(escaped(job_id) for job_id in review.ends_if_approved)
        yield f"A person's yes, or apply --approve with this digest, also ends what is ahead of this directory: {jobs}"


def _follows(change: Change) -> bool:
    return isinstance(change, Cancel) and change.follows


def _sign(change: Change) -> tuple[str, str, str]:
    """Symbol, word and colour."""
    if isinstance(change, Create) and change.replaces:
        return "±", "replace", "yellow"
    symbol, colour = _SYMBOLS[change.action]
    return symbol, change.action, colour


def _line(change: Change, width: int, *, colours: bool) -> str:
    symbol, word, colour = _sign(change)
    lead = paint(f"{symbol} {word:<7}", colour, colours=colours)
    job = f" [{escaped(change.job_id)}]" if change.job_id else ""
    return f"  {lead}  {change.name:<{width}}  {change.reason}: {printable(change.message)}{job}"


def _details(change: Change, review: Review) -> Iterator[str]:
    jobs = {job.id: job for job in review.world.jobs}
    if isinstance(change, Cancel) and change.job_id in jobs:
        yield f"throws away: {_loss(jobs[change.job_id], review)}"
    if not isinstance(change, Create):
        return
    for job_id in change.replaces:
        yield f"then cancels {escaped(job_id)}: {_loss(jobs[job_id], review)}"
    yield from _differences(change, review) if change.replaces else _order(change, review)


def _loss(job: Job, review: Review) -> str:
    """What a cancel throws away: status, age, steps."""
    step = review.steps.get(job.id)
    trained = f", {step}" if step else ""
    old = f", {age(review.now - job.created_at)} old" if job.created_at else ""
    return f"{escaped(job.status)}{old}{trained}"


def _order(change: Create, review: Review) -> Iterator[str]:
    desired = review.world.desired[change.name]
    model = change.model or desired.body.get("model")
    files = ", ".join(file.path for file in review.files(change)) or str(desired.body.get("training_file", ""))
    yield escaped(f"trains {model} on {files}, revision {change.revision}, attempt {change.attempt}")


def _differences(change: Create, review: Review) -> Iterator[str]:
    """Which fields of the spec changed, against the revision of the job that is replaced."""
    wanted = review.world.memory.wanted
    marks = {job.id: job.marks for job in review.world.jobs}
    replaced = marks.get(change.replaces[-1])
    before = wanted.get((change.name, replaced.revision)) if replaced else None
    if before is None:
        yield "which fields changed is not known here: the earlier spec was not read in this directory"
        return
    yield from (escaped(line) for line in differences(before, review.world.desired[change.name].form))


def differences(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    """``field: old → new`` for each leaf that differs."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield f"{path}: {_shown(old.get(path))} → {_shown(new.get(path))}"


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _shown(value: object) -> str:
    text = "(unset)" if value is None else str(value)
    return f"{text[:60]}…" if len(text) > 60 else text  # noqa: PLR2004 - one line of a review


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────


def as_markdown(review: Review) -> str:
    """The review for a pull request's comment."""
    shown = [c for c in review.plan.changes if not _follows(c) and not isinstance(c, Keep)]
    kept = sum(isinstance(c, Keep) for c in review.plan.changes)
    lines = [f"### Fine-tuning plan: {_cell(header(review.fleet, review.host, review.organization))}", ""]
    if shown:
        lines += ["| | job | reason | what |", "|---|---|---|---|"]
    for change in shown:
        symbol, word, _ = _sign(change)
        what = "<br>".join(_cell(text) for text in (change.message, *_details(change, review)))
        lines.append(f"| {symbol} {word} | `{change.name}` | {change.reason} | {what} |")
    lines += ["", f"{plural(kept, 'job')} kept as they are." if kept else ""]
    lines += [f"- **Gate {v.gate} refuses**: {_cell(v.message)}" for v in review.verdicts if v.refused]
    lines += ["", summary_line(review), "", *(f"{_cell(line)}\n" for line in _approval(review))]
    lines += [f"Digest: `{review.digest}`"]
    return "\n".join(lines)


def _cell(text: str) -> str:
    clean = printable(text)
    for sign in ("\\", "|", "`", "<", "*", "_", "[", "@"):
        clean = clean.replace(sign, f"&#{ord(sign)};")
    return clean


# ── outcomes ─────────────────────────────────────────────────────────────────────────────────


def outcome_line(outcome: Outcome, *, colours: bool = False) -> str:
    """What came of one write."""
    symbol, colour = ("✓", "green") if outcome.ok else ("✗", "red")
    return f"  {paint(symbol, colour, colours=colours)} {outcome.name}: {printable(outcome.message)}"
