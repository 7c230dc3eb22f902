"""The embedded server of examples and tests (`reconciler.sandbox`), reached on loopback with a key of its own."""

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Profile

PROFILE = Profile(ProviderName.SANDBOX)
