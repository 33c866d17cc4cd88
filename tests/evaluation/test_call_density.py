"""Call density: hours searched and detections by hour, day and site, and the expected number of true calls."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from helpers.command_line import labeltool_here
from labeltool.errors import LabeltoolError
from labeltool.evaluation.call_density import By, CallDensity, call_density
from labeltool.evaluation.charts import of_clips
from labeltool.importers import audio_files
from labeltool.project import Project
from labeltool.records import Event
from labeltool.store import Store, models, recordings
from labeltool.store.detections.operating_points import OperatingPoint, replace_operating_points
from labeltool.store.detections.replacing import DetectionScan, replace_detections
from labeltool.store.importing import import_records

SCAN = DetectionScan(False, {"owl": 0.2, "rain": 0.3})
# Half an hour to 21:00, an hour over midnight, and one of which the time is not known.
RECORDINGS = {"pond/P_20240531_203000": 1800, "wood/W_20240531_233000": 3600, "wood/x": 1800}


@pytest.fixture
def model_id(store: Store, tmp_path: Path) -> int:
    """A pretrained model that detected owls in three recordings."""
    for number, (name, seconds) in enumerate(RECORDINGS.items(), 1):
        path = tmp_path / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, [number / 100] * (seconds * 1000), 1000, subtype="PCM_16")
    import_records(store, audio_files.read([tmp_path], None, None), kind="audio", source="test")
    model_id = models.detection_model_id(store, "net")
    detected(store, model_id, "pond/P_20240531_203000", 100.0, 200.0)
    detected(store, model_id, "wood/W_20240531_233000", 0.0, 1799.0, 1801.0)
    detected(store, model_id, "wood/x", 5.0)
    return model_id


def detected(store: Store, model_id: int, name: str, *starts: float, scan: DetectionScan = SCAN) -> None:
    found = [Event("owl", start, start + 0.5, 0.5 + 0.1 * number) for number, start in enumerate(starts)]
    replace_detections(store, recordings.find_recording(store, f"{name}.wav"), model_id, found, scan)


def counted(found: CallDensity, *by: By) -> dict[tuple[object, ...], tuple[float, int]]:
    return {tuple(getattr(row, name) for name in by): (row.hours, row.events) for row in found.rows}


def test_hours_searched_and_detections_go_to_the_hour_they_are_in(store: Store, model_id: int) -> None:
    assert counted(call_density(store, ("hour",)), "hour") == {
        (0,): (0.5, 1),
        (20,): (0.5, 2),
        (23,): (0.5, 2),
        (None,): (0.5, 1),
    }
    by_day = call_density(store, ("day", "site"))
    assert counted(by_day, "day", "site") == {
        ("2024-05-31", "pond/P"): (0.5, 2),
        ("2024-05-31", "wood/W"): (0.5, 2),
        ("2024-06-01", "wood/W"): (0.5, 1),
        (None, "wood/"): (0.5, 1),
    }
    assert (by_day.model, by_day.recordings, by_day.hours, by_day.without_time) == ("net", 3, 2.0, 1)
    # A label that was searched for and never found is shown when it is asked for.
    (row,) = call_density(store, (), labels=["rain"]).rows
    assert (row.label, row.hours, row.events, row.calls) == ("rain", 2.0, 0, None)
    with pytest.raises(LabeltoolError, match=r"net did not search for 'dog' \(it did for owl, rain\)"):
        call_density(store, (), labels=["dog"])


def test_columns_of_the_recordings_say_where_and_when(store: Store, model_id: int) -> None:
    recording = recordings.find_recording(store, "wood/x.wav")
    with store.transaction() as connection:
        columns = {"site": "marsh", "recorded_at": "2024-06-02T04:15"}
        connection.executemany(
            "INSERT INTO recording_columns VALUES (?, ?, ?)", [(recording.id, *pair) for pair in columns.items()]
        )
    found = counted(call_density(store, ("site", "hour")), "site", "hour")
    assert found["marsh", 4] == (0.5, 1) and ("wood/", None) not in found


def test_a_reviewed_precision_gives_the_number_of_true_calls(store: Store, model_id: int) -> None:
    uid = models.uid(store, model_id)
    point = OperatingPoint(uid, "owl", "review", 0.55, 0.8, 0.6, 0.9, None, 40)
    replace_operating_points(store, uid, "review", [point])
    found = call_density(store, ("site",))
    rows = {row.site: row for row in found.rows}
    # From the operating point on: two events of the wood, one of the pond.
    assert {site: (row.threshold, row.events) for site, row in rows.items()} == {
        "pond/P": (0.55, 1),
        "wood/": (0.55, 0),
        "wood/W": (0.55, 2),
    }
    calls, density = rows["wood/W"].calls, rows["pond/P"].calls_per_hour
    assert calls is not None and (calls.value, calls.low, calls.high) == pytest.approx((1.6, 1.2, 1.8))
    assert density is not None and density.value == pytest.approx(1.6) and found.reviewed == ("owl",)
    # Where one recording was searched from a higher threshold on, nothing is known of those from there on.
    detected(store, model_id, "wood/x", 5.0, scan=DetectionScan(False, {"owl": 0.6}))
    (row,) = call_density(store, ()).rows
    assert (row.threshold, row.events, row.calls) == (0.6, 3, None)


def test_the_table_the_csv_and_the_picture(project: Project, store: Store, model_id: int, tmp_path: Path) -> None:
    at = (project, "density")
    shown = labeltool_here(*at, "--by", "site", "--by", "hour")
    assert "wood/W        23            'owl'" in shown.stdout and "not known" in shown.stdout
    assert "net searched 3 recordings, 2.0 h; of 1 the time is not known" in shown.stderr
    rows = list(csv.DictReader(io.StringIO(labeltool_here(*at, "--by", "day", "--csv").stdout)))
    assert [(row["day"], row["hours"], row["events"]) for row in rows] == [
        ("2024-05-31", "1.0", "4"),
        ("2024-06-01", "0.5", "1"),
        ("", "0.5", "1"),
    ]
    values = json.loads(labeltool_here(*at, "--json", "--label", "owl").stdout)
    assert [row["events"] for row in values["rows"]] == [1, 2, 2, 1] and values["by"] == ["hour"]
    pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
    picture = tmp_path / "owl.png"
    assert f"1 label drawn: {picture}" in labeltool_here(*at, "--picture", picture).stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    # Of many sites those with most detections.
    found = call_density(store, ("site",))
    rows = tuple(replace(found.rows[0], site=f"s{number:02}", events=number) for number in range(5))
    drawn = of_clips.most_detected(replace(found, rows=rows), 1, 3)
    assert [row.site for row in drawn.rows] == ["s02", "s03", "s04"]
    assert [value["site"] for value in of_clips.density(drawn)["data"]["values"]] == ["s02", "s03", "s04"]


def test_where_nothing_was_detected_there_is_no_picture(project: Project, store: Store, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
    path = tmp_path / "x.wav"
    soundfile.write(path, [0.1] * 1000, 1000, subtype="PCM_16")
    import_records(store, audio_files.read([path], None, None), kind="audio", source="test")
    model_id = models.detection_model_id(store, "net")
    replace_detections(store, recordings.find_recording(store, "x.wav"), model_id, [], SCAN)
    picture = tmp_path / "none.png"
    done = labeltool_here(project, "density", "--picture", picture, check=1)
    assert "nothing was detected: there is nothing to draw" in done.stderr and not picture.exists()
