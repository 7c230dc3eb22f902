"""Nebius: OpenAI's API, but for a spec that says its hyperparameters twice, which it refuses."""

from collections.abc import Mapping

from reconciler.core.documents import ProviderName
from reconciler.dataset.rules import Rules
from reconciler.provider.profile import Profile, Reach


def _objection(_reach: Reach, spec: Mapping[str, object]) -> str:
    if spec.get("method") and spec.get("hyperparameters"):
        return "Nebius refuses method and hyperparameters together: write the hyperparameters within method alone"
    return ""


# Its models are trained on texts as well as on messages.
PROFILE = Profile(ProviderName.NEBIUS, objection=_objection, dataset=Rules(completion=True))
