#include "ring.h"

#include <string.h>

#if RING_SLOTS < 2 || (RING_SLOTS & (RING_SLOTS - 1)) != 0
#error "RING_SLOTS must be a power of two, 2 or more: the counters wrap around"
#endif

/* One processor: its own accesses are in order, only the compiler must not move them. */
#define KEEP_ORDER() __asm__ volatile("" ::: "memory")

void ring_put(half_ring *ring, uint32_t second, const int16_t *words)
{
    if ((ring->arrived & 1U) != second) {
        ring->arrived++;
    }
    if (ring->put - ring->taken < RING_SLOTS) {
        const uint32_t slot = ring->put % RING_SLOTS;
        memcpy(ring->words[slot], words, sizeof ring->words[slot]);
        ring->number[slot] = ring->arrived;
        KEEP_ORDER();
        ring->put++;
    }
    ring->arrived++;
}

void ring_skip(half_ring *ring)
{
    ring->arrived = (ring->arrived + 2U) & ~1U;
}

const int16_t *ring_get(const half_ring *ring, uint32_t *number)
{
    if (ring->put == ring->taken) {
        return NULL;
    }
    KEEP_ORDER();
    const uint32_t slot = ring->taken % RING_SLOTS;
    *number = ring->number[slot];
    return ring->words[slot];
}

void ring_release(half_ring *ring)
{
    KEEP_ORDER();
    ring->taken++;
}

uint32_t ring_waiting(const half_ring *ring)
{
    return ring->put - ring->taken;
}
