"""One month's split, worked out by hand: clock change, rate change, move, reset, glitch."""

from __future__ import annotations

import pandas as pd

from tests.split_kit import (
    LA,
    balanced,
    bill,
    element,
    found,
    line,
    readings,
    shares,
    site,
    split,
    tenant,
)


def test_a_split_by_hand():
    """March 2024 in Los Angeles: a clock change, a holiday, a move at midday, a reset, a glitch.

    Every register rises by 1 kW (A), 2 kW (B) and 0.5 kW (C), so that energy is hours: the
    month has 31 x 24 - 1 = 743 h (the clock skips an hour on the 10th), and noon of the 15th is
    14 x 24 - 1 + 12 = 347 h after its start, 396 h before its end.

    A (1 kW): Ann to noon of the 15th, then vacant: 347 and 396 kWh.
    B (2 kW): Bob's, 1486 kWh; its register reads 0 once on the 20th: a blip, bridged.
    C (0.5 kW): Cy's. Cleared on the 25th at 06:00, reading 0.125 after 15 minutes: 371.5 kWh,
    but what ran before the clear is not known: estimated, accepted by the rules.
    Sum 347 + 396 + 1486 + 371.5 = 2600.5; the utility has 2652.51: 52.01 kWh, the loss (1.96 %).

    The rate changes on the 15th: two lines, each shared by the energy of its own dates.
    Old rate, 14 x 24 - 1 = 335 h: Ann 335, Bob 670, Cy 167.5, together 1172.5 of the utility's
    1195.95; new rate, 17 x 24 = 408 h: Ann 12 h to noon, the vacant unit 396, Bob 816, Cy 204,
    together 1428 of 1456.56. Days do not ask for holidays: César Chávez Day (the 31st) is a day
    like any other.
    """
    rows = [tenant("Ann", "A", end="2024-03-15T12:00:00"), tenant("Bob", "B"), tenant("Cy", "C")]
    elements = {"P1_A": element(), "P1_B": element(), "P1_C": element()}
    rules = {"accept": ["recorded", "estimated"], "loss": {"by": "energy", "rest": True}}
    frame = readings({"A": 743, "B": 1486, "C": 371.5}, "2024-03-01", "2024-04-01")
    at = frame.index.get_level_values("time")
    frame.loc[at == pd.Timestamp("2024-03-20 09:00", tz=LA), "kWHNet/Elm/B"] = 0.0
    after = at > pd.Timestamp("2024-03-25 06:00", tz=LA)
    cleared = frame.loc[at == pd.Timestamp("2024-03-25 06:00", tz=LA), "kWHNet/Elm/C"].iloc[0]
    frame.loc[after, "kWHNet/Elm/C"] -= cleared

    b = bill(
        line("Energy, old rate", "energy", "260.10", start="2024-03-01", end="2024-03-15",
             kwh="1195.95"),
        line("Energy, new rate", "energy", "400.00", start="2024-03-15", end="2024-04-01",
             kwh="1456.56"),
        line("Service", "fixed", "93.01"),
        kwh="2652.51", start="2024-03-01", end="2024-04-01", days=31,
    )  # fmt: skip
    run = split(b, site(rows, elements, rules), frame=frame)

    own = run.figures.groupby(["element", "party"])["quantity"].agg(lambda q: [*map(str, q)])
    assert own.to_dict() == {
        ("P1_A", "Ann"): ["335.00", "12.00"],
        ("P1_A", "Landlord"): ["396.00"],
        ("P1_B", "Bob"): ["670.00", "816.00"],
        ("P1_C", "Cy"): ["167.50", "204.00"],
    }
    # old rate: own 260.10 x 1172.5 / 1195.95 = 255.0000 -> 255.00, loss 5.10;
    # 255 x 335/1172.5 = 72.857, 670 -> 145.714, 167.5 -> 36.429
    assert shares(run, "Energy, old rate") == {"Ann": "72.86", "Bob": "145.71", "Cy": "36.43"}
    # 23.45 kWh by 335 : 670 : 167.5 of 1172.5 (a fiftieth) are 6.70, 13.40, 3.35
    loss = run.charges[run.charges["line"] == "Energy, old rate: technical loss"]
    assert [str(q) for q in loss["quantity"]] == ["6.70", "13.40", "3.35"]
    # new rate: own 400 x 1428 / 1456.56 = 392.157 -> 392.16, loss 7.84;
    # 392.16 x 12/1428 = 3.2955, 816 -> 224.0914, 204 -> 56.0229, 396 -> 108.7502: cents down
    # 3.29, 224.09, 56.02, 108.75 lack one, which goes to Ann's remainder .55
    assert shares(run, "Energy, new rate") == {
        "Ann": "3.30", "Bob": "224.09", "Cy": "56.02", "Landlord": "108.75",
    }  # fmt: skip
    # 93.01 by 15, 31, 31 and 16 element-days of 93 is 1.0001 a day: the odd cent to the
    # largest remainder: 31 x 0.0107.. (Bob, before Cy)
    assert shares(run, "Service") == {
        "Ann": "15.00", "Bob": "31.01", "Cy": "31.00", "Landlord": "16.00",
    }  # fmt: skip
    assert found(run, "estimated")["subject"].tolist() == ["P1_C"]
    assert len(found(run, "periods_differ")) == 0
    assert run.ok
    assert "glitch" in run.statements["Bob"].lines[2].flags
    assert "reset" not in run.statements["Cy"].lines[0].flags
    assert "reset" in run.statements["Cy"].lines[2].flags
    assert str(run.control["utility"]) == "753.11"
    assert balanced(run)
    assert all(s.check() == [] for s in run.statements)
