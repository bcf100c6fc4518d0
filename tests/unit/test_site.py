"""Sites: what a file says, what it must not say, and what verbs take from it."""

from __future__ import annotations

import datetime as dt
import tomllib
from decimal import Decimal
from fractions import Fraction
from typing import get_type_hints

import pandas as pd
import pytest

from dentframe import RegisterRules, Site
from dentframe.errors import ConfigError
from dentframe.money.split_bill import Run
from dentframe.site.site import Element, Hold, Tenant, apply_site, summed
from tests.split_kit import LA, element, readings, site, tenant

FILE = """
name = "Market Street"
tz = "America/Los_Angeles"
currency = "USD"
landlord = "Owner"

[elements.P1_A]
label = "Main"
role = "main"
cts = [200, 200, 200]
volts = 277

[elements.P1_B]
label = "Bakery"
parent = "P1_A"
cts = [100.5]
volts = 120
swaps = [{ at = 2024-03-01T10:20:00, closing = 7000.5, opening = 12 }]

[elements.P1_C]
label = "Solar"
role = "export"
parent = "P1_A"
max_kw = 9.5

[[tenants]]
name = "Bakery"
code = "4100-01"
area = 120.50
elements = ["P1_B"]
end = 2023-12-15T12:00:00

[[tenants]]
name = "Café"
[[tenants.holds]]
elements = ["P1_B"]
start = 2023-12-15T12:00:00-08:00
end = 2024-06-01
"""


@pytest.fixture
def path(tmp_path):
    """The file on disk."""
    path = tmp_path / "site.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_types_of_the_fields_are_known_at_run_time():
    """Other libraries look at them."""
    assert get_type_hints(Hold)["start"] == dt.date | dt.datetime | None
    assert "holds" in get_type_hints(Tenant)
    assert "rebilling" in get_type_hints(Run)


def test_a_file_is_read(path):
    """A site has what its file says, decimals exact and dates as written."""
    s = Site.load(path)
    assert (s.name, s.tz, s.currency, s.landlord) == ("Market Street", LA, "USD", "Owner")
    assert s.labels == {"P1_A": "Main", "P1_B": "Bakery", "P1_C": "Solar"}
    assert s.tenants[0].area == Decimal("120.50")
    assert s.tenants[0].holds[0].end == dt.datetime(2023, 12, 15, 12)  # noqa: DTZ001 - wall time
    assert s.tenants[1].name == "Café"


def test_max_kw_is_the_sum_over_the_cts(path):
    """Rating x volts / 1000 over the CTs, exactly; a stated max_kw wins."""
    found = Site.load(path).register_rules()
    assert found.max_kw == {"P1_A": 166.2, "P1_B": 12.06, "P1_C": 9.5}
    assert found.allow_export == {"P1_C": True}
    assert found.swaps["P1_B"][0][1:] == (7000.5, 12.0)


def test_a_site_survives_its_file(path):
    """Reading what to_toml wrote gives an equal site."""
    s = Site.load(path)
    again = Site.from_dict(tomllib.loads(s.to_toml(), parse_float=Decimal))
    assert again == s
    assert Site.from_dict(s.to_dict()) == s


def test_a_tenant_without_holds_says_so_in_the_file():
    """The table of a tenant who holds nothing has its field all the same."""
    s = Site("S", LA, "USD", {"P1_A": Element("A")}, (Tenant("Café"),))
    assert s.to_dict()["tenants"] == [{"name": "Café", "holds": []}]


def test_a_stay_ends_at_its_instant(path):
    """A move at midday changes the holder at midday; the end is exclusive."""
    s = Site.load(path)
    noon = pd.Timestamp("2023-12-15 20:00", tz="UTC")
    (_, first, _), (second, _, _) = s.holds_of("P1_B")
    assert first == second == noon


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("volts = 120", "volt = 120", "table [elements.P1_B], field 'volt'"),
        ("cts = [100.5]", "cts = [-1]", "table [elements.P1_B], field 'cts' = [-1]"),
        ('role = "main"', 'role = "mian"', "field 'role' = 'mian'"),
        ('name = "Café"', 'name = "Café"\nstart = 2024-01-01', "give start here or in"),
        ('parent = "P1_A"\ncts', 'parent = "P1_Z"\ncts', "no element 'P1_Z'"),
        ('tz = "America/Los_Angeles"', 'tz = "America/Los"', "field 'tz'"),
        ('tz = "America/Los_Angeles"', 'timezone = "UTC"', "did you mean 'tz'"),
        ("max_kw = 9.5", "", "field 'cts, volts'"),
        ('name = "Café"', 'name = "Owner"', "names another party"),
        ('name = "Café"', 'name = "export"', "names another party"),
        ("end = 2024-06-01", "end = 2023-01-01", "is not after start"),
        ("start = 2023-12-15T12:00:00-08:00", "start = 2023-12-15", "held twice"),
        (
            '[[tenants.holds]]\nelements = ["P1_B"]',
            '[[tenants.holds]]\nelements = ["P1_A"]',
            "main",
        ),
        ("end = 2023-12-15T12:00:00", "end = 2023-03-12T02:30:00", "does not exist"),
        ("area = 120.50", "area = -1", "at least 0"),
    ],
)
def test_errors_name_file_table_and_field(path, old, new, told):
    """What cannot be meant is refused with the file, the table and the field."""
    path.write_text(FILE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        Site.load(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_of_two_equal_holds_the_first_in_the_file_is_named_first():
    """Whatever their names are."""
    both = [tenant("Zoo", "A"), tenant("Attic", "A")]
    with pytest.raises(ConfigError, match=r"by 'Zoo' .* by 'Attic'"):
        site(both)


def test_no_file_and_no_toml(tmp_path):
    """A missing file and a broken one say so."""
    with pytest.raises(ConfigError, match="Cannot read"):
        Site.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("name = ")
    with pytest.raises(ConfigError, match="as TOML"):
        Site.load(tmp_path / "bad.toml")


def test_a_tenant_may_come_back():
    """Two holds of one tenant, with another between them, do not overlap."""
    come_and_go = [
        {
            "name": "A",
            "holds": [
                {"elements": ["P1_A"], "end": "2024-01-10"},
                {"elements": ["P1_A"], "start": "2024-01-20"},
            ],
        },
        tenant("B", "A", start="2024-01-10", end="2024-01-20"),
    ]
    assert [name for *_, name in site(come_and_go).holds_of("P1_A")] == ["A", "A", "B"]


def test_what_is_below_a_main_is_no_main(path):
    """A main within a main stands for its own branches, in the order of the tree."""
    two = '[elements.P1_M]\nrole = "main"\nparent = "P1_A"\n[elements.P1_D]\nparent = "P1_M"\n'
    path.write_text(FILE.replace("[elements.P1_B]", f"{two}[elements.P1_B]", 1), encoding="utf-8")
    s = Site.load(path)
    assert s.below("P1_A") == ["P1_D", "P1_B", "P1_C"]
    assert s.inside("P1_A") == ["P1_M", "P1_D", "P1_B", "P1_C"]
    assert s.below("P1_M") == ["P1_D"]


def test_a_loop_of_mains_is_refused():
    """A main cannot be upstream of itself."""
    loop = {
        "P1_A": element(role="main", parent="P1_B"),
        "P1_B": element(role="main", parent="P1_A"),
    }
    with pytest.raises(ConfigError, match="upstream of itself"):
        site([{"name": "A", "elements": ["P1_C"]}], loop | {"P1_C": element()})


def test_apply_site_fills_what_is_not_given():
    """tz and rules come from the site where the verb was not told otherwise."""
    s = site(elements={"P1_A": element(), "P1_B": element(), "P1_M": element(role="main")})
    tz, registers = apply_site(s, None, RegisterRules())
    assert (tz, summed(s)) == (LA, ["P1_A", "P1_B"])
    assert registers.max_kw["P1_M"] == pytest.approx(83.1)
    tz, registers = apply_site(s, "UTC", RegisterRules(max_kw=5.0))
    assert (tz, registers.max_kw) == ("UTC", 5.0)
    kept = apply_site(s, None, RegisterRules(), frame=readings({"A": 1}))[1]
    assert list(kept.max_kw) == ["P1_A"]
    assert apply_site(None, None, RegisterRules()) == (None, RegisterRules())
    with pytest.raises(ConfigError, match="no Site"):
        apply_site("site.toml", None, RegisterRules())


def test_an_element_that_is_none_is_refused():
    """From Python too an element is a table, if an empty one."""
    data = {"name": "S", "tz": "UTC", "currency": "USD", "elements": {"P1_A": None}}
    with pytest.raises(ConfigError, match=r"table \[elements\], field 'P1_A'"):
        Site.from_dict(data)


SITE = {"name": "S", "tz": LA, "currency": "USD", "elements": {"P1_A": Element("A")}}


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda **x: Element(**{"label": "A"} | x), {"label": 5}),
        (lambda **x: Element("A", **x), {"role": "Main"}),
        (lambda **x: Element("A", **x), {"parent": 5}),
        (lambda **x: Element("A", **x), {"cts": 5}),
        (lambda **x: Element("A", **x), {"volts": b"x"}),
        (lambda **x: Element("A", **x), {"common": 3}),
        (lambda **x: Element("A", **x), {"swaps": [("2024-01-01", 5)]}),
        (lambda **x: Hold(**{"elements": ("P1_A",)} | x), {"elements": 5}),
        (lambda **x: Hold(("P1_A",), **x), {"end": "tomorrow"}),
        (lambda **x: Tenant(**{"name": "T"} | x), {"name": " "}),
        (lambda **x: Tenant("T", **x), {"holds": 5}),
        (lambda **x: Tenant("T", **x), {"area": "large"}),
        (lambda **x: Site(**SITE | x), {"tz": 5}),
        (lambda **x: Site(**SITE | x), {"elements": 5}),
        (lambda **x: Site(**SITE | x), {"tenants": 5}),
        (lambda **x: Site(**SITE | x), {"corrections": 5}),
        (lambda **x: Site(**SITE | x), {"accounts": 5}),
    ],
)
def test_a_site_made_in_python_is_checked_as_its_file(make, field):
    """Each field by its type: a role "Main" was neither main nor branch, and counted twice."""
    (name,) = field
    with pytest.raises(ConfigError, match=f"'{name}'"):
        make(**field)


def test_a_site_made_in_python_reads_texts_and_tables_as_its_file_does():
    """A date, a fraction, one element, a swap and a hold as one writes them."""
    made = Element("A", area=Fraction(1, 4), swaps=[("2024-01-01", 7000.5, "12")])
    assert made.area == Decimal("0.25")
    assert made.swaps == ((dt.date(2024, 1, 1), 7000.5, 12.0),)
    assert Hold("P1_A", start="2024-01-01") == Hold(("P1_A",), dt.date(2024, 1, 1))
    held = Tenant("T", holds=[{"elements": ["P1_A"]}])
    assert held == Tenant("T", holds=(Hold(("P1_A",)),))
    s = Site(**SITE | {"elements": {"P1_A": made, "P1_B": {"max_kw": 40}}, "tenants": [held]})
    assert s.labels == {"P1_A": "A", "P1_B": "P1_B"}
    assert Site.from_dict(s.to_dict()) == s
    assert Site.from_dict(tomllib.loads(s.to_toml())) == s
