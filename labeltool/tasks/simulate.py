"""What good questions are worth: the labels one has, replayed as if asked for one after the other.

A replay is the product itself in a scratch project: its queue asks, the labels one has answer, `retrain` learns, from
the second time on from the last model, and suggests. Clips of the test part are kept out of the scratch project; they
measure its models and choose nothing. Under `cache/simulations/` lie a file of JSON lines per replay, a line per model,
and while it is under way its scratch project, so that an interrupted replay goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from labeltool import project as projects
from labeltool import settings
from labeltool.active_learning import strategies
from labeltool.active_learning.suggest import suggest
from labeltool.annotation import pace
from labeltool.annotation.next_clips import next_clips
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frontend import ear_for
from labeltool.project import Project
from labeltool.records import Clip, Imported, LabelledClip, Recording
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import take_in
from labeltool.tasks.evaluate import measure_on
from labeltool.tasks.retrain import retrain
from labeltool.training.splits import groups_of_fold, train_validation_test
from labeltool.training.targets import heard, no_such_fold
from labeltool.type_aliases import Progress
from labeltool.util.locks import alone

_ANNOTATOR = "simulation"
# Raised when what a replay does changes: what older versions wrote is then not read.
_VERSION = 3


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay depends on, but for the labels.

    Attributes
    ----------
    stops
        Numbers of labels at which a model is trained and measured, ascending.
    batch
        Answers between two models, where no stop comes before.
    budget_s
        Seconds each model may train; None for no limit.
    """

    strategy: str
    seed: int
    stops: tuple[int, ...]
    batch: int
    arch: str
    budget_s: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A model of a replay; shares are 0 to 1.

    Attributes
    ----------
    labels
        Clips answered.
    clip_accuracy, int8_clip_accuracy
        Share of the test clips right; a clip of a label that was not met yet is wrong.
    suggestions_right
        Share of the clips still waiting whose first suggestion is their label; None when none waits.
    first_right
        The same of the clips answered since the model before, when they were asked; None before the first model.
    """

    labels: int
    clip_accuracy: float
    int8_clip_accuracy: float
    suggestions_right: float | None
    first_right: float | None


def simulate(
    project: Project,
    *,
    report: Progress,
    asked_by: Sequence[str],
    budgets: Sequence[int],
    test_fold: int | None = None,
    seeds: Sequence[int] = (0,),
    batch: int | None = None,
    arch: str | None = None,
    budget_s: float | None = None,
) -> dict[str, Any]:
    """Replay the labels a project has; a task of the worker.

    Parameters
    ----------
    asked_by
        Names of strategies.
    budgets
        Numbers of labels to measure at.
    test_fold
        What measures; default as `splits.train_validation_test` parts the clips.
    batch
        Answers after which a model is trained, by default as in the labelling room; at every budget there is one too.

    Returns
    -------
    dict
        As `labeltool simulate --json` prints it.

    Raises
    ------
    LabeltoolError
        When a strategy or fold is not there, or no labels are left to replay or to measure on.
    """
    for name in asked_by:
        strategies.strategy(name)
    theatre = _Theatre(project, test_fold, report)
    arch = arch or project.settings.architecture
    everyone = len(theatre.asked)
    wanted = sorted({min(budget, everyone) for budget in budgets})
    batch = batch or project.settings.retrain_after
    stops = _stops(wanted, batch)
    told = []
    with alone(project.cache / "simulations" / "lock", "simulation"):
        for name in asked_by:
            replays = [Replay(name, seed, stops, batch, arch, budget_s) for seed in seeds]
            runs = [theatre.play(one) for one in replays]
            # What all labels give, learnt at once, is the same whoever asked.
            whole = [
                theatre.play(replace(one, strategy=pace.AT_RANDOM, stops=(everyone,), batch=everyone))[-1]
                for one in replays
            ]
            told.append(_summary(name, seeds, wanted, runs, float(np.mean([point.clip_accuracy for point in whole]))))
    saved = _compare(told)
    if saved is not None:
        pace.write_labels_saved(project.cache, saved)
    clips_told = {"pool": everyone, "test_clips": len(theatre.test), "labels_saved": saved and asdict(saved)}
    return {**told[0], **clips_told, "strategies": told}


class _Theatre:
    """The clips of a project that replays ask about, those that measure, and where replays are kept."""

    def __init__(self, project: Project, test_fold: int | None, report: Progress) -> None:
        self._project, self._report = project, report
        with project.open_store() as store:
            labelled = heard(clips.labelled(store))
            self.asked, self.test = _parted(labelled, test_fold)
            self._records = _records(store, self.asked)
        self._truth = {one.clip.key: one for one in self.asked}
        # Another label on a clip, or the project in another place, and what was found before is of no use.
        parts = ([(one.clip.key, one.clip.group, one.present) for one in part] for part in (self.asked, self.test))
        heard_as = [project.settings.patch_s, project.settings.pooling]
        self._mark = [_VERSION, str(project.directory), heard_as, *parts]

    def play(self, replay: Replay) -> list[Point]:
        """Return the points of a replay: from its file, and what is missing there played."""
        ear = ear_for(self._project, replay.arch)
        mark = [*self._mark, *([read_card(ear.parent).fingerprint] if ear else [])]
        described = json.dumps([mark, asdict(replay)], ensure_ascii=True, sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        folder = self._project.cache / "simulations"
        file, scratch_at = folder / f"{key}.jsonl", folder / key
        points = _read_points(file)
        if points and points[-1].labels == replay.stops[-1]:
            return points
        scratch = self._scratch(scratch_at, replay)
        if scratch is None:
            shutil.rmtree(scratch_at, ignore_errors=True)
            file.unlink(missing_ok=True)
            points, scratch = [], self._begin(scratch_at, replay)
        for stop in replay.stops[len(points) :]:
            points.append(self._go_on(scratch, replay, stop, first=not points))
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(points[-1])) + "\n")
        shutil.rmtree(scratch_at)
        return points

    def _scratch(self, at: Path, replay: Replay) -> Project | None:
        if not (at / "begun").exists():
            return None
        return replace(projects.load(at), settings=self._settings(replay))

    def _begin(self, at: Path, replay: Replay) -> Project:
        at.parent.mkdir(parents=True, exist_ok=True)
        scratch = replace(projects.create(at), settings=self._settings(replay))
        features = self._project.cache / "features"
        features.mkdir(parents=True, exist_ok=True)
        (scratch.cache / "features").symlink_to(features, target_is_directory=True)
        ear = ear_for(self._project, replay.arch)
        if ear is not None:
            (scratch.models / "ears").mkdir()
            (scratch.models / "ears" / ear.parent.name).symlink_to(ear.parent, target_is_directory=True)
        with scratch.open_store() as store:
            take_in(store, self._records, kind="simulation", source=str(self._project.directory))
        (at / "begun").touch()
        return scratch

    def _settings(self, replay: Replay) -> settings.Settings:
        return replace(
            self._project.settings,
            asking=replay.strategy,
            architecture=replay.arch,
            retrain_after=replay.batch,
            ear=None,  # whoever hears for the network there neither teaches nor suggests
        )

    def _go_on(self, scratch: Project, replay: Replay, stop: int, first: bool) -> Point:
        """Answer up to a number of labels, learn and measure."""

        def report(stage: str, done: int, total: int, text: str = "") -> None:
            self._report(f"{replay.strategy}, seed {replay.seed}, {stop} labels: {stage}", done, total, text)

        if first:
            suggest(scratch, report=report, seed=replay.seed)
        with scratch.open_store() as store:
            met = self._answer(store, stop)
            if len(met) < 2:
                # One label alone teaches nothing: ask on.
                return Point(stop, 0.0, 0.0, None, None)
            mark, newest = journal.mark(store), models.latest(store)
            (before,) = store.connection.execute(
                "SELECT MAX(journal_mark) FROM models WHERE journal_mark < ?", (mark,)
            ).fetchone()
        if newest is None or newest.journal_mark < mark:
            retrain(scratch, report=report, arch=replay.arch, seed=replay.seed, budget_s=replay.budget_s)
        else:
            # Interrupted after learning.
            suggest(scratch, report=report)
        with scratch.open_store() as store:
            first_right = pace.measure(store, since=before).first_right if before else None
            right = self._suggestions_right(store)
            files = model_folder.read(scratch.models / str(models.model(store).id))
        known = [one for one in self.test if set(one.present) & set(files.labels)]
        if not known:
            return Point(stop, 0.0, 0.0, right, first_right)
        measured, _ = measure_on(scratch, files, files.labels, known, report)
        share = measured.clips / len(self.test)
        return Point(stop, measured.clip_accuracy * share, measured.int8_clip_accuracy * share, right, first_right)

    def _answer(self, store: Store, stop: int) -> set[str]:
        """Answer as the labels have it until so many clips are answered; return the labels met."""
        answered = [one.clip for one in clips.labelled(store)]
        for clip in next_clips(store, stop - len(answered), annotator=_ANNOTATOR):
            held = models.suggestion(store, clip.id)
            suggested = next(iter(held.probabilities)) if held else None
            for label, value in self._truth[clip.key].verdicts.items():
                journal.say(store, clip.id, label, value, annotator=_ANNOTATOR, suggested=suggested)
        return {label for one in clips.labelled(store) for label in one.present}

    def _suggestions_right(self, store: Store) -> float | None:
        waiting = clips.unanswered(store)
        held = [(clip, models.suggestion(store, clip.id)) for clip in waiting]
        right = [next(iter(one.probabilities)) in self._truth[clip.key].present for clip, one in held if one]
        return float(np.mean(right)) if right else None


def _parted(labelled: Sequence[LabelledClip], test_fold: int | None) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """Part the clips that are asked about from those that measure."""
    if test_fold is None:
        parts = train_validation_test(labelled)
        test = [one for one in labelled if parts[one.clip.id] == "test"]
        kept_back = {one.clip.group for one in test}
    else:
        kept_back = groups_of_fold(labelled, test_fold)
        if not kept_back:
            raise no_such_fold(test_fold, labelled)
        test = [one for one in labelled if one.clip.fold == test_fold]
    asked = [one for one in labelled if one.clip.group not in kept_back]
    if not test or len({label for one in asked for label in one.present}) < 2:
        raise LabeltoolError("too little is labelled to replay it", remedy="label clips of two sounds, of more groups")
    return asked, test


def _records(store: Store, asked: Sequence[LabelledClip]) -> list[Imported]:
    """Make the records of the clips, as an importer would."""
    found = store.connection.execute("SELECT id, sample_rate_hz, channels, frames FROM recordings").fetchall()
    formats = {row["id"]: (row["sample_rate_hz"], row["channels"], row["frames"]) for row in found}
    records: list[Imported] = []
    for clip in (one.clip for one in asked):
        records.append(Recording(clip.path, clip.sha256, *formats[clip.recording_id], clip.group))
        records.append(Clip(clip.sha256, clip.start_s, clip.end_s, clip.fold))
    return records


def _stops(budgets: Sequence[int], batch: int) -> tuple[int, ...]:
    """Return where a model is trained: at every budget, and whenever a batch is full since the last."""
    stops = [0]
    for budget in budgets:
        while stops[-1] < budget:
            stops.append(min(stops[-1] + batch, budget))
    return tuple(stops[1:])


def _read_points(file: Path) -> list[Point]:
    """Read what was written of a replay, but for a last line cut short."""
    points: list[Point] = []
    try:
        for line in file.read_text(encoding="utf-8").splitlines():
            points.append(Point(**json.loads(line)))
    except (OSError, ValueError, TypeError):
        pass
    return points


def _summary(
    name: str, seeds: Sequence[int], budgets: Sequence[int], runs: Sequence[Sequence[Point]], full: float
) -> dict[str, Any]:
    """Tell a strategy's replays as their mean over the seeds."""
    models_told = [
        {
            "labels": points[0].labels,
            "clip_accuracy": _mean([point.clip_accuracy for point in points]),
            "clip_accuracy_by_seed": [point.clip_accuracy for point in points],
            "int8_clip_accuracy": _mean([point.int8_clip_accuracy for point in points]),
            "suggestions_right": _mean([point.suggestions_right for point in points]),
            "suggestions_right_by_seed": [point.suggestions_right for point in points],
            "first_right": _mean([point.first_right for point in points]),
        }
        for points in zip(*runs, strict=True)
    ]
    return {
        "strategy": name,
        "seeds": list(seeds),
        "curve": [one for one in models_told if one["labels"] in budgets],
        "models": models_told,
        "full_clip_accuracy": full,
        "labels_to_95_percent_of_full": _first(models_told, "clip_accuracy", 0.95 * full),
        "labels_until_suggestions_90": _first(models_told, "suggestions_right", 0.9),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _first(models_told: Sequence[dict[str, Any]], key: str, least: float) -> int | None:
    """Return the first number of labels at which a figure is reached."""
    return next((one["labels"] for one in models_told if one[key] is not None and one[key] >= least), None)


def _compare(told: Sequence[dict[str, Any]]) -> pace.LabelsSaved | None:
    """Set the first strategy that is not random against random, where both were replayed."""
    at_random = next((one for one in told if one["strategy"] == pace.AT_RANDOM), None)
    other = next((one for one in told if one["strategy"] != pace.AT_RANDOM), None)
    if at_random is None or other is None:
        return None
    # The most that both reach.
    reached = min(max(point["clip_accuracy"] for point in one["models"]) for one in (at_random, other))
    needed = [_first(one["models"], "clip_accuracy", reached) for one in (other, at_random)]
    assert needed[0] is not None and needed[1] is not None
    return pace.LabelsSaved(
        strategy=other["strategy"],
        clip_accuracy=reached,
        labels=needed[0],
        labels_at_random=needed[1],
        until_suggestions_90=other["labels_until_suggestions_90"],
        until_suggestions_90_at_random=at_random["labels_until_suggestions_90"],
    )
