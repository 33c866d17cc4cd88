"""The folders for ST's applications, read as each application reads them: by a C compiler.

The stand-ins below have ST's names and none of its code.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from helpers.command_line import labeltool_here
from helpers.exports import bytes_of, export, model_card
from helpers.stm32 import HOSTILE, LABELS, needs, without
from labeltool.audio.frontend import LogMelFrontend
from labeltool.audio.log_mel_frontend import YAMNET_FRONTEND
from labeltool.cli.main import cli
from labeltool.errors import LabeltoolError
from labeltool.exporters.stm32.codegen.st_mel_tables import sparse_filters
from labeltool.exporters.stm32.st_applications.applications import APPLICATIONS, choose
from labeltool.exporters.stm32.st_applications.folder import application_files
from labeltool.exporters.stm32.st_applications.user_config import yaml_string
from labeltool.exporters.stm32.verification.st_checks import stedgeai_checks
from labeltool.networks.device_targets import DEVICE_TARGETS, microphone_bytes
from labeltool.networks.model_folder import ModelFiles
from labeltool.networks.postprocessing import ClipRule
from labeltool.project import Project

FRONTEND = LogMelFrontend(patch_frames=48, patch_hop=24)
FLAGS = ("-std=gnu11", "-Wall", "-Wextra", "-Wundef", "-Werror")
ARM = {
    "u5-freertos": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
    "u5-threadx": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
    "u3": ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16"),
    "n6": ("-mcpu=cortex-m55",),
}
DEVICE = {"u5-freertos": "STM32U585xx", "u5-threadx": "STM32U585xx", "u3": "STM32U3C5xx", "n6": "STM32N657xx"}

# What the applications' own headers define before the configuration is included, and the types that it is read into.
STAND_INS = """\
#include <stdint.h>
#include <stdio.h>
#define CTRL_AI_CLASS_DISTRIBUTION (1U)
#define CTRL_AI_SPECTROGRAM_LOG_MEL (4U)
#define COM_TYPE_MIC (2U)
#define CTRL_CMD_PARAM_AI 7
enum { MEL_HTK, MEL_SLANEY };
enum { SPECTRUM_TYPE_MAGNITUDE, SPECTRUM_TYPE_POWER };
enum { LOGMELSPECTROGRAM_SCALE_DB = 5, LOGMELSPECTROGRAM_SCALE_LOG };
#include "ai_model_config.h"
#include "user_mel_tables.h"
typedef struct { float rate, low, high, spectro_sum; uint32_t mels, fft, frame, normalize; int formula, type, log;
                 const NUMBER *window, *lut; const uint32_t *starts, *stops; } spectrogram_conf;
"""

# Each use of a name is one that ST's sources make of it. `M_` stands for MODE_ or MODEL_.
USES = """\
static const char *labels[CTRL_X_CUBE_AI_M_CLASS_NUMBER] = CTRL_X_CUBE_AI_M_CLASS_LIST;
static int8_t patch[CTRL_X_CUBE_AI_SPECTROGRAM_COL * CTRL_X_CUBE_AI_SPECTROGRAM_NMEL];
static uint8_t microphone[((CTRL_X_CUBE_AI_SPECTROGRAM_COL-1)*CTRL_X_CUBE_AI_SPECTROGRAM_HOP_LENGTH
                           + CTRL_X_CUBE_AI_SPECTROGRAM_NFFT) * 2 * 2];
#if (CTRL_X_CUBE_AI_M_OUTPUT_1 != CTRL_AI_CLASS_DISTRIBUTION) || (CTRL_X_CUBE_AI_SENSOR_TYPE != COM_TYPE_MIC)
#error "other output or sensor"
#endif
#if (CTRL_X_CUBE_AI_PREPROC != CTRL_AI_SPECTROGRAM_LOG_MEL) || (CTRL_X_CUBE_AI_M_NB_OUTPUT != 1)
#error "other features"
#endif
static void setup(spectrogram_conf *conf)
{
    conf->rate = CTRL_X_CUBE_AI_SENSOR_ODR;
    conf->mels = CTRL_X_CUBE_AI_SPECTROGRAM_NMEL;
    conf->fft = CTRL_X_CUBE_AI_SPECTROGRAM_NFFT;
    conf->frame = CTRL_X_CUBE_AI_SPECTROGRAM_WINDOW_LENGTH;
    conf->low = (float) CTRL_X_CUBE_AI_SPECTROGRAM_FMIN;
    conf->high = (float) CTRL_X_CUBE_AI_SPECTROGRAM_FMAX;
    conf->formula = CTRL_X_CUBE_AI_SPECTROGRAM_FORMULA;
    conf->normalize = CTRL_X_CUBE_AI_SPECTROGRAM_NORMALIZE;
    conf->type = CTRL_X_CUBE_AI_SPECTROGRAM_TYPE;
    conf->log = CTRL_X_CUBE_AI_SPECTROGRAM_LOG_FORMULA;
    conf->window = CTRL_X_CUBE_AI_SPECTROGRAM_WIN;
    conf->lut = CTRL_X_CUBE_AI_SPECTROGRAM_MEL_LUT;
    conf->starts = CTRL_X_CUBE_AI_SPECTROGRAM_MEL_START_IDX;
    conf->stops = CTRL_X_CUBE_AI_SPECTROGRAM_MEL_STOP_IDX;
    conf->spectro_sum = 0.0F; /* what it stays at for log-mels in dB */
}
int main(void)
{
    spectrogram_conf conf;
    const float best = 0.41F, sensor_range = CTRL_X_CUBE_AI_SENSOR_FS;
    const char *const names[] = {CTRL_X_CUBE_AI_M_NAME, CTRL_X_CUBE_AI_SENSOR_NAME};
    setup(&conf);
    EXTRA
    printf("%d %d %d %u %u", conf.spectro_sum > CTRL_X_CUBE_AI_SPECTROGRAM_SILENCE_THR, best > CTRL_X_CUBE_AI_OOD_THR,
           conf.formula == MEL_SLANEY && conf.type == SPECTRUM_TYPE_POWER && conf.log == LOGMELSPECTROGRAM_SCALE_DB
           && conf.normalize == 1U && sensor_range > 0.0F && names[0] != names[1],
           (unsigned)sizeof microphone, (unsigned)(sizeof patch + CTRL_X_CUBE_AI_NB_SAMPLES));
    for (unsigned i = 0; i < CTRL_X_CUBE_AI_M_CLASS_NUMBER; i++) { putchar(0); fputs(labels[i], stdout); }
    putchar(0);
    fwrite(conf.window, sizeof *conf.window, conf.frame, stdout);
    fwrite(conf.starts, sizeof *conf.starts, conf.mels, stdout);
    fwrite(conf.stops, sizeof *conf.stops, conf.mels, stdout);
    fwrite(conf.lut, sizeof *conf.lut, COEFFICIENTS, stdout);
    return conf.rate == 16000.0F && conf.fft == 1024U && conf.low == 20.0F && conf.high == 7500.0F ? 0 : 1;
}
"""
EXTRAS = {
    "MODE": "static uint32_t sequence[] = CTRL_SEQUENCE; if (sequence[0] != CTRL_CMD_PARAM_AI) return 2;",
    "u3": '\n#if (CTRL_X_CUBE_AI_MODEL_NO_TRANSPOSE == 1)\n#error "not transposed"\n#endif\n',
    "n6": "",
}


def model_files(
    labels: Sequence[str] = LABELS, frontend: LogMelFrontend = FRONTEND, threshold: float = 0.4
) -> ModelFiles:
    return ModelFiles(Path("nowhere"), model_card(tuple(labels), clip_rule=ClipRule(threshold=threshold)), frontend)


def program(name: str) -> str:
    """Return the C that uses every name as the application does."""
    prefix = APPLICATIONS[name].prefix
    number = "_Float16" if name == "n6" else "float"
    uses = USES.replace("_M_", f"_{prefix}_").replace("EXTRA", EXTRAS["MODE" if prefix == "MODE" else name])
    return STAND_INS.replace("NUMBER", number) + uses.replace(
        "COEFFICIENTS", str(len(sparse_filters(FRONTEND).coefficients))
    )


def write(folder: Path, name: str, model: ModelFiles) -> Path:
    """Write an application's folder, a network, the program and ST's header that tables in half precision include."""
    for path, text in application_files(APPLICATIONS[name], 3, model).items():
        (folder / Path(path).name).write_text(text, encoding="utf-8")
    (folder / "preproc_dpu.h").write_text("#define PREPROC_FLOAT_T _Float16\n")
    (folder / "program.c").write_text(program(name))
    write_network(folder, name, labels=len(model.labels))
    return folder


GENERATED = {
    "legacy": "#define AI_PLATFORM_API_MAJOR (1)\n#define AI_PLATFORM_API_MINOR ({version})\n"
    "#define AI_NETWORK_IN_1_SIZE (64 * 48 * 1)\n#define AI_NETWORK_IN_1_SIZE_BYTES (AI_NETWORK_IN_1_SIZE * {given})\n"
    "#define AI_NETWORK_OUT_1_SIZE ({labels})\n#define AI_NETWORK_OUT_1_SIZE_BYTES (AI_NETWORK_OUT_1_SIZE * {size})\n",
    "st-ai": "#define STAI_TOOLS_VERSION_MAJOR ({version})\n#define STAI_NETWORK_IN_1_SIZE (3072)\n"
    "#define STAI_NETWORK_IN_1_SIZE_BYTES (3072 * {given})\n"
    "#define STAI_NETWORK_OUT_1_SIZE (({labels}))\n#define STAI_NETWORK_OUT_1_SIZE_BYTES ({labels} * {size})\n",
}


def write_network(
    folder: Path, name: str, api: str = "", version: str = "", labels: int = 3, given: int = 1, size: int = 4
) -> Path:
    """Write the header of a generated network: values of `given` bytes in, of `size` bytes out."""
    api = api or APPLICATIONS[name].api
    version = version or ("2" if APPLICATIONS[name].api == "legacy" else "4")
    path = folder / ("stai_network.h" if name == "n6" else "network.h")
    path.write_text(GENERATED[api].format(version=version, labels=labels, given=given, size=size))
    return path


def build(folder: Path, name: str, *options: str, compiler: Sequence[str] = ("gcc",)) -> str:
    """Compile the program for an application's MCU; return the compiler's complaint, empty where there is none."""
    needs(compiler[0])
    command = [*compiler, *FLAGS, f"-D{DEVICE[name]}", "-I", ".", *options, "program.c", "user_mel_tables.c"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("name", APPLICATIONS)
def test_an_application_reads_its_values_from_its_headers(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, model_files())
    assert build(tmp_path, name, "-o", "program") == ""
    result = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout
    values, *labels, tables = result.split(b"\0", 1 + len(LABELS))
    # A sum of 0 is reported, 0.41 is over the threshold of 0.4, and two patches fit the microphone's driver.
    assert values == b"1 1 1 64256 3072"
    assert [label.decode() for label in labels] == list(LABELS)
    number = np.dtype(np.float16 if name == "n6" else np.float32)
    sparse = sparse_filters(FRONTEND)
    ends = np.cumsum([1024 * number.itemsize, 4 * 64, 4 * 64])
    assert np.array_equal(np.frombuffer(tables[: ends[0]], number), FRONTEND.window().astype(number))
    assert np.array_equal(np.frombuffer(tables[ends[0] : ends[1]], np.uint32), sparse.starts)
    assert np.array_equal(np.frombuffer(tables[ends[1] : ends[2]], np.uint32), sparse.stops)
    assert np.array_equal(np.frombuffer(tables[ends[2] :], number), sparse.coefficients.astype(number))


@pytest.mark.parametrize("name", APPLICATIONS)
def test_it_compiles_for_the_mcu_of_the_application_and_as_cpp(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, model_files())
    arm = ("arm-none-eabi-gcc", *ARM[name], "-mthumb", "-mfloat-abi=hard")
    assert build(tmp_path, name, "-c", compiler=arm) == ""
    if name != "n6":
        needs("g++")
        text = "#define CTRL_AI_CLASS_DISTRIBUTION\n#define CTRL_AI_SPECTROGRAM_LOG_MEL\n#define COM_TYPE_MIC\n" + (
            '#include "ai_model_config.h"\n#include "user_mel_tables.h"\nint main() { return user_win[0] != 0.0F; }\n'
        )
        (tmp_path / "main.cpp").write_text(text)
        subprocess.run(["gcc", "-c", "user_mel_tables.c"], cwd=tmp_path, check=True)
        subprocess.run(["g++", "-Wall", "-Werror", "main.cpp", "user_mel_tables.o"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_name_that_is_missing_is_found(tmp_path: Path, name: str) -> None:
    header = write(tmp_path, name, model_files()) / "ai_model_config.h"
    text = header.read_text()
    macros = re.findall(r"^#define (CTRL_\w+)", text, re.MULTILINE)
    assert len(macros) >= 28 and len(set(macros)) == len(macros)
    assert build(tmp_path, name, "-fsyntax-only") == ""
    for macro in macros:
        header.write_text(re.sub(rf"#define {macro}\b", f"#define {macro}_RENAMED", text))
        assert macro in build(tmp_path, name, "-fsyntax-only"), f"{macro} is not used as the application uses it"


@pytest.mark.parametrize("name", APPLICATIONS)
def test_class_names_read_back_whatever_their_characters(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, model_files(HOSTILE))
    assert build(tmp_path, name, "-o", "program") == ""
    result = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout
    assert [label.decode() for label in result.split(b"\0")[1 : 1 + len(HOSTILE)]] == list(HOSTILE)
    config = yaml.safe_load((tmp_path / "user_config.yaml").read_text(encoding="ascii"))
    assert config["dataset"]["class_names"] == list(HOSTILE)
    assert yaml.safe_load(yaml_string("${now}")) == "\\${now}"  # OmegaConf's own escape


@pytest.mark.parametrize(
    ("name", "old", "new", "option", "complaint"),
    [
        ("u5-freertos", "COL           (48U)", "COL           (50U)", "", "takes a buffer of 65535 bytes at most"),
        ("u3", "COL           (48U)", "COL           (50U)", "", "takes a buffer of 65534 bytes at most"),
        ("u3", "", "", "-DUSE_HSP", "without USE_HSP"),
        ("u3", "", "", "-DSTM32U585xx", "another application's MCU"),
        ("n6", "", "", "-DSTM32U3C5xx", "another application's MCU"),
    ],
)
def test_the_header_stops_a_build_that_could_not_work(
    tmp_path: Path, name: str, old: str, new: str, option: str, complaint: str
) -> None:
    header = write(tmp_path, name, model_files()) / "ai_model_config.h"
    assert old in header.read_text()
    header.write_text(header.read_text().replace(old, new, 1))
    assert complaint in build(tmp_path, name, "-fsyntax-only", *([option] if option else []))


def test_a_header_that_is_included_too_early_is_an_error(tmp_path: Path) -> None:
    needs("gcc")
    for name, wanted in {"u5-freertos": True, "u3": True, "n6": False}.items():
        write(tmp_path, name, model_files())
        command = ["gcc", "-fsyntax-only", "-x", "c", "ai_model_config.h"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ("include the application's own configuration header" in result.stderr) is wanted


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_generated_network_that_is_another_stops_the_build(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name, model_files())
    other = "st-ai" if APPLICATIONS[name].api == "legacy" else "legacy"

    def complaint(api: str = "", version: str = "", labels: int = 3, given: int = 1, size: int = 4) -> str:
        write_network(folder, name, api, version, labels, given, size)
        return build(folder, name, "-fsyntax-only")

    assert complaint() == ""
    assert "is of another C API" in complaint(other)
    assert "is of another model" in complaint(labels=4)
    assert "does not take int8" in complaint(given=4)
    assert "does not give float32" in complaint(size=1)
    assert "version 1.2 of" in complaint(version="1") or "or newer" in complaint(version="1")


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_network_that_is_not_found_is_a_warning(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, name, model_files())
    write_network(folder, name).unlink()
    complaint = build(folder, name, "-fsyntax-only", "-Wno-error=cpp")
    assert "warning" in complaint and "was not checked" in complaint and "error:" not in complaint


def test_the_threshold_is_the_models_and_its_absence_is_commented(tmp_path: Path) -> None:
    for name in APPLICATIONS:
        chosen = (write(tmp_path, name, model_files()) / "ai_model_config.h").read_text()
        none = (write(tmp_path, name, model_files(threshold=0.0)) / "ai_model_config.h").read_text()
        assert "chosen for whole clips; the application applies it to single patches" in chosen
        assert re.search(r"OOD_THR +\(0\.4\d*F\)", chosen) and "too few validation clips" not in chosen
        assert re.search(r"OOD_THR +\(0\.0F\)", none) and "too few validation clips" in none


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_yaml_has_the_models_values_and_warns_where_st_would_sort(tmp_path: Path, name: str) -> None:
    text = (write(tmp_path, name, model_files()) / "user_config.yaml").read_text()
    config = yaml.safe_load(text)
    assert config["operation_mode"] == "deployment" and "sort the class names" not in text
    model = config["general" if APPLICATIONS[name].yaml_layout == 2025 else "model"]["model_path"]
    assert model.endswith(f"/model/{APPLICATIONS[name].model}") and "FILL IN" in model
    features = config["feature_extraction"]
    assert (features["patch_length"], features["n_mels"], features["n_fft"], features["hop_length"]) == (
        48,
        64,
        1024,
        320,
    )
    assert (features["norm"], features["htk"], features["to_db"], features["center"]) == ("slaney", False, True, False)
    assert config["deployment"]["hardware_setup"]["serie"] == APPLICATIONS[name].series.upper()
    assert config["deployment"]["unknown_class_threshold"] == 0.4
    text = (write(tmp_path, name, model_files(("rain", "dog"))) / "user_config.yaml").read_text()
    assert "sort the class names" in text and yaml.safe_load(text)["dataset"]["class_names"] == ["rain", "dog"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_application_computes_yamnets_log_mels_itself(tmp_path: Path, name: str) -> None:
    assert not APPLICATIONS[name].problem(YAMNET_FRONTEND, 3)
    assert microphone_bytes(YAMNET_FRONTEND) == 4 * (95 * 160 + 512)
    folder = write(tmp_path, name, model_files(frontend=YAMNET_FRONTEND))
    header = (folder / "ai_model_config.h").read_text()
    values = dict(re.findall(r"^#define CTRL_X_CUBE_AI_SPECTROGRAM_(\w+) +\((.*)\)$", header, re.MULTILINE))
    assert {key: values[key] for key in ("NFFT", "WINDOW_LENGTH", "HOP_LENGTH", "NMEL", "COL", "NORMALIZE")} == {
        **{"NFFT": "512U", "WINDOW_LENGTH": "400U", "HOP_LENGTH": "160U", "NMEL": "64U", "COL": "96U"},
        "NORMALIZE": "0U",
    }
    assert (values["FORMULA"], values["TYPE"]) == ("MEL_HTK", "SPECTRUM_TYPE_MAGNITUDE")
    assert values["LOG_FORMULA"] == "LOGMELSPECTROGRAM_SCALE_LOG"
    features = yaml.safe_load((folder / "user_config.yaml").read_text())["feature_extraction"]
    assert (features["window_length"], features["n_fft"], features["power"]) == (400, 512, 1.0)
    assert (features["norm"], features["htk"], features["to_db"]) == ("None", True, False)
    page = (folder / "README.md").read_text()
    assert "int8 log-mels in natural logarithms" in page and "half precision" not in page


def test_each_readme_is_short_and_has_the_commands(tmp_path: Path) -> None:
    card = model_card(LABELS, clip_rule=ClipRule(head="sigmoid", threshold=0.5), background="rain")
    model = ModelFiles(Path("nowhere"), card, FRONTEND)
    for name, application in APPLICATIONS.items():
        page = (write(tmp_path, name, model) / "README.md").read_text()
        assert len(page.split()) <= 250, name
        for arguments in application.commands().values():
            assert f"    stedgeai {' '.join(arguments)}\n" in page
        for file in ("ai_model_config.h", "user_mel_tables", "user_config.yaml", application.model):
            assert file in page
        assert "Class 2 is not a label" in page and "most probable one alone" in page
        assert f"From `{application.origin}` on GitHub" in page and "baud" in page and "{{" not in page
        assert "int8 log-mels in dB" in page and "12.0.1 is ST Edge AI Core 4.0.1" in page
    assert "--c-api legacy" in " ".join(APPLICATIONS["u5-freertos"].commands()["generate"])


def test_the_npu_s_firmware_comes_first_and_the_others_validate_with_the_package_s_patches(tmp_path: Path) -> None:
    npu = (write(tmp_path, "n6", model_files()) / "README.md").read_text()
    assert 0 < npu.index("default@user_neural_art.json") < npu.index("only to check the model") < npu.index("analyze")
    assert "(no `validate`: with the NPU it needs a board)" in npu and "validate" not in APPLICATIONS["n6"].commands()
    for name in ("u5-freertos", "u5-threadx", "u3"):
        assert APPLICATIONS[name].commands()["validate"][-3:] == (
            *("--valinput", "../../validation/val_st.npz", "--classifier"),
        )


def test_half_precision_is_a_matter_of_the_fft_length(tmp_path: Path) -> None:
    assert np.float32((1024 // 4) ** 2) > np.finfo(np.float16).max > (512 // 4) ** 2
    # The loudest bin of a sine at full scale, for which the README warns.
    window, sine = FRONTEND.window(), np.sin(2 * np.pi * 100 * np.arange(1024) / 1024)
    assert np.square(np.abs(np.fft.rfft(window * sine))).max() == pytest.approx(65_536, rel=1e-5)
    assert "a power of 65,536" in (write(tmp_path, "n6", model_files()) / "README.md").read_text()
    short = replace(FRONTEND, n_fft=512, n_mels=32)
    assert "half precision" not in (write(tmp_path, "n6", model_files(frontend=short)) / "README.md").read_text()
    assert "half precision" not in (write(tmp_path, "u3", model_files()) / "README.md").read_text()


def test_the_header_gives_the_reason_for_its_checks_and_the_spelling_of_st(tmp_path: Path) -> None:
    for name, application in APPLICATIONS.items():
        header = (write(tmp_path, name, model_files()) / "ai_model_config.h").read_text()
        assert f"CTRL_X_CUBE_AI_{application.prefix}_... is ST's spelling" in header
        assert ("No name of the application is checked" in header) is (not application.defined_before)


def test_the_registry_knows_each_target_and_no_other() -> None:
    assert list(APPLICATIONS) == list(DEVICE_TARGETS)


def test_what_does_not_fit_is_not_made_by_default_and_refused_by_name() -> None:
    own = LogMelFrontend()
    chosen = choose((), own, 3)
    assert [one.name for one in chosen.applications] == ["n6"]
    assert chosen.not_made["u5-freertos"] == (
        "50 columns need a microphone buffer of 66,816 bytes, the driver takes at most 65,535: "
        'set target = "u5-freertos" under [learning] in labeltool.toml and retrain'
    )
    with pytest.raises(LabeltoolError, match=r"^u5-freertos: 50 columns need .* 66,816 bytes.* and retrain$"):
        choose(["n6", "u5-freertos"], own, 3)
    with pytest.raises(LabeltoolError, match=r"no ST application is called 'u9'.*u5-freertos, u5-threadx, u3, n6"):
        choose(["u9"], own, 3)
    assert [one.name for one in choose((), FRONTEND, 3).applications] == list(APPLICATIONS)
    assert [one.name for one in choose(["u3", "u3"], FRONTEND, 3).applications] == ["u3"]
    assert "101 labels" in choose((), FRONTEND, 101).not_made["u5-threadx"]
    other_rate = choose((), replace(FRONTEND, sample_rate_hz=48_000), 3).not_made["n6"]
    assert other_rate == "its microphone runs at 16,000 Hz, the model needs 48,000 Hz"
    assert "is empty" in choose((), replace(FRONTEND, n_mels=512), 3).not_made["n6"]
    assert choose((), own, 3, {"model_st.onnx": "needs onnx"}).not_made["n6"] == "needs onnx"


def test_the_package_names_what_it_leaves_out_and_refuses_what_it_cannot_make(package: Path, modelled: Project) -> None:
    report = json.loads((package / "report.json").read_text())["st_applications"]
    assert report["made"] == ["n6"] and set(report["not_made"]) == {"u5-freertos", "u5-threadx", "u3"}
    page = (package / "README.md").read_text()
    assert "- `st/n6/`: " in page and "Not for u5-freertos, u5-threadx, u3: 50 columns need" in page
    before = bytes_of(package)
    with pytest.raises(LabeltoolError, match=r"stm32: u3: 50 columns .* and retrain; nothing was exported"):
        export(modelled, "stm32", st_applications=["u3"])
    assert bytes_of(package) == before


def test_for_goes_with_stm32() -> None:
    result = CliRunner().invoke(cli, ["export", "--splits", "--for", "n6"])
    assert result.exit_code == 2 and "--for goes with --stm32" in result.output


# A stand-in for ST's tool: it reads its arguments as the tool would, and writes what it was called with.
STEDGEAI = """\
#!/bin/sh
step=$1
test "$2" = --model && test -s "$3" || { echo "E010(InvalidModelError): no such model"; exit 1; }
case "$*" in *--valinput*) test -s ../../validation/val_st.npz || { echo "E: no such data"; exit 3; } ;; esac
case "$4 $5" in "--target stm32u5" | "--target stm32u3" | "--target stm32n6") ;; *) echo "E: bad target"; exit 2 ;; esac
echo "$@" >> "LOG"
if [ "$step" = FAILS ]; then
  echo "loading"; echo "E200(NotImplementedError): operator MEAN"; echo; echo "see the report"; exit 1
fi
mkdir -p st_ai_output && echo done > "st_ai_output/$step.txt"
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A package with nothing but the applications' folders, their models and the data that these are validated with."""
    for application in APPLICATIONS.values():
        (tmp_path / "package" / "st" / application.name).mkdir(parents=True)
    (tmp_path / "package" / "model").mkdir()
    for model in ("model_st.tflite", "model_st.onnx"):
        (tmp_path / "package" / "model" / model).write_bytes(b"model")
    (tmp_path / "package" / "validation").mkdir()
    (tmp_path / "package" / "validation" / "val_st.npz").write_bytes(b"data")
    return tmp_path / "package"


def tool(folder: Path, fails: str = "nothing") -> Path:
    path = folder / "stedgeai"
    path.write_text(STEDGEAI.replace("FAILS", fails).replace("LOG", str(folder / "log.txt")))
    path.chmod(0o755)
    return path


def test_st_s_tool_runs_every_command_outside_the_package(made: Path, tmp_path: Path) -> None:
    before = bytes_of(made)
    checks = list(stedgeai_checks(made, tool(tmp_path)))
    assert {check.outcome for check in checks} == {"passed"}, checks
    assert bytes_of(made) == before
    commands = [" ".join(one) for application in APPLICATIONS.values() for one in application.commands().values()]
    assert (tmp_path / "log.txt").read_text().splitlines() == commands
    assert len(commands) == 11 and [check.name for check in checks][:3] == [
        *("u5-freertos: stedgeai analyze", "u5-freertos: stedgeai validate", "u5-freertos: stedgeai generate")
    ]


def test_a_command_that_fails_is_listed_with_its_last_error_and_the_others_run(made: Path, tmp_path: Path) -> None:
    checks = list(stedgeai_checks(made, tool(tmp_path, fails="validate")))
    failed = [check for check in checks if check.outcome == "failed"]
    assert [check.name.split(": stedgeai ")[1] for check in failed] == ["validate"] * 3
    assert {check.detail for check in failed} == {"E200(NotImplementedError): operator MEAN"}
    assert len(checks) == 11
    (tmp_path / "stedgeai").chmod(0o644)
    (check, *_) = stedgeai_checks(made, tmp_path / "stedgeai")
    assert check.outcome == "failed" and "cannot be run" in check.detail


def test_without_the_tool_or_the_model_the_commands_are_not_run(made: Path, tmp_path: Path) -> None:
    assert {(check.outcome, check.detail) for check in stedgeai_checks(made, None)} == {
        ("not run", "name ST's tool with --stedgeai PATH")
    }
    (made / "model" / "model_st.onnx").unlink()
    outcomes = {check.name.split(":")[0]: check.outcome for check in stedgeai_checks(made, tool(tmp_path))}
    assert outcomes == {"u5-freertos": "passed", "u5-threadx": "passed", "u3": "passed", "n6": "not run"}


def test_verify_takes_the_tool_and_what_it_leaves_in_the_package_is_no_damage(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "make")  # verify makes the package's own checks elsewhere
    shutil.copytree(package, tmp_path / "copy")
    (tmp_path / "copy" / "st" / "n6" / "st_ai_output").mkdir()
    (tmp_path / "copy" / "st" / "n6" / "st_ai_output" / "network.c").write_text("")
    result = labeltool_here("verify", tmp_path / "copy", "--stedgeai", tool(tmp_path), "--json")
    checks = {check["name"]: check["outcome"] for check in json.loads(result.stdout)["checks"]}
    assert checks["all files match the manifest"] == "passed"
    has_model = (package / "model" / "model_st.onnx").is_file()
    assert checks["n6: stedgeai generate"] == ("passed" if has_model else "not run")
    assert "u3: stedgeai generate" not in checks
