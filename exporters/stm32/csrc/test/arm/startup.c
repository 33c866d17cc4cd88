#include "startup.h"

enum { ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

/* From the linker script. */
extern uint32_t port_stack_top[], port_data_load[], port_data[], port_data_end[], port_bss[], port_bss_end[];

int main(void);
void port_reset(void);

#define SYSTICK_CONTROL (*(volatile uint32_t *)0xE000E010U)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014U)
#define SYSTICK_NOW (*(volatile uint32_t *)0xE000E018U)
#define COPROCESSOR_ACCESS (*(volatile uint32_t *)0xE000ED88U)

int startup_semihosting(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void startup_finish(uint32_t code)
{
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, code};
    (void)startup_semihosting(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}

static void on_fault(void)
{
    (void)startup_semihosting(SYS_WRITE0, "# FAILED: the processor faulted\n");
    startup_finish(2);
}

typedef void (*handler)(void);

/* Stack, reset, faults, and the system timer as the sixteenth entry. */
const struct {
    uint32_t *stack;
    handler handlers[15];
} port_vectors __attribute__((used, section(".vectors"))) = {
    port_stack_top,
    {port_reset, on_fault, on_fault, on_fault, on_fault, on_fault, on_fault, 0, 0, 0, on_fault, on_fault, 0, on_fault,
     startup_tick},
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
    startup_finish((uint32_t)main());
}

void startup_timer(uint32_t ticks)
{
    SYSTICK_RELOAD = ticks - 1U;
    SYSTICK_NOW = 0;
    SYSTICK_CONTROL = 7; /* processor clock, interrupt, on */
    while (SYSTICK_NOW == 0) { /* until it has begun to count */
    }
}

uint32_t startup_timer_now(void)
{
    return SYSTICK_NOW;
}
