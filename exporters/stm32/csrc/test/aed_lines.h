/* The log format of aed_run and of firmware, which `labeltool import device` reads: AED_RUN_HEADER, then for each patch
   the second at which it begins and the network's int8 scores:

       # aed_run 1 model=0123456789abcdef labels=3 rate=16000 patch_s=1.044 patch_hop_s=0.5
       0.000000 -128 97 -97
       0.500000 -120 90 -98

   Other lines that begin with # are comments. No libc is used. */
#ifndef AED_LINES_H
#define AED_LINES_H

#include <stdint.h>

#include "aed_tables.h"

/* Size of a line with its terminating zero. */
#define AED_LINE_LENGTH (32U + 5U * AED_LABELS)

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

/* Write the line of a patch, patches counted from 0, with a line feed and a NUL at its end. */
static inline void aed_put_line(char *line, uint32_t patch, const int8_t *scores)
{
    const uint64_t sample = (uint64_t)patch * AED_PATCH_HOP * AED_HOP;
    line = aed_put_number(line, sample / AED_SAMPLE_RATE_HZ, 1);
    *line++ = '.';
    line = aed_put_number(line, sample % AED_SAMPLE_RATE_HZ * 1000000U / AED_SAMPLE_RATE_HZ, 6);
    for (uint32_t label = 0; label < AED_LABELS; label++) {
        const int32_t score = scores[label];
        *line++ = ' ';
        if (score < 0) {
            *line++ = '-';
        }
        line = aed_put_number(line, (uint64_t)(score < 0 ? -score : score), 1);
    }
    *line++ = '\n';
    *line = '\0';
}

#endif
