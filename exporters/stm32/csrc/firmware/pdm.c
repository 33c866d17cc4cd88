#include "pdm.h"

#include <string.h>

#include "microphone_taps.h"

/* The CIC's gain is 16^5 = 2^20: so large is a sample where all bits are 1. */
#define CIC_FULL_SCALE 0x100000U
#define SHIFT (5U - PDM_GAIN_BITS)

#if PDM_GAIN_BITS > 5
#error "PDM_GAIN_BITS is 0 to 5"
#endif

aed_status pdm_init(pdm_state *state)
{
    memset(state, 0, sizeof *state);
    return decimator_init(&state->filter, pdm_taps, PDM_TAPS, PDM_FACTOR);
}

static int16_t cic(pdm_state *state, uint32_t word)
{
    uint32_t a = state->integrators[0], b = state->integrators[1], c = state->integrators[2];
    uint32_t d = state->integrators[3], e = state->integrators[4];
    for (uint32_t bit = 0x8000U; bit != 0; bit >>= 1) {
        a += (word & bit) != 0 ? 1U : UINT32_MAX; /* 1 or -1 */
        b += a;
        c += b;
        d += c;
        e += d;
    }
    const uint32_t sums[PDM_ORDER] = {a, b, c, d, e};
    memcpy(state->integrators, sums, sizeof sums);
    for (uint32_t i = 0; i < PDM_ORDER; i++) {
        const uint32_t before = state->differences[i];
        state->differences[i] = e;
        e -= before;
    }
    /* From 0 to twice the full scale, so that a shift divides; rounded to the nearest, halves upwards. */
    const uint32_t positive = (e + CIC_FULL_SCALE + ((1U << SHIFT) >> 1)) >> SHIFT;
    const int32_t sample = (int32_t)positive - (int32_t)(CIC_FULL_SCALE >> SHIFT);
    if (sample > INT16_MAX) {
        return INT16_MAX;
    }
    return (int16_t)(sample < INT16_MIN ? INT16_MIN : sample);
}

uint32_t pdm_push(pdm_state *state, const int16_t *words, uint32_t count, int16_t *out)
{
    uint32_t written = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int16_t sample = cic(state, (uint16_t)words[i]);
        written += decimator_push(&state->filter, &sample, 1, out + written);
    }
    return written;
}
