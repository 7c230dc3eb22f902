"""The kinds of servers, a module each, named as ``--provider`` and ``spec.provider`` name them.

`settings` asks here for one. A new kind of server is a word of `ProviderName` and a module with a `PROFILE`.
"""

import importlib

from reconciler.core.documents import ProviderName
from reconciler.dataset.rules import Rules
from reconciler.provider.profile import Profile


def profile_of(name: ProviderName) -> Profile:
    """The profile of this name; the modules of the others are not imported."""
    profile: Profile = importlib.import_module(f"{__name__}.{name}").PROFILE
    return profile


def rules_of(name: ProviderName) -> Rules:
    """What this kind of server accepts of a training file."""
    return profile_of(name).dataset
