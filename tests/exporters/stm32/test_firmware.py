"""The firmware of the package: the same log on the host and on emulated boards, and what it does when it is late."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from helpers import microphone
from helpers.firmware import HALF, MACHINES, RATE, cmake, in_qemu, on_host, qemu, run_tool, ten_events, write_package
from helpers.stm32 import SANITISED, STRICT, build, needs, run
from labeltool.importers import device_log
from labeltool.type_aliases import Int16

WARNINGS = ("-Wshadow", "-Wcast-qual", "-Wdouble-promotion", "-ffp-contract=off")
APPLICATION = ("app.c", "ring.c", "microphone.c", "decimate.c", "pdm.c")
CORE = ("aed_preproc.c", "aed_preproc_fixed.c", "aed_postproc.c", "aed_stream.c", "aed_tables.c", "aed_nn.c")
PATCH, STEP = 16_704, 8_000  # samples of a patch, and from one patch to the next


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a small network."""
    return write_package(tmp_path_factory.mktemp("small") / "package")


@pytest.fixture(scope="module")
def aed_run(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's own program for recordings, which the firmware must equal."""
    return build(small / "c", "aed_run.c", [small / "c" / name for name in CORE], *SANITISED)


@pytest.fixture(scope="module")
def built(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Build the firmware for a board, once for each."""
    return cache(lambda board, *options: cmake(small, tmp_path_factory.mktemp(board), *options, board=board))


def compile_firmware(small: Path, target: Path, sources: list[Path | str], *flags: str) -> Path:
    """Compile the application and other sources for this machine, with sanitizers, without CMake."""
    needs("gcc")
    folders = [f"-I{small / folder}" for folder in ("firmware", "c")]
    names = [small / "firmware" / name for name in APPLICATION] + [small / "c" / name for name in CORE]
    run_tool(["gcc", *STRICT, *WARNINGS, *SANITISED, *flags, *folders, *names, *sources, "-o", target])
    return target


def events_of(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("event ")]


# ---- the whole chain ----


@pytest.mark.slow
def test_a_minute_with_ten_events_gives_one_log_on_the_host_and_on_emulated_boards(
    built: Callable[..., Path], aed_run: Path, tmp_path: Path
) -> None:
    sound, events = ten_events()
    log = on_host(built("host"), sound.tobytes())
    assert log == run(aed_run, data=sound.tobytes()).decode()
    (tmp_path / "log.txt").write_text(log)
    found = device_log.parse(tmp_path / "log.txt")
    assert len(found.patches) == (len(sound) - PATCH) // STEP + 1 and not found.skipped and not found.late
    assert [event.label for event in found.events] == [label for label, _, _ in events]
    for event, (_, start_s, end_s) in zip(found.events, events, strict=True):
        # An event is whole patches: it may begin a patch too early, and smoothing may end it two steps late.
        assert start_s - 1.05 <= event.start_s <= start_s + 0.5 and end_s - 0.5 <= event.end_s <= end_s + 2.1
    for board, machine in MACHINES.items():
        clock = ("-DCLOCK_HZ=168000000",) if board == "stm32f405" else ()
        assert in_qemu(built(board, *clock), machine, sound.tobytes()) == log, board


def test_a_slow_processor_drops_whole_half_buffers_and_times_stay_right(
    small: Path, aed_run: Path, tmp_path: Path
) -> None:
    """Each instruction takes a microsecond, and the frontend alone is too slow."""
    sound, _ = ten_events(20)
    whole = run(aed_run, data=sound.tobytes()).decode().splitlines()
    log = in_qemu(
        cmake(small, tmp_path / "m4", "-DRING_SLOTS=64", board="qemu_an386"), "mps2-an386", sound.tobytes(), 10
    )
    late = re.findall(r"^# late (\d+) (\S+) (\S+)$", log, re.MULTILINE)
    assert late and all(float(end) - float(start) == pytest.approx(int(count) / 50) for count, start, end in late)
    patches = [line for line in log.splitlines() if line[0].isdigit()]
    assert 3 < len(patches) < len(whole) - 5 and set(patches) <= set(whole)
    assert "# waiting 33 of 64" in log and log.count("# too slow: 3 gaps in a row\n") == 1


@pytest.mark.slow
def test_the_firmware_of_a_package_fits_the_boards_and_runs_its_network(package: Path, tmp_path: Path) -> None:
    sound = ten_events(3)[0].tobytes()
    needs("make", "cc", "arm-none-eabi-size")
    run_tool(
        ["make", "-s", "-C", package / "test", f"BUILD={tmp_path / 'test'}", tmp_path / "test" / "host" / "aed_run"]
    )
    log = run(tmp_path / "test" / "host" / "aed_run", data=sound).decode()
    assert log.count("\n") >= 6
    assert on_host(cmake(package, tmp_path / "host"), sound) == log
    for board in ("stm32f405", "stm32u585", "qemu_an505"):
        program = cmake(package, tmp_path / board, board=board)
        text, data, bss = map(int, run_tool(["arm-none-eabi-size", program]).splitlines()[1].split()[:3])
        assert text + data < 200_000 and data + bss < 128 * 1024, board
    assert in_qemu(program, MACHINES[board], sound) == log


def test_the_front_end_in_integers_is_an_option(small: Path, aed_run: Path, tmp_path: Path) -> None:
    sound = ten_events(10)[0].tobytes()
    log = on_host(cmake(small, tmp_path / "fixed", "-DFIXED_POINT=ON"), sound)
    floats = run(aed_run, data=sound).decode()
    shutil.copy(small / "c" / "aed_run.c", small / "c" / "aed_run_fixed.c")
    in_integers = build(small / "c", "aed_run_fixed.c", [small / "c" / name for name in CORE], "-DAED_FIXED_POINT")
    assert log == run(in_integers, data=sound).decode() != ""
    assert len(events_of(log)) == len(events_of(floats)) > 0


def test_clang_tidy_finds_nothing(small: Path) -> None:
    needs("clang-tidy")
    shutil.copy(str(files("labeltool.exporters.stm32").joinpath("csrc", ".clang-tidy")), small)
    firmware = small / "firmware"
    sources = [firmware / name for name in (*APPLICATION, "main.c", "network_reference.c", "board_host/board.c")]
    run_tool(
        [
            "clang-tidy",
            "--quiet",
            *sources,
            "--",
            "-std=c99",
            *(f"-I{small / one}" for one in ("firmware", "c")),
        ]
    )


# ---- microphones ----


@pytest.mark.slow
def test_a_microphone_with_48_khz_or_pdm_gives_the_log_of_the_samples_that_numpy_computes(
    small: Path, aed_run: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(8)
    samples = 160 * HALF
    fast = np.cumsum(rng.normal(0, 200, 3 * samples)).clip(-20_000, 20_000).astype(np.int16)
    bits = (rng.random(64 * samples) < 0.5 + 0.3 * np.sin(np.arange(64 * samples) / 900)).astype(np.uint8)
    words = np.packbits(bits).view(">u2").astype("<u2")
    for kind, sent, expected in (
        ("PCM_TRIPLE", fast.tobytes(), microphone.from_triple_rate(fast)),
        ("PDM", words.tobytes(), microphone.from_pdm(bits)),
    ):
        log = run(aed_run, data=expected.tobytes()).decode()
        assert log.count("\n") > 5
        assert on_host(cmake(small, tmp_path / kind, f"-DMICROPHONE={kind}"), sent) == log, kind
        program = cmake(small, tmp_path / f"{kind}-m33", f"-DMICROPHONE={kind}", board="qemu_an505")
        assert in_qemu(program, MACHINES["qemu_an505"], sent) == log, kind


# ---- a main loop that is late ----

# Delivers half buffers as its argument says, a character for each: after `.` the main loop catches up, after `-` it is
# busy, of `x` the interrupt is missed, and at `r` the microphone restarts.
_LATE = """\
#include <stdio.h>
#include "app.h"
#include "board.h"
#include "ring.h"

static int16_t *buffer;

void board_init(void) {}
void board_microphone_start(int16_t *words) { buffer = words; }
bool board_microphone_runs(void) { return true; }
void board_write(const char *text) { fputs(text, stdout); }
void board_sleep(void) {}

int main(int count, char **arguments)
{
    if (count != 2 || app_start() != AED_OK) {
        return 1;
    }
    for (unsigned half = 0; arguments[1][half] != '\\0'; half++) {
        int16_t *words = buffer + half % 2U * MICROPHONE_WORDS;
        if (fread(words, 2, MICROPHONE_WORDS, stdin) != MICROPHONE_WORDS) {
            return 2;
        }
        if (arguments[1][half] == 'r') {
            app_microphone_restarts();
            continue;
        }
        if (arguments[1][half] == 'x') {
            continue;
        }
        if (half % 2U == 0) {
            app_microphone_half();
        } else {
            app_microphone_complete();
        }
        for (unsigned step = 0; arguments[1][half] == '.' && step <= RING_SLOTS; step++) {
            if (app_step() != AED_OK) {
                return 3;
            }
        }
    }
    return app_end() != AED_OK;
}
"""


@pytest.fixture(scope="module")
def late(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The application with a ring of four half buffers, and a main loop that is late by a schedule."""
    folder = tmp_path_factory.mktemp("late")
    (folder / "late.c").write_text(_LATE)
    sources: list[Path | str] = [folder / "late.c", small / "firmware" / "network_reference.c"]
    return compile_firmware(small, folder / "late", sources, "-DRING_SLOTS=4U")


def expected_log(aed_run: Path, sound: Int16, schedule: str, slots: int) -> list[str]:
    """Compute the log from the schedule: each part without a gap is a stream of its own, on the grid of patches."""
    taken, waiting = [], 0
    for half, what in enumerate(schedule):
        if what != "x" and waiting < slots:
            taken.append(half)
            waiting += 1
        waiting = 0 if what == "." else waiting
    lines, patches, begin = run(aed_run, data=b"").decode().splitlines()[:1], 0, 0
    for part in np.split(taken, np.flatnonzero(np.diff(taken) > 1) + 1):
        first, last = int(part[0]), int(part[-1]) + 1
        if first > begin:
            lines.append(f"# late {first - begin} {begin / 50:.6f} {first / 50:.6f}")
        begin = last
        patch = -(-first * HALF // STEP)
        for line in run(aed_run, data=sound[patch * STEP : last * HALF].tobytes()).decode().splitlines()[1:-1]:
            shift_s = patch * STEP / RATE
            words = line.split()
            times = slice(2, 4) if words[0] == "event" else slice(0, 1)
            words[times] = [f"{float(word) + shift_s:.6f}" for word in words[times]]
            lines.append(" ".join(words))
            patches += words[0] != "event"
    arrived = len(schedule.rstrip("x"))
    if arrived > begin:
        lines.append(f"# late {arrived - begin} {begin / 50:.6f} {arrived / 50:.6f}")
    return [*lines, f"# end patches={patches}"]


@pytest.mark.parametrize(
    "schedule",
    [
        "." * 400,
        "." * 200 + "-" * 7 + "." * 193,
        "x" + "." * 399,
        "." * 137 + "x" + "." * 100 + "x" + "." * 161,
        "-" * 30 + "." * 120 + "-" * 60 + "." * 190,
        "." * 340 + "-" * 60,
    ],
)
def test_gaps_end_events_and_patches_go_on_behind_them(aed_run: Path, late: Path, schedule: str) -> None:
    sound = ten_events(8)[0]
    log = run(late, schedule, data=sound.tobytes()).decode().splitlines()
    expected = expected_log(aed_run, sound, schedule, slots=4)
    assert [line for line in log if not line.startswith(("# waiting", "# too slow"))] == expected
    assert len(events_of("\n".join(log))) > 0
    assert ("# waiting 4 of 4" in log) == ("----" in schedule)


def test_gaps_anywhere(aed_run: Path, late: Path) -> None:
    sound = ten_events(12)[0]
    rng = np.random.default_rng(1)
    for _ in range(20):
        # Mostly in time; a busy spell ends with the next "." and may be longer than the ring.
        schedule = ("".join("." * rng.integers(1, 150) + "-" * rng.integers(0, 8) for _ in range(12)) + "." * 600)[:600]
        log = run(late, schedule, data=sound.tobytes()).decode().splitlines()
        expected = expected_log(aed_run, sound, schedule, slots=4)
        assert [line for line in log if not line.startswith(("# waiting", "# too slow"))] == expected, schedule


def test_gaps_in_a_row_are_a_processor_that_is_too_slow(late: Path) -> None:
    busy, caught_up = "-" * 7 + ".", "." * 110
    for schedule, rows in (
        (busy * 2 + caught_up, 0),
        (busy * 50, 1),
        ((busy + caught_up) * 3, 0),
        ((busy * 4 + caught_up) * 2, 2),
    ):
        log = run(late, schedule, data=bytes(2 * HALF * len(schedule))).decode()
        assert log.count("# too slow: 3 gaps in a row\n") == log.count("# too slow") == rows, schedule


@pytest.mark.parametrize(("before", "lost"), [(100, 2), (101, 1)])
def test_a_microphone_that_restarts_leaves_a_gap(late: Path, before: int, lost: int) -> None:
    """The half buffer that was being written is lost, and the next is a first half again."""
    schedule = "." * before + "r" + "x" * (lost - 1) + "." * 100
    log = run(late, schedule, data=bytes(2 * HALF * len(schedule))).decode().splitlines()
    restarted = log.index("# microphone restarted")
    assert log[restarted + 1] == f"# late {lost} {before / 50:.6f} {(before + lost) / 50:.6f}"


def test_a_missing_sound_is_an_error(built: Callable[..., Path], tmp_path: Path) -> None:
    program = built("host")
    result = subprocess.run([program], env={**os.environ, "SOUND": "absent.raw"}, capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout.endswith("# error: no sound (SOUND names the file)\n")
    program, log = built("qemu_an386"), tmp_path / "log.txt"
    program.with_name("sound.raw").unlink(missing_ok=True)
    assert qemu(program, "mps2-an386", log).returncode == 1
    assert log.read_text().endswith("# error: cannot read sound.raw\n")


def test_an_error_of_the_network_ends_the_log(small: Path, tmp_path: Path) -> None:
    (tmp_path / "network.c").write_text(
        '#include "app_network.h"\n'
        "aed_status app_network_init(void) { return AED_OK; }\n"
        "aed_status app_network_run(const int8_t *input, int8_t *scores)\n"
        "{ (void)input; (void)scores; return AED_ERROR_MODEL; }\n"
    )
    sources: list[Path | str] = [small / "firmware" / name for name in ("main.c", "board_host/board.c")]
    program = compile_firmware(small, tmp_path / "program", [tmp_path / "network.c", *sources])
    (tmp_path / "sound.raw").write_bytes(bytes(2 * RATE * 2))
    result = subprocess.run([program], env={**os.environ, "SOUND": str(tmp_path / "sound.raw")}, capture_output=True)
    assert result.returncode == 1 and result.stdout.decode().splitlines()[1:] == ["# error: network"]


def test_the_buffer_of_the_dma_can_be_placed(small: Path, tmp_path: Path) -> None:
    needs("arm-none-eabi-gcc")
    flags = [*STRICT, *WARNINGS, "-mcpu=cortex-m7", "-mthumb", *(f"-I{small / one}" for one in ("firmware", "c"))]
    flags.append('-DAPP_DMA_SECTION=__attribute__((section(".not_cached")))')
    run_tool(["arm-none-eabi-gcc", *flags, "-c", small / "firmware" / "app.c", "-o", tmp_path / "app.o"])
    symbols = run_tool(["arm-none-eabi-objdump", "-t", tmp_path / "app.o"])
    assert re.search(r"\.not_cached\s.*microphone_buffer", symbols)


# ---- the other runtimes: stand-ins of their headers, from their public documentation ----

_STAI = """\
#include <stddef.h>
#include <stdint.h>
#define STAI_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define STAI_NETWORK_CONTEXT_ALIGNMENT 8
#define STAI_NETWORK_CONTEXT_SIZE (64)
#define STAI_NETWORK_ACTIVATIONS_NUM (1)
#define STAI_NETWORK_ACTIVATION_1_SIZE_BYTES (4000)
#define STAI_NETWORK_IN_NUM (1)
#define STAI_NETWORK_OUT_NUM (1)
#define STAI_NETWORK_IN_1_SIZE_BYTES (3200)
#define STAI_NETWORK_OUT_1_SIZE_BYTES (3)
typedef uint8_t stai_network;
typedef uint8_t *stai_ptr;
typedef int32_t stai_size;
typedef enum { STAI_SUCCESS = 0, STAI_ERROR_GENERIC = 1 } stai_return_code;
typedef enum { STAI_MODE_SYNC = 1, STAI_MODE_ASYNC = 2 } stai_run_mode;
stai_return_code stai_runtime_init(void);
stai_return_code stai_network_init(stai_network *network);
stai_return_code stai_network_set_activations(stai_network *network, const stai_ptr *activations, const stai_size n);
stai_return_code stai_network_get_inputs(stai_network *network, stai_ptr *inputs, stai_size *n);
stai_return_code stai_network_get_outputs(stai_network *network, stai_ptr *outputs, stai_size *n);
stai_return_code stai_network_run(stai_network *network, const stai_run_mode mode);
"""

_STAI_C = """\
#include "aed_nn.h"
#include "network.h"
static uint8_t *memory;
stai_return_code stai_runtime_init(void) { return STAI_SUCCESS; }
stai_return_code stai_network_init(stai_network *network) { network[0] = 1; return STAI_SUCCESS; }
stai_return_code stai_network_set_activations(stai_network *network, const stai_ptr *activations, const stai_size n)
{
    memory = activations[0];
    return network[0] == 1 && n == 1 ? STAI_SUCCESS : STAI_ERROR_GENERIC;
}
stai_return_code stai_network_get_inputs(stai_network *network, stai_ptr *inputs, stai_size *n)
{
    (void)network;
    *n = 1;
    inputs[0] = memory;
    return STAI_SUCCESS;
}
stai_return_code stai_network_get_outputs(stai_network *network, stai_ptr *outputs, stai_size *n)
{
    (void)network;
    *n = 1;
    outputs[0] = memory + 3200;
    return STAI_SUCCESS;
}
stai_return_code stai_network_run(stai_network *network, const stai_run_mode mode)
{
    aed_nn nn;
    (void)aed_nn_run(&nn, (const int8_t *)memory, (int8_t *)memory + 3200);
    return network[0] == 1 && mode == STAI_MODE_SYNC ? STAI_SUCCESS : STAI_ERROR_GENERIC;
}
"""

_LEGACY = """\
#ifndef NETWORK_H
#define NETWORK_H
#include <stddef.h>
#include <stdint.h>
#define AI_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define AI_HANDLE_NULL ((ai_handle)0)
#define AI_NETWORK_IN_1_SIZE_BYTES (3200)
#define AI_NETWORK_OUT_1_SIZE_BYTES (3)
enum { AI_ERROR_NONE = 0 };
typedef uint8_t ai_u8;
typedef uint16_t ai_u16;
typedef int32_t ai_i32;
typedef void *ai_handle;
typedef struct { uint32_t type : 8; uint32_t code : 24; } ai_error;
typedef struct { uint32_t format; ai_handle data; } ai_buffer;
ai_error ai_network_create_and_init(ai_handle *network, const ai_handle activations[], const ai_handle weights[]);
ai_buffer *ai_network_inputs_get(ai_handle network, ai_u16 *n);
ai_buffer *ai_network_outputs_get(ai_handle network, ai_u16 *n);
ai_i32 ai_network_run(ai_handle network, const ai_buffer *input, ai_buffer *output);
#endif
"""

_LEGACY_C = """\
#include "aed_nn.h"
#include "network.h"
static ai_buffer in, out;
ai_error ai_network_create_and_init(ai_handle *network, const ai_handle activations[], const ai_handle weights[])
{
    const ai_error none = {AI_ERROR_NONE, 0};
    *network = &in;
    in.data = activations[0];
    out.data = (ai_u8 *)activations[0] + 3200;
    (void)weights;
    return none;
}
ai_buffer *ai_network_inputs_get(ai_handle network, ai_u16 *n) { (void)n; return network == &in ? &in : NULL; }
ai_buffer *ai_network_outputs_get(ai_handle network, ai_u16 *n) { (void)n; return network == &in ? &out : NULL; }
ai_i32 ai_network_run(ai_handle network, const ai_buffer *input, ai_buffer *output)
{
    aed_nn nn;
    (void)aed_nn_run(&nn, input->data, output->data);
    return network == &in ? 1 : 0;
}
"""

_TFLM = """\
#pragma once
#include <cstddef>
#include <cstdint>
extern "C" {
#include "aed_nn.h"
}
enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteFloat32 = 1, kTfLiteInt8 = 9 };
struct TfLiteTensor { TfLiteType type; struct { std::int8_t *int8; } data; std::size_t bytes; };
#define TFLITE_SCHEMA_VERSION (3)
namespace tflite {
struct Model {
    unsigned char first;
    std::uint32_t version() const { return VERSION; }
};
inline const Model *GetModel(const void *buffer) { return static_cast<const Model *>(buffer); }
class MicroOpResolver {
 public:
    unsigned added = 0;
};
template <unsigned int count>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
    TfLiteStatus AddConv2D() { return add(); }
    TfLiteStatus AddSoftmax() { return add(); }
 private:
    TfLiteStatus add() { return ++added <= count ? kTfLiteOk : kTfLiteError; }
};
class MicroInterpreter {
 public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, std::uint8_t *arena, std::size_t size)
        : in{INPUT, {reinterpret_cast<std::int8_t *>(arena)}, 3200},
          out{OUTPUT, {reinterpret_cast<std::int8_t *>(arena) + 3200}, 3},
          fits(size >= 3203 && model->first == 'T' && resolver.added == 2) {}
    TfLiteStatus AllocateTensors() { return fits ? kTfLiteOk : kTfLiteError; }
    TfLiteTensor *input(std::size_t) { return &in; }
    TfLiteTensor *output(std::size_t) { return &out; }
    TfLiteStatus Invoke()
    {
        aed_nn nn;
        return aed_nn_run(&nn, in.data.int8, out.data.int8) == AED_OK ? kTfLiteOk : kTfLiteError;
    }
 private:
    TfLiteTensor in, out;
    bool fits;
};
}  // namespace tflite
"""


@pytest.mark.parametrize("network", ["STAI", "LEGACY"])
def test_st_runtimes_get_the_patches_and_give_the_scores(
    small: Path, aed_run: Path, tmp_path: Path, network: str
) -> None:
    header, source, name = {"STAI": (_STAI, _STAI_C, "stai"), "LEGACY": (_LEGACY, _LEGACY_C, "legacy")}[network]
    (tmp_path / "network.h").write_text(header)
    (tmp_path / "network_data.h").write_text("#define AI_NETWORK_DATA_ACTIVATIONS_SIZE (4000)\n")
    (tmp_path / "network.c").write_text(source)
    firmware = small / "firmware"
    sources = [tmp_path / "network.c", *(firmware / f"network_{one}.c" for one in ("reference", "stai", "legacy"))]
    sources += [firmware / "main.c", firmware / "board_host" / "board.c"]
    flags = (f"-DAED_NETWORK=AED_NETWORK_{network}", f"-I{tmp_path}")
    sound = ten_events(10)[0].tobytes()
    assert (
        on_host(compile_firmware(small, tmp_path / "program", [*sources], *flags), sound)
        == run(aed_run, data=sound).decode()
    )
    # A network that was generated from another model does not compile.
    (tmp_path / "network.h").write_text(header.replace("(3)", "(12)"))
    result = subprocess.run(
        ["gcc", *flags, *(f"-I{small / one}" for one in ("firmware", "c")), "-c", firmware / f"network_{name}.c"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode != 0 and "network_output_is_the_labels_in_int8" in result.stderr


def test_tensorflow_lite_micro_gets_the_patches_and_gives_the_scores(
    small: Path, aed_run: Path, tmp_path: Path
) -> None:
    needs("g++")
    for name in ("micro/micro_interpreter", "micro/micro_mutable_op_resolver", "schema/schema_generated"):
        path = tmp_path / "tensorflow" / "lite" / f"{name}.h"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#pragma once\n#include "{tmp_path / "tflm.h"}"\n')
    (tmp_path / "tflm.h").write_text(_TFLM)
    (tmp_path / "model_int8.tflite").write_bytes(b"TFL3")
    firmware = small / "firmware"
    flags = ["-DAED_NETWORK=AED_NETWORK_TFLM", *(f"-I{one}" for one in (tmp_path, firmware, small / "c"))]
    strict = [one for one in (*STRICT, *WARNINGS) if one != "-std=c99"]
    objects = tmp_path / "network.o", tmp_path / "model.o"
    run_tool(["gcc", *flags, "-c", firmware / "tflm_model.S", "-o", objects[1]])
    rest, program = tmp_path / "rest.o", tmp_path / "program"
    compile_firmware(small, rest, [firmware / "main.c", firmware / "board_host" / "board.c"], flags[0], "-r")
    sound = tmp_path / "sound.raw"
    sound.write_bytes(ten_events(10)[0].tobytes())
    good = {"VERSION": "3", "INPUT": "kTfLiteInt8", "OUTPUT": "kTfLiteInt8"}
    for wrong in ({}, {"VERSION": "4"}, {"INPUT": "kTfLiteFloat32"}, {"OUTPUT": "kTfLiteFloat32"}):
        model = [f"-D{name}={value}" for name, value in (good | wrong).items()]
        run_tool(["g++", "-std=c++17", *strict, *flags, *model, "-c", firmware / "network_tflm.cc", "-o", objects[0]])
        run_tool(["gcc", *SANITISED, rest, *objects, "-lm", "-lstdc++", "-o", program])
        result = subprocess.run([program], env={**os.environ, "SOUND": str(sound)}, capture_output=True, text=True)
        if wrong:
            assert result.returncode == 1 and result.stdout.endswith("# error: network\n"), wrong
        else:
            assert result.stdout == run(aed_run, data=sound.read_bytes()).decode()


def test_the_headers_are_for_c_plus_plus_too(small: Path, tmp_path: Path) -> None:
    needs("g++")
    headers = [path.name for path in sorted((small / "firmware").glob("*.h")) if not path.name.startswith("tflm")]
    program = "".join(f'#include "{name}"\n' for name in headers)
    (tmp_path / "program.cc").write_text(
        program + "int main() { return app_start() == AED_OK && ring_waiting(nullptr); }\n"
    )
    folders = [f"-I{small / one}" for one in ("firmware", "c")]
    target = tmp_path / "program.o"
    run_tool(
        ["g++", "-Wall", "-Wextra", "-Wpedantic", "-Werror", *folders, "-c", tmp_path / "program.cc", "-o", target]
    )
    symbols = run_tool(["nm", target])
    assert "U app_start" in symbols and "U ring_waiting" in symbols
