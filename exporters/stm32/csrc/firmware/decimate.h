/* A decimator: a low-pass filter of 16-bit taps, computed for every factor-th sample only. Integers throughout, so the
   result is the same on every machine; labeltool computes the same in NumPy. */
#ifndef DECIMATE_H
#define DECIMATE_H

#include <stdint.h>

#include "aed_status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define DECIMATE_MAX_TAPS 192U

typedef struct {
    const int16_t *taps;                    /* 2^16 stands for 1; symmetric */
    uint32_t count;                         /* of the taps; even, up to DECIMATE_MAX_TAPS */
    uint32_t factor;                        /* samples in for each sample out */
    uint32_t next;                          /* index in the history of the next sample */
    uint32_t missing;                       /* samples until the next sample out */
    int16_t history[2 * DECIMATE_MAX_TAPS]; /* every sample twice, `count` apart: the newest `count` are contiguous */
} decimator;

/* Begin a stream; the samples before it count as 0. AED_ERROR_ARGUMENT where the history has no room for the taps, they
   are not even in number, or there is no factor. */
aed_status decimator_init(decimator *state, const int16_t *taps, uint32_t count, uint32_t factor);

/* Filter `count` samples; `out` takes count / factor samples, rounded up. Returns how many were written. */
uint32_t decimator_push(decimator *state, const int16_t *samples, uint32_t count, int16_t *out);

#ifdef __cplusplus
}
#endif

#endif
