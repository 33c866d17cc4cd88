/* From 16-bit samples to the network's int8 input, in a stream.

   The numbers are those of labeltool's own front end: within one int8 step of a float64 computation of it, and the
   same to the bit on every machine (how to build for that: aed_math.h). Nothing is allocated, nothing looks further
   than one patch.

       static aed_preproc ears;
       aed_preproc_init(&ears);
       for (;;) {
           ... count samples have come ...
           while (count > 0) {
               const uint32_t taken = aed_preproc_push(&ears, samples, count);
               samples += taken;
               count -= taken;
               if (aed_preproc_ready(&ears)) {
                   const float loudness_db = aed_preproc_patch(&ears, input);
                   ... run the network on input ...
               }
           }
       }

   With AED_USE_CMSIS_DSP the FFT is CMSIS-DSP's arm_rfft_fast_f32: faster, AED_N_FFT floats more of RAM, within the
   same one step, but no longer the same to the bit. */
#ifndef AED_PREPROC_H
#define AED_PREPROC_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_tables.h"

#ifdef AED_USE_CMSIS_DSP
#include "arm_math.h"
#endif

typedef struct {
    int16_t samples[AED_N_FFT];                   /* ring of the newest samples */
    float work[AED_N_FFT + 2];                    /* a windowed frame, then its spectrum, then its powers */
    float log_mel[AED_PATCH_FRAMES * AED_N_MELS]; /* ring of the newest frames, frame after frame: the patch */
    float sums[AED_PATCH_FRAMES];                 /* of each frame's log-mels */
    uint32_t next_sample;                         /* where in the ring the next sample goes */
    uint32_t next_frame;                          /* where in the ring the next frame goes */
    uint32_t samples_missing;                     /* until a frame is full */
    uint32_t frames_missing;                      /* until a patch is full; 0: it is */
#ifdef AED_USE_CMSIS_DSP
    float spectrum[AED_N_FFT];
    arm_rfft_fast_instance_f32 fft;
#endif
} aed_preproc;

/* Begin a stream. */
void aed_preproc_init(aed_preproc *state);

/* Hear up to `count` samples at AED_SAMPLE_RATE_HZ; stops after the one that fills a patch. Returns how many were
   taken: call again with the rest. */
uint32_t aed_preproc_push(aed_preproc *state, const int16_t *samples, uint32_t count);

/* Whether a patch is full that has not been fetched. Pushing on without fetching it loses nothing but this patch. */
bool aed_preproc_ready(const aed_preproc *state);

/* Write the newest patch as the network takes it, AED_N_MELS rows of AED_PATCH_FRAMES codes, and return how loud it is
   in decibels, for aed_postproc_push. */
float aed_preproc_patch(aed_preproc *state, int8_t *input);

#endif
