"""The readers of everything that comes from outside, each with small inputs of its kind to begin with.

A reader returns or raises the tool's own error, whatever the bytes are. `run.py` looks for inputs for which it does
neither.
"""

from __future__ import annotations

import io
import itertools
import json
import random
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from fuzz import label_files
from helpers.audacity_project import document_of, project_file
from helpers.journal_rows import fill_with_everything
from helpers.records import read_esc50, read_urbansound8k
from labeltool.audio import files
from labeltool.audio.frontend import EmbeddingFrontend, LogMelFrontend
from labeltool.audio.remote.listing import sounds_at
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.verification import checks
from labeltool.importers import audacity, device_log
from labeltool.importers.annotation_files import (
    audino,
    avianz,
    elan,
    htk,
    jams,
    label_studio,
    rttm,
    sonic_visualiser,
    soundevent,
    textgrid,
    via,
)
from labeltool.importers.label_list import read_label_list
from labeltool.importers.tables import table
from labeltool.networks import dense_head, model_card, model_folder
from labeltool.networks.postprocessing import ClipRule
from labeltool.networks.stream_rule import StreamRule
from labeltool.pretrained import card, class_list, class_mapping, probe
from labeltool.pretrained.runtimes import tflite_metadata
from labeltool.settings import read_settings
from labeltool.settings_template import TEMPLATE
from labeltool.store import Store
from labeltool.store.text_journal.lines import export_lines
from labeltool.store.text_journal.reading import import_journal

CLASSES = ("Dog", "Bark", "Rain", "Rain on surface", "Baby cry, infant cry")
_LABELS = [{"t": 1.0, "t1": 2.5, "title": "wren", "selLow": 100.0, "selHigh": 4000.0}, {"t": 4.0, "title": "robin"}]
_ESC50 = (
    "filename,fold,target,category,esc10,src_file,take\n1-1-A-0.wav,1,0,dog,True,1,A\n2-2-A-3.wav,2,3,cow,False,2,A\n"
)
_URBANSOUND8K = "slice_file_name,fsID,start,end,salience,fold,classID,class\n1-3-0-0.wav,1,0.0,0.5,1,1,3,dog_bark\n"
_TABLES = (
    'file,start,end,label,value,fold\na.wav,0.5,1.25,wren,present,1\n"b,c.wav",0:01,0:02,robin,absent,2.0\n',
    "file;onset;duration;class;low_freq;high_freq\na.wav;0,5;1,5;x;100;4000\n",
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tSpecies\n"
    "1\tWaveform 1\t1\t1.0\t2.0\ta.wav\t1.0\tEATO\n1\tSpectrogram 1\t1\t1.0\t2.0\ta.wav\t1.0\tEATO\n",
    "INDIR,FOLDER,IN FILE,OFFSET,DURATION,MANUAL ID\nC:\\x,night,a.wav,2.5,1.5,Myotis\n",
    '# YTID, start_seconds, end_seconds, positive_labels\nx, 30.000, 40.000, "/m/09x0r,/m/05zppz"\n',
    "file,wren,robin\na.wav,1,0\nb.wav,,?\n",
    "Survey;;\n\nfile;start;label\n;ms;\na.wav;1.250;x\nb.wav;950;y\n",
    'file,start,end,label\na.wav,0.5 s,"1,002",x\n',
)
_LOG = "# aed_run 2 model=0123456789abcdef labels=2 rate=16000 patch_s=1.044 patch_hop_s=0.5\n0.000 -128 97\n"


@dataclass(frozen=True, slots=True)
class FuzzedReader:
    """A reader.

    Attributes
    ----------
    file
        The name of its file; `{}` stands for a number that no other input has.
    seeds
        Inputs to begin with.
    read
        Reads a file; a `LabeltoolError` is an answer like any other.
    """

    file: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def read_bytes(self, content: bytes, folder: Path) -> None:
        """Write an input and read it; raises what the reader must not raise."""
        path = folder / self.file.format(next(self._numbers))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        try:
            self.read(path)
        except LabeltoolError as error:
            if "\n" in str(error):
                raise ValueError("the reason is no single line") from error
        finally:
            path.unlink(missing_ok=True)


def mutated(seeds: list[bytes], source: random.Random) -> bytes:
    """Return an input by a few random changes of a seed: of bytes, lengths, numbers, and pieces of other seeds."""
    content = bytearray(source.choice(seeds))
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(content))
        end = min(len(content), start + source.choice((0, 1, 2, 4, 16, 200)))
        other = source.choice(seeds)
        at = source.randrange(len(other) or 1)
        content[start:end] = source.choice(
            (
                *(b"", b"\0", b"\xff\xff\xff\x7f", b"\n", b"[" * 3000, b"9" * 5000, b"1e305", b"nan", b'"', b"\xe9"),
                *(source.randbytes(end - start), bytes(content[start:end]) * 3, other[at : at + 50]),
            )
        )
    return bytes(content)


def _texts(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


def _sound(name: str, **options: str) -> list[bytes]:
    target = io.BytesIO()
    tone = 0.3 * np.sin(np.arange(4000) / 5)
    soundfile.write(target, np.stack([tone, -tone], axis=1), 16_000, format=name, **options)
    return [target.getvalue()]


def _read_sound(path: Path) -> None:
    sound = files.describe(path)
    files.read_pcm(path, 0.0, min(sound.duration_s, 60.0), 16_000)


def _sound_reader(name: str, **options: str) -> FuzzedReader:
    return FuzzedReader(f"{{}}.{name}", lambda: _sound(name.upper(), **options), _read_sound)


def _project(folder: Path) -> list[bytes]:
    path = project_file(folder / "seed.aup3", _LABELS)
    content = path.read_bytes()
    path.unlink()
    return [content]


def _documents() -> list[bytes]:
    document = document_of(_LABELS)[1]
    return [document, document + b"\x10\0\0\2\0\0\0\xff\xd8"]  # with the blob of Audacity 4


def _read_document(path: Path) -> None:
    """Read a project whose document, rather than its database, is the input."""
    project = path.with_suffix(".aup3")
    project_file(project, [], document=path.read_bytes())
    try:
        audacity.parse(project)
    finally:
        project.unlink()


def _read_mapping(path: Path) -> None:
    class_mapping.read_mapping(path.parent, CLASSES)
    class_mapping.set_mapping(path.parent, CLASSES, "dog", [0, 1])


def _read_model(path: Path) -> None:
    files_of_model = model_folder.read(path.parent)
    if (path.parent / model_folder.SEEN).exists():
        files_of_model.groups_seen()


def _card() -> bytes:
    frontend = LogMelFrontend()
    of_dog = model_card.ModelCard(
        architecture="miniresnet",
        frontend=frontend.to_dict(),
        fingerprint=frontend.fingerprint,
        labels=("dog", "rain"),
        clip_rule=ClipRule(),
        stream_rule=StreamRule(thresholds=(0.5, 0.5)),
    )
    return of_dog.to_json().encode()


def _read_seen(path: Path) -> None:
    (path.parent / model_folder.CARD).write_bytes(_card())
    model_folder.read(path.parent).groups_seen()


def _pretrained_card() -> bytes:
    frontend = LogMelFrontend()
    described = card.PretrainedCard(
        {"net.tflite": "0" * 64}, 16_000, frontend.patch_samples, (1, 64, 50, 1), CLASSES, "scores", frontend=frontend
    )
    return json.dumps(described.to_dict()).encode()


def _head() -> list[bytes]:
    target = io.BytesIO()
    np.savez(
        target,
        activation=np.array("softmax"),
        scale=0.1,
        zero_point=0,
        kernel0=np.ones((2, 3), np.float32),
        bias0=np.zeros(3, np.float32),
    )
    return [target.getvalue()]


def _journals() -> list[bytes]:
    """Return the journals of two small projects."""
    return [project[0] for project in map(_small_project, range(2))]


def _small_project(seed: int) -> tuple[bytes, bytes]:
    """Return the journal and the database of a small project."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "labels.db")
        with Store.create(path) as store:
            fill_with_everything(store, 12, seed=seed)
            journal = b"".join(export_lines(store))
        return journal, path.read_bytes()


def _read_journal(path: Path) -> None:
    """Add the journal to an empty project."""
    empty, database = path.parent / "empty.db", path.with_suffix(".db")
    if not empty.exists():
        Store.create(empty).close()
    shutil.copy(empty, database)
    try:
        with Store.open(database, to_write=True) as store, path.open("rb") as file:
            store.connection.execute("PRAGMA synchronous = OFF")
            import_journal(store, file, path.name)
            b"".join(export_lines(store))
    finally:
        for one in path.parent.glob(f"{database.name}*"):
            one.unlink()


def _read_database(path: Path) -> None:
    """Read another's project, as `labeltool merge` and `restore` do."""
    with Store.open(path, to_read=True) as store:
        b"".join(export_lines(store))


def _parquet() -> list[bytes]:
    target = io.BytesIO()
    pd.DataFrame(
        {"file": ["a.wav", "b.wav"], "start_s": [0.5, 1.0], "end_s": [1.25, 2.0], "label": ["wren", None]}
    ).to_parquet(target)
    return [target.getvalue()]


def _archive() -> list[bytes]:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.txt", "dog\nrain\n")
    return [b"\x1c\0\0\0TFL3" + bytes(20) + target.getvalue()]


def _package() -> list[bytes]:
    rule, stream = asdict(ClipRule()), asdict(StreamRule(thresholds=(0.5, 0.5)))
    tensor = {"shape": [1, 64, 50, 1], "scale": 0.1, "zero_point": 0}
    config = {
        "config_version": 99,
        "model": 1,
        "sha256": "0" * 64,
        "labels": ["dog", "rain"],
        "background": None,
        "frontend": LogMelFrontend().to_dict(),
        "input": tensor,
        "clip_rule": rule,
        "stream_rule": stream,
    }
    return [json.dumps(config).encode()]


def readers(scratch: Path) -> dict[str, FuzzedReader]:
    """Return the readers by name; seeds that need a folder are made in `scratch`."""
    frontends = [json.dumps(one.to_dict()).encode() for one in (LogMelFrontend(), EmbeddingFrontend())]
    subrip = b"1\n00:00:01,000 --> 00:00:02,500\nblackbird\n\n2\n00:00:04,000 --> 00:00:05,250\nrobin\n"
    webvtt = b"WEBVTT\n\nNOTE x\n\nid\n00:01.000 --> 00:02.500 align:start\n<v Ann>black &amp; bird</v>\n"
    track = b'<labeltrack name="a"><label t="1" title="b"/></labeltrack>'
    aup = b'<?xml version="1.0"?><project audacityversion="2.4">' + track + b"</project>"
    template = TEMPLATE.encode()
    log = _LOG.encode() + b"event 1 0.0 1.5 0.8\n# late 3 1.0 2.0\n"
    seen = b"recording_sha256,start_s,end_s,group,part\na,0,1,g,train\n"
    return {
        "settings": FuzzedReader("{}.toml", lambda: [template, template.replace(b"# ", b"")], read_settings),
        "mapping": FuzzedReader(
            "map/mapping.toml", lambda: [b'# mine\ndog = ["Bark"]\nrain = []\n"a b" = "dog"\n'], _read_mapping
        ),
        "pretrained card": FuzzedReader(
            "pre/pretrained.json", lambda: [_pretrained_card()], lambda path: card.read_card(path.parent)
        ),
        "model card": FuzzedReader("model/card.json", lambda: [_card()], _read_model),
        "seen.csv": FuzzedReader("seen/seen.csv", lambda: [seen], _read_seen),
        "head": FuzzedReader("{}.npz", _head, dense_head.DenseHead.load),
        "frontend JSON": FuzzedReader("{}.json", lambda: frontends, probe.read_frontend),
        "frontend TOML": FuzzedReader(
            "{}.toml", lambda: [b'kind = "log-mel"\nn_fft = 512\nlow_hz = 20.0\nhop = 160\n'], probe.read_frontend
        ),
        "class list": FuzzedReader(
            "{}.txt", lambda: [b"index,mid,display_name\n0,/m/1,Dog\n", b"0 dog\n1 rain\n"], class_list.read
        ),
        "TFLite metadata": FuzzedReader("{}.tflite", _archive, lambda path: tflite_metadata.read(path.read_bytes())),
        "package": FuzzedReader(
            "pack/model/model_config.json", _package, lambda path: checks.read_package(path.parents[1])
        ),
        "manifest": FuzzedReader(
            "man/MANIFEST.sha256", lambda: [b"0" * 64 + b"  a/b.c\n"], lambda path: checks.check_manifest(path.parent)
        ),
        "device log": FuzzedReader("{}.log", lambda: [log], device_log.parse),
        "journal": FuzzedReader("journal/{}.jsonl", _journals, _read_journal),
        "database": FuzzedReader("{}.db", lambda: [_small_project(0)[1]], _read_database),
        "URL list": FuzzedReader(
            "{}.csv",
            lambda: [b"name,url\na,https://host/a.wav\nb,file:///etc/passwd\n", b"s3://bucket/a.wav\n"],
            lambda path: list(sounds_at(path, files.AUDIO_SUFFIXES)),
        ),
        "label list": FuzzedReader(
            "{}.csv", lambda: [b"label,parent,definition\ndog,animal,it barks\n"], read_label_list
        ),
        "Audacity text": FuzzedReader(
            "{}.txt", lambda: [b"1.0\t2.5\twren\t0.75\n\\\t100.0\t4000.0\n0:04,5\t0:05\trobin\n"], audacity.parse
        ),
        "SubRip": FuzzedReader("{}.srt", lambda: [subrip], audacity.parse),
        "WebVTT": FuzzedReader("{}.vtt", lambda: [webvtt], audacity.parse),
        "aup": FuzzedReader("{}.aup", lambda: [aup], audacity.parse),
        "aup3": FuzzedReader("{}.aup3", lambda: _project(scratch), audacity.parse),
        "aup3 document": FuzzedReader("{}.doc", _documents, _read_document),
        "TextGrid": FuzzedReader(
            "{}.TextGrid",
            lambda: [*_texts(label_files.TEXTGRID, label_files.SHORT), label_files.SHORT.encode("utf-16")],
            textgrid.parse,
        ),
        "JAMS": FuzzedReader("{}.jams", lambda: _texts(label_files.JAMS), jams.parse),
        "Label Studio": FuzzedReader(
            "{}.json", lambda: _texts(label_files.LABEL_STUDIO, label_files.JSON_MIN), label_studio.parse
        ),
        "JSON Lines": FuzzedReader("{}.jsonl", lambda: _texts(label_files.JSON_LINES), table.parse),
        "AOEF": FuzzedReader("{}.json", lambda: _texts(label_files.AOEF), soundevent.parse),
        "ELAN": FuzzedReader("{}.eaf", lambda: _texts(label_files.EAF), elan.parse),
        "AviaNZ": FuzzedReader("{}.wav.data", lambda: _texts(label_files.AVIANZ), avianz.parse),
        "VIA": FuzzedReader("{}.json", lambda: _texts(label_files.VIA, *label_files.VIA_TABLES), via.parse),
        "audino": FuzzedReader("{}.json", lambda: _texts(label_files.AUDINO), audino.parse),
        "HTK": FuzzedReader("{}.lab", lambda: _texts(label_files.LAB, label_files.MLF), htk.parse),
        "RTTM": FuzzedReader("{}.rttm", lambda: _texts(label_files.RTTM), rttm.parse),
        "svl": FuzzedReader("{}.svl", lambda: _texts(label_files.SVL), sonic_visualiser.parse),
        "ESC-50": FuzzedReader(
            "esc/meta/esc50.csv",
            lambda: [_ESC50.encode(), _ESC50.replace(",", ";").encode()],
            lambda path: list(read_esc50(path.parents[1])),
        ),
        "UrbanSound8K": FuzzedReader(
            "us8k/UrbanSound8K.csv", lambda: [_URBANSOUND8K.encode()], lambda path: list(read_urbansound8k(path.parent))
        ),
        "table": FuzzedReader("{}.csv", lambda: [one.encode() for one in _TABLES], table.parse),
        "Parquet": FuzzedReader("{}.parquet", _parquet, table.parse),
        "wav": _sound_reader("wav"),
        "flac": _sound_reader("flac"),
        "ogg": _sound_reader("ogg"),
        "mp3": _sound_reader("mp3"),
    }
