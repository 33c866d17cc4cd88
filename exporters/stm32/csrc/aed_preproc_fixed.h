/* The parts of the frontend that AED_FIXED_POINT computes in integers, for aed_preproc.c. */
#ifndef AED_PREPROC_FIXED_H
#define AED_PREPROC_FIXED_H

#include "aed_preproc.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef AED_FIXED_POINT

/* Compute the frame of the newest AED_N_FFT samples, into the ring at next_frame. */
void aed_preproc_add_frame(aed_preproc *state);

/* Write the patch whose oldest frame is next_frame. */
void aed_preproc_write_patch(const aed_preproc *state, int8_t *input, aed_level *level);

#endif

#ifdef __cplusplus
}
#endif

#endif
