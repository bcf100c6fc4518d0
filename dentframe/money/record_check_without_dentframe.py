"""The program computes a record of a utility bill's split again, and says what differs.

It stands in every record as check.py and needs nothing but Python 3.11 or later:
python -I -S check.py

It reads the files beside it. From steps.csv (what each meter used between two readings, and the
verdict on it) and edges.json (who had which meter between which instants, all in UTC) it computes
each figure; from bill.toml, rules.toml and site.toml each share, line and total; and compares them
with record.json and the tables. A changed file is found by its SHA-256. It shares no code with the
program that wrote the record. Exit status: 0 nothing differs, 1 something does, 2 no record.
"""

import csv
import datetime as dt
import hashlib
import json
import sys
import tomllib
from bisect import bisect_left, bisect_right
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction
from itertools import pairwise
from math import floor
from pathlib import Path

getcontext().prec = 60
HERE = Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
RECORD = HERE if HERE.is_dir() else HERE.parent
ZERO, MICRO, MINUTE = Decimal(0), Decimal("0.000001"), 60_000_000
DIGITS = {0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW"}
TITLES = {"common": "common areas", "loss": "technical loss", "tolerance": "meter tolerance",
        "export": "export credit", "unexplained": "unexplained", "agreed": "agreed figure",
        "rebill_difference": "re-bill difference"}
differences = []
differs = differences.append


def load(name):
    """A JSON or TOML file of the record; its numbers are exact."""
    path = RECORD / name
    if path.is_symlink() or not path.is_file():
        print(f"{name} is missing, or a link: this is no whole record.")
        sys.exit(2)
    try:
        text = path.read_bytes().decode("utf-8")
        if name.endswith(".toml"):
            return tomllib.loads(text, parse_float=Decimal)
        return json.loads(text, parse_float=str)
    except (ValueError, ArithmeticError, RecursionError) as error:
        print(f"{name} cannot be read: {error}.")
        sys.exit(1)


def check_files(record):
    """Each file of the list, and each file that is there, by its SHA-256."""
    body = (RECORD / "record.json").read_bytes()
    seal = str(record.get("seal"))
    if hashlib.sha256(body.replace(seal.encode(), b"0" * 64)).hexdigest() != seal:
        differs("record.json was changed: its seal is not that of its text.")
    there = {x.relative_to(RECORD.parent).as_posix(): x for x in sorted(RECORD.parent.rglob("*"))
            if x.is_symlink() or x.is_file()}
    del there["record/record.json"]
    for name, wanted in record["files"].items():
        path = there.pop(name, None)
        if path is None:
            differs(f"{name} is missing.")
        elif path.is_symlink():
            differs(f"{name} is a link.")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
            differs(f"{name} was changed: its SHA-256 is not the recorded one.")
    for name in there:
        differs(f"{name} is not in the record's list.")
    own = ["site.toml", "bill.toml", "rules.toml", "readings.csv", "steps.csv", "edges.json"]
    tables = [f"{x}.csv" for x in record["result"]]
    for name in [*(f"record/{x}" for x in (*own, "check.py")), *record["papers"], *tables]:
        if name not in record["files"]:
            differs(f"{name} is not in the record's list, which every record has.")


def rounded(value, places):
    """Half up, as a bill is rounded; where the rules say "exact", not at all."""
    unit = None if places == "exact" else Decimal(1).scaleb(-places)
    return value.quantize(unit, ROUND_HALF_UP) if unit else value


def plain(value, scale=ZERO):
    """A sum of measured values without the noise of binary numbers."""
    digits = max(value.adjusted(), scale.adjusted()) - 13
    return value.quantize(Decimal(1).scaleb(max(digits, -9)), ROUND_HALF_EVEN)


def instant(text):
    """A UTC instant in microseconds."""
    when = dt.datetime.fromisoformat(text)
    return round((when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))


def in_parts(exact, total, places):
    """Parts rounded to add up to their total: what is left goes to the largest remainders."""
    if places == "exact":
        return [Decimal(x.numerator) / x.denominator for x in exact]
    unit, sign = Decimal(1).scaleb(-places), -1 if total < 0 else 1
    whole = [sign * x / Fraction(unit) for x in exact]
    low = [floor(x) for x in whole]
    left = int(abs(total) / unit) - sum(low)
    some = [i for i, x in enumerate(exact) if x] or list(range(len(exact)))
    order = sorted(some, key=lambda i: low[i] - whole[i])
    for k in range(abs(left)):
        i = order[k % len(order)] if left > 0 else order[-1 - k % len(order)]
        low[i] += 1 if left > 0 else -1
    return [sign * n * unit for n in low]


def allocate(amount, weights, places):
    """Shares by weights of 0 or more."""
    basis = [Fraction(w) for w in weights.values()]
    if sum(basis) == 0 or min(basis) < 0:
        raise ValueError(f"no basis to share by: {weights}")
    exact = [Fraction(amount) * w / sum(basis) for w in basis]
    return dict(zip(weights, in_parts(exact, amount, places), strict=True))


class Steps:
    """The steps of each meter: what it used between two readings."""

    def __init__(self):
        self.of = {}
        with (RECORD / "steps.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                step = {k: Decimal(row[k]) if row[k] else None
                        for k in ("raw", "measured", "corrected", "opening", "closing")}
                step |= {"s": instant(row["start"]), "e": instant(row["end"]),
                        "use": row["verdict"] == "use", "flags": {*row["flags"].split()},
                        "source": row["source"], "filled": step["raw"] == 0 < step["measured"]}
                self.of.setdefault((row["series"], row["element"]), []).append(step)

    def within(self, series, element, low, high):
        """The steps that overlap a span."""
        mine = self.of.get((series, element), [])
        first = bisect_right(mine, low, key=lambda x: x["e"])
        return mine[first : bisect_left(mine, high, key=lambda x: x["s"])]

    def flags(self, series, element, low, high):
        """What happened to the readings of a span."""
        return set().union(*(x["flags"] for x in self.within(series, element, low, high)))

    def energy(self, series, element, low, high, kind="corrected"):
        """Energy of a span, and how much of its time is covered."""
        total, covered = ZERO, 0
        for x in self.within(series, element, low, high):
            part = min(x["e"], high) - max(x["s"], low)
            if x["use"]:
                total += x[kind] * part / (x["e"] - x["s"])
                covered += part
        return total, covered


def status_of(coverage, flags):
    """The status of a figure, which is that of its worst part."""
    if coverage == 0:
        return "missing"
    estimates = {"reset", "ambiguous_fall", "edge_in_gap", "agreed"}
    return "partial" if coverage < 1 else "estimated" if flags & estimates else "recorded"


def energy_figure(steps, stay, rules):
    """Energy, coverage, status and measured energy of one stay."""
    # A meter without any reading has no instants of its own.
    low, high = instant(stay.get("from", stay["start"])), instant(stay.get("to", stay["end"]))
    mine = steps.within("energy", stay["element"], low, high)
    energy, covered = steps.energy("energy", stay["element"], low, high)
    if high <= low or covered == 0:
        return None, 0.0, "missing", ZERO
    coverage = covered / (high - low)
    flags = steps.flags("energy", stay["element"], low, high)
    for x in (x for x in mine if x["use"] and "gap_bridged" in x["flags"]):
        if (x["s"] < low or (x["s"] == low and x["opening"] is None)
                or x["e"] > high or (x["e"] == high and x["closing"] is None)):
            flags.add("edge_in_gap")
    status, places = status_of(coverage, flags), rules.get("places", 2)
    first = next((x["opening"] for x in mine if x["s"] == low), None)
    last = next((x["closing"] for x in mine if x["e"] == high), None)
    scale = max(abs(first or ZERO), abs(last or ZERO))
    shown = rules.get("edges", "last_reading") == "last_reading" and status != "partial"
    shown = shown and None not in (first, last)

    def printed(value):
        value = plain(value, scale)
        if not shown:
            return rounded(value, places)
        between = rounded(last, places) - rounded(first, places)
        return between + rounded(value - (last - first), places)

    if "agreed" not in flags:
        value = printed(energy)
        return value, coverage, status, value
    measured, _ = steps.energy("energy", stay["element"], low, high, "measured")
    return rounded(plain(energy, scale), places), coverage, status, printed(measured)


def energies(steps, use, rules):
    """The energy of each stay."""
    return ((stay, *energy_figure(steps, stay, rules)) for stay in use["stays"])


def kw_of_block(steps, use, element, low, high, kind):
    """The mean power of a block [kW]; None where not all of it is known.

    A long step of a register has a known total, and an unknown shape.
    """
    energy, covered = steps.energy("demand", element, low, high, kind)
    if covered < high - low:
        return None
    for x in steps.within("demand", element, low, high + 1):
        if kind == "measured" and x["filled"] and x["s"] < high:  # by an agreed figure
            return None
        cut = any(x["s"] < t < x["e"] or (x["s"] == t and x["opening"] is None)
                for t in (low, high))
        is_long = 2 * (x["e"] - x["s"]) > 3 * use["interval"][element] * MINUTE
        if x["source"] == "register" and x["use"] and cut and is_long:
            return None
    return (energy * 60 * MINUTE / (high - low)).quantize(Decimal("1e-9"), ROUND_HALF_EVEN)


def known_blocks(steps, use, elements, low, high, kind="corrected"):
    """The blocks of a span that all elements cover: start, end and each element's power."""
    for a, b in pairwise(instant(x) for x in use["blocks"]):
        kw = {k: kw_of_block(steps, use, k, a, b, kind) for k in elements if low <= a and b <= high}
        if kw and None not in kw.values():
            yield a, b, kw


def powers(steps, use, key, low, high, kind="corrected"):
    """The powers of a span of which the highest is its peak [kW], and its covered time."""
    mine = steps.of.get(("demand", key), [])
    if mine and mine[0]["source"] == "demand":  # what the meter reports
        mine = [x for x in mine if low < x["e"] <= high and x["closing"] is not None]
        kw = [x["closing"] for x in mine]
        if kind == "measured":
            kw = [x["measured"] * 60 * MINUTE / (x["e"] - x["s"]) for x in mine
                  if not x["filled"]]
        return kw, steps.energy("demand", key, low, high)[1]
    if any(x[0]["source"] == "demand" for (series, _), x in steps.of.items() if series == "demand"):
        return [], 0  # where meters report demand, a register has no peak
    found = list(known_blocks(steps, use, [key], low, high, kind))
    kw = [x[key] for a, b, x in found if b - a == use["window"] * MINUTE]
    return kw, sum(b - a for a, b, _ in found)


def own_peaks(steps, use, rules):
    """The own peak of each stay, times its share of the period."""
    start, end, places = instant(use["start"]), instant(use["end"]), rules.get("places", 2)
    for stay in (x for x in use["stays"] if x["kind"] not in {"main", "export"}):
        low, high, key = instant(stay["start"]), instant(stay["end"]), stay["element"]
        kw, covered = powers(steps, use, key, low, high)
        flags, coverage = steps.flags("demand", key, low, high), covered / (high - low)
        own = kw if "agreed" not in flags else powers(steps, use, key, low, high, "measured")[0]
        part = Decimal(high - low) / (end - start)
        tops = [rounded(rounded(plain(max(x)), places) * part, places) if x else None
                for x in (kw, own or kw)]
        yield stay, tops[0], coverage, status_of(coverage if kw else 0, flags), tops[1]


def coincidents(steps, use, rules):
    """What each element drew in the block in which all together drew the most."""
    mine = [s for s in use["stays"] if s["kind"] != "main"]
    elements = list(dict.fromkeys(s["element"] for s in mine))
    low, high = instant(use["start"]), instant(use["end"])
    found = list(known_blocks(steps, use, elements, low, high))
    coverage = sum(b - a for a, b, _ in found) / (high - low)
    best = [x for x in found if x[1] - x[0] == use["window"] * MINUTE]
    at, _, kw = max(best, key=lambda x: sum(x[2].values()), default=(low, low, {}))
    flags = set().union(*(steps.flags("demand", k, low, high) for k in elements))
    for k in elements:
        stay = next(s for s in mine
                    if s["element"] == k and instant(s["start"]) <= at < instant(s["end"]))
        value = rounded(plain(kw[k]), rules.get("places", 2)) if kw else None
        yield stay, value, coverage, status_of(coverage if kw else 0, flags), value


FIGURES = {"energy": energies, "own_peak": own_peaks, "coincident": coincidents}


def check_figures(record, uses, steps, rules):
    """Compute every figure; each use has then by basis stay, value and what was measured."""
    left = [*enumerate(record["result"]["figures"], 1)]
    for use in uses:
        use["figures"] = {}
        for basis in use["bases"]:
            mine = use["figures"][basis] = []
            for stay, value, coverage, status, measured in FIGURES[basis](steps, use, rules):
                i, row = left.pop(0)
                off = Decimal(row["quantity"] or 0) - value if value else ZERO
                if rules.get("places") != "exact" or abs(off) > MICRO:
                    off = ZERO  # only what is not rounded may differ, by binary noise
                used, own = (x and x + off for x in (value, measured))
                mine.append((stay, used, own))
                wanted = {k: stay[k] for k in ("element", "party", "kind")} | {"basis": basis,
                        "status": status, "coverage": round(coverage, 12), "quantity": used}
                was = {**row, "quantity": row["quantity"] and Decimal(row["quantity"]),
                        "coverage": round(float(row["coverage"]), 12)}
                for k in (k for k in wanted if was[k] != wanted[k]):
                    who = f"row {i} ({stay['party'] or stay['kind']} {stay['element']}): {k}"
                    differs(f"Table figures, {who} {row[k]} is recorded, {wanted[k]} comes out.")
    for i, _ in left:
        differs(f"Table figures, row {i}: it does not come out.")


def charge(line, party, part, amount, quantity=None, **more):
    """What a party has of a line."""
    title = f"{line}: {TITLES[part]}" if part in TITLES else line
    return {"party": party, "title": title, "line": line, "part": part, "quantity": quantity,
            "amount": amount, "agreed_by": "", **more}


class Split:
    """The bill's lines, shared by the rules."""

    def __init__(self, record, site, bill, rules, uses):
        self.record, self.site, self.bill, self.rules, self.uses = record, site, bill, rules, uses
        self.digits = next((n for n, x in DIGITS.items() if site["currency"].upper() in x), 2)
        self.places, self.landlord = rules.get("places", 2), site.get("landlord", "Landlord")
        self.tenants = [t["name"] for t in site.get("tenants", [])]
        self.parties = [*self.tenants, self.landlord]

    def rule_of(self, line):
        """The rule of a line, by its name or its kind, as a table."""
        rule = self.rules["lines"].get(line["name"], self.rules["lines"].get(line["kind"]))
        return {"by": rule} if isinstance(rule, str) else rule

    def sums(self, use, basis, kind, measured=True):
        """Figures of a kind by party."""
        found = {}
        for stay, value, own in use["figures"].get(basis, ()):
            if stay["kind"] == kind and value is not None:
                found[stay["party"]] = found.get(stay["party"], ZERO) + (own if measured else value)
        return found if kind != "own" else {p: found[p] for p in self.parties if p in found}

    def weights(self, use, rule):
        """The weight of each party."""
        by, days, found = rule["by"], use["days"], dict.fromkeys(self.parties, ZERO)
        if by in FIGURES:
            return self.sums(use, by, "own")
        if by == "days":
            for party in (party for day in days for party in day.values()):
                found[party] += 1
        elif by == "area":  # times days; of vacant elements their own
            areas = {t["name"]: t.get("area") for t in self.site.get("tenants", [])}
            for day in days:
                for party in {*day.values()} - {self.landlord}:
                    found[party] += Decimal(areas[party])
                for element in (k for k, party in day.items() if party == self.landlord):
                    found[self.landlord] += Decimal(self.site["elements"][element]["area"])
        elif by == "shares":  # by the days that a tenant is there; the landlord has the others'
            shares = {p: Decimal(rule["shares"].get(p, 0)) for p in self.parties}
            for p in self.tenants:
                found[p] = shares[p] * sum(p in day.values() for day in days)
            found[self.landlord] = sum(shares.values()) * len(days) - sum(found.values())
        else:
            found = {"export" if by == "export" else self.landlord: Decimal(1)}
        return {k: w for k, w in found.items() if w}

    def components(self, use, by):
        """The signed parts of a measured basis: name, total and weights."""
        own, export = self.sums(use, by, "own"), self.sums(use, by, "export")
        common = sum(self.sums(use, by, "common").values(), ZERO)
        parts = {k: self.rules[k] for k in ("loss", "common", "tolerance") if k in self.rules}
        shared = {}
        if by == "energy":
            kwh = rounded(Decimal(use["kwh"]), self.places)
            left = kwh - sum(own.values()) - sum(export.values()) - common
            for k, part in ((k, x) for k, x in parts.items() if not x.get("rest")):
                stated = part.get("kwh", kwh * Decimal(part.get("percent", 0)) / 100)
                shared[k] = rounded(Decimal(stated), self.places)
            rest = next((k for k, part in parts.items() if part.get("rest")), "unexplained")
            shared[rest] = left - sum(shared.values())
        shared["common"] = common + shared.get("common", ZERO)
        yield "own", sum(own.values(), ZERO), own
        for k, total in shared.items():
            ruled = k in parts and total != 0
            yield k, total, self.weights(use, parts[k]) if ruled else {"unallocated": Decimal(1)}
        yield "export", sum(export.values(), ZERO), {"export": Decimal(1)}

    def lines(self):
        """The charges of every line, in the bill's order."""
        lines = self.bill["lines"]
        found = {x["name"]: self.line(x) for x in lines if self.rule_of(x)["by"] != "lines"}
        base = dict(found)
        for x in (x for x in lines if x["name"] not in base):
            of = self.rule_of(x).get("of") or list(base)
            found[x["name"]] = self.as_lines(x, [c for k in of for c in base[k]])
        return [c for x in lines for c in found[x["name"]]]

    def line(self, line):
        """The charges of one line."""
        rule, use = self.rule_of(line), next(u for u in self.uses if line["name"] in u["lines"])
        if not Decimal(line["amount"]):
            return []
        if any(r["bill_line"] == line["name"] and r["part"] == "refused"
               for r in self.record["result"]["charges"]):
            # A figure it rests on is not accepted: it is nobody's, as a whole.
            return [charge(line["name"], "unallocated", "refused", Decimal(line["amount"]))]
        if rule["by"] in FIGURES:
            measured = self.sums(use, rule["by"], "own")
            value = self.sums(use, rule["by"], "own", measured=False)
            agreed = {k: value[k] - measured[k] for k in value if value[k] != measured[k]}
            return self.shared(line, list(self.components(use, rule["by"])), self.places, agreed)
        own = self.weights(use, rule)
        part = "export" if rule["by"] == "export" else "own"
        printed = rule["by"] in {"days", "area"}
        return self.shared(line, [(part, sum(own.values()), own)], self.places, {}, printed)

    def as_lines(self, line, others):
        """A tax: shared as the lines that it is taken of were."""
        total, agreed = {}, {}
        for c in others if Decimal(line["amount"]) else ():
            whose = c["agreed_by"] or c["party"]
            total[whose] = total.get(whose, ZERO) + c["amount"]
            if c["agreed_by"]:
                agreed[whose] = agreed.get(whose, ZERO) - c["amount"]
        mine = {k: v for k, v in total.items() if k not in {"export", "unallocated"}}
        own = {k: v for k, v in mine.items() if v >= 0}
        parts = [("own", sum(own.values(), ZERO), own)]
        parts += [("own", v, {k: Decimal(1)}) for k, v in mine.items() if v < 0]
        parts += [(part, total[k], {k: Decimal(1)}) for k, part in
                  (("export", "export"), ("unallocated", "refused")) if k in total]
        return self.shared(line, parts, self.digits, agreed)

    def shared(self, line, parts, places, agreed, printed=True):
        """A line cut into its parts, and each part shared by its weights.

        What an agreed figure leaves of a charge by the measured one is the landlord's.
        """
        amount, name, found = Decimal(line["amount"]), line["name"], []
        parts = [p for p in parts if p[1] != 0]
        whole = sum(total for _, total, _ in parts)
        exact = [Fraction(amount * total / whole) for _, total, _ in parts]
        moneys = in_parts(exact, amount, self.digits)
        for (part, total, weights), money in zip(parts, moneys, strict=True):
            shares = allocate(money, weights, self.digits)
            same = sum(weights.values()) == total
            quantities = weights if same else allocate(total, weights, places)
            for party, share in shares.items():
                if part != "own" or party not in agreed or not printed:
                    quantity = quantities[party] if printed else None
                    found.append(charge(name, party, part, share, quantity))
                    continue
                more, quantity = agreed[party], quantities[party] + agreed[party]
                own = rounded(amount * quantity / whole, self.digits)
                found.append(charge(name, party, part, own, quantity))
                found.append(charge(name, self.landlord, "agreed", share - own, -more,
                                    agreed_by=party))
        return found

    def fees(self):
        """The landlord's fees."""
        use = self.uses[0]
        here = [p for p in self.tenants if any(s["party"] == p for s in use["stays"])]
        for fee in self.rules.get("fees", []):
            name, per, each = fee["name"], fee.get("per", "tenant"), Decimal(fee["amount"])
            whole = rounded(each, self.digits)
            if per == "shares":
                by = self.weights(use, {"by": "shares", "shares": fee["shares"]})
                for p, money in allocate(whole, by, self.digits).items():
                    yield charge(name, p, "fee", money)
            for p in here if per != "shares" else ():
                n = Decimal(sum(p in day.values() for day in use["days"]))
                if per == "tenant":
                    yield charge(name, p, "fee", whole)
                elif n:
                    yield charge(name, p, "fee", rounded(each * n, self.digits), n)


def rebilled(split, charges, fees, how):
    """What is billed after what was billed before."""
    for c in charges:
        c["computed"] = c["amount"]
    keep = set(split.tenants) - set(how["direct"]) if how["others"] == "landlord" else set()
    old = {(x["party"], x["title"]): x for x in how["before"]
           if x["party"] in keep and x["part"] not in {"interest", "fee", "rebill_difference"}}
    for c in charges:
        was = old.pop((c["party"], c["title"]), None)
        if c["party"] in keep:
            c["amount"] = Decimal(was["amount"]) if was else ZERO
    charges += [charge(x["line"], x["party"], x["part"], Decimal(x["amount"]), title=x["title"],
                       computed=ZERO) for x in old.values()]
    for name in dict.fromkeys(c["line"] for c in charges):
        left = sum(c["computed"] - c["amount"] for c in charges if c["line"] == name)
        if left:
            charges.append(charge(name, split.landlord, "rebill_difference", left, computed=ZERO))
    for x in (x for x in how["before"] if x["part"] == "interest"):
        fees.append(charge(x["line"], x["party"], "interest", Decimal(x["amount"])))
    if how["interest"] is None or how["interest_to"] is None:
        return
    # Simple interest on what each tenant was overcharged, actual/365.
    start, end = (dt.date.fromisoformat(how[k]) for k in ("interest_from", "interest_to"))
    name, found = f"Interest {how['interest']} % from {start} to {end}", []
    for p in split.tenants:
        before = sum(Decimal(x["amount"]) for x in how["before"] if x["party"] == p)
        over = before - sum(c["amount"] for c in (*charges, *fees) if c["party"] == p)
        exact = over * Decimal(how["interest"]) * max((end - start).days, 0) / 36500
        money = -rounded(exact, split.digits)
        if over > 0 and money:
            found.append(charge(name, p, "interest", money))
    fees += found


def check_charges(record, charges, places):
    """Every charge as it is recorded, and as it comes out."""
    recorded = record["result"]["charges"]
    if len(recorded) != len(charges):
        differs(f"Table charges: {len(recorded)} rows are recorded, {len(charges)} come out.")
    for i, (row, c) in enumerate(zip(recorded, charges, strict=False), 1):
        wanted = {"line": c["title"], "bill_line": c["line"], "billed": c["amount"],
                "computed": c.get("computed", c["amount"])}
        wanted |= {k: c[k] for k in ("party", "part", "quantity", "amount")}
        for k, x in wanted.items():
            was = Decimal(row[k]) if isinstance(x, Decimal) and row[k] is not None else row[k]
            off = places == "exact" and x is not None and k == "quantity" and abs(was - x) < MICRO
            if was != x and not off:
                differs(f"Table charges, row {i} ({row['party']} {row['line']}): {k} {was} is "
                        f"recorded, {x} comes out.")


def check_control(record, split, charges, fees):
    """Where the utility's amount went, to the cent."""
    names = ["tenants", "landlord", "export", "unallocated"]
    names += ["rebill_difference"] * any("computed" in c for c in charges)
    wanted = {"utility": sum(Decimal(x["amount"]) for x in split.bill["lines"])}
    wanted |= dict.fromkeys(names, ZERO)
    for c in charges:
        role = "landlord" if c["party"] == split.landlord else "tenants"
        role = c["party"] if c["party"] in ("export", "unallocated") else role
        wanted[c["part"] if c["part"] == "rebill_difference" else role] += c["amount"]
    if 2 * wanted["utility"] != sum(wanted.values()):
        differs(f"The shares do not add up to the bill's {wanted['utility']}.")
    wanted |= {"fees": sum(c["amount"] for c in fees)} if fees else {}
    recorded = {r["party"]: Decimal(r["amount"]) for r in record["result"]["control"]}
    for k in {*wanted, *recorded}:
        if recorded.get(k) != wanted.get(k):
            differs(f"Control {k}: {recorded.get(k)} is recorded, {wanted.get(k)} comes out.")


def check_statements(charges):
    """The statements' lines and totals against the charges."""
    for paper in load("statements.json") if (RECORD / "statements.json").is_file() else []:
        mine = sum((c["amount"] for c in charges if c["party"] == paper["party"]), ZERO)
        lines = sum(Decimal(x["amount"]) for x in paper["lines"])
        if not mine == lines == Decimal(paper.get("total", lines)):
            differs(f"The statement of {paper['party']} is {lines}, {mine} comes out.")


def main():
    """Check the record, and print what differs."""
    record = load("record.json")
    try:
        check_files(record)
        site, bill, rules = (load(f"{x}.toml") for x in ("site", "bill", "rules"))
        rules, uses = rules.get("split", rules), load("edges.json")
        check_figures(record, uses, Steps(), rules)
        split = Split(record, site, bill, rules, uses)
        charges, fees = split.lines(), list(split.fees())
        if (RECORD / "rebill.json").is_file():
            rebilled(split, charges, fees, load("rebill.json"))
        check_charges(record, [*charges, *fees], split.places)
        check_control(record, split, charges, fees)
        check_statements([*charges, *fees])
    except (LookupError, ValueError, TypeError, ArithmeticError, StopIteration,
            AttributeError) as error:
        differs(f"It cannot be computed: {type(error).__name__} {error}.")
    print(*differences, sep="\n", end="\n" if differences else "")
    if differences:
        sys.exit(1)
    print(f"Nothing differs: {record['bill']} of {record['site']}, computed from its steps.")


if __name__ == "__main__":
    main()
