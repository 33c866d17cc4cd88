/* From scores of patches to the label of a clip: the clip rule of labeltool/networks/postprocessing.py, as a running
   sum.

   The score of a clip is the mean of the log-probabilities of its patches, divided by AED_CLIP_TEMPERATURE and
   normalised. The weight of a patch is 10^(AED_CLIP_LOUDNESS_EXPONENT L / 10), where L is its loudness in dB. Where
   AED_CLIP_SEVERAL is 1, the labels are independent: the score is the mean of the log-odds, without normalisation. Where
   AED_CLIP_POOLING is AED_MEAN or AED_MAJORITY, probabilities or votes are averaged, and the logarithm is taken last.
   For a clip, `keep` is 1. For a continuous stream, choose a `keep` below 1: with each new patch the weight of all
   earlier patches is multiplied by `keep`, which smooths over time (0.5 halves it with every patch). */
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
    float sums[AED_LABELS]; /* weighted sums of the values that AED_CLIP_POOLING averages */
    float weight;           /* sum of the weights */
    float keep;             /* factor for earlier patches when a new one comes, 0 to 1 */
} aed_postproc;

/* Begin a clip or a stream. */
void aed_postproc_init(aed_postproc *state, float keep);

/* Add a patch: the network's AED_LABELS int8 scores, and the loudness from aed_preproc_patch. */
void aed_postproc_push(aed_postproc *state, const int8_t *scores, float loudness_db);

/* Write the calibrated probabilities, AED_LABELS of them; they sum to one unless AED_CLIP_SEVERAL is 1. Before the first
   patch all are equal. */
void aed_postproc_probabilities(const aed_postproc *state, float *probabilities);

/* Index of the most probable label, the first of equals; AED_UNKNOWN where its probability is below `threshold` or it is
   AED_BACKGROUND, which is not a label. AED_CLIP_THRESHOLD was chosen on the model's validation clips. Where
   AED_CLIP_SEVERAL is 1, every label that reaches the threshold is predicted; this is the most probable of them. */
int32_t aed_postproc_answer(const float *probabilities, float threshold);

#endif
