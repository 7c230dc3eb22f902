"""What was uploaded from here is known until it is deleted from here."""

from pathlib import Path

from reconciler.state.schema import Identity
from reconciler.state.uploads import Uploaded
from tests.fakes.journals import HERE, opened

ONE = Uploaded("file-1", "train-0123456789abcdef.jsonl", "0" * 64, 12)
OTHER = Uploaded("file-2", "f.a.0123456789abcdef.1.jsonl", "1" * 64, 13)


def test_an_upload_is_known_until_it_is_dropped(state: Path) -> None:
    with opened(state) as journal:
        journal.uploads.record(ONE)
        journal.uploads.record(OTHER)
    with opened(state) as journal:
        assert journal.uploads.by_id() == {"file-1": ONE, "file-2": OTHER}
        journal.uploads.drop("file-1")
        assert journal.uploads.by_id() == {"file-2": OTHER}


def test_what_another_fleet_uploaded_is_not_ours(state: Path) -> None:
    with opened(state) as journal:
        journal.uploads.record(ONE)
    with opened(state, identity=Identity("another", HERE.base_url)) as journal:
        assert journal.uploads.by_id() == {}
