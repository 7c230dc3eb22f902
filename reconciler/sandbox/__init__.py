"""A stand-in for the fine-tuning API: the same HTTP interface on loopback, that trains nothing.

For trying out and testing clients without a key and without cost. It shares no
code with the rest of the project on purpose: an impostor that shares code with
its victim proves nothing.
"""

from .app import create_app
from .errors import SandboxError
from .modes import MODES
from .server import EmbeddedSandbox, serve
from .store import Store

__all__ = ["MODES", "EmbeddedSandbox", "SandboxError", "Store", "create_app", "serve"]
