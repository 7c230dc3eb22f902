"""Log lines: no key gets past them, and no server steers the terminal they are read at."""

import io
import json

import pytest

from reconciler.log import configure

KEY = "sk-a-key-that-must-appear-nowhere"


def logged(form: str, **facts: object) -> str:
    out = io.StringIO()
    configure(form=form, secrets=[KEY], stream=out).info("job.event", **facts)
    return out.getvalue()


def test_a_key_is_removed_however_deep_it_stands() -> None:
    told = logged("json", a=f"x{KEY}y", b={"c": [KEY, (KEY, 1)], KEY: None}, d=ValueError(KEY))
    assert KEY not in told
    assert json.loads(told)["a"] == "x[redacted]y"


def test_what_a_terminal_could_obey_is_escaped() -> None:
    told = logged("text", model="ft:\x1b[31mEVIL\r")
    assert "\x1b" not in told
    assert "\\x1b[31mEVIL\\x0d" in told


def test_a_traceback_is_text_like_any_other() -> None:
    out = io.StringIO()
    log = configure(form="json", secrets=[KEY], stream=out)
    log.error("pass.failed", exc_info=ValueError(KEY))
    told = json.loads(out.getvalue())
    assert "ValueError" in told["exception"]
    assert KEY not in out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_at_a_terminal_breaks_at_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    why = "the provider rejected this job, and says in many words what it thinks of it: " * 3
    out, whole = Terminal(), io.StringIO()
    for stream in (out, whole):
        configure(form="text", secrets=[], stream=stream).error("job.blocked", why=why, path="x" * 100)
    lines = out.getvalue().splitlines()
    assert [line for line in lines if len(line) > 80] == [f"    path={'x' * 100}"]
    assert " ".join(out.getvalue().split())[8:] == " ".join(whole.getvalue().split())[8:], "nothing is cut"
    assert len(whole.getvalue().splitlines()) == 1, "a file has no width"
    json_at_a_terminal = Terminal()
    configure(form="json", secrets=[], stream=json_at_a_terminal).error("job.blocked", why=why)
    assert len(json_at_a_terminal.getvalue().splitlines()) == 1


def test_when_how_bad_and_what_come_first_in_every_line() -> None:
    assert list(json.loads(logged("json", a=1)))[:3] == ["timestamp", "level", "event"]
