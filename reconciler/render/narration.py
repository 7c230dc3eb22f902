"""Log events as sentences, for the person in front of a command that ends.

Pure. `log` asks here where nobody asked for a log (`-v`, `--log-format json`). What the plan, the outcomes and the
closing summary of an `apply` say is not said here: each fact has one place.
"""

from collections.abc import Mapping

from reconciler.errors import escaped

# An event that is not listed is for the log alone.
_SENTENCES: Mapping[str, str] = {
    "file.awaited": "  {job}: uploading {path} ({size} bytes)",
    "job.succeeded": "✓ {job}: succeeded; {made}",
    "job.failed": "✗ {job}: failed: {error}",
    "job.ended": "✗ {job}: job {job_id} was {status} (by {ended_by})",
    "create.resolved": "  {job}: the create whose answer was lost is resolved: {found}",
    "job.mismatched": "! {job}: job {job_id} is not what was sent: {why}",
    "metadata.not_echoed": "! this server does not return the metadata of job {job_id}; a job is recognised by less",
    "key.unreadable": "! the key cannot be read: {error}",
    "checkpoints.unavailable": "! the checkpoints of job {job_id} cannot be read: {error}",
    "watch.failed": "! the directory cannot be watched: {error}",
}


def event_sentence(event: Mapping[str, object]) -> str | None:
    """What a person is told of an event; None for what only the log says."""
    words = str(event.get("event", ""))
    if words == "job.cancelled" and "status" in event:  # else its cancel has said so
        return f"✓ {event.get('job')}: job {event.get('job_id')} is cancelled"
    template = _SENTENCES.get(words)
    if template is None:
        return None
    facts = {key: escaped(str(value)) for key, value in event.items() if value is not None}
    found = f"it made job {facts['job_id']}" if event.get("job_id") else "no job"
    model = facts.get("fine_tuned_model")
    made = f"its model is {model}" if model else "the provider names no model yet"
    return template.format_map(_Facts(facts, found=found, made=made))


class _Facts(dict[str, str]):
    """Facts of an event. One that is missing, or not known, is a dash, never an error."""

    def __missing__(self, key: str) -> str:
        return "-"
