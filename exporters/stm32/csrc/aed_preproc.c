#include "aed_preproc.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "aed_math.h"
#include "aed_preproc_fixed.h"

enum { RING = AED_N_FFT - 1 };

#ifdef AED_FIXED_POINT

#define add_frame aed_preproc_add_frame
#define write_patch aed_preproc_write_patch

#else

enum { HALF = AED_N_FFT / 2, HALF_WINDOW = AED_WINDOW / 2 };

/* Complex FFT of HALF points in place: decimation in time, radix 4 (one stage of radix 2 where HALF is no power of
   four). The input is in the order of aed_fft_places, the output in natural order. */
static void fft(float *z)
{
    uint32_t size;
#if AED_FFT_BEGINS_WITH_PAIRS
    for (float *p = z; p < z + AED_N_FFT; p += 4) {
        const float re = p[2], im = p[3];
        p[2] = p[0] - re;
        p[3] = p[1] - im;
        p[0] += re;
        p[1] += im;
    }
    size = 2;
#else
    size = 1;
#endif
    const float *w = aed_fft_twiddles;
    for (; size < HALF; size *= 4) {
        for (uint32_t k = 0; k < size; k++) {
            const float w1r = w[0], w1i = w[1], w2r = w[2], w2i = w[3], w3r = w[4], w3i = w[5];
            w += 6;
            for (float *a = z + 2 * k; a < z + AED_N_FFT; a += 8 * size) {
                float *b = a + 2 * size, *c = b + 2 * size, *d = c + 2 * size;
                const float br = b[0] * w1r - b[1] * w1i, bi = b[0] * w1i + b[1] * w1r;
                const float cr = c[0] * w2r - c[1] * w2i, ci = c[0] * w2i + c[1] * w2r;
                const float dr = d[0] * w3r - d[1] * w3i, di = d[0] * w3i + d[1] * w3r;
                const float s0r = a[0] + cr, s0i = a[1] + ci, s1r = a[0] - cr, s1i = a[1] - ci;
                const float s2r = br + dr, s2i = bi + di, s3r = bi - di, s3i = dr - br;
                a[0] = s0r + s2r;
                a[1] = s0i + s2i;
                b[0] = s1r + s3r;
                b[1] = s1i + s3i;
                c[0] = s0r - s2r;
                c[1] = s0i - s2i;
                d[0] = s1r - s3r;
                d[1] = s1i - s3i;
            }
        }
    }
}

/* Four times the power spectrum of the newest AED_WINDOW samples, which zeros follow, at work[0], work[2], ...
   work[AED_N_FFT]. aed_mel_coefficients contain the factor. */
static void power_spectrum(aed_preproc *state)
{
    float *z = state->work;
    const int16_t *samples = state->samples;
    const uint32_t first = state->next_sample + AED_N_FFT - AED_WINDOW;
    /* Two samples form one complex number. The window is symmetric: its second half is the first half in reverse. */
    for (uint32_t i = 0; i < HALF_WINDOW; i += 2) {
        float *place = z + 2U * aed_fft_places[i / 2];
        place[0] = (float)samples[(first + i) & RING] * aed_window[i];
        place[1] = (float)samples[(first + i + 1) & RING] * aed_window[i + 1];
    }
    for (uint32_t i = HALF_WINDOW; i < AED_WINDOW; i += 2) {
        float *place = z + 2U * aed_fft_places[i / 2];
        place[0] = (float)samples[(first + i) & RING] * aed_window[AED_WINDOW - i];
        place[1] = (float)samples[(first + i + 1) & RING] * aed_window[AED_WINDOW - 1 - i];
    }
    for (uint32_t i = HALF_WINDOW; i < HALF; i++) {
        float *place = z + 2U * aed_fft_places[i];
        place[0] = 0.0F;
        place[1] = 0.0F;
    }
    fft(z);
    /* Separate the spectra of even and odd samples, and combine them into bins k and HALF - k of the whole. */
    const float sum = z[0] + z[1], difference = z[0] - z[1];
    z[0] = 4.0F * (sum * sum);
    z[AED_N_FFT] = 4.0F * (difference * difference);
    const float *w = aed_fft_joints;
    for (float *a = z + 2, *b = z + AED_N_FFT - 2; a <= b; a += 2, b -= 2, w += 2) {
        const float even_r = a[0] + b[0], even_i = a[1] - b[1];
        const float odd_r = a[1] + b[1], odd_i = b[0] - a[0];
        const float turned_r = odd_r * w[0] - odd_i * w[1], turned_i = odd_r * w[1] + odd_i * w[0];
        const float xr = even_r + turned_r, xi = even_i + turned_i, yr = even_r - turned_r, yi = even_i - turned_i;
        a[0] = xr * xr + xi * xi;
        b[0] = yr * yr + yi * yi;
    }
}

static int8_t code_of(float value)
{
    int32_t code = aed_round(value / AED_INPUT_SCALE) + AED_INPUT_ZERO_POINT;
    code = code > INT8_MAX ? INT8_MAX : code;
    code = code < INT8_MIN ? INT8_MIN : code;
    return (int8_t)code;
}

#if AED_PATCH_LESS_ITS_MEAN
static aed_feature kept(float log_mel)
{
    return log_mel;
}

static int8_t code_in_patch(aed_feature log_mel, float mean)
{
    return code_of(log_mel - mean);
}
#else
static aed_feature kept(float log_mel)
{
    return code_of(log_mel);
}

static int8_t code_in_patch(aed_feature code, float mean)
{
    (void)mean;
    return code;
}
#endif

static void add_frame(aed_preproc *state)
{
    power_spectrum(state);
#if AED_MAGNITUDE
    for (uint32_t i = 0; i <= AED_N_FFT; i += 2) {
        state->work[i] = sqrtf(state->work[i]);
    }
#endif
    aed_feature *features = state->features + state->next_frame * AED_N_MELS;
    const float *coefficient = aed_mel_coefficients;
    float sum = 0.0F, peak = 0.0F;
    for (uint32_t band = 0; band < AED_N_MELS; band++) {
        const float *power = state->work + 2U * aed_mel_starts[band];
        float mel = 0.0F;
        for (uint32_t bins = aed_mel_lengths[band]; bins > 0; bins--) {
            mel += *coefficient++ * *power;
            power += 2;
        }
        /* 10 log10(x) = 3.01 log2(x) */
        const float decibels = 3.01029992F * aed_log2(mel + AED_LOG_FLOOR);
        const float log_mel = (decibels - AED_LOG_OFFSET_DB) / AED_LOG_SCALE_DB;
        features[band] = kept(log_mel);
        sum += log_mel;
        if (band == AED_DC_BANDS || (band > AED_DC_BANDS && log_mel > peak)) {
            peak = log_mel;
        }
    }
    state->sums[state->next_frame] = sum;
    state->peaks[state->next_frame] = peak;
}

static void write_patch(const aed_preproc *state, int8_t *input, aed_level *level)
{
    /* From the oldest frame on, so that equal patches have equal means wherever they are in the ring. */
    uint32_t frame = state->next_frame;
    float sum = 0.0F, peak = state->peaks[0];
    for (uint32_t column = 0; column < AED_PATCH_FRAMES; column++) {
        sum += state->sums[frame];
        peak = state->peaks[frame] > peak ? state->peaks[frame] : peak;
        frame = frame + 1 < AED_PATCH_FRAMES ? frame + 1 : 0;
    }
    const float mean = sum / (float)(AED_PATCH_FRAMES * AED_N_MELS);
    for (uint32_t column = 0; column < AED_PATCH_FRAMES; column++) {
        const aed_feature *features = state->features + frame * AED_N_MELS;
        for (uint32_t band = 0; band < AED_N_MELS; band++) {
            input[band * AED_PATCH_FRAMES + column] = code_in_patch(features[band], mean);
        }
        frame = frame + 1 < AED_PATCH_FRAMES ? frame + 1 : 0;
    }
    level->loudness_db = mean * AED_LOG_SCALE_DB + AED_LOG_OFFSET_DB;
    level->peak_db = peak * AED_LOG_SCALE_DB + AED_LOG_OFFSET_DB;
}

#endif

aed_status aed_preproc_init(aed_preproc *state)
{
    if (state == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    memset(state, 0, sizeof *state);
    if (!aed_math_is_exact()) {
        return AED_ERROR_MODEL;
    }
    state->samples_missing = AED_WINDOW;
    state->frames_missing = AED_PATCH_FRAMES;
    return AED_OK;
}

uint32_t aed_preproc_push(aed_preproc *state, const int16_t *samples, uint32_t count)
{
    uint32_t used = 0;
    if (state == NULL || samples == NULL || state->samples_missing == 0) {
        return 0;
    }
    if (count > 0 && state->frames_missing == 0) {
        state->frames_missing = AED_PATCH_HOP;
    }
    while (used < count && state->frames_missing > 0) {
        /* Limited by the samples given, the samples missing, and the end of the ring. */
        uint32_t block = count - used;
        block = block < state->samples_missing ? block : state->samples_missing;
        block = block < AED_N_FFT - state->next_sample ? block : AED_N_FFT - state->next_sample;
        memcpy(state->samples + state->next_sample, samples + used, block * sizeof *samples);
        used += block;
        state->next_sample = (state->next_sample + block) & RING;
        state->samples_missing -= block;
        if (state->samples_missing == 0) {
            add_frame(state);
            state->next_frame = state->next_frame + 1 < AED_PATCH_FRAMES ? state->next_frame + 1 : 0;
            state->samples_missing = AED_HOP;
            state->frames_missing--;
        }
    }
    return used;
}

bool aed_preproc_ready(const aed_preproc *state)
{
    return state != NULL && state->samples_missing > 0 && state->frames_missing == 0;
}

aed_status aed_preproc_patch(aed_preproc *state, int8_t *input, aed_level *level)
{
    if (state == NULL || input == NULL || level == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    if (!aed_preproc_ready(state)) {
        return AED_ERROR_NOT_READY;
    }
    write_patch(state, input, level);
    state->frames_missing = AED_PATCH_HOP;
    return AED_OK;
}
