"""Any other server that speaks the API, at the base URL that the operator gives; a key, where it wants one."""

from reconciler.core.documents import ProviderName
from reconciler.dataset.rules import Rules
from reconciler.provider.profile import Profile

# Open models are trained on texts as well as on messages. No minimum of examples is known for every server.
_RULES = Rules(minimum=1, completion=True, mark=True)
PROFILE = Profile(ProviderName.COMPATIBLE, key_required=False, authorization=True, dataset=_RULES)
