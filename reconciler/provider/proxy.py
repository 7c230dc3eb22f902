"""Which proxy the environment names for a host, and which hosts it keeps from every proxy.

`transport` asks once for each server. A key must never reach a proxy that the operator excluded, so ``NO_PROXY`` is
read both as curl and as Go read it (golang.org/x/net/http/httpproxy): what either sends directly is sent directly. No
message shows a proxy's URL, which may hold a password.
"""

import fnmatch
import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from reconciler.errors import UsageError
from reconciler.provider.message import PORTS
from reconciler.startup import lean_httpcore

with lean_httpcore():
    import httpcore

_SOCKS = frozenset({"socks", "socks4", "socks4a", "socks5", "socks5h"})
# `host:port` and `[IPv6]:port`; a bare IPv6 address has more colons than one.
_WITH_PORT = re.compile(r"(\[[^]]*\]|[^:]*):([0-9]{0,5})")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def from_environment() -> dict[str, str]:
    """By scheme, ``all`` and ``no``, as urllib reads them: without HTTP_PROXY in a CGI program.

    Where ``no_proxy`` and ``NO_PROXY`` differ, what either excludes is excluded.
    """
    excluded = {"no": ",".join(os.environ.get(name, "") for name in ("no_proxy", "NO_PROXY"))}
    if sys.platform == "linux" and not any(name.lower().endswith("_proxy") for name in os.environ):
        return excluded  # elsewhere the system's settings may name a proxy
    # Imported here: who has no proxy need not wait for all of urllib (20 ms).
    from urllib.request import getproxies  # noqa: PLC0415

    return {**getproxies(), **excluded}


def proxy_for(scheme: str, host: str, port: int | None, proxies: Mapping[str, str]) -> httpcore.Proxy | None:
    """The proxy for this host; never one for loopback. ``port`` None: the scheme's own.

    Raises:
        UsageError: it is not an HTTP proxy.
    """
    name = scheme if proxies.get(scheme, "").strip() else "all"
    url, port = proxies.get(name, "").strip(), port or PORTS.get(scheme, 0)
    if not url or _is_loopback(host) or bypasses(proxies.get("no", ""), host, port):
        return None
    from urllib.request import proxy_bypass  # noqa: PLC0415 - as above

    if proxy_bypass(host):  # on macOS also what the system's settings exclude
        return None
    try:
        return _parsed(url)
    except ValueError as error:
        raise UsageError(f"{name.upper()}_PROXY names {error}, or name {host} in NO_PROXY") from error


def _parsed(url: str) -> httpcore.Proxy:
    """``scheme://user:password@host:port``; without a scheme it is http's. Raises ValueError, without the URL."""
    kind = url.partition("://")[0].lower() if "://" in url else "http"
    if kind in _SOCKS:
        raise ValueError("a SOCKS proxy, and only http:// and https:// proxies are supported: set it to one")
    wrong = "no proxy: write it as http://HOST:PORT or https://HOST:PORT"
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(wrong) from error
    if kind not in PORTS or port == 0 or not re.fullmatch(r"[!-~]+", host):
        raise ValueError(wrong)
    named = parts.username is not None
    auth = (unquote(parts.username or "").encode(), unquote(parts.password or "").encode()) if named else None
    return httpcore.Proxy(f"{kind}://{f'[{host}]' if ':' in host else host}:{port or PORTS[kind]}", auth=auth)


def bypasses(no_proxy: str, host: str, port: int) -> bool:
    """Whether ``no_proxy`` keeps requests to this host and port from the proxy."""
    host = _plain(host)
    address = _address(host)
    return any(_matches(entry, host, port, address) for entry in re.split(r"[,;\s]+", no_proxy) if entry)


def _matches(entry: str, host: str, port: int, address: _Address | None) -> bool:
    """One entry: ``*``, an address, a network in CIDR, or a domain, which stands for all below it; each with a port."""
    entry = entry.rpartition("://")[2]
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _holds(entry.translate({ord("["): None, ord("]"): None}), address)
    with_port = _WITH_PORT.fullmatch(entry)
    if with_port is not None and with_port[2] and int(with_port[2]) != port:
        return False
    name = _plain(with_port[1] if with_port else entry)
    excluded = _address(name)
    if address is not None and excluded is not None:
        return address == excluded
    if "*" in name and fnmatch.fnmatchcase(host, name):
        return True
    name = name.removeprefix("*").lstrip(".")
    return bool(name) and address is None and (host == name or host.endswith(f".{name}"))


def _holds(network: str, address: _Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _plain(host: str) -> str:
    """A name as it is compared: lower case, in ASCII, without brackets, zone and the root's dot."""
    host = host.strip("[]").rstrip(".").partition("%")[0].lower()
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(host: str) -> bool:
    host = _plain(host)
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")
