/* From scores of patches to the label of a clip: the clip rule of labeltool's networks/postprocessing.py, as a running
   sum. For an endless stream see aed_stream.h. This rule has no gate: a clip of silence gets probabilities too, so ask
   whether a level.peak_db reached AED_GATE_DB.

   The score of a clip is the mean of the log-probabilities of its patches, divided by AED_CLIP_TEMPERATURE and
   normalised. The weight of a patch is 10^(AED_CLIP_LOUDNESS_EXPONENT L / 10), where L is its loudness in dB. Where
   AED_CLIP_SEVERAL is 1, the labels are independent: the score is the mean of the log-odds, without normalisation. Where
   AED_CLIP_POOLING is AED_MEAN or AED_MAJORITY, probabilities or votes are averaged, and the logarithm is taken last. */
#ifndef AED_POSTPROC_H
#define AED_POSTPROC_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_preproc.h"
#include "aed_status.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AED_UNKNOWN (-1)

/* Values of AED_CLIP_POOLING. */
#define AED_LOG_MEAN 0
#define AED_MEAN 1
#define AED_MAJORITY 2

typedef struct {
    float sums[AED_LABELS]; /* weighted sums of the values that AED_CLIP_POOLING averages */
    float weight;           /* sum of the weights; 0 before the first patch */
    bool is_initialised;
} aed_clip;

/* Begin a clip. */
aed_status aed_clip_init(aed_clip *state);

/* Add a patch: the network's AED_LABELS int8 scores, and the level from aed_preproc_patch. AED_ERROR_NOT_READY where the
   state is not initialised. */
aed_status aed_clip_push(aed_clip *state, const int8_t *scores, const aed_level *level);

/* Write the calibrated probabilities, AED_LABELS of them; they sum to one unless AED_CLIP_SEVERAL is 1.
   AED_ERROR_NOT_READY before the first patch; then nothing is written. */
aed_status aed_clip_probabilities(const aed_clip *state, float *probabilities);

/* Index of the most probable label, the first of equals; AED_UNKNOWN where its probability is below `threshold` or it is
   AED_BACKGROUND, which is not a label, and where `probabilities` is NULL. AED_CLIP_THRESHOLD was chosen on the model's
   validation clips. Where AED_CLIP_SEVERAL is 1, every label that reaches the threshold is predicted; this is the most
   probable of them. */
int32_t aed_clip_answer(const float *probabilities, float threshold);

/* ---- shared with aed_stream.c; arguments are not checked ---- */

/* What AED_CLIP_POOLING averages, for a probability. */
float aed_pool_value(float probability);

/* What AED_CLIP_POOLING averages, for the scores of a patch: AED_LABELS values. */
void aed_pool_values(const int8_t *scores, float *values);

/* Turn averages of such values, `count` of them, into calibrated probabilities, in place. */
void aed_pool_probabilities(float *values, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
