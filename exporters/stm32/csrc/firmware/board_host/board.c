/* This machine as a board, for tests: the sound is a file of 16-bit words, little endian, whose name is in the environment
   variable SOUND; the log is the standard output. A half buffer comes whenever the application sleeps, so it is never
   late. */
#include "board.h"

#include <stdio.h>
#include <stdlib.h>

#include "app.h"
#include "microphone.h"

static FILE *sound;
static int16_t *buffer;
static uint32_t half;

void board_init(void)
{
}

void board_microphone_start(int16_t *words)
{
    const char *const name = getenv("SOUND");
    sound = name != NULL ? fopen(name, "rb") : NULL;
    if (sound == NULL) {
        board_write("# error: no sound (SOUND names the file)\n");
        exit(EXIT_FAILURE);
    }
    buffer = words;
}

bool board_microphone_runs(void)
{
    return sound != NULL;
}

void board_write(const char *text)
{
    (void)fputs(text, stdout);
}

/* As much of the sound as fills a half buffer; what is left at its end is less, and not delivered. */
void board_sleep(void)
{
    uint8_t bytes[2 * MICROPHONE_WORDS];
    if (fread(bytes, sizeof bytes, 1, sound) != 1) {
        (void)fclose(sound);
        sound = NULL;
        return;
    }
    for (uint32_t i = 0; i < MICROPHONE_WORDS; i++) {
        const uint32_t code = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        buffer[half * MICROPHONE_WORDS + i] = (int16_t)(code < 32768U ? (int32_t)code : (int32_t)code - 65536);
    }
    half = 1U - half;
    if (half == 1U) {
        app_microphone_half();
    } else {
        app_microphone_complete();
    }
}
