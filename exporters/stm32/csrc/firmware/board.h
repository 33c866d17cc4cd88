/* What the firmware needs of a board. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Clocks, pins, UART. */
void board_init(void);

/* Start the microphone. From now on 2 * MICROPHONE_WORDS words are written to `words`, over and over; after each first
   half app_microphone_half is called, after each second half app_microphone_complete, from one interrupt. */
void board_microphone_start(int16_t *words);

/* Whether the microphone goes on: true for ever, except where its sound comes from a file. */
bool board_microphone_runs(void);

/* Write a text to the UART; returns when it is on its way. */
void board_write(const char *text);

/* Wait for an interrupt. One that came just before may be missed; the next half buffer ends the wait. */
void board_sleep(void);

#ifdef __cplusplus
}
#endif

#endif
