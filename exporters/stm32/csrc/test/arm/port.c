/* Text output and instruction counter of the self-test for Cortex-M on QEMU. */
#include "port.h"

#include "startup.h"

enum { TICKS = 1 << 24 };

static volatile uint32_t wraps; /* of the 24-bit system timer */

void startup_tick(void)
{
    wraps++;
}

void port_write(const char *text)
{
    (void)startup_semihosting(SYS_WRITE0, text);
}

uint64_t port_instructions(void)
{
    static uint32_t is_on;
    if (!is_on) {
        is_on = 1;
        startup_timer(TICKS);
    }
    uint32_t before, now;
    do {
        before = wraps;
        now = startup_timer_now();
    } while (before != wraps);
    const uint64_t ticks = ((uint64_t)before << 24) + (TICKS - 1U - now);
    /* `qemu -icount shift=0`: an instruction takes one nanosecond. */
    return ticks * 1000000000U / PORT_CLOCK_HZ;
}
