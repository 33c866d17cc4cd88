/* The network, whichever runtime executes it. AED_NETWORK chooses; the files of the others compile to nothing. All take
   model/model_int8.tflite: int8 in, int8 out. */
#ifndef APP_NETWORK_H
#define APP_NETWORK_H

#include <stdint.h>

#include "aed_status.h"
#include "aed_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

#define AED_NETWORK_REFERENCE 1 /* aed_nn.c of this package: bit-exact and slow, for checks */
#define AED_NETWORK_STAI 2      /* `stedgeai generate`, the ST-AI API (the default since ST Edge AI Core 3.0) */
#define AED_NETWORK_LEGACY 3    /* `stedgeai generate --c-api legacy`, and STM32Cube.AI up to 10 */
#define AED_NETWORK_TFLM 4      /* TensorFlow Lite Micro */

#ifndef AED_NETWORK
#define AED_NETWORK AED_NETWORK_REFERENCE
#endif

#if AED_NETWORK < AED_NETWORK_REFERENCE || AED_NETWORK > AED_NETWORK_TFLM
#error "AED_NETWORK is AED_NETWORK_REFERENCE, AED_NETWORK_STAI, AED_NETWORK_LEGACY or AED_NETWORK_TFLM"
#endif

#define APP_NETWORK_INPUT (AED_N_MELS * AED_PATCH_FRAMES)

aed_status app_network_init(void);

/* Run the network on a patch of APP_NETWORK_INPUT codes; `scores` takes AED_LABELS codes. */
aed_status app_network_run(const int8_t *input, int8_t *scores);

#ifdef __cplusplus
}
#endif

#endif
