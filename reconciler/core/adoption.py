"""An existing job that ``policy.adopt`` names: may it stand for a revision, and is it what its manifest says?

Pure. `standing` refuses an adoption that nothing bears out and says where an adopted job differs, `lookup` writes no
refused one down. Nothing in here asks a server.
"""

from collections.abc import Iterator, Mapping

from reconciler.core.body import same_file, same_model
from reconciler.core.desired import Adoption, Desired
from reconciler.core.job import Job
from reconciler.core.mismatch import Contradiction, contradictions, lost_method
from reconciler.core.recognition import NamedJob, is_of_another
from reconciler.core.training import METHODS
from reconciler.core.world import Case

# What is said of an adopted job before its differences, for whoever shows them alone.
DIFFERS = "it is not what its manifest says: "


def refused_adoption(case: Case) -> Adoption | None:
    """What ``policy.adopt`` says, where nothing shows that this manifest ever had that revision.

    It did where it has it now; where the journal holds that very job for it, which is written down only once the
    adoption was borne out; or where the job's own marks say so. A job of the present revision that was made already
    shows that the adopted one stood for an earlier spec. Anything else would be a new paid job for a slip of the pen.
    So would a job that bears the name of another manifest: that one would be made anew.
    """
    adopt = case.policy.adopt
    if adopt is None:
        return None
    if another_owner(case):
        return adopt
    if adopt.revision == case.revision or any(not n.adopted for n in case.current):
        return None
    key = (case.name, adopt.revision)
    record = case.world.memory.records.get(adopt.job_id)
    recorded = record is not None and (record.name, record.revision) == key
    if recorded and case.world.memory.wanted.get(key) is not None:
        return None
    marks = next((n.job.marks for n in case.jobs if n.adopted and n.ours), None)
    return None if marks is not None and (marks.name, marks.revision) == key else adopt


def another_owner(case: Case) -> str:
    """The other name with a manifest whose marks the job in ``policy.adopt`` bears; else ""."""
    adopt, world = case.policy.adopt, case.world
    if adopt is None or any(n.adopted for n in case.jobs):
        return ""
    job = next((job for job in world.jobs if job.id == adopt.job_id and world.owns(job)), None)
    return job.marks.name if job and job.marks and is_of_another(job, case.name, world.desired) else ""


def borne_out(case: Case, named: NamedJob) -> bool:
    """Whether a job stands for its name by more than an adoption that is refused."""
    return not named.adopted or refused_adoption(case) is None


def adoption_differences(desired: Desired, job: Job) -> tuple[str, ...]:
    """What of an adopted job is not what its manifest says; what the server renames or leaves out proves nothing."""
    found = _contradictions(desired.body, job)
    return tuple(one.in_words("{field} {shown}, its manifest {asked}") for one in found)


def _contradictions(body: Mapping[str, object], job: Job) -> Iterator[Contradiction]:
    if not same_model(body, job):
        yield Contradiction("model", body.get("model"), job.model)
    if not same_file(body, job):
        yield Contradiction("training_file", body.get("training_file"), job.training_file)
    # A manifest that says no method wants the supervised one.
    if lost := lost_method({"method": METHODS[0], **body}, job, assumed=True):
        yield Contradiction("method", lost, job.training.method)
    yield from contradictions(body, job, body.get("seed"))


def adoption_warning(desired: Desired, job: Job) -> str:
    """The same in words that follow a sentence; "" where nothing differs."""
    found = adoption_differences(desired, job)
    return f"; warning: {DIFFERS}{'; '.join(found)}" if found else ""
