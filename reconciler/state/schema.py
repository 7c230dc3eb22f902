"""The journal's file format: its tables and their columns, its version, and the way here from older ones.

`opening` makes, checks and migrates files by it. Nobody else knows SQL that defines a table.
"""

import sqlite3

from msgspec import Struct

# "ftrj": says that a SQLite file is ours before anything is read from it.
APPLICATION_ID = 0x6674726A
VERSION = 6

# Jobs that were paused or resumed from here, and creates that failed in a row, each with the same answer.
PAUSE = """(
    identity INTEGER, job_id TEXT, resumed INTEGER NOT NULL DEFAULT 0, counts INTEGER NOT NULL DEFAULT 1,
    confirmed INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (identity, job_id))"""
STREAK = "(identity INTEGER PRIMARY KEY, answer TEXT, times INTEGER)"
# Files that were uploaded from here.
UPLOAD = "(identity INTEGER, file_id TEXT, name TEXT, sha256 TEXT, size INTEGER, PRIMARY KEY (identity, file_id))"

# From each version that is still read to the next; the tables are those of `SCHEMA` then.
MIGRATIONS = {
    1: (
        "ALTER TABLE cancel ADD COLUMN slow INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE cancel ADD COLUMN sent_at INTEGER",
    ),
    2: ("ALTER TABLE intent ADD COLUMN filed INTEGER NOT NULL DEFAULT 0",),
    3: (
        "ALTER TABLE identity ADD COLUMN pauses INTEGER",
        "ALTER TABLE intent ADD COLUMN answer TEXT NOT NULL DEFAULT ''",
        f"CREATE TABLE pause {PAUSE}",
        f"CREATE TABLE streak {STREAK}",
    ),
    4: (f"CREATE TABLE upload {UPLOAD}",),
    5: ("ALTER TABLE identity ADD COLUMN lacks TEXT NOT NULL DEFAULT ''",),
}


class Identity(Struct, frozen=True):
    """Whose memory it is: nothing is shared between two of these. The key of table `identity`."""

    fleet: str
    base_url: str
    organization: str = ""
    project: str = ""


SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE identity (
    id INTEGER PRIMARY KEY, fleet TEXT, base_url TEXT, organization TEXT, project TEXT,
    begun INTEGER NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0, echoes INTEGER,
    writes INTEGER NOT NULL DEFAULT 0, pauses INTEGER, lacks TEXT NOT NULL DEFAULT '',
    UNIQUE (fleet, base_url, organization, project));
CREATE TABLE wanted (
    identity INTEGER, name TEXT, revision TEXT, form TEXT, turn INTEGER NOT NULL DEFAULT 0,
    origin TEXT NOT NULL DEFAULT '', PRIMARY KEY (identity, name, revision));
CREATE TABLE intent (
    identity INTEGER, name TEXT, revision TEXT, attempt INTEGER, seed INTEGER,
    token TEXT, filed INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '', PRIMARY KEY (identity, name));
CREATE TABLE record (
    identity INTEGER, job_id TEXT, name TEXT, revision TEXT, attempt INTEGER, live INTEGER, ended_before INTEGER,
    stranger INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (identity, job_id));
CREATE TABLE cancel (
    identity INTEGER, job_id TEXT, reason TEXT, confirmed INTEGER DEFAULT 0, counts INTEGER DEFAULT 1,
    tries INTEGER DEFAULT 0, next_at INTEGER DEFAULT 0, given_up INTEGER DEFAULT 0,
    slow INTEGER NOT NULL DEFAULT 0, sent_at INTEGER, PRIMARY KEY (identity, job_id));
CREATE TABLE refusal (
    identity INTEGER, name TEXT, revision TEXT, message TEXT, tries INTEGER, next_at INTEGER,
    PRIMARY KEY (identity, name));
CREATE TABLE manifest (
    identity INTEGER, name TEXT, path TEXT, revision TEXT, orphan INTEGER, PRIMARY KEY (identity, name));
CREATE TABLE event (
    identity INTEGER, job_id TEXT, seen TEXT, PRIMARY KEY (identity, job_id));
CREATE TABLE pause {PAUSE};
CREATE TABLE streak {STREAK};
CREATE TABLE upload {UPLOAD};
"""


def migrate(connection: sqlite3.Connection) -> None:
    """All steps to this version, in one transaction; whoever comes second finds nothing left to do."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in range(version, VERSION):
            for statement in MIGRATIONS[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def empty() -> sqlite3.Connection:
    """What a reader sees where there is no journal yet."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    memory.executescript(SCHEMA)
    return memory
