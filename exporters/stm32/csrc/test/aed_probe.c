/* The stages one by one with binary input and output, for checks on the host:
   `aed_probe features|scores|clip|stream < input > output`.

   features: 16-bit samples in; for each patch its int8 input and, as float32, its loudness and peak in decibels out.
   scores:   int8 inputs in; for each the network's int8 scores out.
   clip:     16-bit samples in; the clip's probabilities out, float32.
   stream:   16-bit samples in; for each patch the smoothed probabilities, float32, the number of events that ended with
             it, uint32, and AED_LABELS aed_event, the first of which are these; in the end the same once more, with
             probabilities of 0, for the events that were still on. */
#include <stdio.h>
#include <string.h>

#include "aed_nn.h"
#include "aed_postproc.h"
#include "aed_preproc.h"
#include "aed_stream.h"

enum { SAMPLES_AT_ONCE = 1000 };

static aed_preproc preproc;
static aed_nn network;
static aed_clip clip;
static aed_stream stream;
static aed_event ended[AED_LABELS];
static int8_t input[AED_NN_INPUT_SIZE];
static int8_t scores[AED_NN_OUTPUT_SIZE];

static int patch_scores(void)
{
    while (fread(input, sizeof input, 1, stdin) == 1) {
        if (aed_nn_run(&network, input, scores) != AED_OK) {
            return 1;
        }
        (void)fwrite(scores, sizeof scores, 1, stdout);
    }
    return 0;
}

static int write_features(const aed_level *level)
{
    (void)fwrite(input, sizeof input, 1, stdout);
    (void)fwrite(level, sizeof *level, 1, stdout);
    return 0;
}

static int add_to_clip(const aed_level *level)
{
    return aed_nn_run(&network, input, scores) != AED_OK || aed_clip_push(&clip, scores, level) != AED_OK;
}

/* Write the probabilities of a patch, and all of `ended`, of which the first `count` events are there. */
static void write_events(const float *probabilities, uint32_t count)
{
    (void)fwrite(probabilities, sizeof *probabilities, AED_LABELS, stdout);
    (void)fwrite(&count, sizeof count, 1, stdout);
    (void)fwrite(ended, sizeof ended, 1, stdout);
}

static int add_to_stream(const aed_level *level)
{
    float probabilities[AED_LABELS];
    uint32_t count;
    if (aed_nn_run(&network, input, scores) != AED_OK ||
        aed_stream_push(&stream, scores, level, probabilities, ended, &count) != AED_OK) {
        return 1;
    }
    write_events(probabilities, count);
    return 0;
}

static int run_patches(int (*add)(const aed_level *level))
{
    static int16_t samples[SAMPLES_AT_ONCE];
    size_t count;
    if (aed_preproc_init(&preproc) != AED_OK) {
        return 1;
    }
    while ((count = fread(samples, sizeof *samples, SAMPLES_AT_ONCE, stdin)) > 0) {
        for (uint32_t used = 0; used < count;) {
            aed_level level;
            used += aed_preproc_push(&preproc, samples + used, (uint32_t)count - used);
            if (aed_preproc_ready(&preproc) &&
                (aed_preproc_patch(&preproc, input, &level) != AED_OK || add(&level) != 0)) {
                return 1;
            }
        }
    }
    return 0;
}

static int run_clip(void)
{
    float probabilities[AED_LABELS];
    if (aed_clip_init(&clip) != AED_OK || run_patches(add_to_clip) != 0 ||
        aed_clip_probabilities(&clip, probabilities) != AED_OK) {
        return 1;
    }
    (void)fwrite(probabilities, sizeof probabilities, 1, stdout);
    return 0;
}

static int run_stream(void)
{
    static const float none[AED_LABELS] = {0.0F};
    uint32_t count;
    if (aed_stream_init(&stream) != AED_OK || run_patches(add_to_stream) != 0 ||
        aed_stream_end(&stream, ended, &count) != AED_OK) {
        return 1;
    }
    write_events(none, count);
    return 0;
}

int main(int count, char **arguments)
{
    const char *const stage = count == 2 ? arguments[1] : "";
    int failed = 1;
    if (strcmp(stage, "features") == 0) {
        failed = run_patches(write_features);
    } else if (strcmp(stage, "clip") == 0) {
        failed = run_clip();
    } else if (strcmp(stage, "stream") == 0) {
        failed = run_stream();
    } else if (strcmp(stage, "scores") == 0) {
        failed = patch_scores();
    } else {
        (void)fputs("usage: aed_probe features|scores|clip|stream < input > output\n", stderr);
    }
    return failed != 0 || fflush(stdout) != 0;
}
