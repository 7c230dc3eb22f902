"""The JSON Schema of the manifests (draft 2020-12), for editors.

Pure. `schema` prints it and `init` writes it. It says what `validate` says of one document. It cannot say what is wrong
between documents, in training files, or with a template that was not filled in.
"""

from typing import Any

from reconciler.core.models import FineTuningJobDocument, FleetDocument
from reconciler.core.validation import model_of


def manifest_schema() -> dict[str, Any]:
    """One schema for either kind of document."""
    documents = {kind.__name__: model_of(kind).model_json_schema() for kind in (FleetDocument, FineTuningJobDocument)}
    definitions: dict[str, Any] = {}
    for document in documents.values():
        definitions |= document.pop("$defs", {})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "reconciler/v1",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in documents],
        "$defs": definitions | documents,
    }
