/* From the bits of a PDM microphone to 16-bit samples: 64 bits for each sample, so a clock of 1.024 MHz for 16 kHz.

   A CIC filter takes 16 bits for a sample (5 integrators at the rate of the bits, 5 differences after it), the decimator
   4 of these for a sample. In integers; labeltool computes the same in NumPy. STM32 with a DFSDM, MDF or ADF do this in
   hardware: use that where there is one, and feed its samples as PCM. */
#ifndef PDM_H
#define PDM_H

#include <stdint.h>

#include "decimate.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PDM_ORDER 5U
#define PDM_WORDS_PER_SAMPLE 4U

/* Samples are multiplied by 2^PDM_GAIN_BITS, 0 to 5, before they are cut to 16 bits: MEMS microphones give -26 dBFS at
   94 dB SPL, so speech at 60 dB would use 7 bits of the 16. */
#ifndef PDM_GAIN_BITS
#define PDM_GAIN_BITS 0U
#endif

typedef struct {
    uint32_t integrators[PDM_ORDER]; /* modulo 2^32, which the differences undo */
    uint32_t differences[PDM_ORDER];
    decimator filter;
} pdm_state;

/* Begin a stream. The status is decimator_init's. */
aed_status pdm_init(pdm_state *state);

/* Convert `count` words of 16 bits, the first bit in the highest place (as SPI and I2S receive them); `out` takes
   count / PDM_WORDS_PER_SAMPLE samples, rounded up. Returns how many were written. */
uint32_t pdm_push(pdm_state *state, const int16_t *words, uint32_t count, int16_t *out);

#ifdef __cplusplus
}
#endif

#endif
