"""Training, suggestions, evaluation and simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from labeltool.cli.common import (
    Number,
    Whole,
    current_project,
    emit,
    engine_options,
    lazy_help_option,
    narrate,
    one_of,
    project_options,
    quoted,
    run_task,
    setting_in_force,
)
from labeltool.cli.evaluation.text import print_accuracy

if TYPE_CHECKING:
    from labeltool.active_learning.result import SuggestResult
    from labeltool.project import Project
    from labeltool.tasks.retrain_result import RetrainResult


def _architectures() -> str:
    from labeltool.networks.architectures import ARCHITECTURES

    return one_of(ARCHITECTURES) + setting_in_force(lambda learning: learning.architecture)


def _strategies() -> str:
    from labeltool.active_learning.strategies import STRATEGIES

    return one_of(STRATEGIES)


model_option = click.option("--model", "model_id", type=Whole(), metavar="ID", help="Model.  [default: the newest]")
arch_option = lazy_help_option("--arch", metavar="NAME", help="Architecture.", more_help=_architectures)
_SECONDS = Number(min=0, min_open=True)
_SEED = Whole(0, 2**32 - 1)


@click.command()
@arch_option
@click.option("--from-scratch", is_flag=True, help="Do not start from the newest model.")
@click.option("--test-fold", type=Whole(), metavar="K", help="Keep this fold unseen, for `evaluate --fold K`.")
@click.option(
    "--seed", type=_SEED, metavar="N", default=0, show_default=True, help="Same seed, same machine, same model."
)
@click.option(
    "--budget", "budget_s", type=_SECONDS, metavar="SECONDS", help="Shorten training to finish within SECONDS."
)
@click.option(
    "--teacher",
    metavar="NAME or FILE",
    help="Pretrained model with embeddings that labels the unlabelled clips for training; `none` for none.  "
    "[default: as in labeltool.toml, none with --budget]",
)
@click.option("--teacher-tensor", metavar="TENSOR", help="The teacher's embedding, by Netron's number.")
@click.option(
    "--backbone",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Start from these pretrained weights (.keras, .h5) where there is no model to start from.",
)
@click.option(
    "--pretrained",
    metavar="NAME",
    help="Pretrained model whose layers yamnet256 begins with, or whose embeddings embedding-mlp and "
    "embedding-attention take.  [default: as in labeltool.toml, or the only one that fits]",
)
@click.option("--finetune", is_flag=True, help="Train the pretrained layers of yamnet256 too.")
@click.option(
    "--patch-s",
    type=_SECONDS,
    metavar="SECONDS",
    help="Duration of one input of the network.  [default: as in labeltool.toml, or the architecture's]",
)
@engine_options
@project_options
def retrain(arch: str | None, teacher: str | None, as_json: bool, **options: Any) -> None:
    """Train a model on the labels, then suggest labels with it.

    It is trained on the labelled clips, and on the unlabelled ones by label propagation. It starts from the newest
    model where that fits; what is better on validation clips is kept.

    \b
    labeltool retrain
    labeltool retrain --from-scratch --test-fold 4
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    if options["teacher_tensor"] is not None and teacher is None:
        raise click.UsageError("--teacher-tensor goes with --teacher")
    from labeltool.networks.architectures import require_training
    from labeltool.tasks.registry import RETRAIN

    project = current_project()
    arch = arch or project.settings.learning.architecture
    require_training(arch, finetune=options["finetune"])
    result = run_task(project, RETRAIN, arch=arch, teacher=_teacher(project, teacher), **options)
    if as_json:
        emit(result)
    else:
        _print_training(result, options["budget_s"])


def _teacher(project: Project, name: str | None) -> str | None:
    """Return the teacher's file; None for that of the settings, "" for none."""
    from labeltool.pretrained import registry

    if name is None:
        return None
    if name == "none" and name not in registry.names(project):
        return ""
    return str(registry.find(project, name))


def _print_training(result: RetrainResult, budget_s: float | None) -> None:
    unlabelled = f" and {result.pool_clips} unlabelled" if result.pool_clips else ""
    embeddings = f" over {result.embedding_model}" if result.embedding_model else ""
    narrate(
        f"model {result.model} ({result.arch}{embeddings}, {result.parameters:,} parameters) trained on "
        f"{result.labels_seen} labelled{unlabelled} clips in {result.seconds:.0f} s"
    )
    if result.other_patch_s is not None:
        narrate(
            f"the last model took patches of {result.other_patch_s:g} s, this one takes {result.patch_s:g} s: "
            "it was trained from scratch"
        )
    if result.above_band:
        names = ", ".join(quoted(label) for label in result.above_band)
        narrate(
            f"most regions of {names} lie above {result.highest_hz / 1000:g} kHz, of which this network gets nothing: "
            "its predictions are chance there (`labeltool check above-band`)"
        )
    _print_head(result)
    print_accuracy(result, "of validation clips right")
    if budget_s is not None and result.seconds_until_trained > budget_s:
        narrate(f"training took {result.seconds_until_trained:g} s, more than the {budget_s:g} s of --budget")
    _print_left_out(result)
    _print_beside(result)
    _print_suggester(result)


def _print_left_out(result: RetrainResult) -> None:
    """Print what the budget left no time for, which clips were locked, and whose labels no person gave."""
    if result.locked_clips:
        narrate(f"{result.locked_clips} clips of the locked test set had no part in it; `evaluate` measures on them")
    if result.accepted_validation_clips:
        narrate(
            f"{result.accepted_validation_clips} of {result.validation_clips} validation clips were accepted "
            "automatically: too few others are labelled, so the accuracy is that of a model on its own predictions"
        )
    if result.left_out:
        narrate(f"no time for {result.left_out} labelled clips without features; the next retrain goes on with them")
    if result.measured_clips < result.validation_clips:
        narrate(f"no time to measure more than {result.measured_clips} of {result.validation_clips} validation clips")
    if result.without_suggestion:
        narrate(f"no time for {result.without_suggestion} suggestions; `labeltool suggest` makes them")


def _print_beside(result: RetrainResult) -> None:
    """Print how the model with a pretrained trunk did that was trained beside it."""
    beside = result.beside
    if beside is None:
        return
    if beside.log_loss is None or beside.own_log_loss is None:
        narrate(f"model {beside.model} ({beside.architecture}) was trained beside it; too few clips to compare them")
        return
    better = beside.architecture if beside.is_better else result.arch
    narrate(
        f"model {beside.model} ({beside.architecture}) was trained beside it: log loss {beside.log_loss:.3f} on the "
        f"validation clips, {result.arch} {beside.own_log_loss:.3f}; {better} is the better one"
    )


def _print_head(result: RetrainResult) -> None:
    """Print what the labels made of the network: one label a clip or several, a background, and which start won."""
    if result.head == "sigmoid":
        narrate(
            f"each label has its own probability: {result.several_labels_clips} of {result.labels_seen} clips have "
            "several labels, or only absent ones"
        )
    if result.background:
        narrate(f"one more output, {result.background!r}, for clips with none of the labels")
    if result.background_windows:
        narrate(f"{result.background_windows} windows of background from checked recordings")
    if result.assumed_absent:
        names = ", ".join(quoted(name, width=24) for name in result.assumed_absent)
        narrate(f"hardly ever marked absent: {names}; clips without a mark count as weak negatives for them")
    compared = result.compared
    if compared is not None and compared.from_scratch_log_loss is not None and compared.warm_log_loss is not None:
        warm, scratch = compared.warm_log_loss, compared.from_scratch_log_loss
        better = "the model from scratch" if scratch < warm else "the continued model"
        narrate(f"log loss on validation clips: {warm:.3f} continued, {scratch:.3f} from scratch; {better} is kept")


def _print_suggester(result: RetrainResult | SuggestResult) -> None:
    if result.pretrained is not None:
        narrate(f"{result.pretrained} suggests labels for {result.suggestions} clips: {result.why}")
    elif result.why:
        narrate(f"no pretrained model suggests labels: {result.why}")


@click.command()
@model_option
@click.option("--pretrained", metavar="NAME", help="Score with this pretrained model.  [default: as in labeltool.toml]")
@engine_options
@project_options
def suggest(model_id: int | None, pretrained: str | None, as_json: bool) -> None:
    """Score the clips: suggestions, queue order, labels to review.

    The pretrained model named in labeltool.toml suggests labels until the project's own model is better. Before there
    is either, the queue is ordered by acoustic descriptors alone.

    \b
    labeltool suggest
    labeltool suggest --pretrained yamnet
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    if pretrained is not None and model_id is not None:
        raise click.UsageError("--model and --pretrained exclude each other")
    from labeltool.tasks.registry import SUGGEST

    result = run_task(current_project(), SUGGEST, model_id=model_id, pretrained=pretrained)
    if as_json:
        emit(result)
        return
    _print_suggester(result)
    if result.model is None:
        narrate("no model yet: the queue starts with clips that differ most from each other")
    elif result.pretrained is None:
        narrate(f"model {result.model} suggests labels for {result.suggestions} unlabelled clips")


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        numbers = sorted({int(part) for part in value.split(",")})
    except ValueError:
        numbers = [0]
    if numbers[0] < 1:
        raise click.BadParameter("give whole numbers above 0, separated by commas: 10,20,32")
    return numbers


def _known_strategies(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    from labeltool.active_learning.strategies import STRATEGIES  # loads NumPy: only for this command

    for name in names:
        if name not in STRATEGIES:
            raise click.BadParameter(f"no strategy {name!r} (there are {', '.join(STRATEGIES)})")
    return names


@click.command()
@lazy_help_option(
    "--strategy",
    "strategies",
    metavar="NAME",
    more_help=_strategies,
    multiple=True,
    default=("default",),
    show_default=True,
    callback=_known_strategies,
    help="Query strategy; repeat to compare.",
)
@click.option(
    "--budgets",
    default="10,20,32,64,96",
    show_default=True,
    callback=_numbers,
    metavar="N,N,...",
    help="Labels to measure at.",
)
@click.option("--test-fold", type=Whole(), metavar="K", help="Measure on fold K, which is never queried.")
@click.option(
    "--seed",
    "seeds",
    type=_SEED,
    metavar="N",
    multiple=True,
    default=(0,),
    show_default=True,
    help="Repeat for the mean of several.",
)
@lazy_help_option(
    "--batch",
    type=Whole(min=1),
    metavar="N",
    help="Retrain every N labels.",
    more_help=lambda: setting_in_force(lambda learning: learning.retrain_after),
)
@arch_option
@click.option("--budget", "budget_s", type=_SECONDS, metavar="SECONDS", help="For each training.")
@engine_options
@project_options
def simulate(
    strategies: tuple[str, ...], seeds: tuple[int, ...], arch: str | None, as_json: bool, **options: Any
) -> None:
    """Measure how few labels would have been enough.

    The project's labels are replayed as if they were queried one after the other. An interrupted simulation continues
    where it stopped.

    \b
    labeltool simulate --strategy default --strategy random --budgets 20,40,80
    """  # noqa: D301 - click's mark for "do not wrap" is a real backspace
    from labeltool.networks.architectures import require_training
    from labeltool.tasks.registry import SIMULATE

    project = current_project()
    require_training(arch or project.settings.learning.architecture)
    result = run_task(
        project,
        SIMULATE,
        strategy_names=list(dict.fromkeys(strategies)),
        seeds=list(dict.fromkeys(seeds)),
        arch=arch,
        **options,
    )
    if as_json:
        emit(result)
        return
    click.echo(f"{'strategy':>17} {'labels':>7} {'right':>7} {'int8':>7} {'suggestions right':>18}")
    for one in result.strategies:
        for point in one.models:
            shares = [point.clip_accuracy, point.int8_clip_accuracy, point.suggestions_right]
            right, int8, suggested = ("-" if share is None else f"{share:.1%}" for share in shares)
            click.echo(f"{one.strategy:>17} {point.labels:>7} {right:>7} {int8:>7} {suggested:>18}")
    if result.labels_saved:
        narrate(f"labels: {result.labels_saved.describe()}")
