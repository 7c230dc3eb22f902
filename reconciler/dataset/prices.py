"""What training costs, by model and by server: the table of the package, and what the operator's file says instead.

Pure: `cli` reads the operator's file (`--prices`, docs/cost.md) and hands over its values. Prices change: each is shown
with its date and its source. A model that no table names has no price, which is not a price of 0.
"""

import json
import pkgutil
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from reconciler.dataset.bases import names_of
from reconciler.errors import escaped

_UNITS = {"per_million_tokens": "per 1M tokens", "per_hour": "an hour"}
_FREE = "free"
_FIELDS = frozenset({"date", "source", "models", "servers"})


class Price(Struct, frozen=True):
    """US dollars for a million trained tokens, or for an hour; 0 is known to cost nothing."""

    usd: float
    unit: str = "per_million_tokens"
    date: str = ""
    source: str = ""

    @property
    def words(self) -> str:
        """As in ``$3 per 1M tokens``."""
        return f"${self.usd:g} {_UNITS[self.unit]}" if self.usd else _FREE


class Prices(Struct, frozen=True):
    """Prices by model; and by server (host, or host and port), which count before those of models."""

    models: Mapping[str, Price] = field(default_factory=dict)
    servers: Mapping[str, Price] = field(default_factory=dict)

    def find(self, model: str | None, host: str = "") -> Price | None:
        """The price of a model at a server; None where nobody has said one."""
        name = host.lower()
        server = self.servers.get(name) or self.servers.get(name.rpartition(":")[0])
        if server is not None:
            return server
        return next((self.models[name] for name in names_of(model or "") if name in self.models), None)

    def beside(self, other: "Prices") -> "Prices":
        """These, and those of the other where these say nothing."""
        return Prices({**other.models, **self.models}, {**other.servers, **self.servers})


def listed_prices() -> Prices:
    """The table of the package."""
    return prices_of(json.loads(pkgutil.get_data(__package__ or "", "prices.json") or b"{}"))


def prices_of(value: object) -> Prices:
    """A table as it is written in a file.

    Raises:
        ValueError: it is none; the words name the field.
    """
    table = _mapping(value, "")
    if unknown := sorted(map(str, table.keys() - _FIELDS)):
        raise ValueError(f"{escaped(unknown[0])}: not a field of a price table; it has {', '.join(sorted(_FIELDS))}")
    date, source = (str(table.get(name) or "") for name in ("date", "source"))
    kinds = {kind: dict(_prices(table.get(kind) or {}, kind, date, source)) for kind in ("models", "servers")}
    return Prices(**kinds)


def _prices(value: object, kind: str, date: str, source: str) -> Iterator[tuple[str, Price]]:
    for name, given in _mapping(value, kind).items():
        usd, unit = _price(given, f"{kind}.{name}")
        yield str(name).lower(), Price(usd, unit, date, source)


def _price(value: object, where: str) -> tuple[float, str]:
    if value == _FREE:
        return 0.0, "per_million_tokens"
    units = list(_mapping(value, where).items())
    if len(units) != 1 or units[0][0] not in _UNITS:
        raise ValueError(f"{escaped(where)}: write per_million_tokens: USD, per_hour: USD, or free")
    unit, usd = units[0]
    if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd < float("inf"):
        raise ValueError(f"{escaped(where)}.{unit}: must be a number of US dollars from 0")
    return float(usd), str(unit)


def _mapping(value: object, where: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        what = f"{escaped(where)}: must be" if where else "a price table is"
        raise ValueError(f"{what} a map, not {escaped(repr(value))[:40]}")  # noqa: TRY004 - as every other mistake in it
    return value
