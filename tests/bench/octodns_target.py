"""What octoDNS plans against: a provider that reads its records, as JSON pages, from the server of this bench.

octoDNS loads it by name (`rows` writes the configuration). It is as fast as a plain provider of theirs can be: one
connection, the standard library's JSON, no rate limit.
"""

import http.client
import json
import logging
from typing import Any
from urllib.parse import urlsplit

from octodns.provider.base import BaseProvider
from octodns.record import Record


class Target(BaseProvider):
    """A zone of A records, read only."""

    SUPPORTS_GEO = False
    SUPPORTS = frozenset({"A"})

    def __init__(self, id: str, url: str) -> None:  # noqa: A002 - octoDNS gives it by this name
        """``url`` is a base URL of `server`."""
        self.log = logging.getLogger(f"Target[{id}]")  # theirs asks for it before anything else
        super().__init__(id)
        self._url = urlsplit(url)

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        """Add every record that the server has."""
        connection = http.client.HTTPConnection(self._url.netloc)
        after = ""
        while True:
            connection.request("GET", f"{self._url.path}/records?limit=100&after={after}")
            page = json.loads(connection.getresponse().read())
            for each in page["data"]:
                fields = {key: each[key] for key in ("ttl", "type", "value")}
                zone.add_record(Record.new(zone, each["name"], fields, source=self, lenient=lenient), lenient=lenient)
            if not page["has_more"]:
                return True
            after = page["data"][-1]["name"]

    def _apply(self, plan: Any) -> None:
        raise NotImplementedError("a bench changes nothing")
