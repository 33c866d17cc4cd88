#include "decimate.h"

#include <string.h>

aed_status decimator_init(decimator *state, const int16_t *taps, uint32_t count, uint32_t factor)
{
    if (count == 0 || count % 2U != 0 || count > DECIMATE_MAX_TAPS || factor == 0) {
        return AED_ERROR_ARGUMENT;
    }
    memset(state, 0, sizeof *state);
    state->taps = taps;
    state->count = count;
    state->factor = factor;
    state->missing = factor;
    return AED_OK;
}

static int16_t filtered(const decimator *state)
{
    const int16_t *oldest = state->history + state->next;
    const int16_t *newest = oldest + state->count;
    const int16_t *tap = state->taps;
    int64_t sum = 0;
    /* The taps are symmetric: each is multiplied by the sum of two samples. */
    while (oldest < newest) {
        const int32_t pair = (int32_t)*oldest++ + *--newest;
        sum += (int64_t)*tap++ * pair;
    }
    /* Divided by 2^16, to the nearest integer, halves upwards. 2^40 makes the sum positive, so that a shift divides. */
    const uint64_t positive = (uint64_t)(sum + ((int64_t)1 << 40) + 0x8000) >> 16;
    const int32_t sample = (int32_t)positive - (1 << 24);
    if (sample > INT16_MAX) {
        return INT16_MAX;
    }
    return (int16_t)(sample < INT16_MIN ? INT16_MIN : sample);
}

uint32_t decimator_push(decimator *state, const int16_t *samples, uint32_t count, int16_t *out)
{
    uint32_t written = 0;
    for (uint32_t i = 0; i < count; i++) {
        state->history[state->next] = samples[i];
        state->history[state->next + state->count] = samples[i];
        state->next = state->next + 1 < state->count ? state->next + 1 : 0;
        if (--state->missing == 0) {
            state->missing = state->factor;
            out[written++] = filtered(state);
        }
    }
    return written;
}
