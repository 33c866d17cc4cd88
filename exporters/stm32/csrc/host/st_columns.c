/* Runs the spectrogram library of ST's applications on this machine, with a package's configuration and tables.

   Arguments: zero point and inverse scale of the network's input. stdin: buffers of 16-bit samples, one a patch.
   stdout: the int8 patch of each, bands by columns. */
#define CTRL_AI_CLASS_DISTRIBUTION 1
#define CTRL_AI_SPECTROGRAM_LOG_MEL 1
#define COM_TYPE_MIC 1

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "feature_extraction.h"

#include "ai_model_config.h"
#include "user_mel_tables.h"

#define BANDS CTRL_X_CUBE_AI_SPECTROGRAM_NMEL
#define COLUMNS CTRL_X_CUBE_AI_SPECTROGRAM_COL
#define HOP CTRL_X_CUBE_AI_SPECTROGRAM_HOP_LENGTH
#define N_FFT CTRL_X_CUBE_AI_SPECTROGRAM_NFFT
#define WINDOW CTRL_X_CUBE_AI_SPECTROGRAM_WINDOW_LENGTH
#define SAMPLES ((COLUMNS - 1) * HOP + N_FFT)

int main(int argc, char **argv)
{
    static arm_rfft_fast_instance_f32 fft;
    static float32_t scratch[2][N_FFT];
    static SpectrogramTypeDef spectrogram;
    static MelFilterTypeDef filters;
    static MelSpectrogramTypeDef mels;
    static LogMelSpectrogramTypeDef log_mels;
    static int16_t samples[SAMPLES];
    static int8_t patch[BANDS][COLUMNS];

    if (argc != 3 || arm_rfft_fast_init_f32(&fft, N_FFT) != ARM_MATH_SUCCESS) {
        return 1;
    }
    const int8_t zero_point = (int8_t)atoi(argv[1]);
    const float32_t inverse_scale = strtof(argv[2], NULL);

    spectrogram.pRfft = &fft;
    spectrogram.Type = CTRL_X_CUBE_AI_SPECTROGRAM_TYPE;
    spectrogram.pWindow = (float32_t *)CTRL_X_CUBE_AI_SPECTROGRAM_WIN;
    spectrogram.SampRate = (uint32_t)CTRL_X_CUBE_AI_SENSOR_ODR;
    spectrogram.FrameLen = WINDOW;
    spectrogram.FFTLen = N_FFT;
    spectrogram.pad_left = (N_FFT - WINDOW) / 2;
    spectrogram.pad_right = N_FFT - WINDOW - (N_FFT - WINDOW) / 2;
    spectrogram.pScratch1 = scratch[0];
    spectrogram.pScratch2 = scratch[1];

    filters.pStartIndices = (uint32_t *)CTRL_X_CUBE_AI_SPECTROGRAM_MEL_START_IDX;
    filters.pStopIndices = (uint32_t *)CTRL_X_CUBE_AI_SPECTROGRAM_MEL_STOP_IDX;
    filters.pCoefficients = (float32_t *)CTRL_X_CUBE_AI_SPECTROGRAM_MEL_LUT;
    filters.NumMels = BANDS;
    filters.FFTLen = N_FFT;
    filters.SampRate = (uint32_t)CTRL_X_CUBE_AI_SENSOR_ODR;
    filters.FMin = CTRL_X_CUBE_AI_SPECTROGRAM_FMIN;
    filters.FMax = CTRL_X_CUBE_AI_SPECTROGRAM_FMAX;
    filters.Formula = CTRL_X_CUBE_AI_SPECTROGRAM_FORMULA;
    filters.Normalize = CTRL_X_CUBE_AI_SPECTROGRAM_NORMALIZE;
    filters.Mel2F = 1;

    mels.SpectrogramConf = &spectrogram;
    mels.MelFilter = &filters;
    log_mels.MelSpectrogramConf = &mels;
    log_mels.LogFormula = CTRL_X_CUBE_AI_SPECTROGRAM_LOG_FORMULA;
    log_mels.Ref = 1.0F;
    log_mels.TopdB = HUGE_VALF;

    while (fread(samples, sizeof samples, 1, stdin) == 1) {
        for (uint32_t column = 0; column < COLUMNS; column++) {
            int8_t bands[BANDS];
            LogMelSpectrogramColumn_q15_Q8(&log_mels, samples + column * HOP, bands, zero_point, inverse_scale);
            for (uint32_t band = 0; band < BANDS; band++) {
                patch[band][column] = bands[band];
            }
        }
        fwrite(patch, sizeof patch, 1, stdout);
    }
    return 0;
}
