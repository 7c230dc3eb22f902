"""Everything known of one job, in the manner of `kubectl describe`: what it is, how it came so, and what happens next.

Pure. `describe` fills a `Description` and prints it as text, or as data beside what `status` says.
"""

import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from reconciler.core.desired import Desired, Policy
from reconciler.core.estimate import Cost
from reconciler.core.intake import Intake
from reconciler.core.job import Event
from reconciler.core.reason import NOT_SENT, Reason
from reconciler.core.status import Progress, Status
from reconciler.errors import printable
from reconciler.render.cost import cost_data, cost_words
from reconciler.render.records import event_data, time_words
from reconciler.render.status_line import Rank, intake_words, is_live, progress_words, status_line
from reconciler.render.status_screen import RANK_COLOURS, model_words
from reconciler.render.text import Typed, age, moment, paint, sentence, wrapped

_LABEL = 14
_EVENTS = 5
_CHECKPOINTS = 5


class Description(Struct, frozen=True):
    """One name. ``desired`` is None where no manifest holds it; ``events`` are its newest, the oldest first.

    ``identity`` says what jobs are known by at this provider, where it is not our marks. ``directory`` is the fleet's,
    as seen from where the reader stands. ``cost`` is that of its job.
    """

    fleet: str
    status: Status
    now: float
    typed: Typed
    desired: Desired | None = None
    progress: Progress | None = None
    events: Sequence[Event] = ()
    identity: str = ""
    intake: Intake | None = None
    directory: str = ""
    cost: Cost | None = None

    @property
    def declared_in(self) -> tuple[str, int] | None:
        """Path and line of its manifest, to be clicked; None where none can be read."""
        desired = self.desired
        return (posixpath.normpath(posixpath.join(self.directory, desired.path)), desired.line) if desired else None

    @property
    def spec(self) -> dict[str, object]:
        """The fields that its manifest sets, nested ones under the path that leads to them."""
        desired = self.desired
        if desired is None:
            return {}
        fields: dict[str, object] = dict(desired.body)
        fields |= {"training_file": desired.training.path} if desired.training else {}
        fields |= {"validation_file": desired.validation.path} if desired.validation else {}
        fields |= desired.by_digest
        fields |= {"model_from": desired.model_from} if desired.model_from else {}
        fields |= {"extra_body": desired.extra_body} if desired.extra_body else {}
        fields |= {"rerun": desired.form["rerun"]} if desired.form.get("rerun") else {}
        fields |= {"policy": _policy(desired.policy)} if desired.policy != Policy() else {}
        return dict(_flat(fields, ()))


def description_data(shown: Description) -> dict[str, object]:
    """What `describe` knows beside the item of `status`."""
    refusal, declared = shown.status.refusal, shown.declared_in
    return {
        "fleet": shown.fleet,
        "fleet_conditions": shown.intake.report["conditions"] if shown.intake else [],
        "declared_in": dict(zip(("path", "line"), declared, strict=True)) if declared else None,
        "spec": shown.spec,
        "refusal": refusal
        and {
            "job": refusal.name,
            "reason": str(refusal.reason),
            "message": refusal.message if refusal.name == shown.status.name else None,
            "next_try": refusal.next_at,
        },
        "cost": cost_data(shown.cost),
        "events": [event_data(event) for event in shown.events],
        "next": next_words(shown),
    }


def description_text(shown: Description, *, width: int, colours: bool = False) -> str:
    """All of it, in sections; no line is wider than ``width``, but for a word that alone is."""
    lines = [line for label, text in _facts(shown) for line in _labelled(label, text, width)]
    brief = status_line(shown.status, now=shown.now, progress=shown.progress)
    at = next(i for i, line in enumerate(lines) if line.startswith("Status:"))
    lines[at] = lines[at].replace(brief.word, paint(brief.word, RANK_COLOURS[brief.rank], colours=colours), 1)
    sections = (
        ("Spec", [line for key, value in shown.spec.items() for line in _field(key, value, width)]),
        ("Conditions", list(_conditions(shown, width))),
        ("Last refusal", list(_refused(shown, width))),
        ("History", [line for job in shown.status.history for line in _past(job, width)]),
        ("Events", [line for event in shown.events[-_EVENTS:] for line in _event(event, width)]),
        ("Checkpoints", list(_checkpoints(shown, width))),
        ("What happens next", wrapped(next_words(shown), width, "  ")),
    )
    for title, body in sections:
        lines += ["", f"{title}:", *body] if body else []
    return "\n".join(lines)


def _facts(shown: Description) -> Iterator[tuple[str, str]]:
    status, declared = shown.status, shown.declared_in
    brief = status_line(status, now=shown.now, progress=shown.progress)
    yield "Name", status.name
    yield "Fleet", f"{shown.fleet}: {intake_words(shown.intake, shown.now)}" if shown.intake else shown.fleet
    yield "Declared in", f"{declared[0]}:{declared[1]}" if declared else "no manifest that can be read"
    yield "Revision", status.revision or "-"
    yield "Job", status.job_id or "-"
    if shown.identity:
        yield "Identity", shown.identity
    error = _error(status.error or {})
    detail = "" if brief.detail in error else brief.detail
    why = brief.rank in {Rank.TROUBLE, Rank.WAITS} and detail + brief.tail
    yield "Status", f"{brief.word}: {why}" if why else brief.word
    if is_live(status):
        yield "Progress", ", ".join(_progress(status, shown)) or "no step told yet"
    yield "Model", model_words(status) or "-"
    if status.created_at:
        yield "Created", _when(status.created_at, shown.now)
    if status.trained_tokens is not None:
        paid = cost_words(shown.cost) if shown.cost else ""
        yield "Trained", f"{status.trained_tokens} tokens{f', {paid}' if paid else ''}"
    if status.error:
        yield "Error", error


def _error(error: Mapping[str, object]) -> str:
    said = ": ".join(str(part) for part in (error.get("code"), error.get("message")) if part)
    return f"{said} ({error['param']})" if error.get("param") else said


def _progress(status: Status, shown: Description) -> list[str]:
    valid = (status.progress or {}).get("valid_loss")
    words = progress_words(status, shown.progress, shown.now)
    return words + ([f"validation loss {valid:.3g}"] if isinstance(valid, int | float) else [])


def _conditions(shown: Description, width: int) -> Iterator[str]:
    """What two of them say alike stands below the first."""
    said: set[str] = set()
    for condition in shown.status.conditions:
        at = condition.last_transition_time
        since = f", since {_since(at, shown.now)}" if at else ""
        yield f"  {condition.type:<10} {condition.status:<8} {condition.reason}{since}"
        if condition.message not in said:
            yield from wrapped(condition.message, width, "    ")
        said.add(condition.message)


def _refused(shown: Description, width: int) -> Iterator[str]:
    refusal = shown.status.refusal
    if refusal is None:
        return
    if refusal.name == shown.status.name:
        yield from wrapped(refusal.message, width, "  ")
    else:
        yield from wrapped(f"not of this job: every create is held back since that of {refusal.name}", width, "  ")
    later = shown.now < refusal.next_at
    yield from wrapped(
        f"next try: {moment(refusal.next_at, now=shown.now)}, or by the next apply"
        if later
        else "next try: by the next apply or pass",
        width,
        "  ",
    )


def _past(job: Mapping[str, object], width: int) -> Iterator[str]:
    model = job.get("fine_tuned_model")
    head = f"{job['job_id']}: attempt {job.get('attempt')} of revision {job.get('revision')}, {job.get('status')}"
    yield from wrapped(head, width, "  ")
    if model:
        yield from wrapped(f"model {model}", width, "    ")
    if job.get("ended_reason") is not None:
        at = job.get("ended_at")
        when = f" {time_words(at)} UTC" if isinstance(at, int) else ""
        by = job.get("ended_by") or "whom is not known here"
        yield from wrapped(f"ended{when} by {by} ({job['ended_reason']}): {job.get('ended_message')}", width, "    ")


def _event(event: Event, width: int) -> list[str]:
    level = "" if event.level == "info" else f"{event.level}: "
    at = f"{time_words(event.created_at)}  "
    return wrapped(f"{at}{level}{event.message}", width, "  ", " " * len(at))


def _checkpoints(shown: Description, width: int) -> Iterator[str]:
    found = shown.status.checkpoints or ()
    for checkpoint in found[:_CHECKPOINTS]:
        yield from wrapped(f"step {checkpoint.get('step')}: {checkpoint.get('model')}", width, "  ")
    if len(found) > _CHECKPOINTS:
        command = shown.typed("checkpoints", shown.status.name)
        yield from sentence(f"  and {len(found) - _CHECKPOINTS} more: {command}", width, "    ")


_CREATES = "The next apply or pass creates its job."
_CANCELS = "The next apply or pass cancels it."
_RERUN = "Nothing, until a person: change the spec, or raise `rerun` to train it again."

_NEXT: Mapping[str, str] = {
    Reason.SOURCE_INVALID: "Nothing, until its manifest is mended; `{validate}` says what is wrong.",
    Reason.OVERTAKEN: "Nothing from here: another run on this state directory goes on with a newer manifest.",
    Reason.CREATE_UNRESOLVED: "The job is looked for; nothing is sent until it is known what became of the create.",
    Reason.MISSING: "Nothing, until the job is seen again, or a person runs `{forget}`.",
    Reason.ADOPTION_REFUSED: "Nothing, until its manifest says which revision the adopted job stands for.",
    Reason.SUSPENDED: "Nothing, until `state: suspended` is taken out.",
    Reason.PAUSED: "Nothing, until `state: paused` is taken out.",
    Reason.PAUSING: "The next apply or pass pauses it.",
    Reason.CANNOT_PAUSE: "It trains on; the server is asked again after a day.",
    Reason.RESUMING: "The next apply or pass lets it go on.",
    Reason.CANCEL_REQUESTED: "Nothing, until `state: cancelled` is taken out.",
    Reason.REMOVED: _CANCELS,
    Reason.ORPHANED: "It is left as it is; nothing is done to it from here.",
    Reason.PRUNE_DISABLED: "It is left as it is, because prune is off.",
    Reason.METHOD_LOST: "It is ended if it is live, and not made again until a person does what Blocked says.",
    Reason.DUPLICATE: "The next apply or pass cancels the second job.",
    Reason.IN_PROGRESS: "It trains on; the server is asked again after a day.",
    Reason.ADOPTED: "It trains on; the next apply or pass records it as the job of this name.",
    Reason.SUCCEEDED: "Nothing: its model exists. Raise `rerun` to train it again.",
    Reason.RETRY: "The next apply or pass creates another attempt.",
    Reason.FAILED: _RERUN,
    Reason.RESTORED: _CREATES,
    Reason.CANCELLED: _RERUN,
    Reason.NOT_CREATED: _CREATES,
    Reason.WAITING_FOR_JOB: "It waits until {upstream} has a model; the pass after that creates its job.",
    Reason.DEPENDENCY_FAILED: "Nothing, until {upstream} is mended: `{describe}` says why.",
    Reason.CREATE_REFUSED: "The next apply or pass tries it again.",
    Reason.CREATE_REJECTED: "The next apply or pass tries it again; a changed spec is tried at once.",
    Reason.NO_IDENTITY: "Nothing, until a person: see the condition Blocked.",
    Reason.WAITING_FOR_PREVIOUS: "It waits until the earlier job has ended; the pass after that creates its job.",
    Reason.WAITING_FOR_CAPACITY: "It waits until another job ends; max_active allows no more at once.",
    Reason.BLOCKED: "Nothing, until its gate lets it go: `{plan}` says which, and the way on.",
    Reason.SUPERSEDED: "The next apply or pass cancels the job of the earlier spec.",
    Reason.AHEAD: "It is left alone; a person can approve its end: `{plan}` says how.",
}
_OBJECTED = "Nothing, until a person does what Blocked says: this spec is not sent to this server as it is."
_PENDING: Mapping[str, str] = {Reason.CANCEL_REQUESTED: _CANCELS, Reason.CANCELLED: _CREATES}


def next_words(shown: Description) -> str:
    """What happens to this name by itself, or who has to do something."""
    status = shown.status
    conditions = {c.type: c for c in status.conditions}
    synced = conditions["Synced"]
    if synced.reason == Reason.CREATE_REJECTED and synced.message.startswith(NOT_SENT):
        return _OBJECTED
    if synced.reason in {Reason.CREATE_REFUSED, Reason.CREATE_REJECTED}:
        refusal = status.refusal
        if refusal is not None and shown.now < refusal.next_at:
            at = moment(refusal.next_at, now=shown.now)
            at_once = shown.typed("apply", "")
            return f"A pass of `reconciler run` tries it again from {at} on; `{at_once}` tries it at once."
    words = _PENDING.get(synced.reason) if synced.status == "False" else None
    upstream = shown.desired.model_from if shown.desired else None
    text = words or _NEXT.get(conditions.get("Blocked", synced).reason, "Nothing is left to do.")
    commands = {command: shown.typed(command, job) for command, job in _commands(status.name, upstream)}
    return text.format(**commands, upstream=upstream or "the job that it builds on")


def _commands(name: str, upstream: str | None) -> Iterator[tuple[str, str]]:
    """Those that may be the way on, and what each is about."""
    yield from (("validate", ""), ("plan", ""), ("forget", name), ("describe", upstream or name))


def _labelled(label: str, text: str, width: int) -> list[str]:
    first, *rest = wrapped(text, max(width - _LABEL, 1)) or [""]
    return [f"{label + ':':<{_LABEL}}{first}", *(" " * _LABEL + line for line in rest)]


def _field(key: str, value: object, width: int) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    first, *rest = wrapped(f"{key}: {text}", width - 4)
    return [f"  {first}", *(f"    {line}" for line in rest)]


def _flat(value: Mapping[str, object], path: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Each value under the keys that lead to it; those that every method has are left out."""
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield from _flat(item, (*path, key))
        else:
            yield _short((*path, key)), item


def _short(path: tuple[str, ...]) -> str:
    if path == ("method", "type"):
        return "method"
    if path[0] == "method":
        path = path[2:]  # method, and the type that it has
    return ".".join(path[1:] if path[0] == "hyperparameters" and len(path) > 1 else path)


def _policy(policy: Policy) -> dict[str, object]:
    """What of it is not the default."""
    usual, adopt = Policy(), policy.adopt
    names = ("state", "on_change", "on_remove", "on_cancelled", "retries")
    said: dict[str, object] = {n: getattr(policy, n) for n in names if getattr(policy, n) != getattr(usual, n)}
    return said | ({"adopt": {"job_id": adopt.job_id, "revision": adopt.revision}} if adopt else {})


def _when(seconds: int, now: float) -> str:
    return f"{time_words(seconds)} UTC ({age(now - seconds)} ago)"


def _since(text: str, now: float) -> str:
    try:
        return _when(int(datetime.fromisoformat(text).timestamp()), now)
    except (ValueError, OverflowError):
        return printable(text)
