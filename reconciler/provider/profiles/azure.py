"""Azure OpenAI and Foundry: three kinds of base URL, a key in a header of its own, or a token of Microsoft Entra.

https://RES.openai.azure.com/openai/v1, https://RES.services.ai.azure.com/api/projects/P/openai/v1, and the classic
https://RES.openai.azure.com/openai with ``--query api-version=…``.
"""

import re

from reconciler.core.documents import ProviderName
from reconciler.dataset.rules import Rules
from reconciler.provider.profile import Auth, Profile, Reach

VERSION = "api-version"
_HOST = re.compile(r"(?:.+\.)?azure\.(?:com|us|cn)")
_PROJECT = re.compile(r"/api/projects/[^/]+(?=/|$)")
_CLASSIC = (
    f"Azure's classic path needs its version: --query {VERSION}=2024-10-21; or let the base URL end in /openai/v1"
)
_ENDS = "/openai/v1, or in /openai with --query api-version=2024-10-21"


def scope_of(reach: Reach) -> str:
    """The scope that a token of Microsoft Entra needs at this base URL."""
    audience = "ai.azure.com" if _PROJECT.search(reach.path) else "cognitiveservices.azure.com"
    return f"https://{audience}/.default"


def _missing(reach: Reach) -> str:
    path = reach.path
    if path.endswith("/v1"):
        return ""
    if _PROJECT.search(path):
        return "the base URL of a project ends in /api/projects/NAME/openai/v1"
    if "/deployments" in path:
        return f"the base URL of Azure ends before /deployments: in {_ENDS}"
    if not path and _HOST.fullmatch(reach.host):
        return f"the base URL of Azure ends in {_ENDS}"
    if VERSION not in reach.query:
        return _CLASSIC
    return ""


# Its documents ask for a byte order mark.
PROFILE = Profile(ProviderName.AZURE, auth=Auth.API_KEY, missing=_missing, dataset=Rules(mark=True))
