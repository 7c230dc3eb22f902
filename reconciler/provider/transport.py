"""One request, one total deadline, one bounded answer; nothing is ever sent twice.

`sender` sends every request through here. httpcore's own time-outs are for each read: a server
that sends a byte now and then holds it for ever, and a small answer may inflate to gigabytes. So
this transport clamps every socket operation to what is left of the request's deadline, and reads
the whole answer, raw and inflated, within a limit. It never retries, and raises `NotSent` where
nothing can have reached the server and `OutcomeUnknown` for everything after that.
"""

import os
import socket
import ssl
import threading
import typing
import zlib
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from reconciler.clock import Clock
from reconciler.errors import NotSent, OutcomeUnknown, Untrusted, UsageError, escaped, system_words
from reconciler.provider import proxy
from reconciler.provider.message import HttpRequest, HttpResponse, Origin, base_of, headers_of
from reconciler.provider.request import REQUEST_DEADLINE
from reconciler.startup import lean_httpcore

with lean_httpcore():
    import httpcore

# 100 jobs with full metadata are about 200 KB; whatever is far beyond is not an answer.
ANSWER_LIMIT = 4 * 1024 * 1024

# Shorter than the idle time after which servers and balancers hang up, so that
# no create is sent into a connection that is being closed.
_KEEPALIVE_SECONDS = 3.0

# Seconds: a connection that takes in nothing for so long is dead. The whole of a request may take longer.
_STALL_SECONDS = 30.0

# Nothing of the request itself was written when one of these is raised.
_BEFORE_SENDING = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


class DeadlineTransport:
    """httpcore's connection pool under a deadline.

    The deadline is a number of seconds for everything: connecting, sending, and the whole answer.
    (Resolving a host name is left to the system's resolver and its own time-outs.)
    A request with much to send asks for more of them.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        deadline: float = REQUEST_DEADLINE,
        proxies: Callable[[], Mapping[str, str]] = proxy.from_environment,
    ) -> None:
        self._deadline = deadline
        self._proxies = proxies
        self._current = _Deadline(clock)
        self._pools: dict[Origin, httpcore.ConnectionPool] = {}
        self._making = threading.Lock()

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send once and read the whole answer.

        Raises:
            NotSent: no connection; Untrusted where no further try can bring one.
            OutcomeUnknown: the connection broke, the deadline passed, or the answer is too long.
            UsageError: the environment names a proxy that is none, or certificates that cannot be read.
            Whatever the pieces of its content raise; the connection is closed then, and no whole request was sent.
        """
        seconds = self._deadline + request.extra_seconds
        self._current.begin(seconds)
        try:
            answer = self._pool(request.origin).handle_request(_sent(request, seconds))
            try:
                content = _bounded(typing.cast("Iterable[bytes]", answer.stream))
            finally:
                answer.close()
        except _BEFORE_SENDING as error:
            raise NotSent(escaped(_words(error, "no connection"))) from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OutcomeUnknown(_words(error, "the connection broke")) from error
        headers = headers_of(answer.headers)
        return HttpResponse(answer.status, headers, _inflated(content, headers.get("content-encoding", "identity")))

    def prepare(self, url: str) -> None:
        """Find out what stands between here and this server, and connect to nothing.

        Raises:
            UsageError: as for a request.
        """
        self._pool(base_of(url)[0])

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

    def _pool(self, origin: Origin) -> httpcore.ConnectionPool:
        with self._making:
            if origin not in self._pools:
                through = proxy.proxy_for(origin.scheme, origin.host, origin.port, self._proxies())
                if through is not None and through.url.scheme == b"https":
                    through.ssl_context = _tls()
                self._pools[origin] = httpcore.ConnectionPool(
                    # A TLS context takes 20 ms to make, which loopback and plain HTTP need not pay.
                    ssl_context=_tls() if origin.scheme == "https" else None,
                    proxy=through,
                    max_connections=16,
                    max_keepalive_connections=16,
                    keepalive_expiry=_KEEPALIVE_SECONDS,
                    retries=0,
                    network_backend=_Network(self._current),
                )
            return self._pools[origin]


def _sent(request: HttpRequest, seconds: float) -> httpcore.Request:
    origin = request.origin
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=request.target),
        headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in request.headers.items()],
        content=request.content,
        extensions={"timeout": {"pool": seconds}},
    )


def _tls() -> ssl.SSLContext:
    """Trusts what OpenSSL's variables name, else what Mozilla trusts."""
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if file or directory:
            return ssl.create_default_context(cafile=file or None, capath=None if file else directory)
        from certifi import where  # noqa: PLC0415 - only TLS needs them (4 ms)

        return ssl.create_default_context(cafile=where())
    except OSError as error:
        named = [name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
        whose = " or ".join(named) or "this installation"
        raise UsageError(f"the certificates that {whose} names cannot be read: {system_words(error)}") from error


# OpenSSL's X509_V_ERR_* (x509_vfy.h): the clock, and the names; all other codes are about who signed it.
_TIME = {9: "is not valid yet", 10: "has expired"}
_ELSEWHERE = frozenset({62, 64})
# What OpenSSL says of bytes that are no TLS: a server that speaks plain HTTP there.
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
# The connection ended in the middle of the handshake, which says nothing about the next one.
_PASSING = (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _distrusted(cause: BaseException | None) -> Untrusted | None:
    """What a failed TLS handshake means to the operator; None where the next try may go better."""
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, _PASSING):
        return None
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = escaped(cause.verify_message)
        if cause.verify_code in _TIME:
            means = f"{_TIME[cause.verify_code]}; renew it there, or set the clock of this machine"
        elif cause.verify_code in _ELSEWHERE:
            means = "is another host's; use the name in the base URL that it was made for"
        else:
            means = "is signed by nobody known here; set SSL_CERT_FILE to a PEM file that holds the CA's certificate"
        return Untrusted(f"the server's certificate {means} ({said})")
    if cause.reason in _NO_TLS:
        return Untrusted(f"no TLS is spoken there ({escaped(str(cause.reason))}): should the URL begin with http://?")
    return Untrusted(f"the TLS handshake failed ({escaped(cause.reason or str(cause))})")


def _words(error: Exception, otherwise: str) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "no answer within the deadline" if not isinstance(error, _BEFORE_SENDING) else "no connection in time"
    cause = error.__cause__
    while isinstance(cause, httpcore.NetworkError):
        cause = cause.__cause__
    if isinstance(cause, ssl.SSLError):
        return f"the TLS connection broke ({getattr(cause, 'reason', None) or system_words(cause)})"
    said = system_words(cause if isinstance(cause, OSError) else error)
    return said.removesuffix(".") or otherwise


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
            raise httpcore.ConnectError(f"cannot resolve {host}: {system_words(error)}") from error
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
            self._stream.write(piece, min(_STALL_SECONDS, self._deadline.left(httpcore.WriteTimeout)))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        del timeout
        left = self._deadline.left(httpcore.ConnectTimeout)
        try:
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)
        except httpcore.ConnectError as error:
            raise _distrusted(error.__cause__) or error from error.__cause__

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
