"""For every test: generated examples are the same in every run, and slow machines are no failure.

`--hypothesis-profile deep` looks for new ones, for as long as it takes (docs/proof.md).
"""

import os
import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "same", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("deep", settings.get_profile("same"), derandomize=False, max_examples=5000)
settings.load_profile("same")

# A shell starts what runs in its background with Ctrl-C ignored, which the commands under test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A process that a test starts would compile the whole program anew each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: half of the tests wait for processes that they have started."""
    return (os.cpu_count() or 1) + 2
