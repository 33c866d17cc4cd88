"""Transcripts by speech models: one a clip, with a full-text search.

A model makes transcripts from the sound, so they are not rows of the journal; but they took long to compute, and
nothing deletes one except a new transcript of the same clip.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import astuple, dataclass

from labeltool.records import Segment, StoredClip, Transcript, Word
from labeltool.store.clips import CLIP_COLUMNS, stored_clip
from labeltool.store.database import Store, now

_COLUMNS = "t.clip_id, t.model, t.model_sha256, t.language, t.language_probability, t.options, t.created_at"

# A quoted phrase, or text between spaces; a quote without its partner is an ordinary character.
_TERMS = re.compile(r'"([^"]*)"|(\S+)')

# Scripts that are written without spaces: unicode61 reads a whole sentence of them as one word. Thai to Myanmar,
# Khmer, kana and Han, the later Han planes.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)

# Marks the place of a match; it never occurs in a transcript (`inference.whisper.one_line`).
_MATCH_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class TranscriptMatch:
    """A transcript that a search found, with its clip; `segment` is the index of the first segment that matches."""

    clip: StoredClip
    transcript: Transcript
    segment: int = 0


def save(store: Store, transcript: Transcript) -> None:
    """Store a transcript in place of the one its clip had; it is on the disk when this returns."""
    segments = [
        (
            transcript.clip_id,
            position,
            segment.start_s,
            segment.end_s,
            segment.text,
            json.dumps([astuple(word) for word in segment.words], ensure_ascii=False) if segment.words else None,
        )
        for position, segment in enumerate(transcript.segments)
    ]
    with store.text_transaction() as connection:
        connection.execute("DELETE FROM transcripts WHERE clip_id = ?", (transcript.clip_id,))
        connection.execute(
            "INSERT INTO transcripts (clip_id, model, model_sha256, language, language_probability, text, "
            "options, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                transcript.clip_id,
                transcript.model,
                transcript.model_sha256,
                transcript.language,
                transcript.language_probability,
                transcript.text,
                transcript.options,
                now(),
            ),
        )
        connection.executemany(
            "INSERT INTO transcript_segments (clip_id, position, start_s, end_s, text, words) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            segments,
        )


def transcribed_with(store: Store) -> dict[int, tuple[str, str]]:
    """Return the model (its content hash) and the options of each clip's transcript, by the clip's id."""
    rows = store.connection.execute("SELECT clip_id, model_sha256, options FROM transcripts")
    return {clip_id: (sha256, options) for clip_id, sha256, options in rows}


def of_clip(store: Store, clip_id: int) -> Transcript | None:
    """Return a clip's transcript, None where it has none."""
    row = store.connection.execute(f"SELECT {_COLUMNS} FROM transcripts t WHERE t.clip_id = ?", (clip_id,)).fetchone()
    return None if row is None else _transcript(store.connection, row)


def of_recordings(store: Store, recording_id: int | None = None) -> dict[int, list[Segment]]:
    """Return the transcript segments of each recording, or of one, by its id, in the order of time.

    Where clips overlap, the segments of each are in the list.
    """
    of_one = "" if recording_id is None else "WHERE c.recording_id = ?"
    segments: dict[int, list[Segment]] = {}
    for row in store.connection.execute(
        f"""
        SELECT c.recording_id, s.start_s, s.end_s, s.text, s.words
        FROM transcript_segments s JOIN active_clips c ON c.id = s.clip_id {of_one}
        ORDER BY s.start_s, s.end_s, s.clip_id
        """,
        () if recording_id is None else (recording_id,),
    ):
        segments.setdefault(row["recording_id"], []).append(_segment(row))
    return segments


def search(store: Store, text: str, *, limit: int = -1) -> tuple[int, list[TranscriptMatch]]:
    """Search transcripts for words, ignoring case and accents; return the number of matches, and the best `limit`.

    Every word must be in the transcript, in any order; words in double quotes must follow one another, a word that ends
    in `*` matches its continuations. No other character is special, and no text is an error. In scripts without spaces
    any part of the text matches.

    Parameters
    ----------
    text
        Empty: every transcript, in the order of the clips.
    limit
        -1 is all of them.
    """
    query = _parse(text)
    highlighted = f"highlight(transcripts_fts, 0, '{_MATCH_MARK}', '')" if query.match else "t.text"
    (count,) = store.connection.execute(f"SELECT COUNT(*) {query.source}", query.values).fetchone()
    rows = store.connection.execute(
        f"""
        SELECT {_COLUMNS}, {CLIP_COLUMNS}, {highlighted} AS highlighted {query.source}
        ORDER BY {"f.rank," if query.match else ""} t.clip_id LIMIT ?
        """,
        (*query.values, limit),
    ).fetchall()
    return int(count), [_match(store, row, query) for row in rows]


def select_matching(text: str) -> tuple[str, list[str]]:
    """Return an SQL statement that selects the clip ids of matching transcripts, and its parameters.

    `text` is as in `search`.
    """
    query = _parse(text)
    return f"SELECT t.clip_id {query.source}", query.values


@dataclass(frozen=True, slots=True)
class _Query:
    """A search: the expression for the full-text index, and parts that the text itself must contain."""

    match: str
    parts: tuple[str, ...]
    matches_nothing: bool

    @property
    def source(self) -> str:
        """The SQL after the columns of a SELECT."""
        conditions = ["transcripts_fts MATCH ?"] if self.match else []
        conditions += ["INSTR(LOWER(t.text), LOWER(?))"] * len(self.parts)
        # Joined only where it is used: without MATCH its columns are empty.
        index = "JOIN transcripts_fts f ON f.rowid = t.clip_id" if self.match else ""
        return f"""
            FROM transcripts t {index}
            JOIN active_clips c ON c.id = t.clip_id JOIN recordings r ON r.id = c.recording_id
            WHERE {" AND ".join(conditions) or int(not self.matches_nothing)}
        """

    @property
    def values(self) -> list[str]:
        return [*([self.match] if self.match else []), *self.parts]


def _parse(text: str) -> _Query:
    quoted, parts = [], []
    # A NUL would end the query inside a quote; half a surrogate pair has no bytes to send.
    for phrase, word in _TERMS.findall(text.replace("\0", " ").encode(errors="ignore").decode()):
        term = (phrase or word).rstrip("*")
        if _UNSPACED.search(term):
            parts.append(term)
        elif any(map(str.isalnum, term)):
            # In quotes all of FTS5's keywords and signs are text; a star after the quotes searches for a prefix.
            quoted.append('"{}"{}'.format(term.replace('"', '""'), "*" if word.endswith("*") else ""))
    return _Query(" ".join(quoted), tuple(parts), matches_nothing=bool(text.strip()) and not quoted and not parts)


def _match(store: Store, row: sqlite3.Row, query: _Query) -> TranscriptMatch:
    transcript = _transcript(store.connection, row)
    first = row["highlighted"].find(_MATCH_MARK if query.match else "".join(query.parts[:1]))
    end = 0
    for position, segment in enumerate(transcript.segments):
        end += len(segment.text) + 1
        if first < end:
            return TranscriptMatch(stored_clip(store, row), transcript, position)
    return TranscriptMatch(stored_clip(store, row), transcript)


def _transcript(connection: sqlite3.Connection, row: sqlite3.Row) -> Transcript:
    segments = connection.execute(
        "SELECT start_s, end_s, text, words FROM transcript_segments WHERE clip_id = ? ORDER BY position",
        (row["clip_id"],),
    )
    return Transcript(
        clip_id=row["clip_id"],
        model=row["model"],
        model_sha256=row["model_sha256"],
        language=row["language"],
        language_probability=row["language_probability"],
        segments=tuple(map(_segment, segments)),
        options=row["options"],
        created_at=row["created_at"],
    )


def _segment(row: sqlite3.Row) -> Segment:
    words = tuple(Word(*word) for word in json.loads(row["words"] or "[]"))
    return Segment(row["start_s"], row["end_s"], row["text"], words)
