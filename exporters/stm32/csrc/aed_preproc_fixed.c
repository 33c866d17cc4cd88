/* The frontend in integers, see aed_preproc.h. Each frame is scaled up until it fills 28 bits, and each stage of the FFT
   divides by its radix, so that the spectrum fills them too. Products are of 16 x 16 bits: processors without a floating
   point unit often have no wider ones. */
#include "aed_preproc_fixed.h"

#ifdef AED_FIXED_POINT

enum { HALF = AED_N_FFT / 2, RING = AED_N_FFT - 1, SAMPLE_BITS = 15, PRODUCT_BITS = 15 };

typedef struct {
    int32_t re, im;
} complex32;

/* x / 2^power, rounded down; C leaves the right shift of a negative number to the compiler. */
static int32_t shifted(int32_t x, uint32_t power)
{
    return x < 0 ? ~(~x >> power) : x >> power;
}

static int64_t shifted64(int64_t x, uint32_t power)
{
    return x < 0 ? ~(~x >> power) : x >> power;
}

/* a * factor / 2^15, rounded down; the factor has 16 bits. */
static int32_t product(int32_t a, int32_t factor)
{
    const int32_t low = (int32_t)((uint32_t)a & 0xFFFFU);
    return shifted(a, 16) * factor * 2 + shifted(low * factor, PRODUCT_BITS);
}

static complex32 turned(complex32 x, const int16_t *factor)
{
    complex32 y;
    y.re = product(x.re, factor[0]) - product(x.im, factor[1]);
    y.im = product(x.re, factor[1]) + product(x.im, factor[0]);
    return y;
}

/* ---- FFT ---- */

static complex32 quarter(const int32_t *z)
{
    complex32 x;
    x.re = shifted(z[0], 2);
    x.im = shifted(z[1], 2);
    return x;
}

/* A butterfly of radix 4, whose numbers are `leg` elements apart. */
static void join(int32_t *z, uint32_t leg, complex32 b, complex32 c, complex32 d)
{
    const complex32 a = quarter(z);
    const int32_t s0r = a.re + c.re, s0i = a.im + c.im, s1r = a.re - c.re, s1i = a.im - c.im;
    const int32_t s2r = b.re + d.re, s2i = b.im + d.im, s3r = b.im - d.im, s3i = d.re - b.re;
    z[0] = s0r + s2r;
    z[1] = s0i + s2i;
    z[leg] = s1r + s3r;
    z[leg + 1] = s1i + s3i;
    z[2 * leg] = s0r - s2r;
    z[2 * leg + 1] = s0i - s2i;
    z[3 * leg] = s1r - s3r;
    z[3 * leg + 1] = s1i - s3i;
}

/* Complex FFT of HALF points in place, divided by HALF: as in aed_preproc.c. */
static void fft(int32_t *z)
{
    const int32_t *const end = z + AED_N_FFT;
    uint32_t leg = 2;
#if AED_FFT_BEGINS_WITH_PAIRS
    for (int32_t *a = z; a < end; a += 4) {
        const int32_t re = shifted(a[2], 1), im = shifted(a[3], 1);
        const int32_t first_re = shifted(a[0], 1), first_im = shifted(a[1], 1);
        a[0] = first_re + re;
        a[1] = first_im + im;
        a[2] = first_re - re;
        a[3] = first_im - im;
    }
    leg = 4;
#endif
    const int16_t *w = aed_fixed_twiddles;
    for (; leg < AED_N_FFT; leg *= 4) {
        /* The factors of the first butterfly are 1. */
        for (int32_t *a = z; a < end; a += 4 * leg) {
            join(a, leg, quarter(a + leg), quarter(a + 2 * leg), quarter(a + 3 * leg));
        }
        for (uint32_t k = 2; k < leg; k += 2) {
            for (int32_t *a = z + k; a < end; a += 4 * leg) {
                const complex32 b = turned(quarter(a + leg), w);
                const complex32 c = turned(quarter(a + 2 * leg), w + 2);
                const complex32 d = turned(quarter(a + 3 * leg), w + 4);
                join(a, leg, b, c, d);
            }
            w += 6;
        }
    }
}

/* ---- powers ---- */

/* The power of two by which the newest samples are scaled up: they then need SAMPLE_BITS bits, or fewer where the floor of
   the logarithm allows no more. */
static uint32_t scale_of(const int16_t *samples)
{
    uint32_t bits = 0, power = SAMPLE_BITS;
    for (uint32_t i = 0; i < AED_N_FFT; i++) {
        const int32_t sample = samples[i];
        bits |= (uint32_t)(sample < 0 ? ~sample : sample);
    }
    for (; bits > 0; bits >>= 1) {
        power--;
    }
    return power < AED_FIXED_MAX_SHIFT ? power : AED_FIXED_MAX_SHIFT;
}

/* Write the power of a bin as a number of at most 16 bits and the power of two it is to be multiplied by. */
static void put_power(int32_t *place, int32_t re, int32_t im)
{
    const uint32_t size_re = (uint32_t)(re < 0 ? -re : re), size_im = (uint32_t)(im < 0 ? -im : im);
    uint32_t largest = size_re > size_im ? size_re : size_im, power = 0;
    while (largest >= (1UL << 19)) {
        largest >>= 4;
        power += 4;
    }
    while (largest >= (1UL << 15)) {
        largest >>= 1;
        power++;
    }
    const int32_t short_re = shifted(re, power), short_im = shifted(im, power);
    const uint32_t square = (uint32_t)(short_re * short_re) + (uint32_t)(short_im * short_im);
    place[0] = (int32_t)(square >> PRODUCT_BITS);
    place[1] = (int32_t)(2 * power);
}

/* The power spectrum of the newest AED_N_FFT samples, at work[0], work[2], ... work[AED_N_FFT]. */
static void power_spectrum(aed_preproc *state, uint32_t scale)
{
    int32_t *z = state->work;
    const int32_t factor = (int32_t)(1UL << scale);
    for (uint32_t i = 0; i < AED_N_FFT; i++) {
        const int32_t sample = state->samples[(state->next_sample + i) & RING] * factor;
        const int32_t weight = aed_fixed_window[i <= HALF ? i : AED_N_FFT - i];
        z[2U * aed_fft_places[i / 2] + (i & 1U)] = shifted(sample * weight, 2);
    }
    fft(z);
    /* Separate the spectra of even and odd samples, and combine them into bins k and HALF - k of the whole. */
    const int32_t sum = 2 * (z[0] + z[1]), difference = 2 * (z[0] - z[1]);
    put_power(z, sum, 0);
    put_power(z + AED_N_FFT, difference, 0);
    const int16_t *w = aed_fixed_joints;
    for (int32_t *a = z + 2, *b = z + AED_N_FFT - 2; a <= b; a += 2, b -= 2, w += 2) {
        complex32 odd;
        const int32_t even_re = a[0] + b[0], even_im = a[1] - b[1];
        odd.re = a[1] + b[1];
        odd.im = b[0] - a[0];
        odd = turned(odd, w);
        put_power(a, even_re + odd.re, even_im + odd.im);
        put_power(b, even_re - odd.re, even_im - odd.im);
    }
}

/* ---- log-mels ---- */

/* log2 of a positive number, in 2^-15. */
static int32_t log2_of(uint64_t x)
{
    int32_t exponent = 30;
    while (x >= ((uint64_t)1 << 39)) {
        x >>= 8;
        exponent += 8;
    }
    while (x >= ((uint64_t)1 << 31)) {
        x >>= 1;
        exponent++;
    }
    while (x < ((uint64_t)1 << 30)) {
        x <<= 1;
        exponent--;
    }
    /* After the leading 1, five bits for the segment of the table and 16 for the place within it. */
    const uint32_t bits = (uint32_t)x;
    const uint16_t *segment = aed_fixed_log2 + ((bits >> 25) & 31U);
    const uint32_t rise = (((uint32_t)segment[1] - segment[0]) * ((bits >> 9) & 0xFFFFU)) >> 16;
    return exponent * (1 << 15) + (int32_t)(segment[0] + rise);
}

void aed_preproc_add_frame(aed_preproc *state)
{
    const uint32_t scale = scale_of(state->samples);
    const int32_t offset = (AED_FIXED_BITS + 2 * (int32_t)scale) * (1 << 15);
    int16_t *log2_mel = state->log2_mel + state->next_frame * AED_N_MELS;
    const uint16_t *coefficient = aed_fixed_mel_coefficients;
    power_spectrum(state, scale);
    for (uint32_t band = 0; band < AED_N_MELS; band++) {
        const int32_t *power = state->work + 2U * aed_mel_starts[band];
        uint64_t mel = AED_FIXED_FLOOR << (2 * scale);
        for (uint32_t bins = aed_mel_lengths[band]; bins > 0; bins--) {
            mel += (uint64_t)(*coefficient++ * (uint32_t)power[0]) << power[1];
            power += 2;
        }
        /* From 2^-15 to 2^-9, rounded. */
        log2_mel[band] = (int16_t)shifted(log2_of(mel) - offset + 32, 6);
    }
}

/* ---- patch ---- */

static int8_t code_of(int32_t log2_mel)
{
    const int64_t half = (int64_t)1 << 31;
    int64_t code = shifted64((int64_t)log2_mel * AED_FIXED_SCALE + half, 32) + AED_INPUT_ZERO_POINT;
    code = code > INT8_MAX ? INT8_MAX : code;
    code = code < INT8_MIN ? INT8_MIN : code;
    return (int8_t)code;
}

void aed_preproc_write_patch(const aed_preproc *state, int8_t *input, aed_level *level)
{
    const int32_t size = (int32_t)(AED_PATCH_FRAMES * AED_N_MELS);
    int32_t peak = INT16_MIN;
    int64_t sum = 0;
    for (const int16_t *frame = state->log2_mel; frame < state->log2_mel + size; frame += AED_N_MELS) {
        for (uint32_t band = 0; band < AED_N_MELS; band++) {
            sum += frame[band];
        }
        for (uint32_t band = AED_DC_BANDS; band < AED_N_MELS; band++) {
            peak = frame[band] > peak ? frame[band] : peak;
        }
    }
    /* In 2^-16, rounded down. */
    sum *= 128;
    const int32_t mean = (int32_t)(sum / size) - (sum % size < 0 ? 1 : 0);
    const int32_t offset = AED_PATCH_LESS_ITS_MEAN ? mean : AED_FIXED_OFFSET;
    uint32_t frame = state->next_frame;
    for (uint32_t column = 0; column < AED_PATCH_FRAMES; column++) {
        const int16_t *log2_mel = state->log2_mel + frame * AED_N_MELS;
        for (uint32_t band = 0; band < AED_N_MELS; band++) {
            input[band * AED_PATCH_FRAMES + column] = code_of(log2_mel[band] * 128 - offset);
        }
        frame = frame + 1 < AED_PATCH_FRAMES ? frame + 1 : 0;
    }
    level->loudness_db = (float)mean * AED_FIXED_DB;
    level->peak_db = (float)(peak * 128) * AED_FIXED_DB;
}

#endif
