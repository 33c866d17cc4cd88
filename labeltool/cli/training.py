"""Training, and what the model then says."""

from __future__ import annotations

from typing import Any

import click

from labeltool.cli.common import current_project, emit, json_option, narrate, project_option, run_in_child, shown
from labeltool.project import Project

_NO_PICTURES = ", without pictures: they need matplotlib (`pip install labeltool[plots]`)"

model_option = click.option("--model", "model_id", type=int, metavar="ID", help="Which model; else the newest.")


@click.command()
@click.option(
    "--arch",
    metavar="NAME",
    help="Architecture: miniresnet, miniresnet2, miniresnetv2, miniresnetv2_2, yamnet256, sbcnn, aclnet, "
    "embedding-mlp, embedding-attention; else as in labeltool.toml.",
)
@click.option("--from-scratch", is_flag=True, help="Start anew, not from the last model.")
@click.option("--test-fold", type=int, metavar="K", help="Keep this fold unseen, for `evaluate --fold K`.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same machine, same model.")
@click.option(
    "--budget", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Have the model within so long."
)
@click.option(
    "--teacher",
    metavar="NAME or FILE",
    help="A borrowed network that embeds sounds (`labeltool model`; YAMNet, say): it labels what nobody has; else as "
    "in labeltool.toml, but for a --budget; `none` for none.",
)
@click.option("--teacher-tensor", metavar="TENSOR", help="Its embedding, as Netron numbers tensors; else guessed.")
@click.option(
    "--backbone",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Start from these pre-trained weights, .keras or .h5, where there is no model to go on from.",
)
@click.option(
    "--ear",
    metavar="NAME",
    help="The borrowed network (`labeltool model list`) by which embedding-mlp and embedding-attention hear; else that "
    "of labeltool.toml, or the only one that embeds sounds.",
)
@click.option(
    "--patch-s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="How much the network hears at once; else as in labeltool.toml, or what the architecture was made for.",
)
@project_option
@json_option
def retrain(
    arch: str | None,
    from_scratch: bool,
    test_fold: int | None,
    seed: int,
    budget: float | None,
    teacher: str | None,
    teacher_tensor: str | None,
    backbone: str | None,
    ear: str | None,
    patch_s: float | None,
    as_json: bool,
) -> None:
    """Train on all that is labelled, and on what is not by the model's own word; then suggest labels for the rest."""
    if teacher_tensor is not None and teacher is None:
        raise click.UsageError("--teacher-tensor speaks of the network that --teacher names")
    project = current_project()
    result = run_in_child(
        project,
        "retrain",
        arch=arch or project.settings.architecture,
        from_scratch=from_scratch,
        test_fold=test_fold,
        seed=seed,
        budget_s=budget,
        teacher=_teacher(project, teacher),
        teacher_tensor=teacher_tensor,
        backbone=backbone,
        patch_s=patch_s,
        ear=ear,
    )
    if as_json:
        emit(result)
        return
    waiting = f" and {result['pool_clips']} without an answer" if result["pool_clips"] else ""
    heard_by = f" by {result['hears_by']}" if result["hears_by"] else ""
    narrate(
        f"model {result['model']} ({result['arch']}{heard_by}, {result['parameters']:,} parameters) learnt from "
        f"{result['labels_seen']} clips{waiting} in {result['seconds']:.0f} s"
    )
    if result["other_patch_s"] is not None:
        narrate(
            f"the last model heard patches of {result['other_patch_s']:g} s, this one of {result['patch_s']:g} s: "
            "it was trained from scratch"
        )
    _tell_kind(result)
    _tell_accuracy(result, "validation clips right")
    if budget is not None and result["seconds_until_taught"] > budget:
        narrate(f"the model took {result['seconds_until_taught']:g} s of the {budget:g} s it was given")
    _tell_suggester(result)


def _teacher(project: Project, named: str | None) -> str | None:
    """Return the teacher's file; None for that of the settings, "" for none."""
    from labeltool.pretrained import registry

    if named is None:
        return None
    if named == "none" and named not in registry.names(project):
        return ""
    return str(registry.find(project, named))


def _tell_suggester(result: dict[str, Any]) -> None:
    if result["ear"] is not None:
        narrate(f"{result['ear']} suggests labels for {result['suggestions']} clips: {result['why']}")
    elif result["why"]:
        narrate(f"no borrowed network suggests: {result['why']}")


@click.command()
@model_option
@click.option(
    "--ear", metavar="NAME", help="By this borrowed network (`labeltool model list`), whatever else there is."
)
@project_option
@json_option
def suggest(model_id: int | None, ear: str | None, as_json: bool) -> None:
    """Score every clip: for the queue of the labelling room, and to review what was said.

    The borrowed network that labeltool.toml names suggests until one's own does better. Before both, the queue is put
    in order by sound alone.
    """
    if ear is not None and model_id is not None:
        raise click.UsageError("--model or --ear")
    result = run_in_child(current_project(), "suggest", model_id=model_id, ear=ear)
    if as_json:
        emit(result)
        return
    _tell_suggester(result)
    if result["model"] is None:
        narrate("no model yet: the clips least like each other are asked about first")
    elif result["ear"] is None:
        narrate(f"model {result['model']} suggests labels for {result['suggestions']} clips without one")


@click.command()
@model_option
@click.option("--fold", type=int, metavar="K", help="On fold K, which the model must not have seen.")
@click.option("--cross-validate", is_flag=True, help="Train once for each fold, from scratch, and test on it.")
@click.option("--seed", type=int, default=0, show_default=True, help="For --cross-validate.")
@project_option
@json_option
def evaluate(model_id: int | None, fold: int | None, cross_validate: bool, seed: int, as_json: bool) -> None:
    """Measure a model on labelled clips that it has not learnt from, as float and as int8."""
    if cross_validate and (fold is not None or model_id is not None):
        raise click.UsageError("--cross-validate trains its own models on its own folds")
    result = run_in_child(
        current_project(), "evaluate", model_id=model_id, fold=fold, cross_validate=cross_validate, seed=seed
    )
    if as_json:
        emit(result)
        return
    for one in result.get("folds", ()):
        click.echo(f"fold {one['fold']}: {one['clip_accuracy']:.1%}, int8 {one['int8_clip_accuracy']:.1%}")
    _tell_accuracy(result, f"of {result['clips']} clips right")
    _show_confusion(result)
    narrate(f"expected calibration error {result['ece']:.3f}; as int8, {result['int8_ece']:.3f}")
    narrate(f"written to {result['report']}" + ("" if result["pictures"] else _NO_PICTURES))


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        numbers = sorted({int(part) for part in value.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise click.BadParameter("numbers above 0, parted by commas, are wanted: 10,20,32")
    return numbers


@click.command()
@click.option(
    "--strategy",
    "asked_by",
    metavar="NAME",
    multiple=True,
    default=("default",),
    help="default, random, entropy, margin, k-centre, medoid, badge or int8; several times to compare.",
)
@click.option("--budgets", default="10,20,32,64,96", show_default=True, callback=_numbers, help="Labels to measure at.")
@click.option("--test-fold", type=int, metavar="K", help="Measure on fold K, which is never asked about.")
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), help="Several times for the mean of several.")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N", help="Retrain after N answers; else as the room does."
)
@click.option("--arch", metavar="NAME", help="Architecture; else as in labeltool.toml.")
@click.option("--budget", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For each training.")
@project_option
@json_option
def simulate(
    asked_by: tuple[str, ...],
    budgets: list[int],
    test_fold: int | None,
    seeds: tuple[int, ...],
    batch: int | None,
    arch: str | None,
    budget: float | None,
    as_json: bool,
) -> None:
    """Replay the labels there are as if asked for one by one, to see how few would have done.

    `--strategy default --strategy random` tells what good questions save. What was interrupted goes on.
    """
    result = run_in_child(
        current_project(),
        "simulate",
        asked_by=list(dict.fromkeys(asked_by)),
        budgets=budgets,
        test_fold=test_fold,
        seeds=list(dict.fromkeys(seeds)),
        batch=batch,
        arch=arch,
        budget_s=budget,
    )
    if as_json:
        emit(result)
        return
    click.echo(f"{'asked by':>10} {'labels':>7} {'right':>7} {'int8':>7} {'suggestions right':>18}")
    for told in result["strategies"]:
        for point in told["models"]:
            shares = [point["clip_accuracy"], point["int8_clip_accuracy"], point["suggestions_right"]]
            right, int8, suggested = ("-" if share is None else f"{share:.1%}" for share in shares)
            click.echo(f"{told['strategy']:>10} {point['labels']:>7} {right:>7} {int8:>7} {suggested:>18}")
    if result["labels_saved"]:
        from labeltool.annotation.pace import LabelsSaved

        narrate(f"labels: {LabelsSaved(**result['labels_saved']).in_words()}")


def _tell_kind(result: dict[str, Any]) -> None:
    """Say what the journal made of the network: one label a clip or several, a background, and who beat whom."""
    if result["head"] == "sigmoid":
        narrate(
            f"each label is judged for itself: {result['several_labels_clips']} of {result['labels_seen']} clips hold "
            "several, or are only known for what they are not"
        )
    if result["background"]:
        narrate(f"one output more, {result['background']!r}, learnt from clips that are none of the labels")
    if result["assumed_absent"]:
        names = ", ".join(shown(name, width=24) for name in result["assumed_absent"])
        narrate(f"hardly ever denied: {names}; clips on which they were not mentioned count against them, weakly")
    losses = result["compared"] or {}
    if "from_scratch_log_loss" in losses:
        warm, anew = losses["warm_log_loss"], losses["from_scratch_log_loss"]
        kept = "so what was trained from scratch is kept" if anew < warm else "so it is kept"
        narrate(f"log loss on validation: {warm:.3f} going on from the last model, {anew:.3f} from scratch, {kept}")


def _tell_accuracy(result: dict[str, Any], of_what: str) -> None:
    if result["clip_accuracy"] is None:
        narrate("too few clips to hold some back: accuracy not measured")
        return
    narrate(f"{result['clip_accuracy']:.1%} {of_what}; as int8, {result['int8_clip_accuracy']:.1%}")
    if result["head"] == "sigmoid":
        as_float, as_int8 = result["label_accuracy"], result["int8_label_accuracy"]
        narrate(f"{as_float:.1%} of the labels that were checked on them; as int8, {as_int8:.1%}")


def _show_confusion(result: dict[str, Any]) -> None:
    names = [shown(label, width=24) for label in result["labels"]]
    width = max(len("heard as"), *(len(name) for name in names))
    places = " ".join(f"{place:>3}" for place in range(len(names)))
    click.echo(f"{'heard as':>{width}}  {places}        found  int8")
    for place, (name, counts, one) in enumerate(zip(names, result["confusion"], result["by_label"], strict=True)):
        found = " ".join("     -" if one[key] is None else f"{one[key]:>6.1%}" for key in ("recall", "int8_recall"))
        click.echo(f"{name:>{width}}  " + " ".join(f"{count or '.':>3}" for count in counts) + f"   {place:<3} {found}")
