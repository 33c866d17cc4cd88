/* What the microphone delivers, and its conversion to samples at the model's rate. */
#ifndef MICROPHONE_H
#define MICROPHONE_H

#include <stdint.h>

#include "aed_status.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of MICROPHONE; none is 0, the value of a misspelt name. The rates are those of a model with 16 kHz. */
#define MICROPHONE_PCM 1        /* 16-bit samples, 16 kHz */
#define MICROPHONE_PCM_TRIPLE 2 /* 16-bit samples, 48 kHz */
#define MICROPHONE_PDM 3        /* bits at 1.024 MHz in words of 16, the first bit highest */

#ifndef MICROPHONE
#define MICROPHONE MICROPHONE_PCM
#endif

/* A half buffer in samples of the model: 20 ms, one frame of the frontend. */
#ifndef MICROPHONE_SAMPLES
#define MICROPHONE_SAMPLES AED_HOP
#endif

#if MICROPHONE == MICROPHONE_PCM
#define MICROPHONE_WORDS MICROPHONE_SAMPLES
#elif MICROPHONE == MICROPHONE_PCM_TRIPLE
#define MICROPHONE_WORDS (3U * MICROPHONE_SAMPLES)
#elif MICROPHONE == MICROPHONE_PDM
#define MICROPHONE_WORDS (4U * MICROPHONE_SAMPLES)
#else
#error "MICROPHONE is MICROPHONE_PCM, MICROPHONE_PCM_TRIPLE or MICROPHONE_PDM"
#endif

/* Begin a stream. The status is decimator_init's. */
aed_status microphone_init(void);

/* Convert a half buffer, MICROPHONE_WORDS words, to MICROPHONE_SAMPLES samples. Returns `words` itself where there is
   nothing to convert, else a buffer that the next call overwrites. */
const int16_t *microphone_convert(const int16_t *words);

#ifdef __cplusplus
}
#endif

#endif
