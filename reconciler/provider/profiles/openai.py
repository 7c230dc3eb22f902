"""OpenAI's own API."""

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Profile

PROFILE = Profile(ProviderName.OPENAI, base_url="https://api.openai.com/v1")
