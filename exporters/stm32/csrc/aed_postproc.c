#include "aed_postproc.h"

#include <stddef.h>
#include <string.h>

#include "aed_math.h"

/* A score of 0 stands for probabilities up to half an int8 step, 1/512. */
#define SMALLEST_PROBABILITY 0.001953125F

#if AED_CLIP_SEVERAL
static float logit(float probability)
{
    const float largest = 1.0F - SMALLEST_PROBABILITY;
    probability = probability < SMALLEST_PROBABILITY ? SMALLEST_PROBABILITY : probability;
    probability = probability > largest ? largest : probability;
    return aed_log2(probability) - aed_log2(1.0F - probability);
}
#else
static float logit(float probability)
{
    return aed_log2(probability < SMALLEST_PROBABILITY ? SMALLEST_PROBABILITY : probability);
}
#endif

float aed_pool_value(float probability)
{
#if AED_CLIP_POOLING == AED_LOG_MEAN
    return logit(probability);
#elif AED_CLIP_POOLING == AED_MAJORITY && AED_CLIP_SEVERAL
    return probability >= 0.5F ? 1.0F : 0.0F;
#else
    return probability;
#endif
}

void aed_pool_values(const int8_t *scores, float *values)
{
#if AED_CLIP_POOLING == AED_MAJORITY && !AED_CLIP_SEVERAL
    uint32_t best = 0;
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = scores[label] > scores[best] ? label : best;
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        values[label] = label == best ? 1.0F : 0.0F;
    }
#else
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        values[label] = aed_pool_value((float)(scores[label] - AED_OUTPUT_ZERO_POINT) * AED_OUTPUT_SCALE);
    }
#endif
}

void aed_pool_probabilities(float *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
#if AED_CLIP_POOLING == AED_LOG_MEAN
        values[i] = values[i] / AED_CLIP_TEMPERATURE;
#else
        values[i] = logit(values[i]) / AED_CLIP_TEMPERATURE;
#endif
    }
#if AED_CLIP_SEVERAL
    for (uint32_t i = 0; i < count; i++) {
        values[i] = 1.0F / (1.0F + aed_exp2(-values[i]));
    }
#else
    float largest = values[0];
    float sum = 0.0F;
    for (uint32_t i = 1; i < count; i++) {
        largest = values[i] > largest ? values[i] : largest;
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = aed_exp2(values[i] - largest);
        sum += values[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] /= sum;
    }
#endif
}

aed_status aed_clip_init(aed_clip *state)
{
    if (state == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    memset(state, 0, sizeof *state);
    state->is_initialised = true;
    return AED_OK;
}

aed_status aed_clip_push(aed_clip *state, const int8_t *scores, const aed_level *level)
{
    float values[AED_LABELS];
    if (state == NULL || scores == NULL || level == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    if (!state->is_initialised) {
        return AED_ERROR_NOT_READY;
    }
    /* 10^(x/10) = 2^(0.332 x); the loudness is relative to the offset of the frontend, so that weights stay in range. */
    const float relative_db = level->loudness_db - AED_LOG_OFFSET_DB;
    const float weight = aed_exp2(AED_CLIP_LOUDNESS_EXPONENT * 0.332192809F * relative_db);
    aed_pool_values(scores, values);
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        state->sums[label] += weight * values[label];
    }
    state->weight += weight;
    return AED_OK;
}

aed_status aed_clip_probabilities(const aed_clip *state, float *probabilities)
{
    if (state == NULL || probabilities == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    if (!(state->weight > 0.0F)) {
        return AED_ERROR_NOT_READY;
    }
    const float share = 1.0F / state->weight;
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] = state->sums[label] * share;
    }
    aed_pool_probabilities(probabilities, AED_LABELS);
    return AED_OK;
}

int32_t aed_clip_answer(const float *probabilities, float threshold)
{
    uint32_t best = 0;
    if (probabilities == NULL) {
        return AED_UNKNOWN;
    }
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = probabilities[label] > probabilities[best] ? label : best;
    }
    return probabilities[best] >= threshold && (int32_t)best != AED_BACKGROUND ? (int32_t)best : AED_UNKNOWN;
}
