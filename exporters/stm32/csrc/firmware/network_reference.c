#include "app_network.h"

#if AED_NETWORK == AED_NETWORK_REFERENCE

#include "aed_nn.h"

static aed_nn network;

aed_status app_network_init(void)
{
    return AED_OK;
}

aed_status app_network_run(const int8_t *input, int8_t *scores)
{
    return aed_nn_run(&network, input, scores);
}

#endif
