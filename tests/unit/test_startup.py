"""What a start does not do, and what it must not change by that."""

import re
import subprocess
import sys

import pytest

from reconciler.startup import lean_imports


def test_a_pattern_is_compiled_when_it_is_first_used() -> None:
    with lean_imports():
        right, wrong = re.compile("A(b*)", re.IGNORECASE), re.compile("(")
    with pytest.raises(re.error):
        wrong.search("x")
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


@pytest.mark.parametrize("module", ["cli.running", "cli.serving", "cli.reconciling"])
def test_what_a_command_imports_is_found_in_a_process_of_its_own(module: str) -> None:
    code = f"from reconciler.startup import lean_imports\nwith lean_imports():\n    import reconciler.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
