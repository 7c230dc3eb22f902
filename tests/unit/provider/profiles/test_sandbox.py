"""The embedded server: nothing of the operator's is sent to it, and no base URL leads there."""

from pathlib import Path

from reconciler.core.desired import Fleet
from reconciler.core.documents import ProviderName
from reconciler.settings import Settings, account_of
from tests.fakes.servers import KEY, a_key, said_of


def test_it_takes_no_base_url_and_no_key() -> None:
    assert said_of("sandbox", "", key="") == ""
    assert "takes no --base-url" in said_of("sandbox", "http://x/v1")


def test_nothing_of_the_operators_is_sent_there() -> None:
    given = Settings(root=Path(), provider=ProviderName.SANDBOX, query=(("a", "b"),), body=(("c", "d"),))
    account = account_of(given, Fleet("f"), {}, a_key(KEY), {"x-a": a_key("secret")})
    assert (account.query, account.own_headers, account.body) == ({}, {}, {})
    assert account.key.current() != KEY
