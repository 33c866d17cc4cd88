"""Simulation: the project's labels replayed as if queried one after the other, to see what a query strategy saves.

A replay is the product itself in a scratch project: its queue decides, the labels there are answer, `retrain` trains,
from the second time on from the last model, and suggests. Test clips are kept out of the scratch project; they measure
its models and choose nothing. `cache/simulations/` has a file of JSON lines for each replay, a line for each model, and
while it runs its scratch project, so that an interrupted replay continues.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np

from labeltool import project as projects
from labeltool.active_learning import strategies
from labeltool.active_learning.suggest import suggest
from labeltool.annotation import speed
from labeltool.annotation.next_clips import next_clips
from labeltool.errors import LabeltoolError
from labeltool.networks import model_folder
from labeltool.networks.architectures import architecture, require_training
from labeltool.parallel.engine import map_in_processes
from labeltool.parallel.worker_process import PassedOn
from labeltool.pretrained import registry
from labeltool.pretrained.card import read_card
from labeltool.pretrained.embedding_frames import pretrained_for
from labeltool.pretrained.trunk import trunk_of
from labeltool.project import Project
from labeltool.records import Clip, Imported, LabelledClip, Recording
from labeltool.settings import BackupSettings
from labeltool.store import Store, clips, journal, models
from labeltool.store.importing import import_records
from labeltool.tasks.measure_clips import measure_on
from labeltool.tasks.retrain import retrain
from labeltool.tasks.simulation_results import Point, SimulateResult, StrategyResult, compare_with_random, summarise
from labeltool.training.data_split import train_validation_test
from labeltool.training.stratified_groups import groups_of_fold
from labeltool.training.targets import no_such_fold_error, with_labels
from labeltool.type_aliases import Progress
from labeltool.util.files import no_links
from labeltool.util.files.atomic_write import remove_tree, write_text
from labeltool.util.files.bounded_read import parse_json, read_text
from labeltool.util.files.locks import wait_for_lock

_ANNOTATOR = "simulation"
# Raised when what a replay does changes: what older versions wrote is then not read.
_VERSION = 3


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay depends on beside the labels.

    Attributes
    ----------
    stops
        Numbers of labels at which a model is trained and measured, ascending.
    batch
        Labels between two models, where no stop comes before.
    budget_s
        Seconds each model may train; None for no limit.
    """

    strategy: str
    seed: int
    stops: tuple[int, ...]
    batch: int
    arch: str
    budget_s: float | None


def simulate(
    project: Project,
    *,
    report: Progress,
    strategy_names: Sequence[str],
    budgets: Sequence[int],
    test_fold: int | None = None,
    seeds: Sequence[int] = (0,),
    batch: int | None = None,
    arch: str | None = None,
    budget_s: float | None = None,
) -> SimulateResult:
    """Replay the labels of a project; a task of the worker.

    Its parameters are the options of `labeltool simulate`, as JSON values, which is why there are more than seven.

    Parameters
    ----------
    test_fold
        What measures; default as `data_split.train_validation_test` splits the clips.
    batch
        Labels after which a model is trained, by default as in the app; at every budget one is trained too.

    Raises
    ------
    LabeltoolError
        When there is no such strategy or fold, or no labels are left to replay or to measure on.
    """
    for name in strategy_names:
        strategies.find_strategy(name)
    arch = arch or project.settings.learning.architecture
    require_training(arch)
    player = _Player(project, test_fold, report)
    every_clip = len(player.queried)
    wanted = sorted({min(budget, every_clip) for budget in budgets})
    batch = batch or project.settings.learning.retrain_after
    replay = Replay("", 0, _stops(wanted, batch), batch, arch, budget_s)
    results = []
    with wait_for_lock(project.cache / "simulations" / "lock", "simulation", lambda what: report(what, 0, 0)):
        of_strategy = {name: [replace(replay, strategy=name, seed=seed) for seed in seeds] for name in strategy_names}
        # A model trained on all labels at once is the same whatever the strategy.
        on_all = [replace(replay, strategy=speed.AT_RANDOM, seed=seed) for seed in seeds]
        on_all = [replace(one, stops=(every_clip,), batch=every_clip) for one in on_all]
        points = player.play_all([*chain.from_iterable(of_strategy.values()), *on_all])
        accuracy = float(np.mean([points[one][-1].clip_accuracy for one in on_all]))
        for name, replays in of_strategy.items():
            results.append(summarise(name, seeds, wanted, [points[one] for one in replays], accuracy))
    saved = compare_with_random(results)
    if saved is not None:
        speed.write_labels_saved(project.cache, saved)
    return SimulateResult(
        **{field.name: getattr(results[0], field.name) for field in fields(StrategyResult)},
        pool=every_clip,
        test_clips=len(player.test),
        labels_saved=saved,
        strategies=tuple(results),
    )


class _Player:
    """Plays replays: the clips of a project that are queried, those that measure, and the folder of replays."""

    def __init__(self, project: Project, test_fold: int | None, report: Progress) -> None:
        self._project, self._report = project, PassedOn(report)
        with project.open_store() as store:
            labelled = with_labels(clips.labelled(store))
            self.queried, self.test = _split(labelled, test_fold)
            self._records = _records(store, self.queried)
        self._truth = {one.clip.key: one for one in self.queried}
        # Where a clip has another label, or the project another place, points of before are not used.
        parts = ([(one.clip.key, one.clip.group, one.present) for one in part] for part in (self.queried, self.test))
        learning = project.settings.learning
        network = [learning.patch_s, learning.pooling, *([learning.target] if learning.target else [])]
        self._mark = [_VERSION, str(project.directory), network, *parts]

    def play_all(self, replays: Sequence[Replay]) -> dict[Replay, list[Point]]:
        """Return the points of replays, each played by a worker."""
        played = map_in_processes(
            self._play_one, list(dict.fromkeys(replays)), report=self._report, name_of=_name_of, apart=True
        )
        return dict(played)

    def _play_one(self, replay: Replay) -> tuple[Replay, list[Point]]:
        return replay, self.play(replay)

    def play(self, replay: Replay) -> list[Point]:
        """Return the points of a replay: those in its file, and the others by playing it."""
        pretrained = _pretrained_of(self._project, replay.arch)
        mark = [*self._mark, *([read_card(pretrained.parent).fingerprint] if pretrained else [])]
        described = json.dumps([mark, asdict(replay)], ensure_ascii=True, sort_keys=True)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        folder = self._project.cache / "simulations"
        file, scratch_at = folder / f"{key}.jsonl", folder / key
        points = _read_points(file)
        if points and points[-1].labels == replay.stops[-1]:
            return points
        scratch = self._scratch(scratch_at, replay)
        if scratch is None:
            remove_tree(scratch_at)
            remove_tree(file)
            points, scratch = [], self._begin(scratch_at, replay)
        for stop in replay.stops[len(points) :]:
            points.append(self._continue(scratch, replay, stop, first=not points))
            write_text(file, "".join(f"{json.dumps(asdict(point))}\n" for point in points))
        remove_tree(scratch_at)
        return points

    def _scratch(self, at: Path, replay: Replay) -> Project | None:
        no_links.refuse_links(at)
        links = (at / "models" / registry.FOLDER).glob("*")  # to a pretrained model, which may have been removed
        if not (at / "begun").exists() or not all(link.exists() for link in links):
            return None
        return self._of_replay(projects.load(at), replay)

    def _begin(self, at: Path, replay: Replay) -> Project:
        scratch = self._of_replay(projects.create(at), replay)
        pretrained = _pretrained_of(self._project, replay.arch)
        if pretrained is not None:
            target = scratch.models / registry.FOLDER / pretrained.parent.name
            target.parent.mkdir()
            target.symlink_to(pretrained.parent, target_is_directory=True)
        with scratch.open_store() as store:
            import_records(store, self._records, kind="simulation", source=str(self._project.directory))
        write_text(at / "begun", "")
        return scratch

    def _of_replay(self, scratch: Project, replay: Replay) -> Project:
        learning = replace(
            self._project.settings.learning,
            query_strategy=replay.strategy,
            architecture=replay.arch,
            retrain_after=replay.batch,
            pretrained=None,  # a model whose embeddings the network takes neither suggests nor is the teacher
        )
        settings = replace(self._project.settings, learning=learning, backup=BackupSettings(daily=0))
        return replace(scratch, settings=settings, shared_features=self._project.features)

    def _continue(self, scratch: Project, replay: Replay, stop: int, first: bool) -> Point:
        """Label up to a number of clips, retrain and measure."""

        def report(stage: str, done: int, total: int, text: str = "", /) -> None:
            self._report(f"{_name_of(replay)}, {stop} labels: {stage}", done, total, text)

        if first:
            suggest(scratch, report=report, seed=replay.seed)
        with scratch.open_store() as store:
            met = self._label(store, stop)
            if len(met) < 2:
                # There is nothing to train on with one label.
                return Point(stop, 0.0, 0.0, None, None)
            mark, newest = journal.newest_id(store), models.latest(store)
            (before,) = store.connection.execute(
                "SELECT MAX(journal_mark) FROM models WHERE journal_mark < ?", (mark,)
            ).fetchone()
        if newest is None or newest.journal_mark < mark:
            retrain(scratch, report=report, arch=replay.arch, seed=replay.seed, budget_s=replay.budget_s)
        else:
            # Interrupted after training.
            suggest(scratch, report=report)
        with scratch.open_store() as store:
            first_right = speed.annotation_statistics(store, since=before).first_right if before else None
            right = self._suggestions_right(store)
            files = model_folder.read(scratch.models / str(models.model(store).id))
        measured = measure_on(scratch, files, files.labels, self.test, report).measured
        return Point(stop, measured.clip_accuracy, measured.int8_clip_accuracy, right, first_right)

    def _label(self, store: Store, stop: int) -> set[str]:
        """Label clips with the labels they have until `stop` are labelled; return the labels met."""
        labelled = len(clips.labelled(store))
        for clip in next_clips(store, stop - labelled, annotator=_ANNOTATOR):
            suggestion = models.suggestion(store, clip.id)
            suggested = next(iter(suggestion.probabilities)) if suggestion else None
            for label, value in self._truth[clip.key].verdicts.items():
                journal.annotate(
                    store,
                    clip.id,
                    label,
                    value,
                    annotator=_ANNOTATOR,
                    context=journal.AnnotationContext(suggested=suggested),
                )
        return {label for one in clips.labelled(store) for label in one.present}

    def _suggestions_right(self, store: Store) -> float | None:
        suggestions = [(clip, models.suggestion(store, clip.id)) for clip in clips.unlabelled(store)]
        right = [next(iter(one.probabilities)) in self._truth[clip.key].present for clip, one in suggestions if one]
        return float(np.mean(right)) if right else None


def _name_of(replay: Replay) -> str:
    return f"{replay.strategy}, seed {replay.seed}"


def _pretrained_of(project: Project, arch: str) -> Path | None:
    """Return the file of the pretrained model whose layers or embeddings an architecture takes; None: it takes none."""
    if architecture(arch).has_trunk:
        return trunk_of(project, preferred=project.settings.learning.pretrained).path
    return pretrained_for(project, arch)


def _split(labelled: Sequence[LabelledClip], test_fold: int | None) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """Return the clips that are queried and those that measure."""
    if test_fold is None:
        parts = train_validation_test(labelled)
        test = [one for one in labelled if parts[one.clip.id] == "test"]
        test_groups = {one.clip.group for one in test}
    else:
        test_groups = groups_of_fold(labelled, test_fold)
        if not test_groups:
            raise no_such_fold_error(test_fold, labelled)
        test = [one for one in labelled if one.clip.fold == test_fold]
    queried = [one for one in labelled if one.clip.group not in test_groups]
    if not test or len({label for one in queried for label in one.present}) < 2:
        raise LabeltoolError("too little is labelled to replay it", remedy="label clips of two sounds, of more groups")
    return queried, test


def _records(store: Store, queried: Sequence[LabelledClip]) -> list[Imported]:
    """Make the records of the clips, as an importer would."""
    rows = store.connection.execute("SELECT id, sample_rate_hz, channels, frames FROM recordings").fetchall()
    formats = {row["id"]: (row["sample_rate_hz"], row["channels"], row["frames"]) for row in rows}
    records: list[Imported] = []
    for clip in (one.clip for one in queried):
        records.append(Recording(clip.path, clip.sha256, *formats[clip.recording_id], clip.group))
        records.append(Clip(clip.sha256, clip.start_s, clip.end_s, clip.fold))
    return records


def _stops(budgets: Sequence[int], batch: int) -> tuple[int, ...]:
    """Return the numbers of labels at which a model is trained: every budget, and every full batch since the last."""
    stops = [0]
    for budget in budgets:
        while stops[-1] < budget:
            stops.append(min(stops[-1] + batch, budget))
    return tuple(stops[1:])


def _read_points(file: Path) -> list[Point]:
    """Read the points of a replay; a last line that was cut short is left."""
    points: list[Point] = []
    try:
        for line in read_text(file).splitlines():
            points.append(msgspec.convert(parse_json(line), Point))
    except (OSError, ValueError):
        pass
    return points
