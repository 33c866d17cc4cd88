/* Compares the results for real recordings with labeltool's: the codes of the frontend bit for bit (by CRC-32), the
   scores bit for bit, the probabilities of the clips, the order of the labels. Prints the lines of aed_run and comments;
   the output is the same on every machine, except for the lines of instructions and stack. */
#include <stddef.h>
#include <string.h>

#include "aed_lines.h"
#include "aed_nn.h"
#include "aed_postproc.h"
#include "aed_preproc.h"
#include "aed_stream.h"
#include "golden_pcm.h"
#include "golden_scores.h"
#include "port.h"

#if AED_NN_INPUT_SIZE != AED_N_MELS * AED_PATCH_FRAMES || AED_NN_OUTPUT_SIZE != AED_LABELS
#error "aed_model.h and aed_tables.h are of different models"
#endif

/* Tolerance of the probabilities: computed in float32 here, in float64 in labeltool. */
#define TOLERANCE 1e-4F

static aed_preproc preproc;
static aed_nn network;
static aed_stream stream;
static int8_t input[AED_NN_INPUT_SIZE];
static int8_t scores[AED_NN_OUTPUT_SIZE];
static uint32_t failures;

/* CRC-32 as zlib computes it; begin with 0. */
static uint32_t crc32(uint32_t crc, const void *data, uint32_t size)
{
    const uint8_t *bytes = (const uint8_t *)data;
    crc = ~crc;
    while (size-- > 0) {
        crc ^= *bytes++;
        for (uint32_t bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1U ? 0xEDB88320U : 0U);
        }
    }
    return ~crc;
}

static void comment(const char *what, uint64_t number)
{
    char line[24];
    port_write(what);
    char *end = aed_put_number(line, number, 1);
    *end++ = '\n';
    *end = '\0';
    port_write(line);
}

static void check(int passed, const char *what, uint32_t index)
{
    if (!passed) {
        failures++;
        port_write("# FAILED: ");
        comment(what, index);
    }
}

static void check_labels(void)
{
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const char *const name = golden_labels[label];
        check(strcmp(aed_labels[label], name) == 0, "order of the labels in aed_tables.c, label ", label);
        comment("# label ", crc32(0, aed_labels[label], (uint32_t)strlen(aed_labels[label])));
    }
}

static void check_patch(uint32_t clip, uint32_t patch, aed_clip *state)
{
    char line[AED_LINE_LENGTH];
    aed_level level;
    const uint32_t index = clip * GOLDEN_PATCHES + patch;
    check(aed_preproc_patch(&preproc, input, &level) == AED_OK, "complete patch, patch ", index);
    const uint32_t codes = crc32(0, input, sizeof input);
    comment("# codes ", codes);
    check(codes == golden_codes[clip][patch], "features, patch ", index);
    check(aed_nn_run(&network, input, scores) == AED_OK, "layers supported by aed_nn.c, patch ", index);
    check(memcmp(scores, golden_scores[clip][patch], sizeof scores) == 0, "scores, patch ", index);
    aed_put_line(line, patch, scores);
    port_write(line);
    check(aed_clip_push(state, scores, &level) == AED_OK, "clip rule, patch ", index);
}

static void check_clip(uint32_t clip)
{
    /* Blocks of different sizes: one sample, a few, more than a frame. */
    static const uint32_t pieces[] = {1, 7, 160, 333, 2049};
    float probabilities[AED_LABELS];
    aed_clip state;
    uint32_t patch = 0, turn = 0;
    if (aed_preproc_init(&preproc) != AED_OK || aed_clip_init(&state) != AED_OK) {
        check(0, "compiler options (see aed_math.h), clip ", clip);
        return;
    }
    for (uint32_t sample = 0; sample < GOLDEN_SAMPLES;) {
        uint32_t piece = pieces[turn++ % (sizeof pieces / sizeof *pieces)];
        piece = piece < GOLDEN_SAMPLES - sample ? piece : GOLDEN_SAMPLES - sample;
        sample += aed_preproc_push(&preproc, golden_pcm[clip] + sample, piece);
        if (aed_preproc_ready(&preproc)) {
            check(patch < GOLDEN_PATCHES, "number of patches, clip ", clip);
            if (patch < GOLDEN_PATCHES) {
                check_patch(clip, patch++, &state);
            }
        }
    }
    check(patch == GOLDEN_PATCHES, "number of patches, clip ", clip);
    check(aed_clip_probabilities(&state, probabilities) == AED_OK, "probabilities, clip ", clip);
    comment("# probabilities ", crc32(0, probabilities, sizeof probabilities));
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const float off = probabilities[label] - golden_probabilities[clip][label];
        check(off < TOLERANCE && off > -TOLERANCE, "clip rule, clip ", clip);
    }
}

/* Instructions of the frontend for a first patch of new frames, for the new frames of the next patch, and of the
   network; the stack that they need. */
static void count_instructions(void)
{
    const uint32_t first = AED_WINDOW + (AED_PATCH_FRAMES - 1) * AED_HOP;
    aed_level level;
    aed_event events[AED_LABELS];
    uint32_t count;
    port_mark_stack();
    const uint64_t start = port_instructions();
    (void)aed_preproc_init(&preproc);
    (void)aed_preproc_push(&preproc, golden_pcm[0], first);
    (void)aed_preproc_patch(&preproc, input, &level);
    const uint64_t fresh = port_instructions();
    (void)aed_preproc_push(&preproc, golden_pcm[0] + first, GOLDEN_SAMPLES - first);
    (void)aed_preproc_patch(&preproc, input, &level);
    const uint64_t next = port_instructions();
    (void)aed_nn_run(&network, input, scores);
    const uint64_t done = port_instructions();
    (void)aed_stream_init(&stream);
    (void)aed_stream_push(&stream, scores, &level, NULL, events, &count);
    (void)aed_stream_end(&stream, events, &count);
    if (done > 0) {
        comment("# instructions first_patch ", fresh - start);
        comment("# instructions next_patch ", next - fresh);
        comment("# instructions network ", done - next);
        comment("# stack ", port_stack_used());
    }
}

int main(void)
{
    port_write(AED_RUN_HEADER "\n");
    check_labels();
    for (uint32_t clip = 0; clip < GOLDEN_CLIPS; clip++) {
        check_clip(clip);
    }
    count_instructions();
    comment("# failed checks: ", failures);
    return failures != 0;
}
