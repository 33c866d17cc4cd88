/* The stages one by one with binary input and output, for checks on the host:
   `aed_probe features|scores|clip < input > output`.

   features: 16-bit samples in; for each patch its int8 input and, as float32, its loudness and peak in decibels out.
   scores:   int8 inputs in; for each the network's int8 scores out.
   clip:     16-bit samples in; the clip's probabilities out, float32. */
#include <stdio.h>
#include <string.h>

#include "aed_nn.h"
#include "aed_postproc.h"
#include "aed_preproc.h"

enum { SAMPLES_AT_ONCE = 1000 };

static aed_preproc preproc;
static aed_nn network;
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

static int run_stream(int whole_clip)
{
    static int16_t samples[SAMPLES_AT_ONCE];
    aed_postproc clip;
    size_t count;
    if (aed_preproc_init(&preproc) != AED_OK) {
        return 1;
    }
    aed_postproc_init(&clip, 1.0F);
    while ((count = fread(samples, sizeof *samples, SAMPLES_AT_ONCE, stdin)) > 0) {
        for (uint32_t used = 0; used < count;) {
            used += aed_preproc_push(&preproc, samples + used, (uint32_t)count - used);
            if (!aed_preproc_ready(&preproc)) {
                continue;
            }
            aed_level level;
            (void)aed_preproc_patch(&preproc, input, &level);
            if (!whole_clip) {
                (void)fwrite(input, sizeof input, 1, stdout);
                (void)fwrite(&level, sizeof level, 1, stdout);
            } else if (aed_nn_run(&network, input, scores) == AED_OK) {
                aed_postproc_push(&clip, scores, level.loudness_db);
            } else {
                return 1;
            }
        }
    }
    if (whole_clip) {
        float probabilities[AED_LABELS];
        aed_postproc_probabilities(&clip, probabilities);
        (void)fwrite(probabilities, sizeof probabilities, 1, stdout);
    }
    return 0;
}

int main(int count, char **arguments)
{
    const char *const stage = count == 2 ? arguments[1] : "";
    int failed = 1;
    if (strcmp(stage, "features") == 0) {
        failed = run_stream(0);
    } else if (strcmp(stage, "clip") == 0) {
        failed = run_stream(1);
    } else if (strcmp(stage, "scores") == 0) {
        failed = patch_scores();
    } else {
        (void)fputs("usage: aed_probe features|scores|clip < input > output\n", stderr);
    }
    return failed != 0 || fflush(stdout) != 0;
}
