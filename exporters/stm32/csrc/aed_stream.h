/* From the scores of an endless stream of patches to events: the rule of labeltool's networks/stream_rule.py, bit for bit.

   - A patch whose peak_db is below AED_GATE_DB contains nothing: digital silence, DC, noise of the last bit. All other
     patches count alike, however loud, so a quiet sound is found at once after a loud one.
   - What the clip rule averages (AED_CLIP_POOLING) is smoothed: each patch moves the smoothed value by AED_STREAM_GAIN
     of the difference. Temperature and normalisation are the clip rule's. Under a softmax "nothing" is one more class:
     what the probabilities lack to one. Before the first patch there was nothing.
   - An event begins when the smoothed probability of a label reaches aed_thresholds[label], under a softmax as the
     largest of the labels. It goes on while the probability is at least AED_STREAM_RELEASE of the threshold; up to
     AED_STREAM_HOLD_PATCHES patches below that do not end it. In a patch below the gate no event begins or goes on.
     Events of fewer than AED_STREAM_MIN_PATCHES patches are dropped. AED_BACKGROUND has no events. */
#ifndef AED_STREAM_H
#define AED_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "aed_preproc.h"
#include "aed_status.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An event begins with the first sample of its first patch, first_patch * AED_PATCH_HOP * AED_HOP, and ends with the last
   one of its last patch. Patches are counted from 0. */
typedef struct {
    int32_t label;
    uint32_t first_patch;
    uint32_t last_patch;
    float peak; /* largest smoothed probability */
} aed_event;

typedef struct {
    float smoothed[AED_LABELS + 1]; /* of the labels, then of nothing */
    aed_event open[AED_LABELS];     /* for each label; where is_open, the event that is on */
    bool is_open[AED_LABELS];
    bool is_initialised;
    uint32_t patches; /* number of patches so far */
} aed_stream;

/* Begin a stream. */
aed_status aed_stream_init(aed_stream *state);

/* Add a patch: the network's AED_LABELS int8 scores, and the level from aed_preproc_patch.
   probabilities: gets the smoothed probabilities, AED_LABELS of them; may be NULL.
   events: has room for AED_LABELS; gets the events that turn out to have ended, `count` of them.
   AED_ERROR_NOT_READY: the state is not initialised. After an error the state is as before, and `count` is 0. */
aed_status aed_stream_push(aed_stream *state, const int8_t *scores, const aed_level *level, float *probabilities,
                           aed_event *events, uint32_t *count);

/* End the stream: events that are still on end with the last patch in which they went on. The next stream begins with
   aed_stream_init. */
aed_status aed_stream_end(aed_stream *state, aed_event *events, uint32_t *count);

#ifdef __cplusplus
}
#endif

#endif
