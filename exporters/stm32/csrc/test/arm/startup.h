/* Start of a program on Cortex-M, and semihosting: requests to QEMU, or to the debugger of a real board. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

enum {
    SYS_OPEN = 0x01,
    SYS_WRITE0 = 0x04,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20
};

int startup_semihosting(int operation, const void *argument);

/* Stops the machine, and QEMU with this exit code. */
void startup_finish(uint32_t code);

/* The system timer. `ticks` of the processor's clock pass between two calls of startup_tick, which the program defines. */
void startup_timer(uint32_t ticks);
uint32_t startup_timer_now(void); /* counts down from ticks - 1 */
void startup_tick(void);

#endif
