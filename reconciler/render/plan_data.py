"""A plan as data: the document of `plan -o json` and, with its outcomes, of `apply -o json`.

Pure.
"""

from collections.abc import Iterable

from reconciler.core.change import Create
from reconciler.core.job import Job
from reconciler.core.memory import Elsewhere
from reconciler.core.spelling import utc_text
from reconciler.engine.act import Outcome
from reconciler.render.cost import estimate_data, total_data
from reconciler.render.problems import as_data
from reconciler.render.review import Review, ReviewEntry


def plan_data(review: Review, outcomes: Iterable[Outcome] | None = None) -> dict[str, object]:
    """The document; with ``outcomes`` that of `apply`."""
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
        "refused": review.refused,
        "estimate": total_data(review.cost),
        "changes": [_change(entry, review) for entry in review.entries],
        "gates": [
            {"gate": v.gate, "limit": v.limit, "count": v.count, "refused": v.refused, "message": v.message}
            for v in review.verdicts
        ],
        "unmanaged": review.plan.unmanaged,
        "elsewhere": [_elsewhere(job) for job in review.left_elsewhere],
        "warnings": as_data(review.warnings),
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


def _change(entry: ReviewEntry, review: Review) -> dict[str, object]:
    change = entry.change
    created = change if isinstance(change, Create) else None
    since = entry.since
    known = since is not None and since.differences is not None
    return {
        "name": change.name,
        "action": change.action,
        "reason": change.reason,
        "job_id": change.job_id,
        "revision": change.revision,
        "attempt": change.attempt,
        "message": change.message,
        "refused": next(iter(entry.refused), None),
        "refused_by": list(entry.refused),
        "model": review.model(created) if created else None,
        "files": list(review.trained_on(created)) if created else [],
        "estimate": estimate_data(review.estimates.get(created.name)) if created else None,
        "uploads": [file.path for file in review.uploads(created)] if created else [],
        "differences": [{"field": d.field, "old": d.old, "new": d.new} for d in since.differences or ()]
        if since is not None and known
        else None,
        "last_refusal": _refusal(created, review) if created else None,
        "throws_away": [_loss(job, review) for job in entry.ends],
        "leaves_running": [_loss(job, review) for job in entry.outlived],
        "elsewhere": [_elsewhere(job) for job in entry.elsewhere],
    }


def _elsewhere(job: Elsewhere) -> dict[str, object]:
    return {
        "name": job.name,
        "job_id": job.job_id,
        "revision": job.revision,
        "live": job.live,
        "base_url": job.base_url,
        "organization": job.organization or None,
        "project": job.project or None,
    }


def _refusal(change: Create, review: Review) -> dict[str, object] | None:
    found = review.refusal(change)
    if found is None:
        return None
    refusal, words = found
    return {"reason": refusal.reason, "message": words, "next_try": utc_text(refusal.next_at)}


def _loss(job: Job, review: Review) -> dict[str, object]:
    progress, spent = review.progress.get(job.id), review.so_far.get(job.id)
    return {
        "job_id": job.id,
        "status": job.status,
        "age": round(review.now - job.created_at) if job.created_at else None,
        "step": progress.step if progress else None,
        "total_steps": progress.total_steps if progress else None,
        "usd": None if spent is None else round(spent, 4),
    }
