/* Half buffers between the microphone's interrupt, which puts, and the main loop, which gets. When the ring is full, the
   half buffer that comes is dropped as a whole; the numbers of those that follow show the gap. That holds while interrupts
   are blocked for less than one half buffer (20 ms); where they are blocked longer, the DMA may have written into a half
   buffer before it is copied, and it is mixed unnoticed. */
#ifndef RING_H
#define RING_H

#include <stddef.h>
#include <stdint.h>

#include "microphone.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Number of half buffers that may come while the network runs; a power of two. */
#ifndef RING_SLOTS
#define RING_SLOTS 16U
#endif

typedef struct {
    volatile uint32_t put;        /* half buffers in the ring since the beginning; the interrupt's */
    volatile uint32_t taken;      /* half buffers taken since the beginning; the main loop's */
    volatile uint32_t arrived;    /* half buffers since the beginning, with those dropped; the interrupt's */
    uint32_t number[RING_SLOTS];  /* of each half buffer: how many came before it */
    int16_t words[RING_SLOTS][MICROPHONE_WORDS];
} half_ring;

/* Copy a half buffer into the ring, or drop it. `second`: which half of the microphone's buffer it is, 0 or 1. Halves
   come in turn: when one comes twice, the interrupt of the other was missed, and that one counts as dropped. Two missed
   interrupts in a row cannot be seen. */
void ring_put(half_ring *ring, uint32_t second, const int16_t *words);

/* The microphone starts anew, with its first half: what it lost in between, one or two half buffers or more, counts as
   dropped. Called like ring_put. */
void ring_skip(half_ring *ring);

/* The oldest half buffer and its number, or NULL; it stays until ring_release. */
const int16_t *ring_get(const half_ring *ring, uint32_t *number);
void ring_release(half_ring *ring);

/* Half buffers in the ring. */
uint32_t ring_waiting(const half_ring *ring);

#ifdef __cplusplus
}
#endif

#endif
