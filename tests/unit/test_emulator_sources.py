"""What the emulator serves: recorded folders, fixed rows, sources of one's own."""

import ast
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dentframe import emulator
from tests.emulator_kit import EXAMPLE, HOUR, ask, said

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
ROWS = [
    {"date": "2023-12-12", "time": "02:17", "kWHNet/Elm/A": "2.0", "A/Ch/A1": "1.5"},
    {"date": "2023-12-12", "time": "02:02", "kWHNet/Elm/A": "1.0", "DemandkW/Elm/A": None},
    {"date": "2023-12-13", "time": "00:02", "DemandkW/Elm/A": 3},
]


def span(*days):
    return [datetime(2023, 12, d, tzinfo=UTC) for d in days]


def test_recorded_filters_and_keeps_order(tmp_path):
    """A recorded month is filtered by window and topic, its order and holes kept."""
    month = json.loads(EXAMPLE)
    del month["topics"][1]["A/Ch/A2"]
    (tmp_path / "P1-2023-12.json").write_text(json.dumps(month))
    (tmp_path / "notes.txt").write_text("not a meter")
    source = emulator.Recorded(tmp_path)
    headers, rows = source.rows("P1", *span(12, 13), ["A"])
    assert headers == month["headers"][:7]
    assert [len(r) for r in rows] == [7, 6, 7, 7]
    assert source.meters() == ["P1"]
    assert source.rows("P1", *span(13, 14), ["A"]) == ([], [])
    assert source.rows("P1", *span(12, 13), ["V"]) == ([], [])


def test_recorded_files_may_change(tmp_path):
    """A file written while the emulator runs is served at the next request."""
    with emulator.serve(tmp_path) as cloud:
        assert said(cloud, "?request=getMeters")["meters"] == []
        (tmp_path / "P482311252-2023-12.json").write_text(EXAMPLE)
        assert ask(cloud, HOUR)[2].decode() == EXAMPLE


def test_recorded_needs_a_folder(tmp_path):
    """A folder that is not there is refused at once."""
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        emulator.Recorded(tmp_path / "nowhere")


def test_fixed_rows_go_out_as_they_are():
    """Rows given in Python keep their order and values; headers are sorted."""
    source = emulator.Fixed(meters={"P1": ROWS})
    headers, rows = source.rows("P1", *span(12, 13), ["DemandkW", "kWHNet"])
    assert headers == ["date", "time", "DemandkW/Elm/A", "kWHNet/Elm/A"]
    assert [r["time"] for r in rows] == ["02:17", "02:02"]
    assert rows[1]["DemandkW/Elm/A"] is None


def test_fixed_topics():
    """A catalogue of one's own brings topics of one's own."""
    topics = [{"unit": "kvarh", "requestKey": "kVARHNet", "description": ""}]
    rows = [{"date": "2023-12-12", "time": "02:02", "kVARHNet/Elm/A": "7"}]
    with emulator.serve(emulator.Fixed({"P1": rows}, topics=topics)) as cloud:
        query = HOUR.replace("[kW,A]", "[kvarh]").replace("P482311252", "P1")
        assert said(cloud, query)["topics"] == rows
        assert said(cloud, "?request=getTopics")["topics"] == topics


def test_a_source_of_ones_own():
    """Three methods make a source."""

    class Own:
        def meters(self):
            return ["P1"]

        def topics(self):
            return [{"unit": "A", "requestKey": "A", "description": ""}]

        def rows(self, meter, start, end, topics):
            return ["date", "time", "A/Ch/A1"], [{"date": str(start.date()), "time": "00:00"}]

    assert isinstance(Own(), emulator.Source)
    with emulator.serve(Own()) as cloud:
        query = HOUR.replace("[kW,A]", "[A]").replace("P482311252", "P1")
        assert said(cloud, query)["topics"] == [{"date": "2023-12-12", "time": "00:00"}]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real meter data is absent")
def test_real_data_goes_through_unchanged(tmp_path):
    """Real meters' month files are answered byte for byte."""
    script = SHARED / "to_wire.py"
    subprocess.run([sys.executable, script, "ampds", tmp_path], check=True, capture_output=True)
    with emulator.serve(emulator.Recorded(tmp_path)) as cloud:
        for file in sorted(tmp_path.iterdir()):
            meter, year, month = file.stem.split("-")
            query = f"?request=getData&year={year}&month={month}&meter={meter}"
            topics = "[kVAHNet,kWHNet,DemandkW,A,dPF,V]"
            assert ask(cloud, f"{query}&topics={topics}")[2] == file.read_bytes()


def imported(path):
    """Modules that a file imports, type checking included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level < 2:
            yield "." if node.level else node.module
        elif isinstance(node, ast.ImportFrom):
            yield ".."
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_the_emulator_knows_nothing_of_the_client():
    """The emulator imports topics, numpy and the standard library: an independent witness."""
    files = Path(emulator.__file__).parent.glob("*.py")
    roots = {name for file in files for name in imported(file)}
    assert {
        name
        for name in roots
        if name.startswith("dentframe") and not name.startswith("dentframe.emulator")
    } == {"dentframe.wire.topics"}
    others = {name.partition(".")[0] for name in roots} - set(sys.stdlib_module_names)
    assert others == {"", "dentframe", "numpy"}
