/* STM32U585 (and U575) with the clock it has after reset, 4 MHz: start, memory map and the log on USART1 (PA9, 115200 baud;
   the ST-LINK of the B-U585I-IOT02A). Compiled only: no emulator has a U5, and it was not run on hardware. For a product
   take the start-up, clocks and microphone of STM32CubeMX, with board_cubemx/board.c. */
#include "board.h"

/* Registers, RM0456. */
#define RCC_AHB2ENR1 (*(volatile uint32_t *)0x46020C8CU)
#define RCC_APB2ENR (*(volatile uint32_t *)0x46020CA4U)
#define GPIOA_MODER (*(volatile uint32_t *)0x42020000U)
#define GPIOA_AFRH (*(volatile uint32_t *)0x42020024U)
#define USART1_CR1 (*(volatile uint32_t *)0x40013800U)
#define USART1_BRR (*(volatile uint32_t *)0x4001380CU)
#define USART1_ISR (*(volatile uint32_t *)0x4001381CU)
#define USART1_TDR (*(volatile uint32_t *)0x40013828U)

void board_init(void)
{
    RCC_AHB2ENR1 |= 1U << 0;                                     /* GPIOA */
    RCC_APB2ENR |= 1U << 14;                                     /* USART1 */
    (void)RCC_APB2ENR;                                           /* a peripheral answers two cycles after its clock is on */
    GPIOA_AFRH = (GPIOA_AFRH & ~(0xFU << 4)) | (7U << 4);        /* PA9: alternate function 7, USART1_TX */
    GPIOA_MODER = (GPIOA_MODER & ~(3U << 18)) | (2U << 18);      /* PA9: alternate function */
    USART1_BRR = (BOARD_CLOCK_HZ + 115200U / 2U) / 115200U;
    USART1_CR1 = (1U << 3) | (1U << 0); /* transmitter and USART on */
}

void board_write(const char *text)
{
    while (*text != '\0') {
        while ((USART1_ISR & (1U << 7)) == 0) { /* transmit data register empty */
        }
        USART1_TDR = (uint8_t)*text++;
    }
}

void board_sleep(void)
{
    __asm__ volatile("wfi");
}
