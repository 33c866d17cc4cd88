/* Text output and instruction counter of the self-test for Cortex-M on QEMU. */
#include "port.h"

#include "startup.h"

enum { TICKS = 1 << 24 };

#define MARK 0xA5A5A5A5U

/* From the linker script. */
extern uint32_t port_stack_bottom[], port_stack_top[];

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

void port_mark_stack(void)
{
    uint32_t *end;
    __asm__ volatile("mov %0, sp" : "=r"(end));
    /* 64 bytes are left for the registers that this function saves. */
    for (volatile uint32_t *at = port_stack_bottom; at < end - 16; at++) {
        *at = MARK;
    }
}

uint32_t port_stack_used(void)
{
    const uint32_t *at = port_stack_bottom;
    while (at < port_stack_top && *at == MARK) {
        at++;
    }
    return (uint32_t)(port_stack_top - at) * 4U;
}
