/* From the network's answers, patch by patch, to one answer: labeltool's clip rule, as a running sum.

   A clip's score is the mean of its patches' log-probabilities, each weighing 10^(AED_CLIP_LOUDNESS_EXPONENT L / 10)
   where L is its loudness in decibels, divided by AED_CLIP_TEMPERATURE and normalised. Where AED_CLIP_SEVERAL is 1, each
   label stands for itself: it is the mean of log-odds, and nothing is normalised. Where AED_CLIP_POOLING is AED_MEAN or
   AED_MAJORITY, probabilities or votes are averaged, and the logarithm is taken last. For a clip, `keep` is 1. For
   endless sound, a `keep` below 1 lets the past fade: each patch before the newest counts `keep` times what it counted
   before, which is the same rule smoothed over time (0.5 forgets half with every patch). */
#ifndef AED_POSTPROC_H
#define AED_POSTPROC_H

#include <stdint.h>

#include "aed_tables.h"

#define AED_UNKNOWN (-1)

/* Values of AED_CLIP_POOLING. */
#define AED_LOG_MEAN 0
#define AED_MEAN 1
#define AED_MAJORITY 2

typedef struct {
    float sums[AED_LABELS]; /* weighted sums of what AED_CLIP_POOLING says */
    float weight;           /* sum of the weights */
    float keep;             /* what of the past stays when a patch comes, 0 to 1 */
} aed_postproc;

/* Begin a clip, or a stream. */
void aed_postproc_init(aed_postproc *state, float keep);

/* Take in the network's answer to a patch, AED_LABELS int8 scores, and the patch's loudness from aed_preproc_patch. */
void aed_postproc_push(aed_postproc *state, const int8_t *scores, float loudness_db);

/* Write the calibrated probabilities, AED_LABELS of them; they sum to one unless AED_CLIP_SEVERAL is 1. Before the first
   patch all are equal. */
void aed_postproc_probabilities(const aed_postproc *state, float *probabilities);

/* The most probable label's index, the first of equals; AED_UNKNOWN where its probability is below `threshold` or it is
   AED_BACKGROUND, which is no label. AED_CLIP_THRESHOLD is the one chosen on the model's validation clips. Where
   AED_CLIP_SEVERAL is 1 every label that reaches the threshold is heard, and this is the surest of them. */
int32_t aed_postproc_answer(const float *probabilities, float threshold);

#endif
