"""A fleet directory, or a stream, → a `Snapshot`: every job it wants and every error it holds.

`cli` calls `read_directory` and `read_stream`, `reader` the former for the daemon. What is wrong between documents is
found here; what one file holds is gathered in `reading`. Nothing in here decides about jobs, and what a file system
or a library raises does not leave.
"""

import os
import posixpath
import re
import shlex
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from reconciler.collector import without_collector
from reconciler.core.desired import Fleet, desire
from reconciler.core.documents import API_VERSION, Entry
from reconciler.core.snapshot import ERRORS_LIMIT, Problem, Snapshot
from reconciler.errors import escaped, printable
from reconciler.source.data_checks import RulesOf, check_files, openai_rules
from reconciler.source.enclosing import enclosing_fleet
from reconciler.source.fingerprint import digest_of_manifests, fingerprint_of
from reconciler.source.known import Known
from reconciler.source.manifest_files import STREAM_NAME, read_manifests
from reconciler.source.reading import WHOLE, Reading
from reconciler.source.tree import survey

# A directory that changes faster than this is read at the next pass; two equal readings are needed anyway.
_GENERATIONS = 3

_FLEETS_NAMED = 10
_LINE_SHOWN = 2000  # characters; a longer line is data, of which nothing is shown
_OF_FLEET = re.compile(r"kind['\"]?\s*:?\s*['\"]?Fleet")


def read_directory(
    root: Path,
    own: Iterable[Path] = (),
    known: Known | None = None,
    rules_of: RulesOf = openai_rules,
    files_root: Path | None = None,
) -> Snapshot:
    """Read every manifest and training file under ``root``, all of one generation.

    ``own`` are this program's directories, which hold no manifests: one may stand there before it is filled.
    ``known`` are manifests that were read before; ``rules_of`` says what a kind of server accepts of training files,
    which may stand below ``files_root``, too.

    A volume that Kubernetes updates changes as a whole, by another target of its link ``..data``;
    a root that is a link may be retargeted. Either during the reading makes it begin again.
    """
    with without_collector():
        for _ in range(_GENERATIONS):
            generation = _generation(root)
            snapshot = _read_directory(Reading.of(root, own, known, files_root), rules_of)
            if _generation(root) == generation:
                break
    return snapshot


def _generation(root: Path) -> tuple[str, str]:
    """What the root leads to, and what its volume's link does."""
    links = []
    for link in (str(root), f"{root}/..data"):
        try:
            links.append(os.path.realpath(link, strict=True))
        except OSError:  # missing, or a loop of links
            links.append("")
    return links[0], links[1]


def _read_directory(reading: Reading, rules_of: RulesOf) -> Snapshot:
    root = reading.root
    tree = survey(root, reading.own)
    reading.known.begin()
    reading.gaps = [Problem(place, 1, 1, "", why) for place, why in tree.gaps]
    for relative, content in read_manifests(root, tree):
        reading.take(relative, content)
    reading.digests += tree.gaps
    if not reading.seen:
        reading.problem(".", WHOLE, (), _nothing_read(root))
    return _snapshot(reading, rules_of, stream=False)


def _nothing_read(root: Path) -> str:
    """Why a directory holds no manifest; nothing is changed because of it."""
    try:
        kind = "it is empty" if not any(root.iterdir()) else "no manifest in it (*.yaml, *.yml)"
    except OSError:
        return "no such directory; nothing is changed"
    return f"{kind}; nothing is changed. {_way_on(root)}"


def _way_on(root: Path) -> str:
    above = enclosing_fleet(root)
    if above is not None:
        return f"Name the directory of the fleet that it belongs to: {printable(str(above))}"
    return f"To begin a fleet there: reconciler init {shlex.quote(printable(str(root)))}"


def read_stream(
    content: bytes,
    root: Path,
    known: Known | None = None,
    rules_of: RulesOf = openai_rules,
    files_root: Path | None = None,
) -> Snapshot:
    """Read one multi-document stream; its paths start at ``root``. The rest as in `read_directory`."""
    known = known or Known()
    known.begin()
    reading = Reading.of(root, known=known, files_root=files_root)
    reading.take(STREAM_NAME, content)
    if content and not content.endswith((b"\n", b"\r")):
        line = content.count(b"\n") + 1
        reading.problem(STREAM_NAME, (line, 1), (), "the stream ends within a line: it may have been cut short")
    return _snapshot(reading, rules_of, stream=True)


def _snapshot(reading: Reading, rules_of: RulesOf, *, stream: bool) -> Snapshot:
    """What was gathered, and what is wrong between documents."""
    below = _fleets_below(reading)
    fleet = None if below else _fleet(reading)
    single = _without_doubles(reading)
    check_files(reading, fleet, rules_of)
    broken = frozenset(reading.broken - {""})
    sound = [entry for entry in single if entry.name not in broken]
    desired, faults = desire(sound, broken.union(_perhaps_broken(sound, reading)))
    paths = {entry.name: entry.path for entry in single}
    for fault in (fault for fault in faults if fault.message):
        reading.problem_at(paths[fault.name], reading.places[fault.name], fault.path, fault.message)
    if below:  # nothing is wrong with them, but for where they were read from
        reading.problems = [Problem(".", *WHOLE, "", _several(below))]
    contents = digest_of_manifests(reading.digests)
    files = {(file.path, file.sha256) for one in desired.values() for file in one.local_files}
    return Snapshot(
        root=reading.root,
        fleet=fleet,
        desired=desired,
        broken=broken | {fault.name for fault in faults},
        problems=_shown(reading) if reading.problems else (),
        unreadable=frozenset(reading.unreadable),
        fingerprint=fingerprint_of(contents, sorted(files)),
        stream=stream,
        contents=contents,
        warnings=tuple(sorted([*reading.warnings, *_more_left_out(reading)])),
        data_warnings=tuple(sorted(reading.data_warnings)),
        gaps=tuple(sorted(reading.gaps)),
        holding=frozenset(reading.holding),
        own=reading.own,
        files_root=reading.files_root,
        fleets_below=below,
    )


def _perhaps_broken(entries: Sequence[Entry], reading: Reading) -> Iterator[str]:
    """Names that others build on, and that a file may hold of which nobody can tell: it is not read to its end."""
    names = {entry.name for entry in entries}
    for upstream in {entry.upstream for entry in entries if entry.upstream} - names:
        if any(upstream in text for text in reading.doubtful_texts()):
            yield upstream


def _shown(reading: Reading) -> tuple[Problem, ...]:
    """Every problem, as far as a person reads on, sorted."""
    return tuple(_with_texts(_first_of_each_file(sorted(reading.problems), reading.unreadable), reading))


def _with_texts(problems: Iterable[Problem], reading: Reading) -> Iterator[Problem]:
    """Each problem with the line it stands in, of the very bytes that were read; no key is shown."""
    # Imported here: most readings find no mistake, and need not wait for what shows one.
    from reconciler.core.credentials import masked, without_keys  # noqa: PLC0415
    from reconciler.source.syntax import lines_of  # noqa: PLC0415

    for path, of_file in groupby(problems, key=lambda problem: problem.path):
        found = list(of_file)
        content = reading.contents.get(path, b"") if any(problem.line for problem in found) else b""
        lines = lines_of(content.decode(errors="replace"))
        for problem in found:
            text = lines[problem.line - 1].removeprefix("\ufeff") if 0 < problem.line <= len(lines) else ""
            text = problem.text or (text if len(text) <= _LINE_SHOWN else "")
            message, field = without_keys(problem.message), without_keys(problem.field)
            yield replace(problem, message=message, field=field, text=masked(text))


def _several(below: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{escaped(path)} ({escaped(name) or 'no name'})" for path, name in below[:_FLEETS_NAMED])
    more = f" and {len(below) - _FLEETS_NAMED} more" if len(below) > _FLEETS_NAMED else ""
    return f"{len(below)} fleets are below it: {named}{more}; name the directory of one"


def _more_left_out(reading: Reading) -> Iterator[Problem]:
    """How many more of a file's documents are not ours than are named."""
    for relative, count in reading.left_out.items():
        if count > ERRORS_LIMIT:
            yield Problem(
                relative, 1, 1, "", f"documents left out beyond the first {ERRORS_LIMIT}: {count - ERRORS_LIMIT}"
            )


def _fleet(reading: Reading) -> Fleet | None:
    """The one fleet; None, and a problem, where none or several are described."""
    if len(reading.fleets) == len(reading.fleet_places) == 1:
        return reading.fleets[0]
    if reading.seen and not reading.fleet_places and not _may_hold_fleet(reading):
        stream = any(path == STREAM_NAME for path, _ in reading.digests)
        reading.problem(STREAM_NAME if stream else ".", WHOLE, (), _no_fleet(reading, stream=stream))
    for path, line, _ in reading.fleet_places[1:]:
        first, first_line, _ = reading.fleet_places[0]
        message = f"a second Fleet document; the first is {escaped(first)}:{first_line}: a directory holds one fleet"
        reading.problem(path, (line, 1), ("kind",), message)
    return None


def _may_hold_fleet(reading: Reading) -> bool:
    """Whether the fleet's document may be among what is reported as broken."""
    return reading.fleet_misspelt or any(_OF_FLEET.search(text) or not text for text in reading.doubtful_texts())


def _no_fleet(reading: Reading, *, stream: bool) -> str:
    message = "no `kind: Fleet` document: without one nothing is touched"
    if stream:
        return message
    if not reading.holding:
        message = f"no manifest of ours (apiVersion: {API_VERSION}) among what is in it; nothing is touched"
    return f"{message}. {_way_on(reading.root)}"


def _fleets_below(reading: Reading) -> tuple[tuple[str, str], ...]:
    """Directories, each with its fleet's name, where several hold one and the root itself holds none."""
    below: dict[str, str] = {}
    for path, _, name in reading.fleet_places:
        below.setdefault(posixpath.dirname(path), name)
    return tuple(sorted(below.items())) if len(below) > 1 and "" not in below else ()


def _without_doubles(reading: Reading) -> list[Entry]:
    """The first entry of each name; a name that is taken again is broken."""
    first: dict[str, Entry] = {}
    for entry in reading.entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry:
            reading.broken.add(entry.name)
            message = f"the name {entry.name} is taken by {escaped(other.path)}:{other.line}"
            reading.problem(entry.path, (entry.line, 1), ("metadata", "name"), message)
    return list(first.values())


def _first_of_each_file(problems: Iterable[Problem], unreadable: Container[str]) -> Iterator[Problem]:
    """The first of each file's problems, which are sorted, and how many more were found."""
    for path, of_file in groupby(problems, key=lambda problem: problem.path):
        found = list(of_file)
        yield from found[:ERRORS_LIMIT]
        for first in found[ERRORS_LIMIT : ERRORS_LIMIT + 1]:
            rest = "; the file was not read to its end" if path in unreadable else ""
            message = f"errors beyond the first {ERRORS_LIMIT}: {len(found) - ERRORS_LIMIT}{rest}"
            yield Problem(path, first.line, first.column, "", message)
