"""A tariff is an ordered list of charges, from Python, dict, JSON or TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from dentframe.errors import ConfigError, did_you_mean
from dentframe.money.charges import Energy, Fixed, Minimum, Reactive, Tax, as_list, made, put
from dentframe.money.demand_charges import Demand
from dentframe.money.rounding_and_tiers import Tiers
from dentframe.site.currencies import check_currency
from dentframe.site.toml_tables import Table, dump, parse, plain

KINDS: dict[str, type[Any]] = {c.kind: c for c in (Energy, Demand, Fixed, Reactive, Minimum, Tax)}
"""The charges by kind. A new one is a class with `kind`, `name`, its validity and `lines`."""


@dataclass(frozen=True)
class Tariff:
    """What electricity costs.

    Parameters
    ----------
    name : str
        What it is called.
    charges : sequence of charge or dict
        In the order of a bill's lines; taxes and minimums look at those before them.
    currency : str
        ISO 4217 code; it decides the decimals of amounts (2 where it is not stated).
    holidays : sequence of date or str
        Local dates that are neither weekday nor weekend.
    notes : sequence of str
        What a reader must know of it; nothing is priced by them.

    Raises
    ------
    ConfigError
        For a kind, field or currency that is not known, or a field that must be stated and is not.

    Examples
    --------
    >>> flat = Tariff("Flat", [Energy("Energy", "0.12"), Fixed("Service", "0.50", per="day")])
    >>> Tariff.from_toml(flat.to_toml()) == flat
    True
    """

    name: str = field(metadata={"read": "given"})
    charges: Any
    currency: str = field(default="", metadata={"read": "given"})
    holidays: Any = ()
    notes: Any = ()

    def __post_init__(self) -> None:
        what = f"of tariff {self.name!r}"
        charges = as_list(self.charges, f"charges {what}", "[Fixed('Service', '9.50')]")
        holidays = as_list(self.holidays, f"holidays {what}", "['2023-07-04']")
        notes = as_list(self.notes, f"notes {what}", "['Rates of 2024']")
        days = sorted(Table({"holidays": x}, what[3:]).date("holidays") for x in holidays)
        put(self, charges=tuple(map(_charge, charges)), holidays=tuple(days),
            notes=tuple(map(str, notes)))  # fmt: skip
        if not self.charges:
            raise ConfigError(f"Cannot make tariff {self.name!r}: it has no charges.")
        if self.currency:
            check_currency(self.currency, f"tariff {self.name!r}")
        before: list[str] = []
        for c in self.charges:  # a tax of a charge that is not there would be a tax of nothing
            for name in (x for x in getattr(c, "on", None) or () if x not in before):
                near = did_you_mean(name, before) or f": there are {', '.join(before) or 'none'}"
                raise ConfigError(f"Cannot take {c.name!r} of {name!r}: no charge before it{near}")
            before.append(c.name)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Tariff:
        """A tariff from plain data: ``name``, ``currency``, ``holidays``, ``charges``.

        Raises
        ------
        ConfigError
            For data that is no tariff.
        """
        if not isinstance(data, Mapping):
            raise ConfigError("Cannot read this tariff: it is no table of name and charges.")
        return Tariff(**Table(data, "this tariff").values(Tariff))

    @staticmethod
    def from_json(text: str) -> Tariff:
        """A tariff from JSON text; its numbers are read as they are written.

        Raises
        ------
        ConfigError
            For text that is no tariff.
        """
        try:
            found = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as e:
            raise ConfigError(f"Cannot read this tariff: it is no JSON ({e}).") from None
        return Tariff.from_dict(found)

    @staticmethod
    def from_toml(text: str) -> Tariff:
        """A tariff from TOML text; its numbers are read as they are written.

        Raises
        ------
        ConfigError
            For text that is no tariff.
        """
        return Tariff.from_dict(parse(text, "this tariff"))

    @staticmethod
    def from_urdb(
        record: Mapping[str, Any] | str | Path,
        *,
        tier_order: str | None = None,
        tier_proration: Any = None,
        ratchet_lookback: int | None = None,
        ratchet_on: str | None = None,
        ignore: Iterable[str] = (),
    ) -> Tariff:
        """A tariff from a record of OpenEI's Utility Rate Database (URDB).

        Parameters
        ----------
        record : mapping, str or Path
            A rate as the database's API gives it (version 8, ``detail=full``): as data, as JSON
            text or as a file; an answer whose ``items`` are one rate too. It is not changed.
        tier_order, tier_proration : optional
            As in `Energy`. The database does not say them: where there are tiers,
            `tier_proration` must be stated, and `tier_order` where they are under time of use.
        ratchet_lookback : int, optional
            How many months a ratchet looks back on, where ``lookbackRange`` does not say it.
        ratchet_on : {"flat", "tou", "both"}, optional
            The demand that a ratchet is of, where the rate has flat and time-of-use demand.
        ignore : sequence of str
            Fields that are no matter for these meters, e.g. ``"energyratestructure.sell"``.

        Returns
        -------
        Tariff
            Its `notes` say what the database cannot (holidays, half hours), what the record says
            in words, and which fields change no price.

        Raises
        ------
        ConfigError
            For a record that cannot be read, or has a field that is not understood and may change
            a price: each is named.

        Notes
        -----
        Rates are ``rate + adj``. Demand is measured in blocks of ``demandwindow`` minutes on the
        clock. Bills of calendar months are meant where periods of different months have
        different tiers.

        Examples
        --------
        >>> tiers = [[{"rate": 0.1, "adj": 0.02}]]
        >>> Tariff.from_urdb({"name": "Flat", "energyratestructure": tiers}).charges[0].rate
        (Decimal('0.12'),)
        """
        from dentframe.money.urdb import tables

        stated = {
            "tier_order": tier_order, "tier_proration": tier_proration, "ignore": ignore,
            "ratchet_lookback": ratchet_lookback, "ratchet_on": ratchet_on,
        }  # fmt: skip
        words = {"tier_order": Tiers.ORDERS, "ratchet_on": ("flat", "tou", "both")}
        for name in (x for x in words if stated[x] is not None):  # where it needs none of them too
            Table(stated, "this import").text(name, one_of=words[name])
        return Tariff.from_dict(tables(record, stated))

    @staticmethod
    def load(path: str | Path) -> Tariff:
        """A tariff from a file, ``.toml`` or ``.json``.

        Raises
        ------
        ConfigError
            For a file that cannot be read or is no tariff.
        """
        file = Path(path)
        readers = {".toml": Tariff.from_toml, ".json": Tariff.from_json}
        if file.suffix not in readers:
            raise ConfigError(f"Cannot load tariff {str(file)!r}: use a .toml or .json file.")
        try:
            return readers[file.suffix](file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"Cannot load tariff {str(file)!r}: {e}.") from None
        except ConfigError as e:
            raise ConfigError(f"{e} (file {str(file)!r})") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, safe for JSON, without fields that have their defaults."""
        found: dict[str, Any] = plain(self, texts=True)
        charges = zip(self.charges, found.pop("charges"), strict=True)
        return found | {"charges": [{"kind": c.kind, **own} for c, own in charges]}

    def to_json(self) -> str:
        """JSON text; `from_json` reads it back."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def to_toml(self) -> str:
        """TOML text; `from_toml` reads it back."""
        return dump(self.to_dict())


def _charge(given: Any) -> Any:
    if not isinstance(given, Mapping):
        if not callable(getattr(given, "lines", None)):
            raise ConfigError(f"Cannot use {given!r} as a charge: use one of {', '.join(KINDS)}.")
        return given
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        near = did_you_mean(kind, KINDS) or f": use one of {', '.join(KINDS)}"
        raise ConfigError(f"Cannot read a charge of kind {kind!r}{near}")
    rest = {k: v for k, v in given.items() if k != "kind"}
    return made(KINDS[kind], rest, f"charge {given.get('name', '')!r}")
