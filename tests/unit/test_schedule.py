"""When the next try comes."""

from reconciler.core.schedule import Backoff


def test_backoff_grows_and_ends_growing() -> None:
    minutes = Backoff(60, 3600)
    assert [minutes.wait(tries) // 60 for tries in (1, 2, 3, 6, 7, 100)] == [1, 2, 4, 32, 60, 60]
