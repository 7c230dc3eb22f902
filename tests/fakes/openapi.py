"""An OpenAPI document as the judge of requests: which operation one is, and all that it does not say of it.

The documents are those of the folder of `recorded`, and of the one above it: no test needs them to pass.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import yaml
from jsonschema import Draft202012Validator

from tests.fakes.faulty import Request
from tests.fakes.recorded import FOLDER
from tests.fakes.servers import form_of

PATHS = {
    "openai": FOLDER.parents[1] / "finetuning-openapi.yaml",
    "azure": FOLDER.parent / "azure-v1-ga.yaml",
    "azure-classic": FOLDER.parent / "azure-2024-10-21.yaml",
}
WHY_NOT = f"there are no documents beside {FOLDER}"

_COMBINED = ("allOf", "anyOf", "oneOf")
_JOB_ID = r"ftjob-\w+"
_READ_AS = {"integer": int, "number": float}


class Document:
    """One of them."""

    def __init__(self, path: Path) -> None:
        self._whole: dict[str, Any] = yaml.load(path.read_text(), yaml.CSafeLoader)

    def judged(self, request: Request, base_path: str) -> tuple[str, list[str]]:
        """Which operation it is, and each thing that the document does not say of it; "" where it is none."""
        path, _, query = request.path.partition("?")
        found = self._operation(request.method, path.removeprefix(base_path))
        if found is None:
            return "", [f"{request.method} {re.sub(_JOB_ID, 'ID', path.removeprefix(base_path))}"]
        faults = [*self._query(found, dict(parse_qsl(query))), *self._body(found, request)]
        return found["operationId"], faults

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for template, operations in self._whole["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method.lower() in operations:
                operation: dict[str, Any] = operations[method.lower()]
                return operation
        return None

    def _query(self, operation: dict[str, Any], query: Mapping[str, str]) -> Iterator[str]:
        told = [next(self._parts(parameter)) for parameter in operation.get("parameters", ())]
        known = {parameter["name"]: parameter for parameter in told if parameter["in"] == "query"}
        for name, parameter in known.items():
            if name in query:
                kind = next((p["type"] for p in self._parts(parameter["schema"]) if "type" in p), "string")
                yield from self._invalid(parameter["schema"], _READ_AS.get(kind, str)(query[name]), f"?{name}")
            elif parameter.get("required"):
                yield f"?{name}: required"
        deep = {name for name, parameter in known.items() if parameter.get("style") == "deepObject"}
        names = {name: name.partition("[")[0] for name in query}
        yield from (f"?{name}: unknown" for name, plain in names.items() if name not in known and plain not in deep)

    def _body(self, operation: dict[str, Any], request: Request) -> Iterator[str]:
        contents = operation.get("requestBody", {}).get("content", {})
        if not contents:
            if request.body:
                yield "a body"
            return
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind not in contents:
            yield f"content type {kind}"
            return
        body = request.json if kind == "application/json" else form_of(request.body)
        yield from self._invalid(contents[kind]["schema"], body, "")
        yield from self._unknown(contents[kind]["schema"], body, "")

    def _invalid(self, schema: dict[str, Any], value: object, path: str) -> Iterator[str]:
        """What is wrong with a value; ``schema`` refers into the whole document."""
        judge = Draft202012Validator({"allOf": [schema], "components": self._whole["components"]})
        for error in judge.iter_errors(value):
            yield f"{path}{error.json_path.removeprefix('$')}: {error.message}"

    def _unknown(self, schema: dict[str, Any], value: object, path: str) -> Iterator[str]:
        """The fields of a value that no part of its schema names, at any depth: a schema alone lets them pass."""
        parts = list(self._parts(schema))
        if isinstance(value, list):
            for item in value:
                yield from self._unknown({"anyOf": [p["items"] for p in parts if "items" in p]}, item, f"{path}[]")
        if not isinstance(value, dict):
            return
        named = {name for part in parts for name in part.get("properties", ())}
        if not named or any(part.get("additionalProperties", False) for part in parts):
            return
        for name, inner in value.items():
            if name not in named:
                yield f"{path}.{name}: unknown"
            fitting = [part["properties"][name] for part in parts if name in part.get("properties", ())]
            yield from self._unknown({"anyOf": fitting}, inner, f"{path}.{name}")

    def _parts(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All that a schema is made of, what it refers to in its own place."""
        if "$ref" in schema:
            found: Any = self._whole
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            yield from self._parts(found)
            return
        yield schema
        for word in _COMBINED:
            for part in schema.get(word, ()):
                yield from self._parts(part)
