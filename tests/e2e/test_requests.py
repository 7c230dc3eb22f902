"""Every request of the commands, against the documents of the servers that they are made for, where this machine has them."""

import json

import pytest

from tests.fakes.faulty import Proxy
from tests.fakes.modes import Place
from tests.fakes.openapi import PATHS, WHY_NOT, Document
from tests.fakes.specs import STRING

pytestmark = pytest.mark.skipif(not all(path.exists() for path in PATHS.values()), reason=WHY_NOT)

OPERATIONS = {
    *("create a job", "list jobs", "retrieve a job", "cancel a job", "events", "checkpoints"),
    *("upload a file", "list files", "retrieve a file"),
}
PAUSES = {"pause a job", "resume a job"}  # newer than Azure's classic document
# What the documents call them.
NAMES = {
    "createFineTuningJob": "create a job",
    "listPaginatedFineTuningJobs": "list jobs",
    "retrieveFineTuningJob": "retrieve a job",
    "cancelFineTuningJob": "cancel a job",
    "listFineTuningEvents": "events",
    "listFineTuningJobEvents": "events",
    "listFineTuningJobCheckpoints": "checkpoints",
    "listModels": "list models",
    "pauseFineTuningJob": "pause a job",
    "resumeFineTuningJob": "resume a job",
    "createFile": "upload a file",
    "listFiles": "list files",
    "retrieveFile": "retrieve a file",
    "FineTuning_Create": "create a job",
    "FineTuning_List": "list jobs",
    "FineTuning_Get": "retrieve a job",
    "FineTuning_Cancel": "cancel a job",
    "FineTuning_GetEvents": "events",
    "FineTuning_GetCheckpoints": "checkpoints",
    "Files_Upload": "upload a file",
    "Files_List": "list files",
    "Files_Get": "retrieve a file",
}
# What is known and meant. `doctor` asks each server for what Azure's documents leave out: models, and jobs by metadata.
_DOCTOR = {("", "GET /models"), ("list jobs", "?metadata[reconciler_fleet]: unknown")}
BESIDE: dict[str, set[tuple[str, str]]] = {
    "openai": set(),
    # The document alone asks for it: nobody's recorded upload has it.
    "azure": {*_DOCTOR, ("upload a file", ": 'expires_after' is a required property")},
    # Newer than the document; it is dropped there without a word, or refused, and what it carries is known otherwise.
    "azure-classic": {
        *_DOCTOR,
        ("", "POST /fine_tuning/jobs/ID/pause"),
        ("", "POST /fine_tuning/jobs/ID/resume"),
        ("create a job", ".metadata: unknown"),
        ("create a job", ".method: unknown"),
        ("create a job", ".integrations: unknown"),
        ("list files", "?limit: unknown"),
        ("list files", "?after: unknown"),
    },
}

MESSAGES = [{"role": "user", "content": "q"}]
PAIR = {
    "input": {"messages": MESSAGES},
    "preferred_output": [{"role": "assistant", "content": "yes"}],
    "non_preferred_output": [{"role": "assistant", "content": "no"}],
}
WANDB = [{"type": "wandb", "wandb": {"project": "p", "name": "n", "entity": "e", "tags": ["t"]}}]


def live(place: Place, proxy: Proxy) -> None:
    """A life in which every operation is asked for, with everything that a manifest can say."""
    for name, example in (("pairs", PAIR), ("graded", {"messages": MESSAGES, "answer": "yes"})):
        (place.fleet.root / "data" / f"{name}.jsonl").write_text(f"{json.dumps(example)}\n" * 12)
    tuned = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}
    place.want("plain")
    place.want("old-form", hyperparameters=tuned, seed=7, metadata={"team": "maps"}, integrations=WANDB)
    place.want("tuned", method={"type": "supervised", "supervised": {"hyperparameters": tuned}})
    dpo = {"type": "dpo", "dpo": {"hyperparameters": {**tuned, "beta": 0.5}}}
    place.want("dpo", training_file="data/pairs.jsonl", validation_file="data/pairs.jsonl", method=dpo)
    graded = {"grader": STRING, "hyperparameters": {**tuned, "reasoning_effort": "low", "eval_samples": "auto"}}
    place.want(
        "graded",
        training_file="data/graded.jsonl",
        validation_file="data/graded.jsonl",
        method={"type": "reinforcement", "reinforcement": graded},
    )
    place.want("long", model="sandbox-slow")
    place.want("short", model="gpt-4o-mini")
    assert place.apply(via=proxy).code == 0
    place.fleet.remove("plain")
    for state in ("paused", "active"):
        place.want("long", model="sandbox-slow", policy={"state": state})
        assert place.apply(via=proxy).code == 0
    place("events", "short", via=proxy)
    place("checkpoints", "short", via=proxy)
    place("doctor", via=proxy)


@pytest.mark.parametrize("place", PATHS, indirect=True)
def test_every_request_is_as_the_document_says(place: Place, request: pytest.FixtureRequest) -> None:
    mode = request.node.callspec.params["place"]
    document = Document(PATHS[mode])
    with Proxy(place.base_url) as proxy:
        live(place, proxy)
        base_path = "/" + place.base_url.split("/", 3)[3]
        judged = [document.judged(asked, base_path) for asked in proxy.requests]
    named = [(NAMES.get(name, name), faults) for name, faults in judged]
    assert {(name, fault) for name, faults in named for fault in faults} == BESIDE[mode]
    assert {name for name, _ in named} >= OPERATIONS | (PAUSES if mode != "azure-classic" else set())
