/* The network as `stedgeai generate` writes it for the ST-AI API. ST's runtime needs the clock of the CRC unit: enable it
   in STM32CubeMX, or with __HAL_RCC_CRC_CLK_ENABLE(). */
#include "app_network.h"

#if AED_NETWORK == AED_NETWORK_STAI

#include <string.h>

/* `generate` writes network.h for Cortex-M, and stai_network.h for the NPU of the STM32N6. */
#ifndef STAI_NETWORK_HEADER
#define STAI_NETWORK_HEADER "network.h"
#endif
#include STAI_NETWORK_HEADER

/* These arrays have a size of -1 when the network was generated from another model, or not with int8 in and out. */
typedef char network_input_is_a_patch_in_int8[STAI_NETWORK_IN_1_SIZE_BYTES == APP_NETWORK_INPUT ? 1 : -1];
typedef char network_output_is_the_labels_in_int8[STAI_NETWORK_OUT_1_SIZE_BYTES == AED_LABELS ? 1 : -1];
typedef char network_has_one_activation_buffer[STAI_NETWORK_ACTIVATIONS_NUM == 1 ? 1 : -1];

STAI_ALIGNED(STAI_NETWORK_CONTEXT_ALIGNMENT)
static stai_network context[STAI_NETWORK_CONTEXT_SIZE];
STAI_ALIGNED(32)
static uint8_t activations[STAI_NETWORK_ACTIVATION_1_SIZE_BYTES];
static stai_ptr inputs[STAI_NETWORK_IN_NUM];
static stai_ptr outputs[STAI_NETWORK_OUT_NUM];

aed_status app_network_init(void)
{
    const stai_ptr buffers[] = {activations};
    stai_size count;
    if (stai_runtime_init() != STAI_SUCCESS || stai_network_init(context) != STAI_SUCCESS ||
        stai_network_set_activations(context, buffers, STAI_NETWORK_ACTIVATIONS_NUM) != STAI_SUCCESS ||
        stai_network_get_inputs(context, inputs, &count) != STAI_SUCCESS ||
        stai_network_get_outputs(context, outputs, &count) != STAI_SUCCESS) {
        return AED_ERROR_MODEL;
    }
    /* NULL where the network was generated without --allocate-inputs --allocate-outputs, which place input and output in
       the activations. */
    return inputs[0] != NULL && outputs[0] != NULL ? AED_OK : AED_ERROR_MODEL;
}

aed_status app_network_run(const int8_t *input, int8_t *scores)
{
    memcpy(inputs[0], input, APP_NETWORK_INPUT);
    if (stai_network_run(context, STAI_MODE_SYNC) != STAI_SUCCESS) {
        return AED_ERROR_MODEL;
    }
    memcpy(scores, outputs[0], AED_LABELS);
    return AED_OK;
}

#endif
