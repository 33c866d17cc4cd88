"""ST's own spectrogram library, built for this machine from sources that the user has, beside our model of it.

Nothing of it is part of labeltool. Its files and those of CMSIS-DSP are found by their names below a folder, say a
clone of ST's model zoo services, and built with the package's configuration and tables and a small program.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from labeltool.audio.frontend import LogMelFrontend
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import mel_tables
from labeltool.exporters.stm32.st_applications.folder import CONFIG_HEADER, FOLDER
from labeltool.exporters.stm32.st_model import patches
from labeltool.exporters.stm32.st_model.frontend import buffers
from labeltool.exporters.stm32.st_model.graph_edit import ST_MODEL
from labeltool.exporters.stm32.verification.checks import Check, Package
from labeltool.exporters.stm32.verification.tools import missing_tools, run_filter, run_tool
from labeltool.networks.quantization import FloatOutputModel
from labeltool.type_aliases import Int8, Int16

_NEEDED = ("feature_extraction.c", "feature_extraction.h", "mel_filterbank.c", "arm_math.h", "arm_rfft_fast_f32.c")
_LIBRARY = ("feature_extraction.c", "mel_filterbank.c", "window.c", "dct.c", "common_tables.c")
_CMSIS = (
    *("arm_rfft_fast_f32.c", "arm_rfft_fast_init_f32.c", "arm_cfft_f32.c", "arm_cfft_init_f32.c"),
    *("arm_cfft_radix8_f32.c", "arm_bitreversal2.c", "arm_common_tables.c", "arm_const_structs.c"),
    *("arm_mult_f32.c", "arm_scale_f32.c", "arm_add_f32.c", "arm_sub_f32.c", "arm_offset_f32.c", "arm_negate_f32.c"),
    *("arm_dot_prod_f32.c", "arm_accumulate_f32.c", "arm_mean_f32.c", "arm_q15_to_float.c", "arm_fill_f32.c"),
    *("arm_cmplx_mag_f32.c", "arm_cmplx_mag_squared_f32.c", "arm_cos_f32.c", "arm_sin_f32.c", "arm_copy_f32.c"),
)
_HEADERS = (
    *("feature_extraction.h", "mel_filterbank.h", "window.h", "dct.h", "common_tables.h", "audio_din.h"),
    *("arm_math.h", "arm_vec_fft.h"),
)
# CMSIS-DSP's own switch for machines without CMSIS-Core; no multiplication is joined with an addition.
_FLAGS = (
    *("-std=gnu11", "-O2", "-ffp-contract=off", "-w", "-ffunction-sections", "-Wl,--gc-sections"),
    *("-D__GNUC_PYTHON__", "-D__INLINE=inline"),
)
_HALF = "PREPROC_FLOAT_T"


def check_st_sources(package: Package, sources: Path, clips: Sequence[Int16]) -> Check:
    """Run ST's C and its Python model on clips; a feature may differ by one step, for CMSIS-DSP's FFT rounds otherwise.

    Parameters
    ----------
    sources
        A folder that has, at any depth, ST's audio preprocessing library and CMSIS-DSP.
    clips
        Samples of each, `(samples,)` at the frontend's rate; at least one patch.
    """
    name = "ST's C on this machine: features within one step of the Python model"
    if missing := missing_tools("cc"):
        return Check(name, "not run", missing)
    frontend, network = package.frontend, FloatOutputModel((package.directory / "model" / ST_MODEL).read_bytes())
    try:
        with tempfile.TemporaryDirectory(prefix="labeltool-st-") as folder:
            program = _build(package, sources, Path(folder))
            theirs = [_run(program, pcm, frontend, network) for pcm in clips]
    except LabeltoolError as error:
        return Check(name, "failed", str(error))
    found = np.concatenate(theirs)
    expected = np.concatenate([patches.codes(pcm, frontend, network) for pcm in clips])
    steps = np.abs(found.astype(np.int64) - expected)
    labels = int((network.predict(found).argmax(axis=1) != network.predict(expected).argmax(axis=1)).sum())
    return Check(
        name,
        "passed" if steps.max() <= 1 else "failed",
        f"{int((steps > 0).sum())} of {steps.size:,} features differ, by at most {steps.max()}; "
        f"{labels} of {len(found)} patches get another label",
    )


def _build(package: Package, sources: Path, folder: Path) -> Path:
    """Build the program in a folder and return it; raises a `LabeltoolError` with the compiler's first error."""
    application = _application(package, folder)
    place = _find(sources)
    audio_din = sorted(place["feature_extraction.c"].parent.glob("audio_din*.c"))
    compiled = [*(place[name] for name in (*_LIBRARY, *_CMSIS) if name in place), *audio_din]
    folders = dict.fromkeys(place[name].parent for name in _HEADERS if name in place)
    with as_file(files("labeltool.exporters.stm32").joinpath("csrc", "host", "st_columns.c")) as driver:
        program = folder / "st_columns"
        inputs = [driver, application / "user_mel_tables.c", *compiled]
        command = ["cc", *_FLAGS, *(f"-I{one}" for one in (application, *folders)), *map(str, inputs)]
        result = run_tool([*command, "-lm", "-o", str(program)])
    if not result.passed:
        raise LabeltoolError(
            f"ST's sources in {place['feature_extraction.c'].parent} do not compile: {result.reason}",
            remedy=f"name the sources of the version in {FOLDER}/NAME/README.md",
        )
    return program


def _application(package: Package, folder: Path) -> Path:
    """Return a folder with the package's configuration and tables in float32."""
    exported = sorted((package.directory / FOLDER).glob(f"*/{CONFIG_HEADER}"))
    if not exported:
        raise LabeltoolError(f"the package has no application in {FOLDER}/")
    for header in exported:
        if _HALF not in header.with_name("user_mel_tables.h").read_text(encoding="utf-8"):
            return header.parent
    # The STM32N6's tables are in half precision, its configuration is the same.
    (folder / CONFIG_HEADER).write_bytes(exported[0].read_bytes())
    for name, text in zip(("user_mel_tables.c", "user_mel_tables.h"), mel_tables(package.frontend), strict=True):
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def _find(sources: Path) -> Mapping[str, Path]:
    """Return where each file is: of several with one name the one nearest to ST's library."""
    candidates: dict[str, list[Path]] = {name: [] for name in (*_NEEDED, *_LIBRARY, *_CMSIS, *_HEADERS)}
    for path in sorted(sources.rglob("*.[ch]")):
        if path.name in candidates and path.is_file():
            candidates[path.name].append(path)
    for name in _NEEDED:
        if not candidates[name]:
            raise LabeltoolError(
                f"has no {name}", file=sources, remedy="name a folder with ST's audio library and CMSIS-DSP"
            )
    anchor = candidates[_NEEDED[0]][0].parts

    def shared(path: Path) -> int:
        return next((n for n, (a, b) in enumerate(zip(path.parts, anchor, strict=False)) if a != b), len(anchor))

    return {name: max(paths, key=shared) for name, paths in candidates.items() if paths}


def _run(program: Path, pcm: Int16, frontend: LogMelFrontend, network: FloatOutputModel) -> Int8:
    inverse, cut = float(np.float32(1.0) / np.float32(network.input.scale)), buffers(pcm, frontend)
    output = run_filter([program, str(network.input.zero_point), inverse.hex()], cut.tobytes())
    if output is None:
        raise LabeltoolError("the program with ST's sources failed")
    codes = np.frombuffer(output, np.int8)
    patch = (frontend.n_mels, frontend.patch_frames)
    if len(codes) != len(cut) * math.prod(patch):
        raise LabeltoolError(f"the program with ST's sources wrote {len(codes):,} features")
    return codes.reshape(-1, *patch)
