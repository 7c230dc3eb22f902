"""A job's document as a plain value, with its place and its files.

Pure, and read by everything that decides: it needs no library. `source` makes an `Entry` of each valid document, be it
validated just now (`models`) or at an earlier reading of the same bytes; `desired` and `revision` read them. What is
wrong between documents is found in `desired`.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from msgspec import Struct

API_VERSION = "reconciler/v1"


class ProviderName(StrEnum):
    """The kinds of server that are known."""

    OPENAI = "openai"
    AZURE = "azure"
    LITELLM = "litellm"
    NEBIUS = "nebius"
    PORTKEY = "portkey"
    COMPATIBLE = "compatible"
    SANDBOX = "sandbox"


# What a file's name at the provider says of its bytes, where it was uploaded under `TrainingFile.upload_name`.
_CONTENT = re.compile(r"-[0-9a-f]{16}\.jsonl\Z")


def content_of(upload_name: str) -> str:
    """The same for names that stand for the same bytes: of any other name, all of it."""
    found = _CONTENT.search(upload_name)
    return found[0] if found else upload_name


class TrainingFile(Struct, frozen=True):
    """A local file by its content: ``path`` under the fleet directory, digest and size in bytes with LF."""

    path: str
    sha256: str
    size: int

    @property
    def upload_name(self) -> str:
        """The name under which the provider holds it: found again by anyone who has the same bytes."""
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", PurePosixPath(self.path).stem)[:64]
        return f"{stem}-{self.sha256[:16]}.jsonl"


class Entry(Struct, frozen=True):
    """A valid document of a job, where it stands, and its local files.

    ``spec`` holds what the document sets, made of nothing but JSON's values; maps that hold nothing are not in it.
    ``revision``: where it follows from ``spec`` alone, and somebody has computed it already.
    """

    name: str
    spec: Mapping[str, Any]
    path: str
    line: int
    training: TrainingFile | None = None
    validation: TrainingFile | None = None
    revision: str | None = None

    @property
    def adopts(self) -> str | None:
        """The existing job that it says is its own."""
        adopt = self.spec.get("policy", {}).get("adopt")
        return adopt["job_id"] if adopt else None

    @property
    def upstream(self) -> str | None:
        """The job whose model this one is built on."""
        source = self.spec.get("model_from")
        return source["job"] if source else None
