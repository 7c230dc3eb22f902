"""What is said where a directory is not the fleet that was meant."""

import pytest

from reconciler.render.directories import no_directory


@pytest.mark.parametrize(
    ("directory", "siblings", "meant"),
    [
        ("flet", ["fleet"], "; did you mean plan fleet"),
        ("flet/", ["fleet"], "; did you mean plan fleet"),
        ("a/Flet", ["fleet"], "; did you mean plan a/fleet"),
        ("/flet", ["fleet"], "; did you mean plan /fleet"),
        ("./flet", ["fleet"], "; did you mean plan ./fleet"),
        ("nowhere", ["fleet"], ""),
    ],
)
def test_a_directory_that_is_near_is_proposed_where_it_stands(directory: str, siblings: list[str], meant: str) -> None:
    words = no_directory(directory, siblings, lambda path: f"plan {path}")
    assert words == f"no such directory: {directory}{meant}"
