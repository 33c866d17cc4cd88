/* A file in place of the microphone, for QEMU, and for a real board under a debugger that supports semihosting: 16-bit words,
   little endian, from `sound.raw` in the folder where QEMU or the debugger was started. The system timer interrupts as the
   microphone's DMA would; its interrupt reads the next half buffer and calls the application. */
#include "app.h"
#include "board.h"
#include "microphone.h"
#include "startup.h"

static int sound = -1;
static int16_t *buffer;
static uint32_t half;
static volatile bool ended;

void board_microphone_start(int16_t *words)
{
    static const char name[] = "sound.raw";
    const struct {
        const char *name;
        uint32_t mode; /* 1: "rb" */
        uint32_t length;
    } request = {name, 1, sizeof name - 1};
    sound = startup_semihosting(SYS_OPEN, &request);
    if (sound < 0) {
        board_write("# error: cannot read sound.raw\n");
        startup_finish(1);
    }
    board_write("# sound.raw: a start-up check, not from a microphone\n");
    buffer = words;
    startup_timer((uint32_t)((uint64_t)BOARD_CLOCK_HZ * MICROPHONE_SAMPLES / AED_SAMPLE_RATE_HZ));
}

bool board_microphone_runs(void)
{
    return !ended;
}

void startup_tick(void)
{
    const struct {
        int file;
        int16_t *words;
        uint32_t bytes;
    } request = {sound, buffer + half * MICROPHONE_WORDS, 2 * MICROPHONE_WORDS};
    /* The answer is the number of bytes that were not read. What is left at the end is less than a half buffer. */
    if (ended || startup_semihosting(SYS_READ, &request) != 0) {
        ended = true;
        return;
    }
    half = 1U - half;
    if (half == 1U) {
        app_microphone_half();
    } else {
        app_microphone_complete();
    }
}
