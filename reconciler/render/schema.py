"""The JSON Schema of the manifests (draft 2020-12), for editors.

Pure. `schema` prints it and `init` writes it. It says what `validate` says of a document by itself; what stands between
documents, in files, or in a text that was never filled in, it cannot say.
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
