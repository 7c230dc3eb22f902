"""Any other server that speaks the API, at the base URL that the operator gives; a key, where it wants one."""

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Profile

PROFILE = Profile(ProviderName.COMPATIBLE, key_required=False, authorization=True)
