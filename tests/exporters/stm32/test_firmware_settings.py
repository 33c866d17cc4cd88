"""The firmware under STM32CubeMX, against a stand-in of ST's HAL, and settings that stop the build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from helpers.firmware import run_tool, write_package
from helpers.stm32 import STRICT, needs, run

WARNINGS = ("-Wshadow", "-Wcast-qual", "-Wdouble-promotion", "-ffp-contract=off")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a small network."""
    return write_package(tmp_path_factory.mktemp("small") / "package")


_HAL = """\
#include <stdint.h>
typedef enum { HAL_OK = 0, HAL_ERROR = 1 } HAL_StatusTypeDef;
typedef enum { DISABLE = 0, ENABLE = 1 } FunctionalState;
#define HAL_MAX_DELAY 0xFFFFFFFFU
void __WFI(void);
typedef struct { volatile uint32_t ErrorCode; } MDF_HandleTypeDef;
#define MDF_ERROR_NONE 0x00000000U
#define MDF_ERROR_SATURATION 0x00000010U
typedef struct { int unused; } UART_HandleTypeDef, MDF_FilterConfigTypeDef,
    DFSDM_Filter_HandleTypeDef, I2S_HandleTypeDef, SAI_HandleTypeDef;
typedef struct { uint32_t Address; uint32_t DataLength; FunctionalState MsbOnly; } MDF_DmaConfigTypeDef;
void Error_Handler(void);
HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *h, const uint8_t *data, uint16_t size, uint32_t timeout);
HAL_StatusTypeDef HAL_MDF_AcqStart_DMA(MDF_HandleTypeDef *h, const MDF_FilterConfigTypeDef *filter,
                                       const MDF_DmaConfigTypeDef *dma);
HAL_StatusTypeDef HAL_MDF_AcqStop_DMA(MDF_HandleTypeDef *h);
uint32_t HAL_MDF_GetError(const MDF_HandleTypeDef *h);
void HAL_MDF_ErrorCallback(MDF_HandleTypeDef *h);
void HAL_MDF_AcqHalfCpltCallback(MDF_HandleTypeDef *h);
void HAL_MDF_AcqCpltCallback(MDF_HandleTypeDef *h);
HAL_StatusTypeDef HAL_DFSDM_FilterRegularMsbStart_DMA(DFSDM_Filter_HandleTypeDef *h, int16_t *data, uint32_t length);
HAL_StatusTypeDef HAL_DFSDM_FilterRegularStop_DMA(DFSDM_Filter_HandleTypeDef *h);
void HAL_DFSDM_FilterErrorCallback(DFSDM_Filter_HandleTypeDef *h);
void HAL_DFSDM_FilterRegConvHalfCpltCallback(DFSDM_Filter_HandleTypeDef *h);
void HAL_DFSDM_FilterRegConvCpltCallback(DFSDM_Filter_HandleTypeDef *h);
HAL_StatusTypeDef HAL_I2S_Receive_DMA(I2S_HandleTypeDef *h, uint16_t *data, uint16_t size);
HAL_StatusTypeDef HAL_I2S_DMAStop(I2S_HandleTypeDef *h);
void HAL_I2S_ErrorCallback(I2S_HandleTypeDef *h);
void HAL_I2S_RxHalfCpltCallback(I2S_HandleTypeDef *h);
void HAL_I2S_RxCpltCallback(I2S_HandleTypeDef *h);
HAL_StatusTypeDef HAL_SAI_Receive_DMA(SAI_HandleTypeDef *h, uint8_t *data, uint16_t size);
HAL_StatusTypeDef HAL_SAI_DMAStop(SAI_HandleTypeDef *h);
void HAL_SAI_ErrorCallback(SAI_HandleTypeDef *h);
void HAL_SAI_RxHalfCpltCallback(SAI_HandleTypeDef *h);
void HAL_SAI_RxCpltCallback(SAI_HandleTypeDef *h);
"""


@pytest.mark.parametrize("driver", ["MDF", "DFSDM", "I2S", "SAI"])
def test_the_board_of_stm32cubemx_compiles(small: Path, tmp_path: Path, driver: str) -> None:
    needs("arm-none-eabi-gcc")
    (tmp_path / "main.h").write_text(_HAL)
    flags = [*STRICT, *WARNINGS, "-Wmissing-prototypes", "-mcpu=cortex-m33", "-mthumb", f"-I{tmp_path}"]
    flags += ["-DMICROPHONE=MICROPHONE_PDM"] if driver == "I2S" else []
    flags += [f"-I{small / one}" for one in ("firmware", "c")]
    source = small / "firmware" / "board_cubemx" / "board.c"
    target = tmp_path / "board.o"
    run_tool(["arm-none-eabi-gcc", *flags, f"-DMICROPHONE_DRIVER=MICROPHONE_{driver}", "-c", source, "-o", target])
    symbols = run_tool(["arm-none-eabi-nm", target])
    callbacks = [line for line in symbols.splitlines() if " T HAL_" in line and line.endswith("Callback")]
    assert len(callbacks) == 3 and "U app_microphone_half" in symbols and "U app_microphone_complete" in symbols


# Calls the callbacks of board.c, for an instance that is not the microphone's and for the microphone's.
_CALLBACKS = """\
#include <stdio.h>
#include "app.h"
#include "board.h"
#include "main.h"
#include "microphone.h"

HANDLE BOARD_MICROPHONE;
static HANDLE other;
UART_HandleTypeDef huart1;
static HAL_StatusTypeDef status = HAL_OK;

static HAL_StatusTypeDef called(const char *what) { puts(what); return status; }
void app_microphone_half(void) { puts("half"); }
void app_microphone_complete(void) { puts("complete"); }
void app_microphone_restarts(void) { puts("restarts"); }
void Error_Handler(void) { puts("Error_Handler"); }
void __WFI(void) {}
HAL_StatusTypeDef HAL_UART_Transmit(UART_HandleTypeDef *h, const uint8_t *data, uint16_t size, uint32_t timeout)
{ (void)h; (void)data; (void)size; (void)timeout; return HAL_OK; }
HAL_StatusTypeDef STOP(HANDLE *h) { return called(h == &BOARD_MICROPHONE ? "stop" : "wrong"); }
#ifdef FILTER
MDF_FilterConfigTypeDef AdfFilterConfig0;
uint32_t HAL_MDF_GetError(const MDF_HandleTypeDef *h) { return h->ErrorCode; }
HAL_StatusTypeDef HAL_MDF_AcqStart_DMA(MDF_HandleTypeDef *h, const MDF_FilterConfigTypeDef *filter,
                                       const MDF_DmaConfigTypeDef *dma)
{ (void)h; (void)filter; return called(dma->DataLength == 4 * MICROPHONE_WORDS ? "start" : "wrong"); }
#define FAIL(code) BOARD_MICROPHONE.ErrorCode |= (code), ERROR(&BOARD_MICROPHONE)
#else
HAL_StatusTypeDef START(HANDLE *h, WORD *data, SIZE size)
{ (void)h; (void)data; return called(size == 2 * MICROPHONE_WORDS ? "start" : "wrong"); }
#define FAIL(code) ERROR(&BOARD_MICROPHONE)
#endif

int main(void)
{
    static int16_t words[2 * MICROPHONE_WORDS];
    board_microphone_start(words);
    HALF(&other);
    COMPLETE(&other);
    ERROR(&other);
    HALF(&BOARD_MICROPHONE);
    COMPLETE(&BOARD_MICROPHONE);
    FAIL(0x40U);
#ifdef FILTER
    FAIL(MDF_ERROR_SATURATION);
    FAIL(MDF_ERROR_SATURATION);
#endif
    status = HAL_ERROR;
    FAIL(0x40U);
    return 0;
}
"""


@pytest.mark.parametrize(
    ("driver", "handle", "calls", "words", "microphone"),
    [
        ("MDF", "MDF_HandleTypeDef", "AcqStart_DMA AcqStop_DMA AcqHalfCplt AcqCplt Error", "", "AdfHandle0"),
        (
            "DFSDM",
            "DFSDM_Filter_HandleTypeDef",
            "FilterRegularMsbStart_DMA FilterRegularStop_DMA FilterRegConvHalfCplt FilterRegConvCplt FilterError",
            "int16_t uint32_t",
            "hdfsdm1_filter0",
        ),
        ("I2S", "I2S_HandleTypeDef", "Receive_DMA DMAStop RxHalfCplt RxCplt Error", "uint16_t uint16_t", "hi2s2"),
        ("SAI", "SAI_HandleTypeDef", "Receive_DMA DMAStop RxHalfCplt RxCplt Error", "uint8_t uint16_t", "hsai_BlockA1"),
    ],
)
def test_the_board_of_stm32cubemx_restarts_its_own_microphone_at_an_error(
    small: Path, tmp_path: Path, driver: str, handle: str, calls: str, words: str, microphone: str
) -> None:
    needs("gcc")
    (tmp_path / "main.h").write_text(_HAL)
    (tmp_path / "callbacks.c").write_text(_CALLBACKS)
    start, stop, *callbacks = (f"HAL_{driver}_{one}" for one in calls.split())
    names = zip(("HALF", "COMPLETE", "ERROR"), callbacks, strict=True)
    flags = [f"-DMICROPHONE_DRIVER=MICROPHONE_{driver}", f"-DHANDLE={handle}", f"-DSTART={start}", f"-DSTOP={stop}"]
    flags += [f"-D{name}={callback}Callback" for name, callback in names]
    if driver == "MDF":
        flags.append("-DFILTER")
    else:
        flags += [f"-D{name}={value}" for name, value in zip(("WORD", "SIZE"), words.split(), strict=True)]
    flags += ["-DMICROPHONE=MICROPHONE_PDM"] if driver == "I2S" else []
    folders = [f"-I{one}" for one in (tmp_path, small / "firmware", small / "c")]
    board = small / "firmware" / "board_cubemx" / "board.c"
    # An address of this machine does not fit the DMA's register.
    flags += [*folders, "-Wno-pointer-to-int-cast"]
    for source, more in ((board, []), (tmp_path / "callbacks.c", [f"-DBOARD_MICROPHONE={microphone}"])):
        run_tool(["gcc", *flags, *more, "-c", source, "-o", tmp_path / f"{source.stem}.o"])
    run_tool(["gcc", tmp_path / "board.o", tmp_path / "callbacks.o", "-o", tmp_path / "program"])
    restart = ["stop", "restarts", "start"]
    called = run(tmp_path / "program").decode().split()
    assert called == ["start", "half", "complete", *restart, *restart, "Error_Handler"]


# ---- settings ----


@pytest.mark.parametrize(
    ("source", "settings", "message"),
    [
        ("microphone.c", ["MICROPHONE=PDM"], "MICROPHONE is MICROPHONE_PCM, "),
        ("network_stai.c", ["AED_NETWORK=STAI"], "AED_NETWORK is AED_NETWORK_REFERENCE, "),
        (
            "board_cubemx/board.c",
            ["MICROPHONE_DRIVER=MICROPHONE_I2S", "MICROPHONE=MICROPHONE_PCM"],
            "MICROPHONE_SAI, in mono",
        ),
        (
            "board_cubemx/board.c",
            ["MICROPHONE_DRIVER=MICROPHONE_I2S", "MICROPHONE=MICROPHONE_PCM_TRIPLE"],
            "MICROPHONE_SAI, in mono",
        ),
        ("board_cubemx/board.c", ["MICROPHONE_DRIVER=MICROPHONE_MDF", "MICROPHONE=MICROPHONE_PDM"], "deliver PCM"),
        ("board_cubemx/board.c", ["MICROPHONE_DRIVER=MICROPHONE_DFSDM", "MICROPHONE=MICROPHONE_PDM"], "deliver PCM"),
        ("board_cubemx/board.c", ["MICROPHONE_DRIVER=MDF"], "set MICROPHONE_DRIVER to"),
        ("ring.c", ["RING_SLOTS=1U"], "power of two, 2 or more"),
        ("ring.c", ["RING_SLOTS=12U"], "power of two, 2 or more"),
    ],
)
def test_settings_that_cannot_work_do_not_compile(
    small: Path, tmp_path: Path, source: str, settings: list[str], message: str
) -> None:
    needs("gcc")
    (tmp_path / "main.h").write_text(_HAL)
    flags = [f"-I{small / one}" for one in ("firmware", "c")] + [f"-I{tmp_path}", "-fsyntax-only"]
    command = ["gcc", *flags, *(f"-D{one}" for one in settings), small / "firmware" / source]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert result.returncode != 0 and message in result.stderr


@pytest.mark.parametrize("setting", ["NETWORK=CUBE", "MICROPHONE=I2S"])
def test_cmake_refuses_an_unknown_setting(small: Path, tmp_path: Path, setting: str) -> None:
    needs("cmake", "gcc")
    command = ["cmake", "-S", small / "firmware", "-B", tmp_path, f"-D{setting}"]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    name, value = setting.split("=")
    assert result.returncode != 0 and f"{name} is " in result.stderr and f", not {value}" in result.stderr
