"""The provider's side: the six operations and files, over one HTTP client; every error classified."""

from reconciler.provider.client import OpenAIClient
from reconciler.provider.port import Provider, is_lasting, is_not_ready, takes_no_jobs
from reconciler.provider.profile import REQUEST_DEADLINE, Assumed, Assumption, Endpoint
from reconciler.provider.request import RequestRecord
from reconciler.provider.transport import DeadlineTransport

__all__ = [
    "REQUEST_DEADLINE",
    "Assumed",
    "Assumption",
    "DeadlineTransport",
    "Endpoint",
    "OpenAIClient",
    "Provider",
    "RequestRecord",
    "is_lasting",
    "is_not_ready",
    "takes_no_jobs",
]
