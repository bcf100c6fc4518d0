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
    differences.extend(f"{name} is not in the record's list." for name in there)
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
    low = [x // 1 for x in whole]
    order = sorted(range(len(exact)), key=lambda i: low[i] - whole[i])
    for k in range(int(abs(total) / unit) - sum(low)):
        low[order[k % len(order)]] += 1
    return [sign * n * unit for n in low]


def allocate(amount, weights, places):
    """Shares by weights of 0 or more."""
    basis = [Fraction(w) for w in weights.values()]
    if sum(basis) == 0 or min(basis) < 0:
        raise ValueError(f"no basis to share by: {weights}")
    exact = [Fraction(amount) * w / sum(basis) for w in basis]
    return dict(zip(weights, in_parts(exact, amount, places), strict=True))


class Steps(dict):
    """The steps of each meter, by series and element: what it used between two readings."""

    def __init__(self):
        with (RECORD / "steps.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                step = {k: Decimal(row[k]) if row[k] else None
                        for k in ("raw", "measured", "corrected", "opening", "closing")}
                step |= {"s": instant(row["start"]), "e": instant(row["end"]),
                        "use": row["verdict"] == "use", "flags": {*row["flags"].split()},
                        "source": row["source"], "filled": step["raw"] == 0 < step["measured"]}
                self.setdefault((row["series"], row["element"]), []).append(step)

    def within(self, series, element, low, high):
        """The steps that overlap a span."""
        mine = self.get((series, element), [])
        first = bisect_right(mine, low, key=lambda x: x["e"])
        return mine[first : bisect_left(mine, high, key=lambda x: x["s"])]

    def energy(self, series, element, low, high, kind="corrected"):
        """Energy of a span, how much of its time is covered, and what happened to its readings.

        What an agreed figure fills is not covered by what was measured.
        """
        every = self.within(series, element, low, high)
        mine = [(x, min(x["e"], high) - max(x["s"], low)) for x in every if x["use"]]
        energy = sum((x[kind] * part / (x["e"] - x["s"]) for x, part in mine), ZERO)
        covered = sum(part for x, part in mine if kind == "corrected" or not x["filled"])
        return energy, covered, set().union(*(x["flags"] for x in every))


def status_of(coverage, flags):
    """The status of a figure, which is that of its worst part."""
    if coverage == 0:
        return "missing"
    estimates = {"reset", "ambiguous_fall", "edge_in_gap", "agreed"}
    return "partial" if coverage < 1 else "estimated" if flags & estimates else "recorded"


def energies(steps, use, rules):
    """The energy of each stay: what was used, coverage, status and what was measured."""
    places, edges = rules.get("places", 2), rules.get("edges", "last_reading")
    for stay in use["stays"]:
        # A meter without any reading has no instants of its own.
        low, high = instant(stay.get("from", stay["start"])), instant(stay.get("to", stay["end"]))
        span = "energy", stay["element"], low, high
        mine, (energy, covered, flags) = steps.within(*span), steps.energy(*span)
        first = next((x["opening"] for x in mine if x["s"] == low), None)
        last = next((x["closing"] for x in mine if x["e"] == high), None)
        for x in (x for x in mine if x["use"] and "gap_bridged" in x["flags"]):
            if (first is None and x["s"] <= low) or (last is None and x["e"] >= high):
                flags.add("edge_in_gap")
        coverage = covered / (high - low) if high > low else 0.0
        status, scale = status_of(coverage, flags), max(abs(first or ZERO), abs(last or ZERO))
        agreed = "agreed" in flags
        own = plain(steps.energy(*span, "measured")[0] if agreed else energy, scale)
        if edges == "last_reading" and status != "partial" and None not in (first, last):
            # Used is closing less opening, as printed.
            between = rounded(last, places) - rounded(first, places)
            own = between + rounded(own - (last - first), places)
        value = plain(energy, scale) if agreed else own
        value, own = (rounded(x, places) if coverage else None for x in (value, own))
        yield stay, value, coverage, status, own


def kw_of_block(steps, use, element, low, high, kind):
    """The mean power of a block [kW]; None where not all of it is known.

    A long step of a register has a known total, and an unknown shape.
    """
    energy, covered, _ = steps.energy("demand", element, low, high, kind)
    if covered < high - low:
        return None
    for x in steps.within("demand", element, low, high + 1):
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
    mine = steps.get(("demand", key), [])
    if mine and mine[0]["source"] == "demand":  # what the meter reports
        mine = [x for x in mine if low < x["e"] <= high and x["closing"] is not None]
        kw = [x["closing"] for x in mine]
        if kind == "measured":
            kw = [x["measured"] * 60 * MINUTE / (x["e"] - x["s"]) for x in mine if not x["filled"]]
        return kw, steps.energy("demand", key, low, high)[1]
    if any(x[0]["source"] == "demand" for (series, _), x in steps.items() if series == "demand"):
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
        flags, coverage = steps.energy("demand", key, low, high)[2], covered / (high - low)
        own = kw if "agreed" not in flags else powers(steps, use, key, low, high, "measured")[0]
        part = Decimal(high - low) / (end - start)
        tops = [rounded(rounded(plain(max(x)), places) * part, places) if x else None
                for x in (kw, own or kw)]
        yield stay, tops[0], coverage, status_of(coverage if kw else 0, flags), tops[1]


def coincidents(steps, use, rules):
    """What each element drew in the block in which all together drew the most."""
    mine = [s for s in use["stays"] if s["kind"] != "main"]
    elements = {s["element"] for s in mine}
    low, high = instant(use["start"]), instant(use["end"])
    found = list(known_blocks(steps, use, elements, low, high))
    coverage = sum(b - a for a, b, _ in found) / (high - low)
    best = [x for x in found if x[1] - x[0] == use["window"] * MINUTE]
    at, _, kw = max(best, key=lambda x: sum(x[2].values()), default=(low, low, {}))
    flags = set().union(*(steps.energy("demand", k, low, high)[2] for k in elements))
    for stay in (s for s in mine if instant(s["start"]) <= at < instant(s["end"])):
        value = rounded(plain(kw[stay["element"]]), rules.get("places", 2)) if kw else None
        yield stay, value, coverage, status_of(coverage if kw else 0, flags), value


FIGURES = {"energy": energies, "own_peak": own_peaks, "coincident": coincidents}


def check_figures(record, uses, steps, rules):
    """Compute every figure; each use has then by basis what was measured, and agreed beyond it."""
    left = [*enumerate(record["result"]["figures"], 1)]
    for use in uses:
        use["figures"] = {basis: [] for basis in use["bases"]}
        for basis, mine in use["figures"].items():
            for stay, value, coverage, status, measured in FIGURES[basis](steps, use, rules):
                i, row = left.pop(0)
                off = Decimal(row["quantity"] or 0) - value if value else ZERO
                if rules.get("places") != "exact" or abs(off) > MICRO:
                    off = ZERO  # only what is not rounded may differ, by binary noise
                used, own = (x and x + off for x in (value, measured))
                if used is not None:
                    mine.append(stay | {"measured": own, "agreed": used - own})
                wanted = {k: stay[k] for k in ("element", "party", "kind")} | {"basis": basis,
                        "status": status, "coverage": round(coverage, 12), "quantity": used}
                was = {**row, "quantity": row["quantity"] and Decimal(row["quantity"]),
                        "coverage": round(float(row["coverage"]), 12)}
                for k in (k for k in wanted if was[k] != wanted[k]):
                    who = f"row {i} ({stay['party'] or stay['kind']} {stay['element']}): {k}"
                    differs(f"Table figures, {who} {row[k]} is recorded, {wanted[k]} comes out.")
    differences.extend(f"Table figures, row {i}: it does not come out." for i, _ in left)


def charge(line, party, part, amount, quantity=None, **more):
    """What a party has of a line."""
    title = f"{line}: {TITLES[part]}" if part in TITLES else line
    return {"line": title, "bill_line": line, "party": party, "part": part, "quantity": quantity,
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

    def sums(self, use, basis, kind, what="measured"):
        """Figures of a kind by party: what was measured, or agreed beyond it."""
        found = {}
        for x in (x for x in use["figures"].get(basis, ()) if x["kind"] == kind):
            found[x["party"]] = found.get(x["party"], ZERO) + x[what]
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
            found |= {p: shares[p] * sum(p in x.values() for x in days) for p in self.tenants}
            found[self.landlord] = sum(shares.values()) * len(days) - sum(found.values())
        else:
            found = {"export" if by == "export" else self.landlord: Decimal(1)}
        return {k: w for k, w in found.items() if w}

    def components(self, use, rule):
        """The signed parts of a basis: name, total and weights."""
        by, own = rule["by"], self.weights(use, rule)
        common, export = (sum(self.sums(use, by, k).values(), ZERO) for k in ("common", "export"))
        parts = {k: self.rules[k] for k in ("loss", "common", "tolerance") if k in self.rules}
        shared = {}
        if by == "energy":
            kwh = rounded(Decimal(use["kwh"]), self.places)
            for k, part in ((k, x) for k, x in parts.items() if not x.get("rest")):
                stated = part.get("kwh", kwh * Decimal(part.get("percent", 0)) / 100)
                shared[k] = rounded(Decimal(stated), self.places)
            rest = next((k for k, part in parts.items() if part.get("rest")), "unexplained")
            shared[rest] = kwh - sum([*own.values(), export, common, *shared.values()])
        shared["common"] = common + shared.get("common", ZERO)
        yield "export" if by == "export" else "own", sum(own.values(), ZERO), own
        for k, total in shared.items():
            ruled = k in parts and total != 0
            yield k, total, self.weights(use, parts[k]) if ruled else {"unallocated": Decimal(1)}
        yield "export", export, {"export": Decimal(1)}

    def lines(self):
        """The charges of every line, in the bill's order."""
        lines = self.bill["lines"]
        base = {x["name"]: [*self.line(x)] for x in lines if self.rule_of(x)["by"] != "lines"}
        taxes = {x["name"]: self.as_lines(x, base) for x in lines if x["name"] not in base}
        return [c for x in lines for c in (base | taxes)[x["name"]]]

    def line(self, line):
        """The charges of one line."""
        rule, use = self.rule_of(line), next(u for u in self.uses if line["name"] in u["lines"])
        if not Decimal(line["amount"]):
            return []
        if any(r["bill_line"] == line["name"] and r["part"] == "refused"
               for r in self.record["result"]["charges"]):
            # A figure it rests on is not accepted: it is nobody's, as a whole.
            return [charge(line["name"], "unallocated", "refused", Decimal(line["amount"]))]
        agreed = {k: x for k, x in self.sums(use, rule["by"], "own", "agreed").items() if x}
        places = self.places if rule["by"] in {*FIGURES, "days", "area"} else None
        return self.shared(line, self.components(use, rule), places, agreed)

    def as_lines(self, line, base):
        """A tax: shared as the lines that it is taken of were."""
        total, agreed, of = {}, {}, self.rule_of(line).get("of") or base
        for c in (c for k in base if k in of for c in base[k] if Decimal(line["amount"])):
            whose = c["agreed_by"] or c["party"]
            total[whose] = total.get(whose, ZERO) + c["amount"]
            if c["agreed_by"]:
                agreed[whose] = agreed.get(whose, ZERO) - c["amount"]
        others = [(part, total.pop(k), {k: Decimal(1)}) for k, part in
                  (("export", "export"), ("unallocated", "refused")) if k in total]
        own = {p: total[p] for p in self.parties if total.get(p, -1) >= 0}
        parts = [("own", sum(own.values(), ZERO), own)]
        parts += [("own", v, {k: Decimal(1)}) for k, v in total.items() if v < 0]
        return self.shared(line, [*parts, *others], self.digits, agreed)

    def shared(self, line, parts, places, agreed):
        """A line cut into its parts, and each part shared by its weights.

        What an agreed figure leaves of a charge by the measured one is the landlord's. Quantities
        are printed where they have places.
        """
        amount, name = Decimal(line["amount"]), line["name"]
        parts = [p for p in parts if p[1] != 0]
        whole = sum(total for _, total, _ in parts)
        moneys = in_parts([Fraction(amount * x / whole) for _, x, _ in parts], amount, self.digits)
        for (part, total, weights), money in zip(parts, moneys, strict=True):
            shares = allocate(money, weights, self.digits)
            same = sum(weights.values()) == total
            quantities = weights if same else allocate(total, weights, places)
            for party, share in shares.items():
                more = agreed.get(party) if part == "own" else None
                quantity = None if places is None else quantities[party] + (more or ZERO)
                own = share if more is None else rounded(amount * quantity / whole, self.digits)
                yield charge(name, party, part, own, quantity)
                if more is not None:
                    yield charge(name, self.landlord, "agreed", share - own, -more, agreed_by=party)

    def fees(self):
        """The landlord's fees."""
        use = self.uses[0]
        here = [p for p in self.tenants if any(s["party"] == p for s in use["stays"])]
        for fee in self.rules.get("fees", []):
            name, per, each = fee["name"], fee.get("per", "tenant"), Decimal(fee["amount"])
            whole = rounded(each, self.digits)
            whose = dict.fromkeys(here, whole)
            if per == "shares":
                whose = allocate(whole, self.weights(use, fee | {"by": "shares"}), self.digits)
            for p, money in whose.items():
                n = Decimal(sum(p in day.values() for day in use["days"]))
                if per in {"tenant", "shares"}:
                    yield charge(name, p, "fee", money)
                elif n:
                    yield charge(name, p, "fee", rounded(each * n, self.digits), n)


def rebilled(split, charges, fees, how):
    """What is billed after what was billed before."""
    keep = set(split.tenants) - set(how["direct"]) if how["others"] == "landlord" else set()
    old = {(x["party"], x["title"]): x for x in how["before"]
           if x["party"] in keep and x["part"] not in {"interest", "fee", "rebill_difference"}}
    for c in charges:
        c["computed"] = c["amount"]
        if c["party"] in keep:
            was = old.pop((c["party"], c["line"]), None)
            c["amount"] = Decimal(was["amount"]) if was else ZERO
    charges += [charge(x["line"], x["party"], x["part"], Decimal(x["amount"]), computed=ZERO)
                | {"line": x["title"]} for x in old.values()]
    for name in dict.fromkeys(c["bill_line"] for c in charges):
        left = sum(c["computed"] - c["amount"] for c in charges if c["bill_line"] == name)
        if left:
            charges.append(charge(name, split.landlord, "rebill_difference", left, computed=ZERO))
    fees += [charge(x["line"], x["party"], "interest", Decimal(x["amount"]))
             for x in how["before"] if x["part"] == "interest"]
    if how["interest"] is None or how["interest_to"] is None:
        return
    # Simple interest on what each tenant was overcharged, actual/365.
    start, end = (dt.date.fromisoformat(how[k]) for k in ("interest_from", "interest_to"))
    name = f"Interest {how['interest']} % from {start} to {end}"
    for p in split.tenants:
        before = sum(Decimal(x["amount"]) for x in how["before"] if x["party"] == p)
        over = before - sum(c["amount"] for c in (*charges, *fees) if c["party"] == p)
        exact = over * Decimal(how["interest"]) * max((end - start).days, 0) / 36500
        money = -rounded(exact, split.digits)
        if over > 0 and money:
            fees.append(charge(name, p, "interest", money))


def check_charges(record, charges, places):
    """Every charge as it is recorded, and as it comes out."""
    recorded = record["result"]["charges"]
    if len(recorded) != len(charges):
        differs(f"Table charges: {len(recorded)} rows are recorded, {len(charges)} come out.")
    for i, (row, c) in enumerate(zip(recorded, charges, strict=False), 1):
        for k in ("line", "bill_line", "billed", "computed", "party", "part", "quantity", "amount"):
            x = c.get(k, c["amount"])  # what is billed and computed, where none says otherwise
            was = Decimal(row[k]) if isinstance(x, Decimal) and row[k] is not None else row[k]
            off = places == "exact" and x is not None and k == "quantity" and abs(was - x) < MICRO
            if was != x and not off:
                differs(f"Table charges, row {i} ({row['party']} {row['line']}): {k} {was} is "
                        f"recorded, {x} comes out.")


def check_control(record, split, charges, fees):
    """Where the utility's amount went, to the cent."""
    wanted = dict.fromkeys(["tenants", "landlord", "export", "unallocated"], ZERO)
    wanted |= {"rebill_difference": ZERO} if any("computed" in c for c in charges) else {}
    roles = {split.landlord: "landlord", "export": "export", "unallocated": "unallocated"}
    for c in charges:
        is_kept = c["part"] == "rebill_difference"
        wanted[c["part"] if is_kept else roles.get(c["party"], "tenants")] += c["amount"]
    utility = sum(Decimal(x["amount"]) for x in split.bill["lines"])
    if utility != sum(wanted.values()):
        differs(f"The shares do not add up to the bill's {utility}.")
    wanted |= {"utility": utility} | ({"fees": sum(c["amount"] for c in fees)} if fees else {})
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
        whose = f"{record['bill']} of {record['site']}"
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
    except (OSError, LookupError, ValueError, TypeError, ArithmeticError, StopIteration,
            AttributeError) as error:
        differs(f"It cannot be computed: {type(error).__name__} {error}.")
    if differences:
        print(*differences, sep="\n")
        sys.exit(1)
    print(f"Nothing differs: {whose}, computed from its steps.")


if __name__ == "__main__":
    main()
