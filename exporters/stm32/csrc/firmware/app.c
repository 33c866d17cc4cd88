#include "app.h"

#include <string.h>

#include "aed_lines.h"
#include "aed_preproc.h"
#include "aed_stream.h"
#include "app_network.h"
#include "board.h"
#include "microphone.h"
#include "ring.h"

/* Samples from the start of a patch to the start of the next. */
#define PATCH_STEP (AED_PATCH_HOP * AED_HOP)

/* Gaps with hardly a patch between them, after which the log calls the processor too slow. */
#define LASTING_GAPS 3U

/* An attribute that places the buffer which the DMA writes, where the processor has a data cache. */
#ifndef APP_DMA_SECTION
#define APP_DMA_SECTION
#endif

APP_DMA_SECTION static int16_t microphone_buffer[2 * MICROPHONE_WORDS];
static half_ring ring;
static aed_preproc preproc;
static aed_stream stream;
static int8_t input[APP_NETWORK_INPUT];
static char line[AED_LINE_LENGTH];

static uint32_t next_half;    /* number of the half buffer that comes next, unless some were dropped */
static uint32_t next_patch;   /* number of the patch that comes next */
static uint32_t stream_patch; /* number of the first patch of the stream; the streaming rule counts from there */
static uint32_t to_skip;      /* samples before the next patch that no patch needs */
static uint32_t patches;      /* patches since the beginning */
static uint32_t most_waiting; /* half buffers that waited in the ring, at most */
static uint32_t gaps;         /* gaps since the main loop last kept up */
static uint32_t logged;       /* restarts of the microphone that the log has */

static volatile uint32_t restarts; /* of the microphone; the interrupt's */

void app_microphone_half(void)
{
    ring_put(&ring, 0, microphone_buffer);
}

void app_microphone_complete(void)
{
    ring_put(&ring, 1, microphone_buffer + MICROPHONE_WORDS);
}

void app_microphone_restarts(void)
{
    ring_skip(&ring);
    restarts++;
}

/* Write a comment line: a text, a number, a text. */
static void write_comment(const char *before, uint32_t number, const char *after)
{
    (void)aed_put_text(aed_put_number(aed_put_text(line, before), number, 1), after);
    board_write(line);
}

/* Begin with the first patch that starts at this sample or later. */
static aed_status begin(uint64_t sample)
{
    const uint64_t patch = (sample + PATCH_STEP - 1) / PATCH_STEP;
    next_patch = stream_patch = (uint32_t)patch;
    to_skip = (uint32_t)(patch * PATCH_STEP - sample);
    aed_status status = microphone_init();
    if (status == AED_OK) {
        status = aed_preproc_init(&preproc);
    }
    return status != AED_OK ? status : aed_stream_init(&stream);
}

static void write_events(const aed_event *events, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        aed_event event = events[i];
        event.first_patch += stream_patch;
        event.last_patch += stream_patch;
        aed_put_event(line, &event);
        board_write(line);
    }
}

static aed_status end_stream(void)
{
    aed_event events[AED_LABELS];
    uint32_t count = 0;
    const aed_status status = aed_stream_end(&stream, events, &count);
    write_events(events, count);
    return status;
}

static aed_status process_patch(void)
{
    aed_level level;
    int8_t scores[AED_LABELS];
    aed_event events[AED_LABELS];
    uint32_t count = 0;
    aed_status status = aed_preproc_patch(&preproc, input, &level);
    if (status == AED_OK) {
        status = app_network_run(input, scores);
    }
    if (status == AED_OK) {
        status = aed_stream_push(&stream, scores, &level, NULL, events, &count);
    }
    if (status == AED_OK) {
        aed_put_line(line, next_patch++, scores);
        board_write(line);
        write_events(events, count);
        patches++;
    }
    return status;
}

static aed_status process_samples(const int16_t *samples, uint32_t count)
{
    const uint32_t skipped = to_skip < count ? to_skip : count;
    to_skip -= skipped;
    aed_status status = AED_OK;
    for (uint32_t used = skipped; used < count && status == AED_OK;) {
        used += aed_preproc_push(&preproc, samples + used, count - used);
        if (aed_preproc_ready(&preproc)) {
            status = process_patch();
        }
    }
    return status;
}

/* Half buffers from next_half up to `number` were dropped. */
static aed_status bridge_gap(uint32_t number)
{
    const uint64_t start = (uint64_t)next_half * MICROPHONE_SAMPLES, end = (uint64_t)number * MICROPHONE_SAMPLES;
    const aed_status status = end_stream();
    char *at = aed_put_number(aed_put_text(line, "# late "), number - next_half, 1);
    at = aed_put_time(aed_put_text(at, " "), start);
    at = aed_put_time(aed_put_text(at, " "), end);
    (void)aed_put_text(at, "\n");
    board_write(line);
    if (++gaps == LASTING_GAPS) {
        write_comment("# too slow: ", LASTING_GAPS, " gaps in a row\n");
    }
    return status != AED_OK ? status : begin(end);
}

/* A line whenever more than half of the ring was full, and more than before: the main loop was nearly late. */
static void watch_ring(void)
{
    const uint32_t waiting = ring_waiting(&ring);
    if (waiting > RING_SLOTS / 2 && waiting > most_waiting) {
        most_waiting = waiting;
        char *at = aed_put_number(aed_put_text(line, "# waiting "), waiting, 1);
        at = aed_put_number(aed_put_text(at, " of "), RING_SLOTS, 1);
        (void)aed_put_text(at, "\n");
        board_write(line);
    }
}

aed_status app_start(void)
{
    board_write(AED_RUN_HEADER "\n");
    aed_status status = app_network_init();
    if (status == AED_OK) {
        status = begin(0);
    }
    if (status == AED_OK) {
        board_microphone_start(microphone_buffer);
    }
    return status;
}

static aed_status process_half(void)
{
    uint32_t number;
    const int16_t *words = ring_get(&ring, &number);
    if (words == NULL) {
        return AED_OK;
    }
    watch_ring();
    aed_status status = AED_OK;
    if (number != next_half) {
        status = bridge_gap(number);
    }
    next_half = number + 1;
    if (status == AED_OK) {
        status = process_samples(microphone_convert(words), MICROPHONE_SAMPLES);
    }
    ring_release(&ring);
    return status;
}

aed_status app_step(void)
{
    if (logged != restarts) {
        logged++;
        board_write("# microphone restarted\n");
    }
    if (ring_waiting(&ring) == 0) {
        if (next_patch - stream_patch >= 2) {
            gaps = 0;
        }
        board_sleep();
    }
    return process_half();
}

aed_status app_end(void)
{
    aed_status status = AED_OK;
    while (status == AED_OK && ring_waiting(&ring) > 0) {
        status = process_half();
    }
    if (status == AED_OK && ring.arrived != next_half) {
        status = bridge_gap(ring.arrived);
    }
    if (status == AED_OK) {
        status = end_stream();
    }
    write_comment("# end patches=", patches, "\n");
    return status;
}

void app_report(aed_status status)
{
    static const char *const names[] = {"none", "argument", "not ready", "network"};
    board_write("# error: ");
    board_write(names[status]);
    board_write("\n");
}
