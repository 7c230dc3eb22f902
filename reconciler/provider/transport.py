"""One request, one total deadline, one bounded answer; nothing is ever sent twice.

`OpenAIClient` sends every request through here. httpx's own time-outs are for each read: a server
that sends a byte now and then holds it for ever, and a small answer may inflate to gigabytes. So
this transport clamps every socket operation to what is left of the request's deadline, and reads
the whole answer, raw and inflated, within a limit. It never retries, and raises `NotSent` where
nothing can have reached the server and `OutcomeUnknown` for everything after that.
"""

import ipaddress
import socket
import ssl
import threading
import typing
import urllib.request
import zlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from reconciler.clock import Clock
from reconciler.errors import NotSent, OutcomeUnknown, UsageError

# 100 jobs with full metadata are about 200 KB; whatever is far beyond is not an answer.
ANSWER_LIMIT = 4 * 1024 * 1024

# Shorter than the idle time after which servers and balancers hang up, so that
# no create is sent into a connection that is being closed.
_KEEPALIVE_SECONDS = 3.0

# Nothing of the request itself was written when one of these is raised.
_BEFORE_SENDING = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class DeadlineTransport(httpx.BaseTransport):
    """httpcore's connection pool under a deadline; each request says its own in ``extensions["deadline"]``.

    The deadline is a number of seconds for everything: connecting, sending, and the whole answer.
    (Resolving a host name is left to the system's resolver and its own time-outs.)
    """

    def __init__(self, clock: Clock, *, proxies: Callable[[], dict[str, str]] = urllib.request.getproxies) -> None:
        self._clock = clock
        self._proxies = proxies
        self._current = _Deadline(clock)
        self._pools: dict[tuple[str, str], httpcore.ConnectionPool] = {}
        self._making = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send once and read the whole answer.

        Raises:
            NotSent: no connection.
            OutcomeUnknown: the connection broke, the deadline passed, or the answer is too long.
            UsageError: the environment names a proxy that is none, or certificates that cannot be read.
        """
        seconds = float(request.extensions["deadline"])
        self._current.begin(seconds)
        url = request.url
        try:
            answer = self._pool(url).handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions={"timeout": {"pool": seconds}},
                )
            )
            try:
                content = _bounded(typing.cast("Iterable[bytes]", answer.stream))
            finally:
                answer.close()
        except _BEFORE_SENDING as error:
            raise NotSent(_words(error, "no connection")) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OutcomeUnknown(_words(error, "the connection broke")) from error
        headers = httpx.Headers(answer.headers)
        content = _inflated(content, headers.pop("content-encoding", "identity"))
        headers.pop("transfer-encoding", None)
        headers.pop("content-length", None)
        return httpx.Response(answer.status, headers=headers, content=content)

    def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        key = (url.scheme, url.host)
        with self._making:
            if key not in self._pools:
                proxy = proxy_for(url.scheme, url.host, self._proxies())
                self._pools[key] = httpcore.ConnectionPool(
                    # A TLS context takes 20 ms to make, which loopback and plain HTTP need not pay.
                    ssl_context=_tls() if url.scheme == "https" else None,
                    proxy=proxy,
                    max_connections=16,
                    max_keepalive_connections=16,
                    keepalive_expiry=_KEEPALIVE_SECONDS,
                    retries=0,
                    network_backend=_Network(self._current),
                )
            return self._pools[key]


def proxy_for(scheme: str, host: str, proxies: dict[str, str]) -> httpcore.Proxy | None:
    """The proxy that the environment names for this host; never one for loopback.

    Raises:
        UsageError: it is not an HTTP proxy.
    """
    url = proxies.get(scheme) or proxies.get("all")
    if not url or _is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        right = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        right = False
    if not right or not parts.hostname:
        raise UsageError(f"the proxy for {scheme} must be an http:// or https:// URL")
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    address = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return httpcore.Proxy(f"{parts.scheme}://{address}:{port}", auth=auth)


def _tls() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # httpx reads what these two variables name
        raise UsageError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {error}"
        ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _words(error: Exception, otherwise: str) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer within the deadline" if not isinstance(error, _BEFORE_SENDING) else "no connection in time"
    return str(error) or otherwise


# ── answers within limits ────────────────────────────────────────────────────────────────────


def _bounded(chunks: Iterable[bytes]) -> bytes:
    content = bytearray()  # a list of chunks of a byte each would take fifty times their size
    for chunk in chunks:
        content += chunk
        if len(content) > ANSWER_LIMIT:
            raise OutcomeUnknown(f"an answer of more than {ANSWER_LIMIT} bytes")
    return bytes(content)


def _inflated(content: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"} or not content:
        return content
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise OutcomeUnknown("an answer in an encoding that was not asked for")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # 32: gzip or zlib, as the header says
    try:
        inflated = inflater.decompress(content, ANSWER_LIMIT + 1)
    except zlib.error as error:
        raise OutcomeUnknown("an answer that cannot be inflated") from error
    if len(inflated) > ANSWER_LIMIT:
        raise OutcomeUnknown(f"an answer of more than {ANSWER_LIMIT} bytes, inflated")
    if not inflater.eof:
        raise OutcomeUnknown("an answer that was cut short")
    return inflated


# ── sockets under a deadline ─────────────────────────────────────────────────────────────────


class _Deadline(threading.local):
    """When the request of this thread must be over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.monotonic()

    def begin(self, seconds: float) -> None:
        self._end = self._clock.monotonic() + seconds

    def left(self, error: type[Exception]) -> float:
        """Seconds that are left; raises ``error`` where there are none."""
        seconds = self._end - self._clock.monotonic()
        if seconds <= 0:
            raise error("the deadline has passed")
        return seconds


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try each address of the host within one deadline."""
        del timeout
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"cannot resolve {host}: {error}") from error
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in dict.fromkeys(str(entry[4][0]) for entry in found):
            try:
                left = self._deadline.left(httpcore.ConnectTimeout)
                stream = self._sockets.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError("httpcore sleeps between retries only, and there are none")


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        while buffer:
            # In pieces: one send of a large body would be given its whole time-out again and again.
            piece, buffer = buffer[:65536], buffer[65536:]
            self._stream.write(piece, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        left = self._deadline.left(httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
