"""A LiteLLM proxy: its pass-through routes lead to one server as they are, its native ones translate.

A native route (https://PROXY/v1) asks with every request which server is meant, and forwards only what it knows. Behind
/openai/v1 the files are LiteLLM's own and the rest passes through; behind /openai_passthrough/v1 everything does.
"""

from collections.abc import Mapping

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Profile, Reach

PROVIDER = "custom_llm_provider"
# The first step of a pass-through route, after whatever path the proxy itself is served under.
_PASS_THROUGH = frozenset({"openai", "openai_passthrough", "azure"})


def passes_through(reach: Reach) -> bool:
    """Whether what is sent reaches the server behind the proxy as it is."""
    return not _PASS_THROUGH.isdisjoint(reach.path.split("/"))


def _missing(reach: Reach) -> str:
    if passes_through(reach) or reach.query.get(PROVIDER):
        return ""
    return (
        f"LiteLLM's native route needs to know which server is meant: --query {PROVIDER}=openai; "
        "or let the base URL end in /openai_passthrough/v1"
    )


def _body(reach: Reach) -> Mapping[str, str]:
    return {} if passes_through(reach) else {PROVIDER: reach.query.get(PROVIDER, "")}


def _objection(reach: Reach, spec: Mapping[str, object]) -> str:
    method = spec.get("method")
    if passes_through(reach) or not method or method == {"type": "supervised"}:
        return ""
    supervised = isinstance(method, Mapping) and method.get("type") == "supervised"
    instead = "write hyperparameters instead of method, or " if supervised else ""
    return (
        "LiteLLM's native route drops method without a word and would train a supervised job with defaults: "
        f"{instead}use its pass-through, a base URL that ends in /openai_passthrough/v1"
    )


PROFILE = Profile(
    ProviderName.LITELLM,
    key_required=False,
    routes=frozenset({PROVIDER}),
    missing=_missing,
    body=_body,
    objection=_objection,
)
