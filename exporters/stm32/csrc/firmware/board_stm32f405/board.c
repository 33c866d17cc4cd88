/* STM32F405 (and F407, F415, F417) with the clock it has after reset, 16 MHz: start, memory map and the log on USART1 (PA9,
   115200 baud). Run in QEMU (netduinoplus2), not on hardware. For a product take the start-up, clocks and microphone of
   STM32CubeMX, with board_cubemx/board.c. */
#include "board.h"

/* Registers, RM0090. */
#define RCC_AHB1ENR (*(volatile uint32_t *)0x40023830U)
#define RCC_APB2ENR (*(volatile uint32_t *)0x40023844U)
#define GPIOA_MODER (*(volatile uint32_t *)0x40020000U)
#define GPIOA_AFRH (*(volatile uint32_t *)0x40020024U)
#define USART1_SR (*(volatile uint32_t *)0x40011000U)
#define USART1_DR (*(volatile uint32_t *)0x40011004U)
#define USART1_BRR (*(volatile uint32_t *)0x40011008U)
#define USART1_CR1 (*(volatile uint32_t *)0x4001100CU)

void board_init(void)
{
    RCC_AHB1ENR |= 1U << 0;                                      /* GPIOA */
    RCC_APB2ENR |= 1U << 4;                                      /* USART1 */
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFU << 4)) | (7U << 4);        /* PA9: alternate function 7, USART1_TX */
    GPIOA_MODER = (GPIOA_MODER & ~(3U << 18)) | (2U << 18);      /* PA9: alternate function */
    USART1_BRR = (BOARD_CLOCK_HZ + 115200U / 2U) / 115200U;
    USART1_CR1 = (1U << 13) | (1U << 3); /* USART and transmitter on */
}

void board_write(const char *text)
{
    while (*text != '\0') {
        while ((USART1_SR & (1U << 7)) == 0) { /* transmit data register empty */
        }
        USART1_DR = (uint8_t)*text++;
    }
}

void board_sleep(void)
{
    __asm__ volatile("wfi");
}
