"""Projects with everything that people do, made through the functions that the app and the command line use."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from dataclasses import replace

from labeltool.errors import LabeltoolError
from labeltool.records import MAX_LABEL_CHARACTERS, Checked, Clip, Imported, Recording, Value, Verdict
from labeltool.store import Store, checked, clips, groups, journal, labels, recordings, spans
from labeltool.store.importing import import_records
from labeltool.store.importing.undo import undo_last_import
from labeltool.store.journal import AnnotationContext
from labeltool.store.label_acts import changes
from labeltool.store.spans import Region

NAMES = (
    "dog",
    "cat",
    "owl",
    "'",
    "A\u030a",
    "\u00c5",
    "=SUM(A1)",
    "a[/]b",
    "\u202egod",
    "\x1b[31m",
    "鳥\u2028",
    "\0",
    "x" * MAX_LABEL_CHARACTERS,
)
"""Names of labels that text formats stumble over, among others."""

WHO = ("ann", "bob", "b\u00f6b\n")
SECONDS = 60


def recording_records(number: int, rng: random.Random) -> list[Imported]:
    """Return the records of a recording of a minute with clips and labels of every form, some shared with no one."""
    sha256 = hashlib.sha256(str(number).encode()).hexdigest()
    sound = Recording(
        f"/sounds/{number} é.wav", sha256, 16_000, 1, 16_000 * SECONDS, f"g{number // 2}", rng.choice((None, "CC0"))
    )
    columns = tuple((name, "ä\t") for name in ("site", "\u202e") if rng.random() < 0.5)
    sound = replace(sound, samples_sha256=rng.choice((None, sha256[::-1])), columns=columns)
    records: list[Imported] = [sound]
    for place in range(6):
        clip = Clip(
            sha256, place * 10.0, place * 10 + rng.choice((10.0, 1 / 3, 5e-324 + 0.1)), rng.choice((None, 1, 5))
        )
        records.append(clip)
        for label in rng.sample(NAMES, rng.randrange(3)):
            bounds = (None, None) if rng.random() < 0.5 else (clip.start_s, clip.start_s + rng.random())
            verdict = Verdict(clip, label, rng.choice(list(Value)), *bounds, rng.choice((None, 0.1 + 0.2)), 7999.999)
            records.append(verdict)
    return records if rng.random() < 0.7 else [*records, Checked(sha256, 0.0, rng.random() * SECONDS)]


def act(store: Store, rng: random.Random) -> None:
    """Do one of the things that people do, at random; what makes no sense is refused by the project."""
    who, label, value = rng.choice(WHO), rng.choice(NAMES), rng.choice(list(Value))
    (last,) = store.connection.execute("SELECT MAX(id) FROM clips").fetchone()
    clip_id = rng.randint(1, last)
    with suppress(LabeltoolError):
        if rng.random() < 0.1:
            removed = recordings.recording_of(store, str(clip_id), is_removed=True)
            recordings.bring_back(store, [removed], annotator=who)
        if rng.random() < 0.1:
            act_on_label(store, label, clip_id, rng, who)
            return
        clip = clips.clip(store, clip_id)
        recording = recordings.recording(store, clip.recording_id)
        start_s = rng.random() * SECONDS
        region = Region(start_s, start_s + rng.random(), *rng.choice(((None, None), (100.0, 1e4 / 3))))
        dice = rng.random()
        if dice < 0.35:
            names = clips.label_names(store)  # those on a clip, as they are in the project
            replaced = rng.sample(names, min(len(names), rng.choice((0, 0, 2))))
            context = AnnotationContext("a model", label, rng.randrange(9999), replaced)
            journal.annotate(store, clip_id, rng.choice((label, None)), value, annotator=who, context=context)
        elif dice < 0.45:
            page = {one: rng.choice(list(Value)) for one in range(clip_id, min(last, clip_id + 5))}
            journal.annotate_batch(store, label, page, annotator=who, response_ms=rng.randrange(9999))
        elif dice < 0.6:
            spans.annotate_region(store, recording, region, label, value, annotator=who)
        elif dice < 0.75:
            rng.choice((journal.undo, journal.redo))(store, annotator=who)
        elif dice < 0.8:
            journal.exclude(store, clip_id, rng.choice(("skip", "bad audio")), annotator=who)
        elif dice < 0.85:
            journal.note(store, clip_id, label, annotator=who)
        elif dice < 0.88:
            spans.note_region(store, recording, region, label, annotator=who)
        elif dice < 0.92:
            labels.rename(store, label, rng.choice(NAMES), annotator=who)
        elif dice < 0.95:
            groups.set_groups(store, {recording.id: rng.choice(("g0", "h0", label))}, annotator=who)
        elif dice < 0.955:
            undo_last_import(store, annotator=who)
        elif dice < 0.96:
            groups.lock_recordings(store, [recording.id], annotator=who)
        elif dice < 0.99:
            rng.choice((checked.mark_checked, checked.mark_unchecked))(store, recording, annotator=who)
        else:
            recordings.remove(store, [recording], annotator=who)


def act_on_label(store: Store, label: str, clip_id: int, rng: random.Random, who: str) -> None:
    """Define, order, split, retire or delete a label."""
    dice = rng.random()
    if dice < 0.25:
        examples = rng.choice(((), (clip_id,)))
        changes.define(store, label, rng.choice((None, "", "a \u202e bird")), examples, annotator=who)
    elif dice < 0.5:
        changes.set_parent(store, label, rng.choice((None, *NAMES)), annotator=who)
    elif dice < 0.65:
        changes.split(store, label, rng.sample(NAMES, rng.randrange(1, 4)), annotator=who)
    else:
        rng.choice((changes.retire, changes.delete))(store, label, annotator=who)


def fill_with_everything(store: Store, rows: int, *, seed: int = 0) -> None:
    """Import recordings and annotate them until the journal has some number of rows or more."""
    rng = random.Random(seed)
    count = max(3, rows // 200)
    records = [record for number in range(count) for record in recording_records(number, rng)]
    # Two names of one group, by a recording that both have; its length is corrected, and clips end after it.
    again = [
        Recording(f"/other/{n}.wav", hashlib.sha256(str(n).encode()).hexdigest(), 1, 1, 1, f"h{n}") for n in (0, 1)
    ]
    for kind, batch in (("test", records[: len(records) // 2]), ("other", records), ("more", again)):
        import_records(store, batch, kind=kind, source=kind)
    while store.connection.execute("SELECT COUNT(*) FROM journal").fetchone()[0] < rows:
        for _ in range(50 if rows > 5000 else 1):
            act(store, rng)
