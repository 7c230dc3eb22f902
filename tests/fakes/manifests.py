"""Manifests as a person writes them: the one place in the tests that knows what a document looks like."""

import json
from collections.abc import Mapping
from typing import Any


def document(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A document of ours, as values."""
    return {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def as_json(kind: str, name: str, spec: Mapping[str, Any], *, indent: int | str | None = None) -> str:
    """The same in JSON, which is YAML: for what is not here to be read by people."""
    return json.dumps(document(kind, name, spec), indent=indent)


def as_yaml(kind: str, name: str, spec: str) -> str:
    """The same in YAML, four lines of it; ``spec`` is YAML that a test wants to see read."""
    return f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def manifest(name: str, spec: str = "{model: m, training_file: file-1}") -> str:
    """A job, in YAML; valid unless ``spec`` says otherwise."""
    return as_yaml("FineTuningJob", name, spec)


# What training files hold is the affair of a few tests, which write a fleet's document of their own.
FLEET = as_yaml("Fleet", "f", "{provider: sandbox, data_checks: off}")
