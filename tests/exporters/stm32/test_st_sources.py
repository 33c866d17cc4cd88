"""ST's own C on this machine, by a stand-in of the test's own with the same names and the same definition."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.progress import silent
from helpers.stm32 import needs, without
from labeltool.exporters.stm32.verification.checks import read_package
from labeltool.exporters.stm32.verification.st_sources import check_st_sources
from labeltool.exporters.stm32.verification.verify import verify

ARM_MATH = """\
#ifndef ARM_MATH_H
#define ARM_MATH_H
#include <stdint.h>
#include <stddef.h>
typedef float float32_t;
typedef enum { ARM_MATH_SUCCESS = 0, ARM_MATH_ARGUMENT_ERROR = -1 } arm_status;
typedef struct { uint16_t length; } arm_rfft_fast_instance_f32;
arm_status arm_rfft_fast_init_f32(arm_rfft_fast_instance_f32 *state, uint16_t length);
void arm_rfft_fast_f32(arm_rfft_fast_instance_f32 *state, float32_t *in, float32_t *out, uint8_t inverse);
#endif
"""
FFT = """\
#include <math.h>
#include "arm_math.h"
static double turn[4096];
arm_status arm_rfft_fast_init_f32(arm_rfft_fast_instance_f32 *state, uint16_t length)
{
    state->length = length;
    for (int i = 0; i < length; i++) turn[i] = cos(6.283185307179586 * i / length);
    return ARM_MATH_SUCCESS;
}
/* Real parts of bins 0 and n/2 first, then real and imaginary parts of the others. */
void arm_rfft_fast_f32(arm_rfft_fast_instance_f32 *state, float32_t *in, float32_t *out, uint8_t inverse)
{
    const int n = state->length;
    for (int bin = 0; bin <= n / 2; bin++) {
        double re = 0, im = 0;
        for (int i = 0; i < n; i++) {
            const int place = (int)((long)bin * i % n);
            re += in[i] * turn[place];
            im -= in[i] * turn[(place + 3 * n / 4) % n];
        }
        if (bin == 0) out[0] = (float)re;
        else if (bin == n / 2) out[1] = (float)re;
        else { out[2 * bin] = (float)re; out[2 * bin + 1] = (float)im; }
    }
}
"""
MELS_H = """\
#ifndef MEL_FILTERBANK_H
#define MEL_FILTERBANK_H
#include "arm_math.h"
typedef enum { MEL_HTK, MEL_SLANEY } MelFormulaTypedef;
typedef struct {
    uint32_t *pStartIndices, *pStopIndices;
    float32_t *pCoefficients;
    uint32_t CoefficientsLength, NumMels, FFTLen, SampRate;
    float32_t FMin, FMax;
    MelFormulaTypedef Formula;
    uint32_t Normalize, Mel2F;
} MelFilterTypeDef;
void MelFilterbank(MelFilterTypeDef *filters, float32_t *spectrum, float32_t *mels);
#endif
"""
MELS_C = """\
#include "mel_filterbank.h"
void MelFilterbank(MelFilterTypeDef *filters, float32_t *spectrum, float32_t *mels)
{
    const float32_t *coefficient = filters->pCoefficients;
    for (uint32_t band = 0; band < filters->NumMels; band++) {
        mels[band] = 0.0F;
        for (uint32_t bin = filters->pStartIndices[band]; bin <= filters->pStopIndices[band]; bin++)
            mels[band] += spectrum[bin] * *coefficient++;
    }
}
"""
FEATURES_H = """\
#ifndef FEATURE_EXTRACTION_H
#define FEATURE_EXTRACTION_H
#include "arm_math.h"
#include "mel_filterbank.h"
enum { SPECTRUM_TYPE_MAGNITUDE, SPECTRUM_TYPE_POWER };
enum { LOGMELSPECTROGRAM_SCALE_DB, LOGMELSPECTROGRAM_SCALE_LOG };
typedef struct {
    arm_rfft_fast_instance_f32 *pRfft;
    uint32_t Type;
    float32_t *pWindow;
    uint32_t SampRate;
    size_t FrameLen, FFTLen, pad_left, pad_right;
    float32_t *pScratch1, *pScratch2, spectro_sum;
} SpectrogramTypeDef;
typedef struct { SpectrogramTypeDef *SpectrogramConf; MelFilterTypeDef *MelFilter; } MelSpectrogramTypeDef;
typedef struct {
    MelSpectrogramTypeDef *MelSpectrogramConf;
    uint32_t LogFormula;
    float32_t Ref, TopdB;
} LogMelSpectrogramTypeDef;
void LogMelSpectrogramColumn_q15_Q8(LogMelSpectrogramTypeDef *S, int16_t *in, int8_t *out, int8_t offset,
                                    float32_t inv);
#endif
"""
FEATURES_C = """\
#include <float.h>
#include <math.h>
#include "feature_extraction.h"
void LogMelSpectrogramColumn_q15_Q8(LogMelSpectrogramTypeDef *S, int16_t *in, int8_t *out, int8_t offset,
                                    float32_t inv)
{
    SpectrogramTypeDef *conf = S->MelSpectrogramConf->SpectrogramConf;
    float32_t *frame = conf->pScratch1, *bins = conf->pScratch2;
    for (size_t i = 0; i < conf->FFTLen; i++) frame[i] = 0.0F;
    for (size_t i = 0; i < conf->FrameLen; i++)
        frame[conf->pad_left + i] = (in[i] * SCALE) * conf->pWindow[i];
    arm_rfft_fast_f32(conf->pRfft, frame, bins, 0);
    const size_t half = conf->FFTLen / 2;
    frame[0] = bins[0] * bins[0];
    frame[half] = bins[1] * bins[1];
    for (size_t i = 1; i < half; i++) frame[i] = bins[2 * i] * bins[2 * i] + bins[2 * i + 1] * bins[2 * i + 1];
    MelFilterbank(S->MelSpectrogramConf->MelFilter, frame, bins);
    for (uint32_t i = 0; i < S->MelSpectrogramConf->MelFilter->NumMels; i++) {
        const float32_t mel = bins[i] / S->Ref, db = 10.0F * log10f(mel <= 0.0F ? FLT_MIN : mel);
        const int32_t code = (int32_t)roundf((db < -S->TopdB ? -S->TopdB : db) * inv + (float)offset);
        out[i] = (int8_t)(code < -128 ? -128 : code > 127 ? 127 : code);
    }
}
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """The stand-in as ST's folders would have it, at different depths."""
    library, cmsis = tmp_path / "sources" / "a" / "Lib", tmp_path / "sources" / "Drivers" / "CMSIS" / "DSP"
    texts = {
        library / "Inc" / "feature_extraction.h": FEATURES_H,
        library / "Inc" / "mel_filterbank.h": MELS_H,
        library / "Src" / "feature_extraction.c": f"#define SCALE (1.0F / 32768.0F)\n{FEATURES_C}",
        library / "Src" / "mel_filterbank.c": MELS_C,
        cmsis / "Include" / "arm_math.h": ARM_MATH,
        cmsis / "Source" / "arm_rfft_fast_f32.c": FFT,
        # Another application's copy, which does not compile: the nearer one is taken.
        tmp_path / "sources" / "b" / "mel_filterbank.c": "#error another\n",
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "sources"


def clips(samples: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    loud = np.clip(rng.normal(0, 8000, samples), -32768, 32767).astype(np.int16)
    return [loud, (rng.normal(0, 30, samples) * (np.arange(samples) > samples // 3)).astype(np.int16)]


def test_the_same_definition_agrees(package: Path, stand_in: Path) -> None:
    needs("cc")
    about = read_package(package)
    check = check_st_sources(about, stand_in, clips(about.frontend.patch_samples))
    assert check.outcome == "passed", check.detail
    assert "of 6,400 features differ" in check.detail and "of 2 patches get another label" in check.detail


def test_a_version_that_spoils_a_bin_agrees_too_for_the_tables_leave_it_out(package: Path, stand_in: Path) -> None:
    needs("cc")
    about = read_package(package)
    source = stand_in / "a" / "Lib" / "Src" / "feature_extraction.c"
    last = "frame[half] = bins[1] * bins[1];"
    source.write_text(source.read_text().replace(last, f"{last} bins[half] = frame[half];"))
    check = check_st_sources(about, stand_in, clips(about.frontend.patch_samples))
    assert check.outcome == "passed", check.detail


def test_another_definition_is_found(package: Path, stand_in: Path) -> None:
    needs("cc")
    about = read_package(package)
    source = stand_in / "a" / "Lib" / "Src" / "feature_extraction.c"
    source.write_text(source.read_text().replace("1.0F / 32768.0F", "1.0F / 16384.0F"))
    check = check_st_sources(about, stand_in, clips(about.frontend.patch_samples))
    assert check.outcome == "failed" and "by at most 18;" in check.detail


def test_what_is_missing_or_does_not_compile_is_named(package: Path, stand_in: Path) -> None:
    needs("cc")
    about = read_package(package)
    filters = stand_in / "a" / "Lib" / "Src" / "mel_filterbank.c"
    filters.write_text("#error other version\n")
    check = check_st_sources(about, stand_in, [])
    assert check.outcome == "failed" and "do not compile" in check.detail and "other version" in check.detail
    shutil.rmtree(stand_in / "Drivers")
    check = check_st_sources(about, stand_in, [])
    assert check.outcome == "failed" and "has no arm_math.h" in check.detail


def test_verify_runs_it_on_the_selftests_recordings_without_a_project(
    package: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("make", "cc")
    without(monkeypatch, "make")  # verify makes the package's own checks elsewhere
    result = verify(None, report=silent, directory=str(package), st_sources=str(stand_in))
    (check,) = [one for one in result.checks if one.name.startswith("ST's C on")]
    assert check.outcome == "passed", check.detail
