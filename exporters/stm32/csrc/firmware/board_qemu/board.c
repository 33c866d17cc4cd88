/* QEMU's mps2-an386 (Cortex-M4) and mps2-an505 (Cortex-M33): the log goes to the first UART of the machine. */
#include "board.h"

/* CMSDK UART: data, state (bit 0: transmitter full), control (bit 0: transmitter on), interrupts, divider. */
#define UART_DATA (*(volatile uint32_t *)(BOARD_UART + 0x00U))
#define UART_STATE (*(volatile uint32_t *)(BOARD_UART + 0x04U))
#define UART_CONTROL (*(volatile uint32_t *)(BOARD_UART + 0x08U))
#define UART_DIVIDER (*(volatile uint32_t *)(BOARD_UART + 0x10U))

void board_init(void)
{
    UART_DIVIDER = BOARD_CLOCK_HZ / 115200U;
    UART_CONTROL = 1U;
}

void board_write(const char *text)
{
    while (*text != '\0') {
        while ((UART_STATE & 1U) != 0) {
        }
        UART_DATA = (uint8_t)*text++;
    }
}

void board_sleep(void)
{
    __asm__ volatile("wfi");
}
