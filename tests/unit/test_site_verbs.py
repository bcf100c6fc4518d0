"""What site= gives the verbs."""

from dentframe.coincident import coincident
from dentframe.energy import energy
from dentframe.peaks import peaks
from tests.split_kit import element, readings, site


def test_a_site_gives_zone_rules_and_roles():
    """energy, peaks and coincident take tz, max_kw, export and roles from the site."""
    s = site(
        elements={"P1_M": element(role="main"), "P1_A": element(), "P1_S": element(role="export")},
        tenants=[{"name": "A", "elements": ["P1_A"]}],
    )
    when = {"start": "2024-01-01", "end": "2024-02-01", "site": s}
    frame = readings({"M": 900, "A": 1000, "S": -100}, demand={"M": 9, "A": 10, "S": -1})
    found = energy(frame, "MS", **when)
    assert found.loc["P1"].iloc[0].round(6).tolist() == [1000, 900, -100]
    assert str(found.index.get_level_values("time").tz) == "America/Los_Angeles"
    assert peaks(frame, "MS", **when)["peak"].tolist() == [10, 9, -1]
    assert coincident(frame, "MS", **when)["element"].tolist() == ["P1_A", "P1_S"]
