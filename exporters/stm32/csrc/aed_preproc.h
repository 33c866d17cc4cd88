/* From a stream of 16-bit samples to the network's int8 input.

   The results are those of labeltool's frontend: within one int8 step of a float64 computation of it, and identical bit
   for bit on every machine (aed_math.h describes how to build for that). No memory is allocated, and no state reaches
   back further than one patch. A state is used by one thread at a time; several states are independent.

   With AED_FIXED_POINT defined for all files, integers compute the same: also within one int8 step and the same on every
   machine, but not bit for bit the numbers of the float version. It is for processors without a floating point unit.

       static aed_preproc preproc;
       if (aed_preproc_init(&preproc) != AED_OK) { ... stop ... }
       for (;;) {
           ... count samples have arrived ...
           while (count > 0) {
               const uint32_t used = aed_preproc_push(&preproc, samples, count);
               if (used == 0) { ... not initialised: stop ... }
               samples += used;
               count -= used;
               if (aed_preproc_ready(&preproc)) {
                   ... aed_preproc_patch(&preproc, input, &level) == AED_OK: run the network on input ...
               }
           }
       } */
#ifndef AED_PREPROC_H
#define AED_PREPROC_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_status.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The structs differ: files built with and without AED_FIXED_POINT must not link. */
#ifdef AED_FIXED_POINT
#define aed_preproc_init aed_preproc_init_fixed
#define aed_preproc_push aed_preproc_push_fixed
#define aed_preproc_ready aed_preproc_ready_fixed
#define aed_preproc_patch aed_preproc_patch_fixed
#endif

/* Level of a patch in dB. */
typedef struct {
    float loudness_db; /* mean of its log-mels */
    float peak_db;     /* largest of its log-mels, without the AED_DC_BANDS lowest bands: a DC offset leaks into these */
} aed_level;

/* What is kept of a frame: log-mels, or their codes where these do not wait for the mean of the patch. */
#if AED_PATCH_LESS_ITS_MEAN
typedef float aed_feature;
#else
typedef int8_t aed_feature;
#endif

typedef struct {
    int16_t samples[AED_N_FFT]; /* ring of the newest samples */
#ifdef AED_FIXED_POINT
    int32_t work[AED_N_FFT + 2];                    /* a windowed frame, then its spectrum, then its powers */
    int16_t log2_mel[AED_PATCH_FRAMES * AED_N_MELS]; /* ring of the newest frames, frame after frame: the patch */
#else
    float work[AED_N_FFT + 2];
    aed_feature features[AED_PATCH_FRAMES * AED_N_MELS];
    float sums[AED_PATCH_FRAMES];  /* sum of the log-mels of each frame */
    float peaks[AED_PATCH_FRAMES]; /* largest log-mel of each frame, without the lowest bands */
#endif
    uint32_t next_sample;     /* index in the ring of the next sample */
    uint32_t next_frame;      /* index in the ring of the next frame */
    uint32_t samples_missing; /* until the next frame is complete; 0: not initialised */
    uint32_t frames_missing;  /* until the next patch is complete; 0: it is */
} aed_preproc;

/* Begin a stream. AED_ERROR_MODEL where the compiler was allowed to change the rounding, see aed_math.h. */
aed_status aed_preproc_init(aed_preproc *state);

/* Process up to `count` samples at AED_SAMPLE_RATE_HZ; stops after the one that completes a patch. Returns the number of
   samples used: call again with the rest. It is 0 only for wrong arguments and a state that is not initialised. */
uint32_t aed_preproc_push(aed_preproc *state, const int16_t *samples, uint32_t count);

/* Whether a complete patch is ready. Pushing more samples without fetching it loses only this patch. */
bool aed_preproc_ready(const aed_preproc *state);

/* Write the newest patch as input of the network, AED_N_MELS rows of AED_PATCH_FRAMES codes, and its level. Each patch is
   written once; AED_ERROR_NOT_READY where none is ready, and then nothing is written. */
aed_status aed_preproc_patch(aed_preproc *state, int8_t *input, aed_level *level);

#ifdef __cplusplus
}
#endif

#endif
