"""How other servers speak this API: for each server a row of what differs from the API's own answers.

`app` is made with one of them. The facts are those of recorded traffic, source code and vendors' documents as of
November 2026. Where nobody has seen what a server does, the row has what is harder for a client.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from . import refusals
from .mode import Mode, Shape
from .models import MADE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BEARER = "authorization"


def _words(**other: str) -> Callable[[str], str]:
    """A status in this server's word for it."""
    return lambda status: other.get(status, status)


def _text(value: object) -> object:
    return "0" if value is None else str(value)


def _titled(model: str) -> str:
    """Open models come back in the case of their catalogue; the API's own as they are."""
    return model if model.startswith(("gpt", "o4", "ft:")) else model[:1].upper() + model[1:]


def _managed(file_id: str | None) -> str | None:
    """An id as LiteLLM makes one up for a file that it manages."""
    text = f"litellm_proxy:application/octet-stream;unified_id,0;target_model_names,;llm_output_file_id,{file_id}"
    return file_id and base64.urlsafe_b64encode(text.encode()).decode()


def _azure_model(model: str, job_id: str, suffix: str | None) -> str:
    """The older base's name stays at the front when a model is trained further."""
    name = f"{model.partition(MADE)[0]}{MADE}{hashlib.md5(job_id.encode(), usedforsecurity=False).hexdigest()}"
    return f"{name}-{suffix}" if suffix else name


_METADATA = frozenset({"metadata"})
_PAUSES = frozenset({"pause", "resume"})
_NO_STORY = frozenset({"events", "checkpoints"}) | _PAUSES

_AZURE = Mode(
    "azure",
    base_path="/openai/v1",
    credentials=("api-key", _BEARER),
    unsent=_METADATA,
    extra=frozenset({"trainingType"}),
    suffix=(0, 40),
    model_name=_azure_model,
    file_delay=2.0,
    created=201,
    location="https://eastus2.api.cognitive.microsoft.com/openai/{path}/{id}?api-version=2024-10-21",
    job=Shape(
        drops=_METADATA | {"organization_id", "integrations", "usage_metrics", "shared_with_openai", "error"},
        respells={
            "model": _titled,
            "status": _words(validating_files="pending", queued="pending"),
            "result_files": lambda files: files or None,
        },
        renames={"user_provided_suffix": "suffix"},
        nulls=False,
    ),
    file=Shape(drops=frozenset({"expires_at"}), nulls=False),
    unset_auto=-1,
    finish_known=900.0,
    refusal=refusals.azure,
)

_ROWS = (
    Mode("openai"),
    Mode(
        "openai-2024",
        unsent=frozenset({"metadata", "method"}),
        suffix=(0, 40),
        job=Shape(drops=frozenset({"metadata", "method", "usage_metrics", "shared_with_openai"})),
        silent=frozenset({"events"}),
        missing=_PAUSES,
    ),
    _AZURE,
    replace(
        _AZURE,
        name="azure-classic",
        base_path="/openai",
        query={"api-version": ("GET", "POST", "DELETE")},
        credentials=("api-key", _BEARER),
        unpaged=frozenset({"files"}),
        silent=frozenset({"files"}),
        refusal=refusals.azure_classic,
    ),
    Mode("litellm", base_path="/openai_passthrough/v1", credentials=(_BEARER,), unsent=_METADATA),
    Mode(
        "litellm-native",
        credentials=(_BEARER,),
        query={"custom_llm_provider": ("GET",)},
        body=("custom_llm_provider",),
        trains_anything=True,  # whatever lies behind it: some servers look at nothing
        unsent=frozenset({"metadata", "method"}),
        repeats=3,
        # With managed files; and with Azure behind it, whose words it translates for one job, and not in a listing.
        born=Shape(respells={"training_file": _managed}),
        listed=Shape(respells={"status": _words(validating_files="pending", queued="pending")}),
        unreadable=lambda job: job["status"] == "paused" or job["hyperparameters"] is None,
        unpaged=frozenset({"files"}),
        missing=_NO_STORY,
        refusal=refusals.litellm,
    ),
    Mode("portkey", credentials=("x-portkey-api-key",), headers=("x-portkey-provider",), unsent=_METADATA),
    Mode(
        "nebius",
        credentials=(_BEARER,),
        unsent=_METADATA,
        model_name=lambda _model, job_id, _suffix: f"{job_id}:ckpt",
        either=True,
        job=Shape(
            drops=_METADATA,
            respells={"user_provided_suffix": lambda suffix: suffix or ""},
            renames={"user_provided_suffix": "suffix"},
        ),
        file=Shape(respells={"status": lambda _: None}),
        oldest_first=frozenset({"events", "checkpoints"}),
        missing=_PAUSES,
        refusal=refusals.detail,
    ),
    Mode(
        "llmariner",
        credentials=(_BEARER,),
        unsent=_METADATA,
        suffix=(1, 18),
        auto=False,
        job=Shape(
            drops=_METADATA | {"user_provided_suffix", "usage_metrics", "shared_with_openai"},
            respells={
                "created_at": _text,
                "finished_at": _text,
                "trained_tokens": _text,
                "status": _words(cancelled="canceled", validating_files="creating"),
            },
        ),
        file=Shape(drops=frozenset({"filename"})),
        missing=_NO_STORY,
        refusal=refusals.grpc,
    ),
    Mode(
        "telnyx",
        base_path="/v2/ai",
        credentials=(_BEARER,),
        uploads=False,
        job=Shape(
            drops=_METADATA
            | {"seed", "user_provided_suffix", "method", "integrations", "usage_metrics", "shared_with_openai"},
        ),
        unpaged=frozenset({"jobs"}),
        silent=frozenset({"jobs"}),
        missing=_NO_STORY | {"files", "file"},
        refusal=refusals.errors,
    ),
    Mode(
        "bare",
        job=Shape(only=frozenset({"id", "status"})),
        file=Shape(only=frozenset({"id", "status"})),
        unpaged=frozenset({"jobs"}),
        silent=frozenset({"jobs"}),
        missing=_NO_STORY,
        refusal=refusals.text,
    ),
)
MODES: Mapping[str, Mode] = {mode.name: mode for mode in _ROWS}
OPENAI = MODES["openai"]
