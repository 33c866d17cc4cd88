#include "microphone.h"

#if MICROPHONE == MICROPHONE_PCM

aed_status microphone_init(void)
{
    return AED_OK;
}

const int16_t *microphone_convert(const int16_t *words)
{
    return words;
}

#elif MICROPHONE == MICROPHONE_PCM_TRIPLE

#include "decimate.h"
#include "microphone_taps.h"

static decimator filter;
static int16_t samples[MICROPHONE_SAMPLES];

aed_status microphone_init(void)
{
    return decimator_init(&filter, triple_taps, TRIPLE_TAPS, TRIPLE_FACTOR);
}

const int16_t *microphone_convert(const int16_t *words)
{
    (void)decimator_push(&filter, words, MICROPHONE_WORDS, samples);
    return samples;
}

#else

#include "pdm.h"

static pdm_state filter;
static int16_t samples[MICROPHONE_SAMPLES];

aed_status microphone_init(void)
{
    return pdm_init(&filter);
}

const int16_t *microphone_convert(const int16_t *words)
{
    (void)pdm_push(&filter, words, MICROPHONE_WORDS, samples);
    return samples;
}

#endif
