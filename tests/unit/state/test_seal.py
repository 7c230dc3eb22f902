"""The seal beside a journal."""

from pathlib import Path

from reconciler.state.opening import FILE
from reconciler.state.seal import Seal


def test_a_seal_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text("journal")
    Seal(path).renew()
    sealed = path.with_name(f"{FILE}.seal")
    text = sealed.read_text()
    sealed.write_text("")

    def another_run_goes_on(_: float) -> None:
        sealed.write_text(text)

    assert Seal(path, sleep=another_run_goes_on).intact()
