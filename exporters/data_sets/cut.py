"""Sound cut to files to the sample, every channel, without a change to any sample."""

from __future__ import annotations

from errno import EIO
from itertools import groupby
from pathlib import Path

import pandas as pd

from labeltool.audio.files import require_content
from labeltool.audio.sound_reader import SoundReader
from labeltool.errors import LabeltoolError
from labeltool.exporters.file_names import safe_stems
from labeltool.exporters.source import Source
from labeltool.store.recordings import all_recordings

# As what samples are read and written, by libsndfile's name for their coding: exactly what the file has. What decodes
# to no whole numbers, as MP3 and Ogg Vorbis do, is written in floating point.
_STORED = {
    **dict.fromkeys(("PCM_S8", "PCM_U8"), ("int16", "PCM_U8")),
    **dict.fromkeys(("PCM_16", "ALAC_16", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"), ("int16", "PCM_16")),
    **dict.fromkeys(("PCM_24", "ALAC_20", "ALAC_24"), ("int32", "PCM_24")),
    **dict.fromkeys(("PCM_32", "ALAC_32"), ("int32", "PCM_32")),
    "DOUBLE": ("float64", "DOUBLE"),
}
_IN_FLOATING_POINT = ("float32", "FLOAT")
_MAX_WAV_BYTES = (1 << 32) - (1 << 16)
_LARGEST_SAMPLE_BYTES = 8
# Of a name's bytes, the rest is for the times.
_MAX_STEM_BYTES = 90

HOW = """\
Each file is a WAV with the samples of the recording from round(start_s * rate) to round(end_s * rate), every channel,
unchanged: 8, 16, 24 or 32 bits or floating point as there, in floating point what was MP3, Ogg or Opus. A name is that
of the recording with start and end in seconds."""


def file_stems(rows: pd.DataFrame) -> list[str]:
    """Return a file's stem for each row: the recording's, start and end; of equal rows, equal ones.

    Parameters
    ----------
    rows
        With `path`, `recording_sha256`, `start_s` and `end_s`.
    """
    recordings = rows.drop_duplicates("recording_sha256")
    stems = safe_stems([Path(path).stem for path in recordings["path"]], _MAX_STEM_BYTES)
    stem_of = dict(zip(recordings["recording_sha256"], stems, strict=True))
    spans = zip(rows["recording_sha256"], rows["start_s"], rows["end_s"], strict=True)
    return [f"{stem_of[sha256]}_{start_s:.3f}-{end_s:.3f}" for sha256, start_s, end_s in spans]


def cut(source: Source, rows: pd.DataFrame, directory: Path) -> pd.Series[str]:
    """Cut the sound of each row to its file; a recording is open once, and a bounded part of it in memory.

    Parameters
    ----------
    rows
        With `path`, `recording_sha256`, `start_s`, `end_s` and `file_name`, which is relative to `directory`; sorted
        by the first three.

    Returns
    -------
    pandas.Series
        Why a row has no file, in the order of the rows; "" where it has one. `source.failed` has the errors.

    Raises
    ------
    LabeltoolError
        The first of them, when there is no file at all.
    """
    reasons: list[str] = []
    samples = {sha256: one.samples_sha256 for one, sha256 in all_recordings(source.store)}
    columns = rows[["path", "recording_sha256", "start_s", "end_s", "file_name"]]
    for (path, sha256), of_recording in groupby(columns.itertuples(index=False, name=None), key=lambda row: row[:2]):
        spans = list(of_recording)
        try:
            require_content(path, sha256, samples.get(sha256))
            with SoundReader(path) as reader:
                for _, _, start_s, end_s, name in spans:
                    source.report("cut", len(reasons), len(rows), name)
                    reasons.append(_write(source, reader, start_s, end_s, directory / name))
        except LabeltoolError as error:
            source.failed.append(error)
            reasons += [str(error)] * len(spans)
    source.report("cut", len(rows), len(rows), "")
    if source.failed and all(reasons):
        raise source.failed[0]
    return pd.Series(reasons, index=rows.index, dtype=object)


def _write(source: Source, reader: SoundReader, start_s: float, end_s: float, path: Path) -> str:
    """Write a span to a file; return why it cannot be."""
    import soundfile

    first, last = round(start_s * reader.rate_hz), round(end_s * reader.rate_hz)
    dtype, subtype = _STORED.get(reader.subtype, _IN_FLOATING_POINT)
    largest = (last - first) * reader.channels * _LARGEST_SAMPLE_BYTES
    frames = 0
    try:
        with soundfile.SoundFile(
            path,
            "w",
            samplerate=reader.rate_hz,
            channels=reader.channels,
            format="WAV" if largest < _MAX_WAV_BYTES else "RF64",
            subtype=subtype,
        ) as file:
            for block in reader.all_channels(first, last, dtype):
                file.write(block)
                frames += len(block)
    except LabeltoolError as error:
        source.failed.append(error)
        path.unlink()
        return str(error)
    except soundfile.SoundFileError as error:
        raise OSError(EIO, f"cannot be written: {error}", str(path)) from error
    if not frames:
        path.unlink()
        return "its recording has no sample there"
    _clear_time(path)
    return ""


def _clear_time(path: Path) -> None:
    """Clear the time of writing, which libsndfile stores beside the peaks of floating-point samples."""
    with path.open("r+b") as file:
        head = file.read(1 << 12)
        peaks = head.find(b"PEAK", 0, head.find(b"data"))
        if peaks >= 0:
            file.seek(peaks + 12)
            file.write(bytes(4))


def with_failed(lost: pd.DataFrame, rows: pd.DataFrame, reasons: pd.Series[str]) -> pd.DataFrame:
    """Return what a product lacks with the rows that `cut` could not write, with its reasons."""
    failed = reasons != ""
    return pd.concat(
        [lost, rows.loc[failed].reindex(columns=lost.columns).assign(exported="no", reason=reasons[failed])]
    )
