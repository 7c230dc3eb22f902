"""Problems of manifests as lines and as data, under paths that can be clicked where the reader stands.

Pure. `cli` shows every problem and warning of a reading through this, so that all commands name a file alike.
"""

import posixpath
from collections.abc import Iterable
from dataclasses import asdict, replace

from reconciler.core.snapshot import Problem


def located(problems: Iterable[Problem], directory: str) -> tuple[Problem, ...]:
    """The problems of a fleet in ``directory``, which is named as seen from where the reader stands."""
    return tuple(replace(one, path=posixpath.normpath(posixpath.join(directory, one.path))) for one in problems)


def as_data(problems: Iterable[Problem]) -> tuple[dict[str, object], ...]:
    """For programs: ``[{path, line, column, field, message}]``."""
    return tuple(asdict(problem) for problem in problems)
