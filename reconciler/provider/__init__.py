"""The provider's side: the six operations and files, over one HTTP client; every error classified."""

from reconciler.provider.client import OpenAIClient
from reconciler.provider.port import Provider, is_lasting, is_not_ready, takes_no_jobs
from reconciler.provider.profile import PROFILES, Account, Assumed, Assumption, Profile
from reconciler.provider.request import RequestRecord
from reconciler.provider.transport import REQUEST_DEADLINE, DeadlineTransport

__all__ = [
    "PROFILES",
    "REQUEST_DEADLINE",
    "Account",
    "Assumed",
    "Assumption",
    "DeadlineTransport",
    "OpenAIClient",
    "Profile",
    "Provider",
    "RequestRecord",
    "is_lasting",
    "is_not_ready",
    "takes_no_jobs",
]
