"""What leaves a project comes back as it was, in every format that can express it, or each loss is named."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from helpers.exports import export
from helpers.records import of_kind
from labeltool import project as projects
from labeltool.annotation.annotation_table import annotation_table
from labeltool.audio.files import describe
from labeltool.exporters.annotations import DTYPES, Carries
from labeltool.exporters.registry import EXPORTERS
from labeltool.importers.base import recording_of
from labeltool.importers.registry import FORMATS
from labeltool.records import Clip, Imported, Recording, Value, Verdict, label_name
from labeltool.store.importing import import_records

RATE_HZ = 44_100
CLIP_FRAMES = RATE_HZ // 4
CLIPS = 4
SOUNDS = ("marsh one.wav", "صوت.flac", "c.wav")


class Labelled(NamedTuple):
    """A verdict as a format has it, by the name of its recording, with its bounds or else those of its clip."""

    recording: str
    start_s: float
    end_s: float
    label: str
    value: str = "present"
    low_hz: float | None = None
    high_hz: float | None = None
    confidence: float | None = None


class Drawn(NamedTuple):
    label: str
    value: Value
    region: tuple[int, int] | None  # frames from the start of the clip
    band: tuple[float | None, float | None]
    confidence: float | None


texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.sampled_from(
        [
            'say "ah"',
            '"',
            "a\tb\nc",
            "🐦 песня",
            "صوت الطائر",
            "NA",
            "null",
            "1",
            "=1+1",
            "a,b;c|d",
            "-",
            "['x']",
            " x ",
        ]
    ),
).filter(lambda text: bool(label_name(text)))
hertz = st.floats(0, 22_000)
bands = st.one_of(
    st.just((None, None)),
    st.tuples(hertz, hertz).map(lambda two: (min(two), max(two))),
    st.tuples(hertz, st.none()),
    st.tuples(st.none(), hertz),
)
regions = st.one_of(
    st.none(),
    st.tuples(st.integers(0, CLIP_FRAMES), st.integers(0, CLIP_FRAMES)).map(lambda two: (min(two), max(two))),
)
drawn = st.builds(Drawn, texts, st.sampled_from(Value), regions, bands, st.one_of(st.none(), st.floats(0, 1)))
annotated = st.lists(
    st.tuples(st.sampled_from(SOUNDS), st.integers(0, CLIPS - 1), drawn),
    min_size=1,
    max_size=6,
    unique_by=lambda one: (one[0], one[1], label_name(one[2].label)),
)


@dataclass(frozen=True)
class RoundTrip:
    """How a product is read back.

    Attributes
    ----------
    importer
        The format that reads it.
    files
        Its files.
    is_cut
        Whether its sounds are cut, with a `metadata.csv` of where from.
    """

    importer: str
    files: str
    is_cut: bool = False


ROUND_TRIPS = {
    "splits": RoundTrip("table", "[tv]*.csv"),
    "table": RoundTrip("table", "annotations.csv"),
    "clips": RoundTrip("table", "metadata.csv", is_cut=True),
    "audiofolder": RoundTrip("table", "*/metadata.csv", is_cut=True),
    "audacity": RoundTrip("audacity", "*.txt"),
    "audacity-by-label": RoundTrip("audacity", "*/*.txt"),
    "raven": RoundTrip("table", "*.selections.txt"),
    "dcase": RoundTrip("table", "strong.tsv"),
    "label-studio": RoundTrip("label-studio", "tasks.json"),
}
NOT_WRITTEN = {
    *("folders", "textgrid", "jams", "soundevent", "elan", "esc50", "urbansound8k"),
    *("avianz", "audino", "htk", "rttm", "sonic-visualiser", "via"),
}
"""Formats of labels that are only read."""
OTHER_PRODUCTS = {"int8", "stm32", "transcripts"}
"""They have no labels."""


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Three recordings on the disk, by their names, with all that formats may have of one."""
    folder = tmp_path_factory.mktemp("sounds")
    found = {}
    for number, name in enumerate(SOUNDS):
        # Of equal sound, a recording is found by its content: each part differs.
        noise = np.random.default_rng(number).normal(0, 0.1, CLIPS * CLIP_FRAMES)
        soundfile.write(folder / name, noise, RATE_HZ)
        found[name] = replace(recording_of(describe(folder / name)), group=f"g {number}", licence="CC BY 4.0")
    return found


@pytest.mark.parametrize("product", ROUND_TRIPS)
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example(rows=[("c.wav", 1, Drawn("owl", Value.PRESENT, None, (1.645, None), None))])  # no thousand
@given(rows=annotated)
def test_labels_come_back_identical_or_the_loss_is_named(
    product: str,
    sounds: dict[str, Recording],
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, Drawn]],
) -> None:
    folder = tmp_path_factory.mktemp(product)
    records = list(_records(sounds, rows))
    project = projects.create(folder / "p")
    with project.open_store() as store:
        import_records(store, records, kind="test", source="test")
    written = Path(export(project, product, force=True).written[0])
    names = {sound.sha256: name for name, sound in sounds.items()}
    read = _read(product, written, Path(sounds[SOUNDS[0]].path).parent)
    assert _labelled(product, written, read, names) == _expected(product, written, of_kind(records, Verdict), names)
    for one in of_kind(read, Recording):
        of_source = [sound for sound in sounds.values() if Path(one.path).name.startswith(Path(sound.path).stem)]
        assert "groups" not in EXPORTERS[product].carries or one.group == of_source[0].group
        assert "licence" not in EXPORTERS[product].carries or one.licence == of_source[0].licence


def test_a_verdict_on_a_whole_clip_comes_back(sounds: dict[str, Recording], tmp_path: Path) -> None:
    sound = sounds[SOUNDS[0]]
    clips = [Clip(sound.sha256, at_s, at_s + 0.25) for at_s in (0.0, 0.25, 0.5)]
    given = [Verdict(clips[0], "rain"), Verdict(clips[1], None, Value.ABSENT), Verdict(clips[2], None, Value.UNSURE)]
    project, other = (projects.create(tmp_path / name) for name in "ab")
    with project.open_store() as store:
        import_records(store, [sound, *given], kind="test", source="test")
    written = Path(export(project, "table", force=True).written[0]) / "annotations.csv"
    with other.open_store() as store:
        result = import_records(store, FORMATS["table"].read([written], audio=Path(sound.path)), kind="t", source="")
        found = annotation_table(store)
    assert result.verdicts == 3 and not result.skipped
    places = found[["start_s", "label", "value"]].astype(object).where(found.notna(), None)
    assert [*map(tuple, places.to_numpy())] == [(one.clip.start_s, one.label, one.value) for one in given]


def _records(sounds: dict[str, Recording], rows: list[tuple[str, int, Drawn]]) -> Iterator[Imported]:
    """Yield a clip for each place, and a plain label in each recording, so that every part has one."""
    yield from sounds.values()
    for sound in sounds.values():
        yield (clip := Clip(sound.sha256, 0.0, 0.1, fold=1))
        yield Verdict(clip, "rain")
    for name, place, one in rows:
        at_s = place / 4
        yield (clip := Clip(sounds[name].sha256, at_s, at_s + 0.25))
        region = [None, None] if one.region is None else [(place * CLIP_FRAMES + at) / RATE_HZ for at in one.region]
        yield Verdict(clip, label_name(one.label), one.value, *region, *one.band, one.confidence)


def _expected(product: str, written: Path, verdicts: list[Verdict], names: dict[str, str]) -> set[Labelled]:
    """Return what a product must have, by its list of what it has not."""
    report = pd.read_csv(written / "not_exported.csv", keep_default_na=False, dtype=str)
    assert list(report) == [*DTYPES, "exported", "reason"]
    places = zip(report["recording_sha256"], report["start_s"].map(float), report["label"], strict=True)
    lost = dict(zip(places, zip(report["exported"], report["reason"], strict=True), strict=True))
    expected = set()
    for verdict in verdicts:
        clip, label = verdict.clip, str(verdict.label)
        bounds = (clip.start_s, clip.end_s) if verdict.start_s is None else (verdict.start_s, verdict.end_s)
        labelled = Labelled(
            names[clip.recording_sha256],
            *bounds,
            label,
            verdict.value,
            verdict.low_hz,
            verdict.high_hz,
            verdict.confidence,
        )
        exported, reason = lost.pop((clip.recording_sha256, clip.start_s, label), ("", ""))
        for part in reason.split("; ") if reason else ():
            labelled = _without(part, labelled, clip, product)
        if exported != "no" and labelled.label:
            expected.add(labelled)
    assert not lost
    return expected


def _without(reason: str, labelled: Labelled, clip: Clip, product: str) -> Labelled:
    """Return what is left of a verdict by a reason of a list of losses."""
    low_hz, high_hz = labelled.low_hz, labelled.high_hz
    match reason:
        case "without its bounds inside the clip":
            return labelled._replace(start_s=clip.start_s, end_s=clip.end_s)
        case "without its frequency range" | "its frequency range, that of the whole recording, means none":
            return labelled._replace(low_hz=None, high_hz=None)
        case "the other bound of its frequencies is made up":
            made = (0.0 if low_hz is None else low_hz, RATE_HZ / 2 if high_hz is None else high_hz)
            low_hz, high_hz = (None, None) if made[0] <= 1 and made[1] == RATE_HZ / 2 else made
            return labelled._replace(low_hz=low_hz, high_hz=high_hz)
        case "without its confidence":
            return labelled._replace(confidence=None)
        case "its times are rounded to 6 decimals":
            return labelled._replace(start_s=round(labelled.start_s, 6), end_s=round(labelled.end_s, 6))
        case "its frequencies are rounded to 6 decimals":
            rounded = (None if one is None else round(one, 6) for one in (low_hz, high_hz))
            return labelled._replace(**dict(zip(("low_hz", "high_hz"), rounded, strict=True)))
        case "characters of its label are replaced":
            text = getattr(importlib.import_module(EXPORTERS[product].module), "CARRIES", Carries()).text
            return labelled._replace(label=label_name(text(labelled.label)))
        case "a point has no duration" | "only present labels can be expressed":
            return labelled
    assert reason == "in weak.tsv, a comma in its label is written as ;"
    return labelled


def _read(product: str, written: Path, sounds: Path) -> list[Imported]:
    """Read a product as `labeltool import` does."""
    how = ROUND_TRIPS[product]
    files = sorted(path for path in written.glob(how.files) if path.name != "README.md")
    audio = written if how.is_cut else sounds
    return list(FORMATS[how.importer].read(files, audio=audio)) if files else []


def _labelled(product: str, written: Path, read: list[Imported], names: dict[str, str]) -> set[Labelled]:
    """Return what a product has; of cut sounds, in the recordings that they were cut from."""
    sounds = {one.sha256: Path(one.path) for one in of_kind(read, Recording)}
    cut = pd.concat(
        [
            pd.read_csv(path, keep_default_na=False, dtype=str).assign(folder=path.parent)
            for path in written.glob(ROUND_TRIPS[product].files if ROUND_TRIPS[product].is_cut else "nothing")
        ]
        or [pd.DataFrame(columns=["file_name", "folder"])]
    )
    of_file = {row["folder"] / row["file_name"]: row for _, row in cut.iterrows()}
    labelled = set()
    for one in of_kind(read, Verdict):
        sound = sounds[one.clip.recording_sha256]
        start_s, end_s, name = one.start_s, one.end_s, sound.name
        if (row := of_file.get(sound)) is not None:
            assert (start_s, end_s) == (None, None)
            start_s, end_s, name = float(row["start_s"]), float(row["end_s"]), names[row["recording_sha256"]]
            assert soundfile.info(sound).frames == round(end_s * RATE_HZ) - round(start_s * RATE_HZ)
        labelled.add(
            Labelled(name, start_s, end_s, label_name(one.label), one.value, one.low_hz, one.high_hz, one.confidence)
        )
    return labelled


def test_every_product_and_every_reader_of_labels_has_its_round_trip() -> None:
    assert ROUND_TRIPS.keys() | OTHER_PRODUCTS == EXPORTERS.keys()
    readers = {name for name, one in FORMATS.items() if one.is_labels}
    assert {one.importer for one in ROUND_TRIPS.values()} | NOT_WRITTEN == readers
