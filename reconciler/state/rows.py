"""The rows of one identity in an open journal: read by the names of their columns, written through the fence.

Whatever has tables of its own in a journal (`backoffs`, `pauses`, `uploads` and their like) reads and writes with it.
"""

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import asdict

from reconciler.state.failures import named
from reconciler.state.fence import Fence

# The values of a row by column; a struct is one by its fields.
Values = Mapping[str, object] | Struct
# SQL with named parameters, and the values for each row that it is executed for; `:identity` is added.
Statement = tuple[str, Sequence[Values]]

_Read = TypeVar("_Read")


def put(table: str, rows: Sequence[Values], on_conflict: str = "", columns: Sequence[str] = ()) -> Statement:
    """These rows in the place of those with the same key, unless ``on_conflict`` says what to do instead.

    ``columns``: these alone. Those that are left out, in all rows alike, get their defaults.
    """
    columns = ("identity", *(columns or _by_column(rows[0]))) if rows else ()
    verb = "INSERT" if on_conflict else "INSERT OR REPLACE"
    values = ", ".join(f":{column}" for column in columns)
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({values}) {on_conflict}", rows


def _by_column(row: Values) -> Mapping[str, object]:
    return asdict(row) if isinstance(row, Struct) else row


# The tables that a statement reads or writes stand behind one of these words.
_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|(?<!DO )UPDATE) (\w+)")


@lru_cache(maxsize=256)
def _tables_of(statement: str) -> frozenset[str]:
    return frozenset(_TABLE.findall(statement))


# An answered create moves from `intent` to `record`, by whichever run. `record` is read last, or a job that another run
# has just recorded would be in neither.
_READ_AFTER = {"intent": "record"}


class _Found(NamedTuple):
    """What a read made of the file, and the tables that it looked into."""

    value: Any
    tables: frozenset[str]


class Rows:
    """What an identity has in the tables; nothing of another identity is ever touched."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._identity = fence.entry.id
        self._known: dict[Callable[[], object], _Found] = {}
        self._known_as_of: tuple[int, int] | None = None
        self._looked_into: set[str] | None = None  # tables, by what `once` is reading now; None: it is not
        self._named = named(fence.path)

    def read(self, query: str, **values: object) -> list[sqlite3.Row]:
        """What one query finds, with ``:identity`` and ``values`` as its parameters.

        Raises:
            JournalError: the file cannot be read. Locked: another program holds it.
        """
        return self.made(query, lambda row: row, **values)

    def made(self, query: str, make: Callable[[sqlite3.Row], _Read], **values: object) -> list[_Read]:
        """What ``make`` makes of each row; a long table is never in memory as rows as well. Raises as `read`."""
        if self._looked_into is not None:
            self._looked_into |= _tables_of(query)
        with self._named:
            cursor = self._fence.connection.execute(query, {"identity": self._identity, **values})
            cursor.row_factory = sqlite3.Row
            return [make(row) for row in cursor]

    def once(self, read: Callable[[], _Read]) -> _Read:
        """What ``read`` makes of the file; done again only after somebody has written to a table that it looks into.

        Whoever gets it leaves it as it is. Raises: as `read`.
        """
        around = self._looked_into
        if around is None and not self._is_current():
            return read()
        found = self._known.get(read)
        if found is None:
            # What is read within it needs no look of its own: a write meanwhile is noticed by the next one.
            self._looked_into = set()
            try:
                found = self._known[read] = _Found(read(), frozenset(self._looked_into))
            finally:
                self._looked_into = around
        if around is not None:
            around |= found.tables
        value: _Read = found.value
        return value

    def together(self, read: Callable[[], _Read]) -> _Read:
        """What ``read`` makes of the file, which asks `once` several times: whether anybody wrote is looked at once."""
        if self._looked_into is not None or not self._is_current():
            return read()
        self._looked_into = set()
        try:
            return read()
        finally:
            self._looked_into = None

    def _is_current(self) -> bool:
        """Whether what is known from here on is what the file holds; it is not while a write may yet be undone."""
        as_of = self._as_of()
        if as_of is not None and as_of != self._known_as_of:
            self._known, self._known_as_of = {}, as_of
        return as_of is not None

    def _as_of(self) -> tuple[int, int] | None:
        """Changes with every write, ours (`total_changes`) or another program's; None while ours may yet be undone."""
        connection = self._fence.connection
        with self._named:
            (others,) = connection.execute("PRAGMA data_version").fetchone()
        return None if connection.in_transaction else (connection.total_changes, others)

    def write(self, *statements: Statement) -> bool:
        """All of them in one transaction, on disk when it returns; none is made (False) where there are no rows.

        Raises: as `Fence.transaction`.
        """
        self._fence.check_writable()
        due = [(sql, rows) for sql, rows in statements if rows]
        if due:
            known = self._known if self._as_of() == self._known_as_of else {}
            with self._fence.transaction():
                for sql, rows in due:
                    bound = ({"identity": self._identity, **_by_column(row)} for row in rows)
                    self._fence.connection.executemany(sql, bound)
            self._keep(known, written=frozenset[str]().union(*(_tables_of(sql) for sql, _ in due)))
        return bool(due)

    def _keep(self, known: Mapping[Callable[[], object], _Found], *, written: frozenset[str]) -> None:
        """What was ``known`` before our write, but for what looks into the tables that were ``written``.

        Those that are read after them are looked into anew, too. A write also counts itself in `identity`, in a
        column that nothing in here reads.
        """
        written |= {_READ_AFTER[table] for table in written & _READ_AFTER.keys()}
        before, after = self._known_as_of, self._as_of()
        if before is not None and after is not None and before[1] == after[1]:  # no other program has written
            self._known = {read: found for read, found in known.items() if not found.tables & written}
            self._known_as_of = after
