"""What speech models heard said: one transcript a clip, found again by the words in it.

Transcripts are made by a model from the sound, so they are no rows of the journal; but they took long to make, and
nothing deletes one except another one of the same clip.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import astuple, dataclass

from labeltool.records import Segment, StoredClip, Transcript, Word
from labeltool.store.clips import CLIP_COLUMNS, stored_clip
from labeltool.store.database import Store, now

_COLUMNS = "t.clip_id, t.model, t.model_sha256, t.language, t.language_probability, t.asked, t.made_at"

# A quoted phrase, or what stands between spaces; a quote that is never closed is a letter like any other.
_TERMS = re.compile(r'"([^"]*)"|(\S+)')

# Scripts that are written without spaces: unicode61 takes a whole sentence of them for one word. Thai to Myanmar,
# Khmer, kana and Han, the later Han planes.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)

# Marks where the index found something: no letter of a transcript (`speech.one_line`).
_OPENING = "\x01"


@dataclass(frozen=True, slots=True)
class Spoken:
    """A transcript that was sought, with its clip; `at` is the place of the first segment that holds it."""

    clip: StoredClip
    transcript: Transcript
    at: int = 0


def keep(store: Store, transcript: Transcript) -> None:
    """Write a transcript down in place of the one its clip had; it is on the disk when this returns."""
    segments = [
        (
            transcript.clip_id,
            place,
            segment.start_s,
            segment.end_s,
            segment.text,
            json.dumps([astuple(word) for word in segment.words], ensure_ascii=False) if segment.words else None,
        )
        for place, segment in enumerate(transcript.segments)
    ]
    with store.transaction() as connection:
        connection.execute("DELETE FROM transcripts WHERE clip_id = ?", (transcript.clip_id,))
        connection.execute(
            "INSERT INTO transcripts (clip_id, model, model_sha256, language, language_probability, text, asked, "
            "made_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                transcript.clip_id,
                transcript.model,
                transcript.model_sha256,
                transcript.language,
                transcript.language_probability,
                transcript.text,
                transcript.asked,
                now(),
            ),
        )
        connection.executemany(
            "INSERT INTO transcript_segments (clip_id, place, start_s, end_s, text, words) VALUES (?, ?, ?, ?, ?, ?)",
            segments,
        )


def makers(store: Store) -> dict[int, tuple[str, str]]:
    """Return by which model (its content hash), asked how, each clip that has a transcript was transcribed."""
    rows = store.connection.execute("SELECT clip_id, model_sha256, asked FROM transcripts")
    return {clip_id: (sha256, asked) for clip_id, sha256, asked in rows}


def of_clip(store: Store, clip_id: int) -> Transcript | None:
    """Return a clip's transcript, None where it has none."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM transcripts t WHERE t.clip_id = ?", (clip_id,)).fetchone()
    return None if row is None else _transcript(store.connection, row)


def of_recordings(store: Store, recording_id: int | None = None) -> dict[int, list[Segment]]:
    """Return what was said in each recording, or in one, by its id, in the order of time.

    Clips may lie over each other: each tells what was heard in it.
    """
    of_one = "" if recording_id is None else "WHERE c.recording_id = ?"
    said: dict[int, list[Segment]] = {}
    for row in store.connection.execute(
        f"""
        SELECT c.recording_id, s.start_s, s.end_s, s.text, s.words
        FROM transcript_segments s JOIN clips c ON c.id = s.clip_id {of_one} ORDER BY s.start_s, s.end_s, s.clip_id
        """,
        () if recording_id is None else (recording_id,),
    ):
        said.setdefault(row["recording_id"], []).append(_segment(row))
    return said


def found(store: Store, text: str, *, limit: int = -1) -> tuple[int, list[Spoken]]:
    """Seek transcripts by words, whatever their case and accents; return how many there are, and the best `limit`.

    Every word must be in the transcript, in any order; words in double quotes must follow one another, a word that ends
    in `*` is the beginning of one. Nothing else has a meaning of its own, and no text is an error. Of scripts that
    are written without spaces any part is found.

    Parameters
    ----------
    text
        Empty: every transcript, in the order of the clips.
    limit
        -1 is all of them.
    """
    sought = _sought(text)
    marked = f"highlight(transcripts_fts, 0, '{_OPENING}', '')" if sought.match else "t.text"
    (count,) = store.connection.execute(f"SELECT COUNT(*) {sought.source}", sought.values).fetchone()
    rows = store.connection.execute(
        f"""
        SELECT {_COLUMNS}, {CLIP_COLUMNS}, {marked} AS marked {sought.source}
        ORDER BY {"f.rank," if sought.match else ""} t.clip_id LIMIT ?
        """,
        (*sought.values, limit),
    ).fetchall()
    return int(count), [_spoken(store, row, sought) for row in rows]


def where_said(text: str) -> tuple[str, list[str]]:
    """Return a statement that selects the ids of the clips in which something was said, and its parameters.

    `text` is as `found` takes it.
    """
    sought = _sought(text)
    return f"SELECT t.clip_id {sought.source}", sought.values


@dataclass(frozen=True, slots=True)
class _Sought:
    """A query: what the index is asked for, and the parts that the text itself must hold."""

    match: str
    parts: tuple[str, ...]
    nothing: bool

    @property
    def source(self) -> str:
        """Return what follows the columns of a SELECT."""
        conditions = ["transcripts_fts MATCH ?"] if self.match else []
        conditions += ["t.text LIKE ? ESCAPE '\\'"] * len(self.parts)
        # Joined only where it is asked: its columns are none without a match.
        index = "JOIN transcripts_fts f ON f.rowid = t.clip_id" if self.match else ""
        return f"""
            FROM transcripts t {index}
            JOIN clips c ON c.id = t.clip_id JOIN recordings r ON r.id = c.recording_id
            WHERE {" AND ".join(conditions) or int(not self.nothing)}
        """

    @property
    def values(self) -> list[str]:
        return [*([self.match] if self.match else []), *map(_anywhere, self.parts)]


def _sought(text: str) -> _Sought:
    quoted, parts = [], []
    # A NUL would end the query inside a quote; half a surrogate pair has no bytes to send.
    for phrase, word in _TERMS.findall(text.replace("\0", " ").encode(errors="ignore").decode()):
        term = (phrase or word).rstrip("*")
        if _UNSPACED.search(term):
            parts.append(term)
        elif any(map(str.isalnum, term)):
            # In quotes all of FTS5's own words and signs are text; the star that stays means a beginning.
            quoted.append('"{}"{}'.format(term.replace('"', '""'), "*" if word.endswith("*") else ""))
    return _Sought(" ".join(quoted), tuple(parts), nothing=bool(text.strip()) and not quoted and not parts)


def _anywhere(part: str) -> str:
    escaped = part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _spoken(store: Store, row: sqlite3.Row, sought: _Sought) -> Spoken:
    transcript = _transcript(store.connection, row)
    first = row["marked"].find(_OPENING if sought.match else "".join(sought.parts[:1]))
    ends = 0
    for place, segment in enumerate(transcript.segments):
        ends += len(segment.text) + 1
        if first < ends:
            return Spoken(stored_clip(store, row), transcript, place)
    return Spoken(stored_clip(store, row), transcript)


def _transcript(connection: sqlite3.Connection, row: sqlite3.Row) -> Transcript:
    segments = connection.execute(
        "SELECT start_s, end_s, text, words FROM transcript_segments WHERE clip_id = ? ORDER BY place",
        (row["clip_id"],),
    )
    return Transcript(
        clip_id=row["clip_id"],
        model=row["model"],
        model_sha256=row["model_sha256"],
        language=row["language"],
        language_probability=row["language_probability"],
        segments=tuple(map(_segment, segments)),
        asked=row["asked"],
        made_at=row["made_at"],
    )


def _segment(row: sqlite3.Row) -> Segment:
    words = tuple(Word(*word) for word in json.loads(row["words"] or "[]"))
    return Segment(row["start_s"], row["end_s"], row["text"], words)
