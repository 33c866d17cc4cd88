"""The package's README and its `docs/`, from the templates in `texts/`.

In a template `$name` stands for a value of the model; everything else is text as it will be read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template

from labeltool.audio.frontend import LogMelFrontend
from labeltool.exporters.model_readme import licences_of_training
from labeltool.exporters.source import Source
from labeltool.exporters.stm32.codegen.frontend_tables import front_end_size, require_log_mel
from labeltool.exporters.stm32.st_applications.applications import Chosen
from labeltool.exporters.stm32.st_model.frontend import UNITS, logarithm_of
from labeltool.exporters.stm32.st_model.graph_edit import input_code_scale
from labeltool.exporters.stm32.st_model.onnx_qdq import ONNX_MODEL
from labeltool.exporters.stm32.tflite.ram import RamFigures
from labeltool.exporters.stm32.tflite.summary import Network, TensorFormat
from labeltool.exporters.stm32.verification.export_check import ExportCheck
from labeltool.exporters.stm32.verification.golden import MAX_CLIPS, golden_samples
from labeltool.exporters.stm32.verification.keeps_up import TargetFigures
from labeltool.exporters.stm32.verification.validation_set import Part, ValidationSet
from labeltool.networks.model_card import ModelCard
from labeltool.networks.model_folder import ModelFiles, one_line

TEXTS = ("README.md", "docs/c_code.md", "docs/st_tools.md", "docs/numbers.md")
"""Files made from the templates of the same names."""

_PATHS = {
    "float": "float network",
    "int8": "int8 network",
    "st": "`model_st.tflite` on ST's features",
    "st_application": "the same, patches not overlapping (as in ST's applications)",
    "c": "this C, samples to label",
}

_PARTS: Mapping[Part, str] = {
    "unseen": "of clips the model has not seen",
    "validation": "of clips the model was not trained on (some of them were used for validation)",
    "train": "of clips the model was trained on (there are no others)",
}


_Number = tuple[str, str, str]
"""A row of the table of numbers: name, value, and how that was obtained."""


def texts(
    source: Source,
    network: Network,
    validation: ValidationSet,
    ram: RamFigures,
    export_check: ExportCheck,
    chosen: Chosen,
    *,
    has_onnx: bool,
) -> dict[str, str]:
    """Return the README of a package and its `docs/`, by their names in the package."""
    model = source.model
    frontend = require_log_mel(model.frontend)
    numbers = [
        *_model_numbers(model.card, network, ram),
        *_front_end_numbers(frontend),
        *_measured_numbers(export_check),
    ]
    values = {
        **_frontend_values(frontend),
        **_st_values(frontend, network.input),
        **_rule_values(model),
        **_label_values(source, validation),
        "model_id": str(source.model_id),
        "model_sha256": hashlib.sha256(model.int8).hexdigest()[:16],
        "patches": str(len(validation.inputs)),
        "part": _PARTS[validation.part],
        "input_text": _quantisation(network.input),
        "output_text": _quantisation(network.output),
        "numbers": "\n".join(f"| {' | '.join(row)} |" for row in numbers),
        "checks": _checks_text(export_check),
        "applications": _applications_text(chosen),
        "onnx": f"; `{ONNX_MODEL}` is the same for the STM32N6" if has_onnx else "",
        "keeps_up": _keeps_up_text(export_check.targets),
        "targets": _targets_text(export_check.targets),
        "accuracy": _accuracy_text(export_check, model.card),
    }
    templates = files("labeltool.exporters.stm32").joinpath("texts")
    return {
        name: Template(templates.joinpath(name.rpartition("/")[2]).read_text(encoding="utf-8")).substitute(values)
        for name in TEXTS
    }


def _applications_text(chosen: Chosen) -> str:
    """Return a list of the applications that the package is for, and why it is not for the others."""
    rows = [f"   - `st/{one.name}/`: {one.title}" for one in chosen.applications]
    by_reason: dict[str, list[str]] = {}
    for name, problem in chosen.not_made.items():
        # What the application takes, and what to do, follow after a comma.
        by_reason.setdefault(problem.split(", ")[0], []).append(name)
    rows += [f"\n   Not for {', '.join(names)}: {reason} (`report.json`)." for reason, names in by_reason.items()]
    return "\n".join(rows)


_NO_TARGETS = "Not measured: this needs QEMU and arm-none-eabi-gcc where the package is made."


def _keeps_up_text(targets: Sequence[TargetFigures]) -> str:
    """Return which cores keep up, for the README."""
    if not targets:
        return _NO_TARGETS
    alone = {one: one.pace(one.front_end_mips) for one in targets}
    together = {one: one.pace(one.all_mips) for one in targets}
    rows = [
        f"- {part} {verdict}: " + ", ".join(f"{one.name} at {one.target.clock_mhz} MHz" for one in cores)
        for part, verdicts in (("The frontend", alone), ("With `aed_nn` it", together))
        for verdict in ("keeps up", "hardly keeps up", "cannot keep up")
        if (cores := [one for one in targets if verdicts[one] == verdict])
    ]
    # The smallest build of each: in fixed point, where there is one.
    small = {one.target: one.too_small for one in targets}
    return "\n".join((*rows, *(f"- Too small: an {text}." for text in small.values() if text)))


def _targets_text(targets: Sequence[TargetFigures]) -> str:
    """Return what each core needs: instructions, clock and memory."""
    if not targets:
        return _NO_TARGETS
    header = "| core | frontend, MIPS | with `aed_nn`, MIPS | flash, bytes | static RAM, bytes | stack, bytes |"
    rows = [
        f"| {one.name}, {one.target.example} | {one.front_end_mips:.1f} | {one.all_mips:.1f} | "
        f"{one.footprint.flash:,} | {one.footprint.static_ram:,} | {one.footprint.stack:,} |"
        for one in targets
    ]
    return "\n".join((header, "| --- | --- | --- | --- | --- | --- |", *rows))


def _frontend_values(frontend: LogMelFrontend) -> dict[str, str]:
    return {
        "patch_s": f"{frontend.patch_s:.2f}",
        "patch_hop_s": f"{frontend.patch_hop_s:.2f}",
        "event_end_s": f"{frontend.patch_hop_s + frontend.patch_s:.6f}",
        "patch_s_exact": f"{frontend.patch_s:g}",
        "patch_hop_s_exact": f"{frontend.patch_hop_s:g}",
        "rate": str(frontend.sample_rate_hz),
        "frame": f"{frontend.frame_samples} samples"
        + (f", behind which zeros fill {frontend.n_fft}," if frontend.frame_samples < frontend.n_fft else ""),
        "mel": frontend.spectrum,
        "hop": str(frontend.hop),
        "n_mels": str(frontend.n_mels),
        "floor": f"{frontend.floor:g}",
        "offset_db": f"{frontend.offset_db:g}",
        "scale_db": f"{frontend.scale_db:g}",
        "mean_text": "The mean of each patch is subtracted from it, so that loudness does not reach the network."
        if frontend.centred
        else "No mean is subtracted.",
    }


def _st_values(frontend: LogMelFrontend, network_input: TensorFormat) -> dict[str, str]:
    """Return what `model_st.tflite` takes, and what it does itself."""
    unit = logarithm_of(frontend)
    if unit == "db":
        return {
            "st_unit": UNITS[unit],
            "st_step": f"{input_code_scale(frontend).scale:.2f} dB",
            "st_differs": "without a floor, and without subtracting the\nmean of a patch. `model/model_st.tflite` does "
            "both itself; its weights are those of `model_int8.tflite`.",
        }
    return {
        "st_unit": UNITS[unit],
        "st_step": f"{network_input.scale:.2f}",
        "st_differs": "without a floor: bands near it\nare lower there, those below it are the lowest code in both. "
        "`model/model_st.tflite` is `model_int8.tflite` with float32 output.",
    }


def _rule_values(model: ModelFiles) -> dict[str, str]:
    rule = model.rule
    independent = rule.head == "sigmoid"
    logits_text = {
        "log-mean": "the log-odds of the probabilities (clipped to 1/512 from 0 and 1)"
        if independent
        else "the logarithms of the probabilities (at least 1/512)",
        "mean": "the probabilities, of which the logarithm (or log-odds) is taken",
        "majority": "the votes, of which the logarithm (or log-odds) is taken",
    }[rule.pooling]
    return {
        "exponent": f"{rule.loudness_exponent:g}",
        "temperature": f"{rule.temperature:g}",
        "ending_text": "converted back to probabilities" if independent else "normalised",
        "logits_text": logits_text,
    }


def _label_text(model: ModelFiles) -> str:
    """Return how the probabilities of a clip become labels, by the model's rule."""
    rule = model.rule
    threshold = f"{rule.threshold:g} (`AED_CLIP_THRESHOLD`, chosen on the model's validation clips)"
    if rule.head == "sigmoid":
        return (
            f"\nThe labels are independent: all labels with at least {threshold} are predicted, or none. ST's "
            "application uses the largest output only: read all of them instead."
        )
    unknown = f"\nA clip whose most probable label stays below {threshold} is unknown." if rule.threshold else ""
    background = (
        ""
        if model.background is None
        else f"\nThe output {_in_markdown(model.background)} (`AED_BACKGROUND`) is not a label: it was trained on "
        "clips without any of the labels, and is unknown too."
    )
    return unknown + background


def _quantisation(tensor: TensorFormat) -> str:
    return f"scale {tensor.scale:.9g}, zero point {tensor.zero_point}"


def _model_numbers(card: ModelCard, network: Network, ram: RamFigures) -> list[_Number]:
    counted, measured = "counted from the model file", "measured by labeltool"
    rows = [
        ("multiply-accumulates per patch", f"{network.macc:,}", counted),
        ("weights and biases, bytes", f"{network.weight_bytes:,}", counted),
    ]
    if ram.measured is not None:
        rows.append(("RAM, TensorFlow Lite Micro's arena, bytes", f"{sum(ram.measured):,}", measured))
    rows.append(("RAM, arena of `c/aed_nn.c`, bytes", f"{ram.planned:,}", "planned by labeltool"))
    rows.append(("RAM, ST's arena", "run `stedgeai analyze`", "not known here"))
    for accuracy, name in ((card.clip_accuracy, "float network"), (card.int8_clip_accuracy, "int8 network")):
        if accuracy is not None:
            kind = f"{measured}, {card.validation_clips} validation clips"
            rows.append((f"clip accuracy, {name}", f"{accuracy:.1%}", kind))
    return rows


def _front_end_numbers(frontend: LogMelFrontend) -> list[_Number]:
    size, counted = front_end_size(frontend), "counted from the C"
    return [
        ("RAM, patch of the frontend `c/aed_preproc.c`, bytes", f"{size.patch:,}", counted),
        ("RAM, rest of the frontend, bytes", f"{size.beside_the_patch:,}", counted),
        ("flash, tables of the frontend, bytes", f"{size.tables_in_flash:,}", counted),
    ]


def _measured_numbers(export_check: ExportCheck) -> list[_Number]:
    rows = []
    if export_check.instructions is not None:
        counts, kind = export_check.instructions, "counted by QEMU, Cortex-M4, `-O2`"
        rows += [
            ("instructions, frontend, a patch of new frames", f"{counts.first_patch:,}", kind),
            ("instructions, frontend, each following patch", f"{counts.next_patch:,}", kind),
            ("instructions, reference network `aed_nn`, a patch", f"{counts.network:,}", kind),
        ]
    accuracy = export_check.accuracy
    if accuracy is not None:
        kind = f"measured by labeltool, {accuracy.clips} {_PARTS[accuracy.part].removeprefix('of ')}"
        rows += [(f"clip accuracy, {_PATHS[path]}", f"{accuracy.share(path):.1%}", kind) for path in accuracy.predicted]
        rows += [
            (f"patch accuracy, {_PATHS[path]}", f"{share:.1%}", kind) for path, share in accuracy.patch_accuracy.items()
        ]
    return rows


def _checks_text(export_check: ExportCheck) -> str:
    text = "The export built this C and ran its checks; `report.json` names the checks and the tools."
    if export_check.not_measured:
        missing = "; ".join(f"{what} ({reason})" for what, reason in export_check.not_measured.items())
        text = f"Not checked during the export: {missing}."
    accuracy = export_check.accuracy
    if accuracy is None:
        return text
    paths = list(accuracy.predicted)
    rows = [("label", "clips", *(_PATHS[path] for path in paths)), ("---",) * (2 + len(paths))]
    for label, counts in accuracy.by_label().items():
        # A vertical bar ends a table cell, even in code.
        rows.append((_in_markdown(label).replace("|", "\\|"), *(str(counts[name]) for name in ("clips", *paths))))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{text} Correct clips by label:\n\n{table}"


def _accuracy_text(export_check: ExportCheck, card: ModelCard) -> str:
    """Return the accuracy of what runs on a device, as far as it is known, for the README."""
    accuracy = export_check.accuracy
    if accuracy is None:
        if card.int8_clip_accuracy is None:
            return "Not measured: there are too few labelled clips."
        return (
            f"On {card.validation_clips} validation clips the int8 network is right on {card.int8_clip_accuracy:.1%}."
        )
    right = (
        f"{_PATHS[path]} {round(accuracy.share(path) * accuracy.clips)}"
        for path in ("int8", "st", "c")
        if path in accuracy.predicted
    )
    part = _PARTS[accuracy.part].removeprefix("of clips ")
    return f"Of {accuracy.clips} clips {part} are right: {'; '.join(right)}. [More](docs/numbers.md)."


def _label_values(source: Source, validation: ValidationSet) -> dict[str, str]:
    model = source.model
    frontend = require_log_mel(model.frontend)
    golden_s = min(MAX_CLIPS, len(validation.clips)) * golden_samples(frontend) / frontend.sample_rate_hz
    return {
        "labels": str(len(model.labels)),
        "label_text": _label_text(model).strip(),
        "licences": ", ".join(_in_markdown(licence) for licence in licences_of_training(source)),
        "golden_s": f"{golden_s:.1f}",
    }


def _in_markdown(text: str) -> str:
    """Return a text as one line of inline code, whatever characters it contains."""
    line = one_line(text)
    fence = "`"
    while fence in line:
        fence += "`"
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"
