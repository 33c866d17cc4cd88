/* The network as `stedgeai generate --c-api legacy` writes it. ST's runtime needs the clock of the CRC unit: enable it in
   STM32CubeMX, or with __HAL_RCC_CRC_CLK_ENABLE(). */
#include "app_network.h"

#if AED_NETWORK == AED_NETWORK_LEGACY

#include <string.h>

#include "network.h"
#include "network_data.h"

/* These arrays have a size of -1 when the network was generated from another model, or not with int8 in and out. */
typedef char network_input_is_a_patch_in_int8[AI_NETWORK_IN_1_SIZE_BYTES == APP_NETWORK_INPUT ? 1 : -1];
typedef char network_output_is_the_labels_in_int8[AI_NETWORK_OUT_1_SIZE_BYTES == AED_LABELS ? 1 : -1];

AI_ALIGNED(32)
static ai_u8 activations[AI_NETWORK_DATA_ACTIVATIONS_SIZE];
static ai_handle network = AI_HANDLE_NULL;
static ai_buffer *inputs, *outputs;

aed_status app_network_init(void)
{
    const ai_handle buffers[] = {activations};
    const ai_error error = ai_network_create_and_init(&network, buffers, NULL);
    if (error.type != AI_ERROR_NONE) {
        return AED_ERROR_MODEL;
    }
    inputs = ai_network_inputs_get(network, NULL);
    outputs = ai_network_outputs_get(network, NULL);
    /* NULL where the network was generated without --allocate-inputs --allocate-outputs, which place input and output in
       the activations. */
    return inputs[0].data != NULL && outputs[0].data != NULL ? AED_OK : AED_ERROR_MODEL;
}

aed_status app_network_run(const int8_t *input, int8_t *scores)
{
    memcpy(inputs[0].data, input, APP_NETWORK_INPUT);
    if (ai_network_run(network, inputs, outputs) != 1) {
        return AED_ERROR_MODEL;
    }
    memcpy(scores, outputs[0].data, AED_LABELS);
    return AED_OK;
}

#endif
