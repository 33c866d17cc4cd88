/* Process a recording as the device does: 16-bit little-endian mono samples at AED_SAMPLE_RATE_HZ on stdin, the lines of
   aed_lines.h on stdout.

       ffmpeg -v error -i dog.wav -f s16le -ac 1 -ar 16000 - | build/host/aed_run */
#include <stdio.h>

#include "aed_lines.h"
#include "aed_nn.h"
#include "aed_preproc.h"

enum { SAMPLES_AT_ONCE = 512 };

int main(void)
{
    static aed_preproc preproc;
    static aed_nn network;
    static int8_t input[AED_NN_INPUT_SIZE];
    int8_t scores[AED_NN_OUTPUT_SIZE];
    char line[AED_LINE_LENGTH];
    uint8_t bytes[2 * SAMPLES_AT_ONCE];
    int16_t samples[SAMPLES_AT_ONCE];
    uint32_t patch = 0;
    aed_level level;
    size_t count;
    if (aed_preproc_init(&preproc) != AED_OK) {
        (void)fputs("aed_run: the compiler's options change the rounding, see aed_math.h\n", stderr);
        return 1;
    }
    (void)puts(AED_RUN_HEADER);
    while ((count = fread(bytes, 2, SAMPLES_AT_ONCE, stdin)) > 0) {
        for (size_t i = 0; i < count; i++) {
            const uint32_t code = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
            samples[i] = (int16_t)(code < 32768U ? (int32_t)code : (int32_t)code - 65536);
        }
        for (uint32_t used = 0; used < count;) {
            used += aed_preproc_push(&preproc, samples + used, (uint32_t)count - used);
            if (aed_preproc_ready(&preproc)) {
                (void)aed_preproc_patch(&preproc, input, &level);
                if (aed_nn_run(&network, input, scores) != AED_OK) {
                    (void)fputs("aed_run: aed_model.c and aed_nn.c are of different versions\n", stderr);
                    return 1;
                }
                aed_put_line(line, patch++, scores);
                (void)fputs(line, stdout);
            }
        }
    }
    (void)printf("# end patches=%lu\n", (unsigned long)patch);
    return ferror(stdin) != 0 || fflush(stdout) != 0;
}
