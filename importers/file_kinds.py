"""What a file is, by its first bytes: for readers that are given another kind than they read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from labeltool.importers.base import marked_encoding
from labeltool.importers.tables.profiles import PROFILES


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes
    ----------
    name
        Of the kind, for the program.
    words
        What it is, for a person: "a PDF".
    importer
        The format of the registry that reads it; None where none does.
    pattern
        How such a file begins: a regular expression of its first bytes as Latin-1, or of its text after a byte order
        mark.
    head_bytes
        How many bytes are looked at.
    """

    name: str
    words: str
    importer: str | None
    pattern: re.Pattern[str]
    head_bytes: int


def _kind(name: str, words: str, pattern: str, importer: str | None = None, head_bytes: int = 4096) -> FileKind:
    return FileKind(name, words, importer, re.compile(pattern, re.DOTALL), head_bytes)


def _columns(name: str, words: str, header: tuple[str, ...], importer: str | None = None) -> FileKind:
    """Return the kind of a table that is known by the columns in its header, which may follow comments."""
    before, after = r"(?:[^\n]*[,;\t|])?[\"'# ]*", r"[\"' ]*(?:[,;\t|\r\n]|$)"
    columns = "".join(f"(?={before}(?i:{re.escape(one)}){after})" for one in header)
    return _kind(name, words, rf"(?:#[^\n]*\n)*?{columns}", importer)


ARROW = r"(?:[-=\x96\x97‐-―−]|\xe2\x80[\x90-\x95]|\xe2\x88\x92){1,3}[ \t]?(?:>|&gt;)|[→➔⇒]|\xe2(?:\x86|\x87)\x92"
"""Between the times of a subtitle, as programs and people write it: also with dashes, in UTF-8 read as Latin-1."""

# Any cue of the beginning, for the first may be damaged: a counter and a line with an arrow, or two times and an arrow
# between them, with blanks; with a tab rather a label track's point whose title begins with an arrow. A line of a label
# track before any cue, a time and a tab, decides that it is one.
_COUNTER = rf"[ \t]*+\d{{1,9}}[ \t]*+(?:\r\n|\r|\n)[^\t\r\n]*?(?:{ARROW})"
_TIMES = rf"[ \t]*+[\d:.,]{{3,}}+(?: *+(?:{ARROW}) *+\d|[ \t]*+-->[ \t]*+\d+:\d)"
_LABEL_LINE = r"[ \t]*+[+-]?[\d:.,]++\t++[^\r\n]"
_SUBTITLE = rf"(?:(?!{_LABEL_LINE})[^\r\n]*+(?:\r\n|\r|\n))*?(?:{_COUNTER}|{_TIMES})"

_JSON = r"\s*+[\[{].*"
# A task of Label Studio without labels: [{"data": {...  or [{"audio": "...
_TASK = r'\s*+(?:\[\s*+)?\{\s*+(?:"id"\s*:\s*\d{1,18}\s*,\s*)?"(?:data"\s*:\s*\{|audio"\s*:\s*")'
_AVIANZ = (
    r'\s*+\[\s*+(?:\[\s*-1\s*,[\d\s.]+,\s*"[^"]*"\s*,\s*"[^"]*"\s*,\s*-1\s*\]|'
    r'\{(?=[^}]*"Operator"\s*:)[^}]*"Reviewer"\s*:|\[[\d\s.,]+\[\s*+\{\s*+"species"\s*:)'
)
_RTTM = (
    r"(?:;;[^\n]*\n|\s)*+(?:(?:SPEAKER|NON-SPEECH|NON-LEX|SPKR-INFO|LEXEME)[ \t]+\S+[ \t]+\d"
    r"|(?:SEGMENT|NOSCORE|NO_RT_METADATA|FILLER|EDIT|IP|SU|CB|A/P)[ \t]+\S+[ \t]+\d+[ \t]+(?:\d|\.\d|<NA>))"
)
_TAB_LINE = r"[0-9]++\t[0-9]++\t[^\r\n]*+(?:\r\n|\r|\n|\Z)"
# With tabs only whole numbers, one of them so large that it is no time in seconds: the others are Audacity's.
_HTK_TABS = rf"(?=(?:{_TAB_LINE})*+[^\r\n]*\s*\Z)(?:{_TAB_LINE})*?[0-9]++\t0*+[1-9][0-9]{{6}}"
_AUDINO = rf'(?={_JSON}"original_filename"\s*+:){_JSON}"segmentations"\s*+:\s*+\['
# A line that is an object. In one JSON document over several lines a comma or a bracket follows it.
_OBJECT_LINE = r'[ \t]*+\{[ \t]*+"[^\n]*?\}[ \t\r]*(?:\n|\Z)'
# A name of a file in the first line, or any text after the object in it; two such lines, where the first is damaged.
_JSON_LINES = (
    rf'\s*+(?=\{{[ \t]*")(?:[^\n]*"file_name"[ \t]*:|{_OBJECT_LINE}\s*+[^\s,\]}}]|'
    rf"(?:[^\n]*+\n)*?(?:{_OBJECT_LINE}){{2}})"
)

_LINES_KIND = _kind("json lines", "a table as JSON Lines", _JSON_LINES, "table", 1 << 16)
_LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
# In a file of that name one object after any other line, or a line that is longer than what is looked at.
_NAMED_LINES = re.compile(
    rf'\s*+(?:(?:[^\n]*+\n)+?{_OBJECT_LINE}\s*+(?![,\]}}])|(?:[^\n]*+\n)*?[ \t]*+\{{[ \t]*+"[^\n]{{30000,}}+\Z)'
)

FILE_KINDS = (
    _kind("aup3", "a project of Audacity 3 or 4", "SQLite format 3\0", "audacity"),
    _kind("aup", "a project of Audacity 2", r"\s*<\?xml.*<(?:audacity)?project\b[^>]*audacityversion", "audacity"),
    _kind("webvtt", "a WebVTT file", r"\s*WEBVTT(?:\s|$)", "audacity"),
    _kind("device log", "a log of a device", r"(?:#[^\n]*\n)*# aed_run ", "device"),
    _columns("suggestions", "what a model suggests, no labels", ("recording_sha256", "probability", "model")),
    _columns("index", "the list of an export's files", ("track", "path", "recording_sha256", "regions")),
    _columns("not exported", "what an export lacks", ("recording_sha256", "exported", "reason")),
    _columns("label studio table", "a table of Label Studio", ("annotation_id", "lead_time"), "label-studio"),
    *(_columns(one.name, one.words, one.header, one.importer) for one in PROFILES),
    _kind("parquet", "a Parquet file", "PAR1", "table"),
    _kind("textgrid", "a TextGrid of Praat", r'\s*(?:File type = )?"ooTextFile|ooBinaryFile', "textgrid"),
    _kind("elan", "an annotation file of ELAN", r".*<ANNOTATION_DOCUMENT", "elan"),
    _kind("git-lfs", "a git-lfs pointer, not the file itself (`git lfs pull` fetches it)", "version https://git-lfs"),
    _kind("sound", "a sound file", r"RIFF....WAVE|RF64|fLaC|OggS|ID3|FORM....AIF|caff|\.snd|\xff[\xe2-\xff]", "audio"),
    _kind("mp4", "an MP4 file (m4a, m4b)", r"....ftyp"),
    _kind("spreadsheet", "a ZIP archive or a spreadsheet", r"PK\x03\x04|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    _kind("gzip", "a file packed with gzip", r"\x1f\x8b"),
    _kind("pdf", "a PDF", "%PDF-"),
    _kind("picture", "a picture", r"\x89PNG|\xff\xd8\xff|GIF8|BM..\0\0"),
    _kind("rtf", "a text of a word processor (RTF)", r"\{\\rtf"),
    _kind("html", "a web page", r"\s*(?i:<!doctype html|<html)"),
    _kind("svl", "a layer of Sonic Visualiser", r"\s*<\?xml.*<sv>", "sonic-visualiser"),
    _kind("xml", "an XML file", r"\s*<\?xml"),
    _kind("avianz", "an annotation file of AviaNZ", _AVIANZ, "avianz"),
    _kind("via", "a project of VIA 3", r'\s*+\{\s*+"project"\s*+:\s*+\{\s*+"pid"', "via"),
    _kind("via table", "an export of VIA 3", "# Exported using VGG Image Annotator", "via"),
    _kind("htk", "a label file of HTK", rf"#!MLF!#| *+[0-9]++ ++[0-9]++ ++\S|{_HTK_TABS}", "htk"),
    _kind("rttm", "an RTTM file", _RTTM, "rttm"),
    _kind("audino", "an export of audino", _AUDINO, "audino", 1 << 16),
    _kind("jams", "a JAMS file", rf'{_JSON}"(?:jams_version|file_metadata|annotation_metadata)"', "jams", 1 << 16),
    _kind("soundevent", "an AOEF file of soundevent", rf'{_JSON}"collection_type"\s*:', "soundevent"),
    _LINES_KIND,
    _kind(
        "label studio",
        "a JSON file of Label Studio",
        rf'{_JSON}"(?:completed_by|lead_time|annotation_id|from_name|file_upload)"\s*:|{_TASK}',
        "label-studio",
        1 << 16,
    ),
    _kind("json", "a JSON file", r'\s*(?:\{\s*["}]|\[\s*[\[{"\d\]-])'),
    _kind("subrip", "a SubRip file", _SUBTITLE, "audacity", head_bytes=1 << 18),
)
"""The first one whose pattern fits is what a file is."""


def file_kind(path: Path) -> FileKind | None:
    """Return what a file is by its first bytes; None where it is nothing known, or cannot be read.

    Its suffix counts for JSON Lines only, of which the first line may be damaged.
    """
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(max(kind.head_bytes for kind in FILE_KINDS))
    except (OSError, ValueError):
        return None
    encoding = marked_encoding(head) or "latin-1"

    def begins_with(kind: FileKind, pattern: re.Pattern[str]) -> bool:
        return pattern.match(head[: kind.head_bytes].decode(encoding, "ignore")) is not None

    found = next((kind for kind in FILE_KINDS if begins_with(kind, kind.pattern)), None)
    may_be_lines = path.suffix.lower() in _LINES_SUFFIXES and (found is None or found.name == "json")
    return _LINES_KIND if may_be_lines and begins_with(_LINES_KIND, _NAMED_LINES) else found


def describe_kind(path: Path, wanted: str) -> str:
    """Return why a file is not what is wanted: "is a PDF, not a label track", or "is not a label track"."""
    kind = file_kind(path)
    return f"is {kind.words}, not {wanted}" if kind is not None else f"is not {wanted}"
