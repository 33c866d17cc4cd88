"""What the columns of tables mean: the names that programs and people give them, and tables known by their header.

Names are compared without letter case, blanks and punctuation (`folded`). Sources: the help of Raven Pro 1.6 and of
Kaleidoscope Pro, BirdNET-Analyzer's output, perch-hoplite's annotations, Arbimon's export of pattern matching,
FSD50K's `dev.csv`, AudioSet's segments, the task descriptions of DCASE and sed_eval, ESC-50 and UrbanSound8K as
published.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

_PUNCTUATION = re.compile(r"[\s_\-./()#\[\]]+")


SAMPLES = "samples"
"""The unit of times that are counted in samples of the recording."""

CLOCKS = frozenset(
    {"m:ss", "mm:ss", "mm:ss.s", "mm:ss.ms", "mm:ss.sss", "m:s", "min:s", "min:ss", "min:sec"}
    | {"h:mm:ss", "hh:mm:ss", "hh:mm:ss.s", "hh:mm:ss.ms", "hh:mm:ss.sss", "h:m:s"}
)
"""The units of times of which each is as a clock shows it: a plain number is none."""

_TIMES = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "ss.msec"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "\u00b5s", "\u03bcs", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600.0),
}
_SCALES = {**_TIMES, **dict.fromkeys(CLOCKS, 1.0), "hz": 1.0, "khz": 1e3, "sample": 1.0, SAMPLES: 1.0}
TIMES, FREQUENCIES = frozenset(_TIMES), frozenset({"hz", "khz"})
"""Units of times and of frequencies."""

_WITH_UNIT = re.compile(r"(.*?[^\s_.\-(\[])([\s_.\-(\[]+(?:in[\s_]+)?)([A-Za-z\u00b5\u03bc:.]+)[)\]]*")
# Beside a name without parentheses they are rather something else: a first time, a height.
_IN_PARENTHESES = frozenset({"min", "h"})

# A letter is one where it stands apart: "to" is no part of "tom".
_PART = re.compile(
    r"(.+?)(?:[\s_.\-(\[]+(?:in[\s_]+)?([hms])|[\s_.\-(\[]*(?:in[\s_]+)?(hrs?|hours?|min(?:ute)?s?|sec(?:ond)?s?))[)\]]*",
    re.IGNORECASE,
)


def folded(name: str) -> str:
    """Return the name of a column without letter case, blanks and punctuation."""
    return _PUNCTUATION.sub("", name).casefold()


def with_unit(name: str) -> tuple[str, str]:
    """Return the folded name of a column without its unit, and that unit; "" where it has none ("start_ms")."""
    match = _WITH_UNIT.fullmatch(name.strip()[:200])
    unit = "" if match is None else match[3].rstrip(".").casefold()
    # "start_time_min" may be the first time as well as minutes.
    if match is None or unit not in _SCALES or (unit in _IN_PARENTHESES and not set(match[2]) & {*"(["}):
        return folded(name), ""
    return folded(match[1]), SAMPLES if unit == "sample" else unit


def scale_of(unit: str) -> float:
    """Return what a number in a unit is multiplied with to be in seconds or hertz; samples stay."""
    return _SCALES.get(unit, 1.0)


def part_of_time(name: str) -> tuple[str, str]:
    """Return the folded name of a column without its unit and "h", "m" or "s", also where `with_unit` reads none of it.

    The unit is "" where there is none.
    """
    match = _PART.fullmatch(name.strip()[:200])
    return (folded(name), "") if match is None else (folded(match[1]), (match[2] or match[3])[0].lower())


def missing_columns(header: Iterable[str], needed: Iterable[Sequence[str]]) -> list[str]:
    """Return which of the columns that are needed a header lacks, each by the first of its names."""
    names = set(map(folded, header))
    return [known[0] for known in needed if names.isdisjoint(map(folded, known))]


ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "recording": (
            *("recording", "filename", "file", "filepath", "path", "audiofile", "audiofilename", "audiofilepath"),
            *("soundfile", "wavfile", "wav", "audio", "recordingname", "recordingfile", "recordingpath"),
            *("fname", "beginpath", "beginfile", "slicefilename", "infile", "audiopath", "segmentid", "ytid"),
            *("clipname", "recordingid", "itemid", "datei", "dateiname", "fichier", "archivo", "arquivo"),
        ),
        "start_s": (
            *("starts", "start", "starttime", "starttimes", "startseconds", "starttimeseconds", "startoffsets"),
            *("onset", "onsets", "onsettime", "begin", "begins", "begintime", "begintimes", "tmin", "mintime"),
            *("startoffset", "startsec", "startinseconds", "from", "mint", "tstart", "timestart"),
            *("times", "timesec", "timeseconds", "timeinseconds"),
            *("beginn", "anfang", "début", "debut", "inicio", "início"),
        ),
        "end_s": (
            *("ends", "end", "endtime", "endtimes", "endseconds", "endtimeseconds", "endoffsets", "stop", "stoptime"),
            *("offset", "offsets", "offsettime", "tmax", "maxtime", "endoffset", "endsec", "endinseconds", "to"),
            *("maxt", "tend", "timeend", "finish", "finishtime", "ende", "fin"),
        ),
        "duration_s": ("durations", "duration", "dur", "length", "lengths", "deltatimes", "durationseconds"),
        "label": (
            *("label", "labels", "eventlabel", "eventlabels", "class", "classname", "category", "annotation", "tag"),
            *("tags", "commonname", "species", "scientificname", "speciescode", "primarylabel", "positivelabels"),
            *(
                "event",
                "soundclass",
                "comname",
                "sciname",
                "speciesname",
                "englishname",
                "vernacularname",
                "scenelabel",
            ),
            *("eventname", "classlabel", "speciesid", "art", "espèce", "espece", "especie", "espécie"),
            *("call", "calltype", "code"),
        ),
        "value": (
            *("value", "labeltype", "presence", "present", "ispresent", "verdict", "answer", "detected"),
            *("correct", "iscorrect", "accepted"),
        ),
        "low_hz": (
            "lowhz",
            "lowfreqhz",
            "lowfreq",
            "lowfrequency",
            "minfreqhz",
            "minfreq",
            *("freqlow", "freqmin", "flow", "lowf"),
            "fmin",
            "fminhz",
        ),
        "high_hz": (
            *(
                "highhz",
                "highfreqhz",
                "highfreq",
                "highfrequency",
                "maxfreqhz",
                "maxfreq",
                "freqhigh",
                "freqmax",
                "fmax",
            ),
            "fhigh",
            "highf",
            "fmaxhz",
        ),
        "confidence": ("confidence", "score", "probability", "prob", "conf"),
        "track": ("track", "tier"),
        "group": ("group", "groupid"),
        "licence": ("licence", "license"),
        "fold": ("fold", "foldid"),
    }
)
"""Names of columns by what they mean; the first one that a table has counts."""

IDENTIFIERS = ("id", "audioid", "clipid", "uuid", "key", "sample", "samplename", "name")
"""Columns that name the sounds where no other does, and the labels are of whole sounds."""

ROLES = (*ALIASES, "labels", "folder")
"""What `--column ROLE=NAME` may name; `labels` has lists of labels, `folder` what stands before the sounds' names."""

LIST_COLUMNS = frozenset({"labels", "eventlabels", "tags", "positivelabels"})
"""Columns whose fields are lists, separated by commas, semicolons or bars."""

VALUES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("present", "positive", "pos", "1", "1.0", "true", "yes", "y", "x", "accept"), "present"),
        **dict.fromkeys(
            ("absent", "negative", "neg", "not_present", "not present", "0", "0.0", "false", "no", "n", "reject"),
            "absent",
        ),
        **dict.fromkeys(("unsure", "uncertain", "unknown", "unk", "maybe", "?", "(not validated)"), "unsure"),
    }
)
"""What a field means that says whether a label is present."""


@dataclass(frozen=True, slots=True)
class TableProfile:
    """A table of a program or a data set.

    Attributes
    ----------
    name, words
        For the program, and what it is, for a person.
    header
        The columns by which it is known: all of them are there.
    importer
        The format of the registry that reads it.
    columns
        Its columns by what they mean, where `ALIASES` does not name them; of several, the first with a text counts.
        Also `folder`, before the name of the sound; `offset_s`, the start in the sound, where `start_s` is in a list
        of several; `time_format`, "decimal" where times are as a clock shows them; `selection` and
        `view`, where a selection has a row for each view.
    folds
        Number of official folds.
    fold_in_name
        How a sound is called that has its fold in its name.
    group_prefix
        Before the names of groups.
    licence
        Of all sounds.
    licence_of
        A column of true and false, and the licence of each.
    value_columns
        Columns with a JSON list of labels that have the value by which the column is called.
    may_list
        Whether a field may have several labels, as in any table.
    nothing
        What it has in place of a label where there is none.
    is_whole
        Whether its times are not those of the sound files: each label is of the whole file.
    """

    name: str
    words: str
    header: tuple[str, ...]
    importer: str = "table"
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folds: int | None = None
    fold_in_name: str | None = None
    group_prefix: str = ""
    licence: str | None = None
    licence_of: tuple[str, Mapping[bool, str]] | None = None
    value_columns: tuple[str, ...] = ()
    may_list: bool = False
    nothing: str | None = None
    is_whole: bool = False

    @property
    def is_published(self) -> bool:
        """Whether it is the table of a data set with official folds, which lists each sound once."""
        return self.folds is not None

    @property
    def licence_columns(self) -> tuple[str, ...]:
        """The column that tells the licence of each sound, where there is one."""
        return () if self.licence_of is None else (self.licence_of[0],)


ESC50 = TableProfile(
    "esc50",
    "the table of ESC-50",
    ("filename", "category", "fold"),
    "esc50",
    {"recording": ("filename",), "fold": ("fold",), "label": ("category",), "group": ("src_file",)},
    folds=5,
    fold_in_name=r"([0-9]{1,4})-",
    group_prefix="freesound:",
    licence_of=("esc10", {True: "CC BY 3.0", False: "CC BY-NC 3.0"}),
)
URBANSOUND8K = TableProfile(
    "urbansound8k",
    "the table of UrbanSound8K",
    ("slice_file_name",),
    "urbansound8k",
    # `class_name` in copies made for code where `class` is a reserved word.
    {"recording": ("slice_file_name",), "group": ("fsID",), "fold": ("fold",), "label": ("class", "class_name")},
    folds=10,
    group_prefix="freesound:",
    licence="CC BY-NC 3.0",
    is_whole=True,
)
_RAVEN = {
    "offset_s": ("File Offset (s)",),
    "recording": ("Begin Path", "Begin File"),
    "selection": ("Selection",),
    "view": ("View",),
}

PROFILES = (
    ESC50,
    URBANSOUND8K,
    # What `exporters.table` writes: bounds inside a clip where a verdict has some, else the clip's.
    TableProfile(
        "annotations",
        "a table of annotations that labeltool exported",
        ("recording_sha256", "value", "region_start_s", "region_end_s"),
        columns={"start_s": ("region_start_s", "start_s"), "end_s": ("region_end_s", "end_s")},
    ),
    # What `exporters.data_sets` writes: the files are cut, the times are those of the recordings.
    TableProfile(
        "cut sound",
        "the table of a data set of cut sound",
        ("file_name", "label", "recording_sha256", "start_s", "end_s"),
        columns={"recording": ("file_name",), "label": ("labels", "label")},
        value_columns=("absent", "unsure"),
        is_whole=True,
    ),
    TableProfile(
        "splits", "a split that labeltool exported", ("path", "recording_sha256", "start_s", "end_s", "label")
    ),
    TableProfile(
        "birdnet table",
        "a selection table of BirdNET",
        ("Selection", "Begin Time (s)", "Species Code"),
        columns=_RAVEN,
        nothing="nocall",
    ),
    TableProfile("raven", "a selection table of Raven", ("Begin Time (s)",), columns=_RAVEN),
    TableProfile(
        "audition",
        "a list of markers of Adobe Audition",
        ("Name", "Start", "Duration", "Time Format"),
        columns={"label": ("Name",), "time_format": ("Time Format",)},
    ),
    TableProfile(
        "reaper",
        "a list of regions of Reaper",
        ("#", "Name", "Start", "End", "Length"),
        columns={"label": ("Name",), "start_s": ("Start",), "end_s": ("End", "Start")},  # a marker has no end
    ),
    TableProfile(
        "sonic visualiser",
        "a layer of Sonic Visualiser",
        ("TIME", "VALUE", "DURATION", "LABEL"),
        columns={"start_s": ("TIME",), "value": ()},
    ),
    TableProfile("praat table", "a table of Praat", ("tmin", "text", "tmax"), columns={"label": ("text",)}),
    TableProfile("birdnet", "a result table of BirdNET", ("Start (s)", "End (s)", "Scientific name", "Common name")),
    TableProfile(
        "kaleidoscope",
        "a table of Kaleidoscope",
        ("FOLDER", "IN FILE"),
        columns={
            "folder": ("FOLDER",),
            "recording": ("IN FILE",),
            "start_s": ("OFFSET",),
            "label": ("MANUAL ID", "AUTO ID", "TOP1MATCH", "common_name", "scientific_name"),
            # Hertz in some of its tables, kilohertz in others.
            "low_hz": (),
            "high_hz": (),
        },
        may_list=True,
    ),
    # Seconds and hertz; in other tables columns of these names are pixels.
    TableProfile(
        "arbimon",
        "a table of matches of Arbimon",
        ("recording", "species", "songtype", "x1", "x2", "y1", "y2"),
        columns={
            "start_s": ("x1",),
            "end_s": ("x2",),
            "low_hz": ("y1",),
            "high_hz": ("y2",),
            "value": ("validated",),
        },
    ),
    TableProfile(
        "audioset",
        "a table of AudioSet's segments",
        ("YTID", "start_seconds", "end_seconds", "positive_labels"),
        columns={"recording": ("YTID",)},
        is_whole=True,
    ),
    TableProfile("fsd50k", "the table of FSD50K", ("fname", "labels", "mids")),
    TableProfile("hoplite", "a table of hoplite", ("recording", "start_offset_s", "label_type")),
    TableProfile("dcase strong", "a table of DCASE or sed_eval", ("filename", "onset", "offset", "event_label")),
    TableProfile("dcase weak", "a table of DCASE with weak labels", ("filename", "event_labels")),
)
"""The tables that are known, the most particular ones first."""


def profile_of(header: list[str]) -> TableProfile | None:
    """Return the first profile that fits the names of a table's columns."""
    names = {folded(name) or name for name in header}
    return next((one for one in PROFILES if names.issuperset(folded(name) or name for name in one.header)), None)
