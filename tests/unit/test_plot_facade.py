"""What all pictures share: axes in and out, nothing left behind, every kind of frame."""

import doctest
import inspect
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import dentframe  # noqa: F401 - registers the accessor
from dentframe.errors import (
    ConfigError,
    DentError,
    MissingExtraError,
    RangeError,
    UnknownMeterError,
)
from dentframe.plot import Pictures
from dentframe.plot import axes_colours_and_labels as palette
from tests.plot_kit import LA, means, words
from tests.split_kit import element, readings, site

KINDS = ["heatmap", "stack", "duration", "peaks", "profile", "nights", "coverage"]


@pytest.fixture(autouse=True)
def _closed():
    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def frame():
    return means("2023-12-04", "2023-12-08", A=np.arange(4 * 96), B=2)


def draw(frame, kind, **how):
    return getattr(frame.dent.plot, kind)(**({"tz": LA, "elements": "all"} | how))


@pytest.mark.parametrize("kind", KINDS)
def test_axes_in_axes_out(frame, kind):
    """The caller's axes come back, no figure of pyplot is made, and rcParams stay as they are."""
    before = dict(mpl.rcParams)
    ax = Figure(layout="constrained").subplots()
    assert draw(frame, kind, ax=ax) is ax
    assert plt.get_fignums() == []
    ax.figure.canvas.draw()
    assert dict(mpl.rcParams) == before
    assert ax.get_title() == ax.get_title(loc="left") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_without_axes_pyplot_gets_one_figure(frame, kind):
    """`ax=None` makes one figure of pyplot, and a title only where one is given."""
    ax = draw(frame, kind, title="December")
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [ax.figure.number]
    assert ax.get_title(loc="left") == "December"


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_fails_leaves_no_figure(frame, kind):
    """An unknown element raises before anything is drawn."""
    with pytest.raises(UnknownMeterError, match="'Z'"):
        draw(frame, kind, elements=["A", "Z"])
    with pytest.raises(RangeError, match="no rows"):
        draw(frame.iloc[:0], kind)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_axis_has_a_unit_and_a_zone(frame, kind):
    """Axes of time name their zone, others their unit."""
    ax = draw(frame, kind)
    said = [a.get_xlabel() + a.get_ylabel() for a in ax.figure.axes]
    assert any("(America/Los_Angeles)" in x for x in said) or kind == "duration"
    assert any("[kW" in x for x in said) or kind == "coverage"


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_never_warns(frame, kind):
    """Gaps are shown, not warned of; registers alone, pint dtypes and NaN draw as well."""
    frame.iloc[5:30] = np.nan
    blank = frame * np.nan
    means_only = frame.dent.quantify()
    t = pd.date_range("2023-12-04", periods=4 * 96, freq="15min", tz=LA).tz_convert("UTC")
    register = pd.DataFrame({"kWHNet/Elm/A": np.arange(len(t)) * 1.0}, index=t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for each in (frame, blank, means_only, register.drop(register.index[9:30])):
            draw(each, kind).figure.canvas.draw()
            plt.close("all")


@pytest.mark.parametrize("kind", KINDS)
def test_several_meters_and_a_site(kind):
    """Labels and zone come from the site, elements are addressed by their ids."""
    s = site(
        elements={"P1_A": element(label="Bakery"), "P1_B": element(label="Office")},
        tenants=[{"name": "A", "elements": ["P1_A", "P1_B"]}],
    )
    two = readings({"A": 50, "B": 70}, demand={"A": 1, "B": 2}, end="2024-01-04")
    ax = getattr(two.dent.plot, kind)(site=s)
    shown = words(ax) + [x.get_text() for x in ax.get_yticklabels()]
    shown += [a.get_ylabel() for a in ax.figure.axes]
    assert any("Bakery (P1_A)" in x for x in shown)
    one = getattr(two.dent.plot, kind)(elements="P1_B", tz=LA)
    assert isinstance(one, Axes)


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_elements_are_told_apart(kind):
    """More elements than colours: the second eight have hatches or dashes."""
    many = means("2023-12-04", "2023-12-06", **{x: i for i, x in enumerate("ABCDEFGHIJKLMNOP")})
    draw(many, kind).figure.canvas.draw()
    looks = {(str(palette.line(i)), palette.face(i)["hatch"]) for i in range(48)}
    assert len(looks) == 48
    assert palette.face(7)["hatch"] is None
    assert palette.GAP not in palette.HATCHES


@pytest.mark.parametrize("kind", KINDS)
def test_a_dark_style_has_light_ink(frame, kind):
    """What is not a colour of an element follows the style's text."""
    frame.iloc[5:30] = np.nan
    with plt.style.context("dark_background"):
        ax = draw(frame, kind)
        inked = [p for p in ax.get_children() if p.get_gid() in {"gaps", "hatch"}]
        assert all(p.get_edgecolor()[:3] == (1, 1, 1) for p in inked)
        ax.figure.canvas.draw()


def test_without_matplotlib_the_extra_is_named(frame, monkeypatch):
    """A missing matplotlib names its pip install."""
    for name in [x for x in sys.modules if x.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in [x for x in sys.modules if x.startswith("dentframe.plot")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match=r'pip install "dentframe\[plot\]"') as caught:
        _ = frame.dent.plot
    assert isinstance(caught.value, DentError)


def test_an_element_has_one_colour_in_every_picture(frame):
    """B alone has the colour that it has beside A; a site's order gives colours too."""
    alone = draw(frame, "duration", elements="B").lines[0].get_color()
    assert alone == palette.colour(1) == draw(frame, "duration").lines[1].get_color()
    assert draw(frame, "peaks", elements="B").lines[0].get_color() == alone
    assert draw(frame, "profile", elements="B", by="all").lines[0].get_color() == alone
    part = draw(frame, "stack", elements="B").patches[0]
    assert part.get_facecolor() == to_rgba(alone)


def test_all_of_a_site_is_no_sum_where_a_main_measures_its_branches():
    """`elements="all"` is refused for a sum, and served where elements stand side by side."""
    s = site(elements={"P1_A": element(role="main"), "P1_B": element(parent="P1_A")},
             tenants=[{"name": "B", "elements": ["P1_B"]}])  # fmt: skip
    two = readings({"A": 50, "B": 30}, demand={"A": 1, "B": 2}, end="2024-01-04")
    for kind in ("heatmap", "stack"):
        with pytest.raises(ConfigError, match="P1_A measures P1_B as well"):
            draw(two, kind, site=s)
    assert len(draw(two, "duration", site=s).lines) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_keyword_is_told_the_right_one(frame, kind):
    """The shared keywords are checked as Python checks its own."""
    with pytest.raises(TypeError, match="did you mean 'elements'"):
        draw(frame, kind, element="A")


def test_the_facade_mirrors_the_functions():
    """Every picture is a method with its function's documentation and keywords."""
    for kind in KINDS:
        method = getattr(Pictures, kind)
        assert method.__doc__ == method.__wrapped__.__doc__
        assert {"ax", "title", "tz", "site", "elements", "start", "end"} <= set(
            inspect.signature(method).parameters
        )


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_picture_runs(kind):
    """What its help shows is what happens."""
    frame = means("2023-12-01", "2024-01-01", A=1, B=2)
    text = inspect.getdoc(getattr(Pictures, kind))
    test = doctest.DocTestParser().get_doctest(text, {"df": frame, "LA": LA}, kind, None, None)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
