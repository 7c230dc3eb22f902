"""What a start does not do, and what it must not change by that."""

import os
import re
import signal
import subprocess
import sys

import pytest

from reconciler.__main__ import main
from reconciler.startup import lean_imports

# As most people have it.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def test_a_pattern_is_compiled_when_it_is_first_used() -> None:
    with lean_imports():
        right, wrong = re.compile("A(b*)", re.IGNORECASE), re.compile("(")
    with pytest.raises(re.error):
        wrong.search("x")
    with lean_imports():
        named = re.compile(pattern="a", flags=re.IGNORECASE)
    assert named.fullmatch("A")
    assert [right.sub(r"<\1>", text) for text in ("xabb", "a", "x")] == ["x<bb>", "<>", "x"]
    assert (right.pattern, right.groups) == ("A(b*)", 1)


def test_it_passes_for_a_compiled_one() -> None:
    with lean_imports():
        pattern = re.compile("a+")
    assert isinstance(pattern, re.Pattern)
    assert re.sub(pattern, "x", "baad") == "bxd"
    assert re.compile(pattern) is pattern


def test_what_is_compiled_afterwards_is_compiled_at_once() -> None:
    with pytest.raises(ZeroDivisionError), lean_imports():
        _ = 1 / 0
    with pytest.raises(re.error):
        re.compile("(")


def test_imports_of_two_threads_end_in_any_order() -> None:
    first, second = lean_imports(), lean_imports()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    with pytest.raises(re.error):
        re.compile("(")


def test_an_interrupt_while_msgspec_is_imported_is_not_lost() -> None:
    code = """
import sys
from reconciler.startup import import_msgspec
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "_datetime":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
import_msgspec()
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGINT


def test_who_calls_a_command_within_a_process_can_import_rich_afterwards() -> None:
    code = """
from reconciler.cli import main
try:
    main(["nonsense"])
except SystemExit:
    import rich
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("module", ["cli.running", "cli.serving", "cli.reconciling"])
def test_what_a_command_imports_is_found_in_a_process_of_its_own(module: str) -> None:
    code = f"from reconciler.startup import lean_imports\nwith lean_imports():\n    import reconciler.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("argument", "code"), [("--version", 0), ("nonsense", 64)])
@pytest.mark.parametrize("thread", ["", "Thread(target=lambda: (main_thread().join(), print('thread'))).start()"])
def test_a_process_ends_as_python_would_end_it(argument: str, code: int, thread: str) -> None:
    program = f"""
import atexit, sys
from threading import Thread, main_thread
from reconciler.__main__ import main
atexit.register(print, "end")
sys.argv = ["reconciler", {argument!r}]
{thread}
main()
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=BUFFERED)
    assert ran.returncode == code
    assert ran.stdout.splitlines()[-2 if thread else -1 :] == (["thread", "end"] if thread else ["end"])


def test_what_is_called_within_a_process_does_not_end_it() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0


def test_httpcore_has_its_certificates_when_it_asks_for_them() -> None:
    code = """if True:
        import sys, reconciler.provider.transport, httpcore
        print({"certifi", "anyio"} & sys.modules.keys(), len(httpcore.default_ssl_context().get_ca_certs()) > 9)
        import certifi, anyio
        print(certifi.where().endswith("pem"), anyio.run.__name__)
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set() True\nTrue run\n"
