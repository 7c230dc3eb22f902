"""The table of the fleet's files: what needs each of them, counted once, and what could be deleted."""

import pytest

from reconciler.core.file_uses import FileUse, ProviderFile
from reconciler.render.file_uses import file_table


def use(*, manifests: tuple[str, ...] = (), jobs: tuple[str, ...] = (), ours: bool = True) -> FileUse:
    return FileUse(ProviderFile("file-1", "train.jsonl", 2500), ours, manifests, jobs)


@pytest.mark.parametrize(
    ("one", "needs"),
    [
        (use(manifests=("a",)), "a"),
        (use(jobs=("ftjob-1",)), "ftjob-1"),
        (use(manifests=("a",), jobs=("ftjob-1",)), "1 manifest, 1 job"),
        (use(manifests=("a", "b")), "2 manifests"),
        (use(manifests=("a", "b"), jobs=("ftjob-1", "ftjob-2")), "2 manifests, 2 jobs"),
        (use(), "-"),
        (use(ours=False), "- (unknown)"),
    ],
)
def test_a_row_names_the_one_that_needs_a_file_or_counts_them_by_kind(one: FileUse, needs: str) -> None:
    row = file_table([one], "f", width=None).splitlines()[1]
    assert row.split() == ["file-1", "2.5", "kB", *needs.split(), "train.jsonl"]


@pytest.mark.parametrize(
    ("uses", "words"),
    [
        ((use(manifests=("a",)),), "1 file, none unused."),
        ((use(), use(manifests=("a",))), "2 files, 1 unused (2.5 kB)."),
        ((use(ours=False),), "1 file, none unused; of 1 nobody here knows who uploaded it, and it is never deleted."),
    ],
)
def test_the_last_line_says_how_many_could_be_deleted(uses: tuple[FileUse, ...], words: str) -> None:
    assert file_table(uses, "f", width=None).splitlines()[-1] == words
