"""Portkey's gateway: headers of the operator's own name the account there, and the server behind it.

The key (OPENAI_API_KEY) is that of the server behind it, unless Portkey holds it.
"""

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Profile, Reach

_HOSTED = "https://api.portkey.ai/v1"
_ACCOUNT = "x-portkey-api-key"
_ROUTES = ("x-portkey-provider", "x-portkey-config", "x-portkey-virtual-key")


def _missing(reach: Reach) -> str:
    if _ACCOUNT not in reach.headers and reach.host == Reach(_HOSTED).host:
        return f"Portkey needs its own key: --header '{_ACCOUNT}=$PORTKEY_API_KEY', or =@FILE"
    if not reach.headers.intersection(_ROUTES):
        return (
            f"Portkey needs to know which server lies behind it: --header '{_ROUTES[0]}=$PORTKEY_PROVIDER', or =@FILE"
        )
    return ""


PROFILE = Profile(
    ProviderName.PORTKEY,
    base_url=_HOSTED,
    key_required=False,
    authorization=True,
    routes=frozenset(_ROUTES),
    missing=_missing,
)
