#include "aed_postproc.h"

#include "aed_math.h"

/* What the network calls 0 is anything up to half an int8 step of a probability, 1/512. */
#define SMALLEST_PROBABILITY 0.001953125F

void aed_postproc_init(aed_postproc *state, float keep)
{
    memset(state, 0, sizeof *state);
    state->keep = keep;
}

void aed_postproc_push(aed_postproc *state, const int8_t *scores, float loudness_db)
{
    /* 10^(x/10) = 2^(0.332 x); loudness from the front end's zero, so that the weights stay in range. */
    const float relative_db = loudness_db - AED_LOG_OFFSET_DB;
    const float weight = aed_exp2(AED_CLIP_LOUDNESS_EXPONENT * 0.332192809F * relative_db);
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        float probability = (float)(scores[label] - AED_OUTPUT_ZERO_POINT) * AED_OUTPUT_SCALE;
        probability = probability < SMALLEST_PROBABILITY ? SMALLEST_PROBABILITY : probability;
#if AED_CLIP_SEVERAL
        const float most = 1.0F - SMALLEST_PROBABILITY;
        probability = probability > most ? most : probability;
        const float logit = aed_log2(probability) - aed_log2(1.0F - probability);
#else
        const float logit = aed_log2(probability);
#endif
        state->logs[label] = state->logs[label] * state->keep + weight * logit;
    }
    state->weight = state->weight * state->keep + weight;
}

void aed_postproc_probabilities(const aed_postproc *state, float *probabilities)
{
    const float scale = state->weight > 0.0F ? 1.0F / (state->weight * AED_CLIP_TEMPERATURE) : 0.0F;
#if AED_CLIP_SEVERAL
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] = 1.0F / (1.0F + aed_exp2(-state->logs[label] * scale));
    }
#else
    float largest = state->logs[0];
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        largest = state->logs[label] > largest ? state->logs[label] : largest;
    }
    float sum = 0.0F;
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        probabilities[label] = aed_exp2((state->logs[label] - largest) * scale);
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
