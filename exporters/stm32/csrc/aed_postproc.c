#include "aed_postproc.h"

#include "aed_math.h"

/* A score of 0 stands for probabilities up to half an int8 step, 1/512. */
#define SMALLEST_PROBABILITY 0.001953125F
#define REAL(score) ((float)((score) - AED_OUTPUT_ZERO_POINT) * AED_OUTPUT_SCALE)

void aed_postproc_init(aed_postproc *state, float keep)
{
    memset(state, 0, sizeof *state);
    state->keep = keep;
}

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

void aed_postproc_push(aed_postproc *state, const int8_t *scores, float loudness_db)
{
    /* 10^(x/10) = 2^(0.332 x); the loudness is relative to the offset of the front end, so that weights stay in range. */
    const float relative_db = loudness_db - AED_LOG_OFFSET_DB;
    const float weight = aed_exp2(AED_CLIP_LOUDNESS_EXPONENT * 0.332192809F * relative_db);
#if AED_CLIP_POOLING == AED_MAJORITY && !AED_CLIP_SEVERAL
    uint32_t best = 0;
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = scores[label] > scores[best] ? label : best;
    }
#endif
    for (uint32_t label = 0; label < AED_LABELS; label++) {
#if AED_CLIP_POOLING == AED_LOG_MEAN
        const float value = logit(REAL(scores[label]));
#elif AED_CLIP_POOLING == AED_MEAN
        const float value = REAL(scores[label]);
#elif AED_CLIP_SEVERAL
        const float value = REAL(scores[label]) >= 0.5F ? 1.0F : 0.0F;
#else
        const float value = label == best ? 1.0F : 0.0F;
#endif
        state->sums[label] = state->sums[label] * state->keep + weight * value;
    }
    state->weight = state->weight * state->keep + weight;
}

void aed_postproc_probabilities(const aed_postproc *state, float *probabilities)
{
    const float share = state->weight > 0.0F ? 1.0F / state->weight : 0.0F;
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const float pooled = state->sums[label] * share;
#if AED_CLIP_POOLING == AED_LOG_MEAN
        probabilities[label] = pooled / AED_CLIP_TEMPERATURE;
#else
        probabilities[label] = state->weight > 0.0F ? logit(pooled) / AED_CLIP_TEMPERATURE : 0.0F;
#endif
    }
#if AED_CLIP_SEVERAL
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] = 1.0F / (1.0F + aed_exp2(-probabilities[label]));
    }
#else
    float largest = probabilities[0], sum = 0.0F;
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        largest = probabilities[label] > largest ? probabilities[label] : largest;
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] = aed_exp2(probabilities[label] - largest);
        sum += probabilities[label];
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] /= sum;
    }
#endif
}

int32_t aed_postproc_answer(const float *probabilities, float threshold)
{
    uint32_t best = 0;
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = probabilities[label] > probabilities[best] ? label : best;
    }
    return probabilities[best] < threshold || (int32_t)best == AED_BACKGROUND ? AED_UNKNOWN : (int32_t)best;
}
