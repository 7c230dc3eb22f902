"""Stands for a command of `forked`, whose server's socket is its first argument. A start costs it a hundredth second."""

import _signal  # type: ignore[import-not-found] # these modules without an underscore import half of the library
import _socket
import marshal
import os
import sys

PASSED_ON = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM, _signal.SIGQUIT)

_signal.pthread_sigmask(_signal.SIG_BLOCK, PASSED_ON)
ignored = [number for number in PASSED_ON if _signal.getsignal(number) == _signal.SIG_IGN]
server = _socket.socket(_socket.AF_UNIX)
server.connect(sys.argv[1])
place = os.open(".", os.O_RDONLY)  # it may have no name any more
request = marshal.dumps(([os.fsencode(a) for a in sys.argv[2:]], dict(os.environb), ignored))
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, place))
server.sendmsg([len(request).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
server.sendall(request)
nothing = os.open(os.devnull, os.O_RDWR)
for number in range(3):
    os.dup2(nothing, number)


def line() -> int:
    """What the server says next."""
    told = b""
    while not told.endswith(b"\n"):
        told += server.recv(1) or b"1\n"  # it is gone
    return int(told)


process = line()
for number in PASSED_ON:  # also what is ignored here: it is the command that decides
    _signal.signal(number, lambda number, _frame: os.kill(process, number))
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, PASSED_ON)
code = line()
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
