"""Log lines: no key gets past them, and no server steers the terminal they are read at."""

import io
import json

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


def test_when_how_bad_and_what_come_first_in_every_line() -> None:
    assert list(json.loads(logged("json", a=1)))[:3] == ["timestamp", "level", "event"]
