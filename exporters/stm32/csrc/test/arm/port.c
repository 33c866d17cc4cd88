/* Start, text output, exit and instruction counter for Cortex-M on QEMU, by semihosting. */
#include "port.h"

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

/* From the linker script. */
extern uint32_t port_stack_top[], port_data_load[], port_data[], port_data_end[], port_bss[], port_bss_end[];

int main(void);
void port_reset(void);

static volatile uint32_t wraps; /* of the 24-bit system timer */

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010U)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014U)
#define SYSTICK_NOW (*(volatile uint32_t *)0xE000E018U)
#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xE000ED88U)

static int semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void finish(uint32_t code)
{
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, code};
    (void)semihosting(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

static void on_fault(void)
{
    port_write("# FAILED: the processor faulted\n");
    finish(2);
}

static void on_tick(void)
{
    wraps++;
}

typedef void (*handler)(void);

/* Stack, reset, faults, and the system timer as the sixteenth entry. */
const struct {
    uint32_t *stack;
    handler handlers[15];
} port_vectors __attribute__((used, section(".vectors"))) = {
    port_stack_top,
    {port_reset, on_fault, on_fault, on_fault, on_fault, on_fault, on_fault, 0, 0, 0, on_fault, on_fault, 0, on_fault,
     on_tick},
};

void port_reset(void)
{
#ifdef __ARM_FP
    COPROCESSOR_ACCESS |= 0xFU << 20; /* the floating point unit is off after reset */
    __asm__ volatile("dsb\n isb" ::: "memory");
#endif
    const uint32_t *load = port_data_load;
    for (uint32_t *at = port_data; at < port_data_end; at++) {
        *at = *load++;
    }
    for (uint32_t *at = port_bss; at < port_bss_end; at++) {
        *at = 0;
    }
    SYSTICK_RELOAD = 0xFFFFFFU;
    SYSTICK_NOW = 0;
    SYSTICK_CONTROL = 7; /* processor clock, interrupt, on */
    finish((uint32_t)main());
}

void port_write(const char *text)
{
    (void)semihosting(SYS_WRITE0, text);
}

uint64_t port_instructions(void)
{
    uint32_t before, now;
    do {
        before = wraps;
        now = SYSTICK_NOW;
    } while (before != wraps);
    const uint64_t ticks = ((uint64_t)before << 24) + (0xFFFFFFU - now);
    /* `qemu -icount shift=0`: an instruction takes one nanosecond. */
    return ticks * 1000000000U / PORT_CLOCK_HZ;
}
