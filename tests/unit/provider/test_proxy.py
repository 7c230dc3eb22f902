"""Proxies: which one the environment names, and that no key goes to one that the operator excluded."""

import pytest

from reconciler.clock import SystemClock
from reconciler.errors import UsageError
from reconciler.provider.message import base_of
from reconciler.provider.proxy import bypasses, from_environment, proxy_for
from reconciler.provider.transport import DeadlineTransport

# The entry, the host and port, and whether it goes directly; where curl and Go differ, as whoever sends it directly.
TABLE = [
    ("*", "api.example.com", 443, True),
    ("other, *", "api.example.com", 443, True),
    ("", "api.example.com", 443, False),
    (" , ,", "api.example.com", 443, False),
    ("api.example.com", "api.example.com", 443, True),
    ("API.Example.COM", "api.example.com", 443, True),
    ("api.example.com", "API.Example.COM", 443, True),
    ("api.example.com.", "api.example.com", 443, True),
    ("api.example.com", "api.example.com.", 443, True),
    ("example.com", "api.example.com", 443, True),
    ("example.com", "notexample.com", 443, False),
    ("example.com", "example.com.evil.org", 443, False),
    ("com", "api.example.com", 443, True),
    (".example.com", "api.example.com", 443, True),
    (".example.com", "a.b.example.com", 443, True),
    (".example.com", "example.com", 443, True),
    ("*.example.com", "api.example.com", 443, True),
    ("*.example.com", "example.com", 443, True),
    ("*.example.com", "notexample.com", 443, False),
    ("api-*.example.com", "api-7.example.com", 443, True),
    ("*.*", "10.1.2.3", 443, True),
    (".", "api.example.com", 443, False),
    ("first.org example.com", "api.example.com", 443, True),
    ("first.org,\texample.com\n", "api.example.com", 443, True),
    ("first.org;example.com", "api.example.com", 443, True),
    ("api.example.com:443", "api.example.com", 443, True),
    ("api.example.com:8443", "api.example.com", 443, False),
    ("example.com:8443", "api.example.com", 8443, True),
    (".example.com:8443", "api.example.com", 8443, True),
    ("*.example.com:8443", "api.example.com", 443, False),
    ("api.example.com:", "api.example.com", 443, True),
    (":443", "api.example.com", 443, False),
    ("api.example.com:https", "api.example.com", 443, False),
    ("api.example.com:4433333333", "api.example.com", 443, False),
    ("https://api.example.com", "api.example.com", 443, True),
    ("bücher.example", "xn--bcher-kva.example", 443, True),
    ("10.1.2.3", "10.1.2.3", 80, True),
    ("10.1.2.3", "10.1.2.30", 80, False),
    ("10.1.2.3:80", "10.1.2.3", 80, True),
    ("10.1.2.3:81", "10.1.2.3", 80, False),
    ("2.3", "10.1.2.3", 80, False),
    (".3", "10.1.2.3", 80, False),
    ("10.*", "10.1.2.3", 80, True),
    ("10.0.0.0/8", "10.1.2.3", 80, True),
    ("10.0.0.0/8", "11.1.2.3", 80, False),
    ("10.9.9.9/8", "10.1.2.3", 80, True),
    ("10.0.0.0/255.0.0.0", "10.1.2.3", 80, True),
    ("10.0.0.0/33", "10.1.2.3", 80, False),
    ("0.0.0.0/0", "api.example.com", 80, False),
    ("0.0.0.0/0", "10.1.2.3", 80, True),
    ("10.0.0.0/8", "::ffff:10.1.2.3", 80, True),
    ("fd00::/8", "fd12::1", 80, True),
    ("fd00::/8", "fe80::1", 80, False),
    ("[fd00::]/8", "fd12::1", 80, True),
    ("fd00::/8", "10.1.2.3", 80, False),
    ("fd12::1", "fd12::1", 80, True),
    ("FD12:0::1", "fd12::1", 80, True),
    ("fd12::1", "[fd12::1]", 80, True),
    ("[fd12::1]", "fd12::1", 80, True),
    ("[fd12::1]:80", "fd12::1", 80, True),
    ("[fd12::1]:81", "fd12::1", 80, False),
    ("fe80::1", "fe80::1%eth0", 80, True),
    ("/", "api.example.com", 80, False),
    ("[", "api.example.com", 80, False),
    ("\udcff", "api.example.com", 80, False),
]


@pytest.mark.parametrize(("no_proxy", "host", "port", "directly"), TABLE)
def test_no_proxy_is_read_as_curl_and_go_read_it(no_proxy: str, host: str, port: int, directly: bool) -> None:
    assert bypasses(no_proxy, host, port) is directly


def test_a_proxy_is_taken_from_the_environment_and_never_for_loopback() -> None:
    told = {"https": "http://user:p%40ss@proxy.example:3128", "http": "proxy.example:8080"}
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost", "api.localhost", "::ffff:127.0.0.1"):
        assert proxy_for("https", host, None, told) is None
    proxy = proxy_for("https", "api.example.com", None, told)
    assert proxy is not None
    assert (bytes(proxy.url), proxy.auth) == (b"http://proxy.example:3128/", (b"user", b"p@ss"))
    plain = proxy_for("http", "api.example.com", None, told)
    assert plain is not None
    assert bytes(plain.url) == b"http://proxy.example:8080/"
    assert proxy_for("https", "api.example.com", None, {}) is None
    assert proxy_for("https", "api.example.com", None, {**told, "no": "example.com:443"}) is None
    assert proxy_for("https", "api.example.com", 8443, {**told, "no": "example.com:443"}) is not None


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("HTTP://proxy.example", "http://proxy.example:80/"),
        (" http://proxy.example:3128/ ", "http://proxy.example:3128/"),
        ("https://proxy.example", "https://proxy.example:443/"),
        ("user:pässword@proxy.example:3128", "http://proxy.example:3128/"),
        ("[fd00::1]:3128", "http://fd00::1:3128/"),
        ("10.0.0.1:3128", "http://10.0.0.1:3128/"),
    ],
)
def test_a_proxy_is_read_however_it_is_written(url: str, meant: str) -> None:
    proxy = proxy_for("https", "api.example.com", None, {"all": url})
    assert proxy is not None
    assert bytes(proxy.url).decode() == meant


SOCKS = "a SOCKS proxy, and only http:// and https:// proxies are supported"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"all": "socks5://user:secret@proxy:1"}, f"ALL_PROXY names {SOCKS}"),
        ({"https": "", "all": "SOCKS5H://user:secret@proxy:1"}, f"ALL_PROXY names {SOCKS}"),
        ({"https": "socks://secret@proxy:1", "all": "http://proxy"}, f"HTTPS_PROXY names {SOCKS}"),
        ({"https": "socks4a://secret@proxy:1"}, f"HTTPS_PROXY names {SOCKS}"),
        ({"https": "http://user:secret@proxy:abc"}, "HTTPS_PROXY names no proxy: write it as http://HOST:PORT"),
        ({"https": "http://user:secret@proxy:0"}, "HTTPS_PROXY names no proxy"),
        ({"https": "http://user:secret@proxy:99999"}, "HTTPS_PROXY names no proxy"),
        ({"https": "http://"}, "HTTPS_PROXY names no proxy"),
        ({"https": "://secret"}, "HTTPS_PROXY names no proxy"),
        ({"https": "ftp://secret@proxy"}, "HTTPS_PROXY names no proxy"),
        ({"https": "http://[secret"}, "HTTPS_PROXY names no proxy"),
        ({"https": "http://user:secret@pröxy"}, "HTTPS_PROXY names no proxy"),
        ({"https": "http://user:secret@pro xy"}, "HTTPS_PROXY names no proxy"),
    ],
)
def test_a_proxy_that_is_none_names_its_variable_and_no_password(told: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        proxy_for("https", "api.example.com", None, told)
    assert said in str(raised.value)
    assert "api.example.com in NO_PROXY" in str(raised.value)
    assert "secret" not in f"{raised.value!r}{raised.value.__cause__!r}"


def test_what_either_spelling_of_no_proxy_excludes_is_excluded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    monkeypatch.setenv("no_proxy", "first.org")
    monkeypatch.setenv("NO_PROXY", "example.com")
    told = from_environment()
    assert proxy_for("https", "api.example.com", None, told) is None
    assert proxy_for("https", "first.org", None, told) is None
    assert proxy_for("https", "third.org", None, told) is not None


def test_a_cgi_programs_http_proxy_is_a_header_of_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://evil")
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    assert proxy_for("http", "api.example.com", None, from_environment()) is None


@pytest.mark.parametrize(
    ("base_url", "excluded"),
    [
        ("https://10.1.2.3/v1", "10.0.0.0/8"),
        ("https://10.1.2.3/v1", "10.1.2.3:443"),
        ("https://10.1.2.3:8443/v1", "10.1.2.3:8443"),
        ("https://[fd12::1]/v1", "fd00::/8"),
        ("https://[fd12::1]:8443/v1", "[fd12::1]:8443"),
        ("https://gateway.corp/v1", ".corp"),
        ("https://gateway.corp/v1", "*.corp"),
    ],
)
def test_the_key_goes_to_no_proxy_that_the_operator_excluded(base_url: str, excluded: str) -> None:
    for no, through in ((excluded, False), ("elsewhere.org", True)):
        told = {"https": "http://proxy", "no": no}
        with DeadlineTransport(SystemClock(), proxies=lambda told=told: told) as transport:  # type: ignore[misc]
            assert (transport._pool(base_of(base_url)[0])._proxy is not None) is through


def test_one_host_may_be_reached_both_ways() -> None:
    told = {"https": "http://proxy", "no": "gateway.corp:8443"}
    with DeadlineTransport(SystemClock(), proxies=lambda: told) as transport:
        assert transport._pool(base_of("https://gateway.corp/v1")[0])._proxy is not None
        assert transport._pool(base_of("https://gateway.corp:8443/v1")[0])._proxy is None


def test_a_proxy_that_is_none_is_told_before_any_request() -> None:
    with (
        DeadlineTransport(SystemClock(), proxies=lambda: {"all": "socks5://proxy:1"}) as transport,
        pytest.raises(UsageError, match="ALL_PROXY names a SOCKS proxy"),
    ):
        transport.prepare("https://api.example.com/v1")
