/* The log format of aed_run and of firmware, which `labeltool import device` reads: AED_RUN_HEADER, for each patch the
   second at which it begins and the network's int8 scores, and for each event, when it has ended, its label (counted from
   0), start and end in seconds and its largest smoothed probability:

       # aed_run 2 model=0123456789abcdef labels=3 rate=16000 patch_s=1.044 patch_hop_s=0.5
       0.000000 -128 97 -97
       0.500000 -120 90 -98
       event 1 0.000000 1.544000 0.871

   Other lines that begin with # are comments; firmware that lost samples writes `# late HALF_BUFFERS START END`. No libc
   is used. */
#ifndef AED_LINES_H
#define AED_LINES_H

#include <stdint.h>

#include "aed_stream.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Size of a line with its terminating zero. */
#define AED_LINE_LENGTH (96U + 5U * AED_LABELS)

/* Write a number in decimal with leading zeros up to `digits`, and return its end. */
static inline char *aed_put_number(char *at, uint64_t number, uint32_t digits)
{
    char backwards[20];
    uint32_t n = 0;
    do {
        backwards[n++] = (char)('0' + (char)(number % 10U));
        number /= 10U;
    } while (number > 0 || n < digits);
    while (n > 0) {
        *at++ = backwards[--n];
    }
    *at = '\0';
    return at;
}

/* Append a text, and return its end. */
static inline char *aed_put_text(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    *at = '\0';
    return at;
}

/* Write the time of a sample in seconds, with six decimals, and return its end. */
static inline char *aed_put_time(char *at, uint64_t sample)
{
    at = aed_put_text(aed_put_number(at, sample / AED_SAMPLE_RATE_HZ, 1), ".");
    return aed_put_number(at, sample % AED_SAMPLE_RATE_HZ * 1000000U / AED_SAMPLE_RATE_HZ, 6);
}

/* Write the line of a patch, patches counted from 0, with a line feed and a NUL at its end. */
static inline void aed_put_line(char *line, uint32_t patch, const int8_t *scores)
{
    line = aed_put_time(line, (uint64_t)patch * AED_PATCH_HOP * AED_HOP);
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const int32_t score = scores[label];
        line = aed_put_text(line, score < 0 ? " -" : " ");
        line = aed_put_number(line, (uint64_t)(score < 0 ? -score : score), 1);
    }
    (void)aed_put_text(line, "\n");
}

/* Write the line of an event. It ends with its last patch. */
static inline void aed_put_event(char *line, const aed_event *event)
{
    const uint64_t last = (uint64_t)event->last_patch * AED_PATCH_HOP * AED_HOP;
    const uint32_t peak = (uint32_t)(event->peak * 1000.0F + 0.5F);
    line = aed_put_number(aed_put_text(line, "event "), (uint64_t)event->label, 1);
    line = aed_put_time(aed_put_text(line, " "), (uint64_t)event->first_patch * AED_PATCH_HOP * AED_HOP);
    line = aed_put_time(aed_put_text(line, " "), last + (AED_PATCH_FRAMES - 1) * AED_HOP + AED_N_FFT);
    line = aed_put_number(aed_put_text(line, " "), peak / 1000U, 1);
    line = aed_put_number(aed_put_text(line, "."), peak % 1000U, 3);
    (void)aed_put_text(line, "\n");
}

#ifdef __cplusplus
}
#endif

#endif
