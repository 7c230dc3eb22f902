"""Log events as sentences, for the person in front of a command that ends.

Pure. `log` asks here where nobody asked for a log (`-v`, `--log-format json`). What the plan, the outcomes and the
closing summary of an `apply` say is not said here: each fact has one place.
"""

from collections.abc import Mapping

from reconciler.errors import escaped

# An event that is not listed is for the log alone.
_SENTENCES: Mapping[str, str] = {
    "file.upload_started": "  {job}: uploading {path} ({size} bytes)",
    "job.succeeded": "✓ {job}: succeeded; its model is {fine_tuned_model}",
    "job.failed": "✗ {job}: failed: {error}",
    "job.ended": "✗ {job}: job {job_id} was {status} (by {ended_by})",
    "create.resolved": "  {job}: the create whose answer was lost is resolved: {found}",
    "job.mismatched": "! {job}: job {job_id} is not as it was asked for: {why}",
    "metadata.not_echoed": "! this server does not return the metadata of job {job_id}; a job is recognised by less",
    "key.unreadable": "! the key cannot be read: {error}",
    "checkpoints.unavailable": "! the checkpoints of job {job_id} cannot be read: {error}",
    "watch.failed": "! the directory cannot be watched: {error}",
}


def sentence(event: Mapping[str, object]) -> str | None:
    """What a person is told of an event; None where that is nothing."""
    words = str(event.get("event", ""))
    if words == "job.cancelled" and "status" in event:  # else its cancel has said so
        return f"✓ {event.get('job')}: job {event.get('job_id')} is cancelled"
    template = _SENTENCES.get(words)
    if template is None:
        return None
    job_id = event.get("job_id")
    facts = {key: escaped(str(value)) for key, value in event.items()}
    return template.format_map(_Facts(facts, found=f"it made job {escaped(str(job_id))}" if job_id else "no job"))


class _Facts(dict[str, str]):
    """Facts of an event; one that is not there is a dash, and never an error."""

    def __missing__(self, key: str) -> str:
        return "-"
