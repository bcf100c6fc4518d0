"""What the tests of splits share: a small site, its bill, and readings made by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from dentframe import Site, SplitRules, UtilityBill, split

LA = "America/Los_Angeles"
LINES = {"energy": "energy", "demand": "coincident", "fixed": "days", "tax": "lines"}


def element(**more):
    """An element rated at 83.1 kW."""
    return {"cts": [100, 100, 100], "volts": 277} | more


def tenant(name, letter, **more):
    """A tenant with one element."""
    return {"name": name, "elements": [f"P1_{letter}"]} | more


def site(tenants=None, elements=None, rules=None, **more):
    """Two tenants, A and B, on one meter."""
    tenants = tenants or [tenant("A", "A", area=100), tenant("B", "B", area=300)]
    data = {
        "name": "S",
        "tz": LA,
        "currency": "USD",
        "elements": elements or {"P1_A": element(), "P1_B": element()},
        "tenants": tenants,
        "split": {"lines": LINES} | (rules or {}),
    }
    return Site.from_dict(data | more)


def line(name, kind, amount, **more):
    """A line of a bill."""
    return {"name": name, "kind": kind, "amount": amount} | more


def bill(*lines, kwh=..., start="2024-01-01", end="2024-02-01", **more):
    """A bill of January with its total; 3,000 kWh where a line prices any."""
    lines = lines or (line("Energy", "energy", "600.00"),)
    if kwh is ...:
        kwh = 3000 if any(x.get("kind") == "energy" for x in lines) else None
    total = sum(Decimal(x.get("amount", 0)) for x in lines)
    data = {"name": "Jan", "start": start, "end": end, "kwh": kwh, "lines": list(lines)}
    return UtilityBill.from_dict({**data, "total": total, **more})


def readings(totals, start="2024-01-01", end="2024-02-01", tz=LA, demand=None, freq="15min"):
    """Registers that rise evenly by `totals` [kWh] over the period, and constant means."""
    low, high = (pd.Timestamp(x, tz=tz).tz_convert("UTC") for x in (start, end))
    t = pd.date_range(low, high, freq=freq, name="time")
    columns = {f"kWHNet/Elm/{k}": 1000 + np.linspace(0, v, len(t)) for k, v in totals.items()}
    columns |= {f"DemandkW/Elm/{k}": np.full(len(t), float(v)) for k, v in (demand or {}).items()}
    return pd.concat({"P1": pd.DataFrame(columns, index=t)}, names=["meter"])


def shares(run, line_name):
    """Party to amount of one line, as text."""
    rows = run.charges[run.charges["line"] == line_name]
    return {p: str(a) for p, a in zip(rows["party"], rows["amount"], strict=True)}


def quantities(run, line_name):
    """Party to quantity of one bill's line over all its parts, as text."""
    rows = run.charges[run.charges["bill_line"] == line_name]
    return {str(p): str(sum(q)) for p, q in rows.groupby("party", sort=False)["quantity"]}


def balanced(run):
    """Whether the control adds up to the cent."""
    c = run.control
    return c["utility"] == c["tenants"] + c["landlord"] + c["export"] + c["unallocated"]


def found(run, kind):
    """The exceptions of a kind."""
    return run.exceptions[run.exceptions["kind"] == kind]


__all__ = ["SplitRules", "split"]
