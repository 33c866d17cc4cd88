#include "aed_stream.h"

#include <stddef.h>
#include <string.h>

#include "aed_math.h"
#include "aed_postproc.h"

/* Under a softmax "nothing" is one more class, the last: of silence no label may be the most probable. */
#if AED_CLIP_SEVERAL
#define CLASSES AED_LABELS
#else
#define CLASSES (AED_LABELS + 1U)
#endif

/* What is smoothed of a patch that contains nothing. */
static void set_nothing(float *values)
{
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        values[label] = aed_pool_value(0.0F);
    }
    values[AED_LABELS] = aed_pool_value(1.0F);
}

aed_status aed_stream_init(aed_stream *state)
{
    if (state == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    memset(state, 0, sizeof *state);
    set_nothing(state->smoothed);
    state->is_initialised = true;
    return AED_OK;
}

static void end_event(aed_stream *state, uint32_t label, aed_event *events, uint32_t *count)
{
    const aed_event *event = &state->open[label];
    state->is_open[label] = false;
    if (event->last_patch - event->first_patch + 1U >= AED_STREAM_MIN_PATCHES) {
        events[*count] = *event;
        (*count)++;
    }
}

/* Begin, continue or end the event of a label. */
static void follow(aed_stream *state, uint32_t label, float probability, bool begins, bool goes_on, aed_event *events,
                   uint32_t *count)
{
    aed_event *event = &state->open[label];
    if (!state->is_open[label]) {
        if (begins) {
            const aed_event begun = {(int32_t)label, state->patches, state->patches, probability};
            *event = begun;
            state->is_open[label] = true;
        }
    } else if (goes_on) {
        event->last_patch = state->patches;
        event->peak = probability > event->peak ? probability : event->peak;
    } else if (state->patches - event->last_patch > AED_STREAM_HOLD_PATCHES) {
        end_event(state, label, events, count);
    }
}

aed_status aed_stream_push(aed_stream *state, const int8_t *scores, const aed_level *level, float *probabilities,
                           aed_event *events, uint32_t *count)
{
    float values[AED_LABELS + 1];
    uint32_t best = 0;
    if (count != NULL) {
        *count = 0;
    }
    if (state == NULL || scores == NULL || level == NULL || events == NULL || count == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    if (!state->is_initialised) {
        return AED_ERROR_NOT_READY;
    }
    const bool is_above_gate = level->peak_db >= AED_GATE_DB;
    set_nothing(values);
    if (is_above_gate) {
        aed_pool_values(scores, values);
        values[AED_LABELS] = aed_pool_value(0.0F);
    }
    for (uint32_t i = 0; i < CLASSES; i++) {
        state->smoothed[i] += AED_STREAM_GAIN * (values[i] - state->smoothed[i]);
        values[i] = state->smoothed[i];
    }
    aed_pool_probabilities(values, CLASSES);
    for (uint32_t label = 1; label < AED_LABELS; label++) {
        best = values[label] > values[best] ? label : best;
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const bool may_begin = is_above_gate && (AED_CLIP_SEVERAL || label == best) && (int32_t)label != AED_BACKGROUND;
        const bool begins = may_begin && values[label] >= aed_thresholds[label];
        const bool goes_on = is_above_gate && values[label] >= aed_thresholds[label] * AED_STREAM_RELEASE;
        follow(state, label, values[label], begins, goes_on, events, count);
    }
    if (probabilities != NULL) {
        memcpy(probabilities, values, AED_LABELS * sizeof *probabilities);
    }
    state->patches++;
    return AED_OK;
}

aed_status aed_stream_end(aed_stream *state, aed_event *events, uint32_t *count)
{
    if (count != NULL) {
        *count = 0;
    }
    if (state == NULL || events == NULL || count == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    if (!state->is_initialised) {
        return AED_ERROR_NOT_READY;
    }
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        if (state->is_open[label]) {
            end_event(state, label, events, count);
        }
    }
    return AED_OK;
}
