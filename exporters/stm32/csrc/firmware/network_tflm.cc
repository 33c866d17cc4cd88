// The network in TensorFlow Lite Micro, with the operators of this model only (tflm_operators.h) and the model's file in
// flash (tflm_model.S).
#include "app_network.h"

#if AED_NETWORK == AED_NETWORK_TFLM

#include <cstring>

#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tflm_operators.h"

// The package's report.json has the size that TensorFlow Lite Micro itself gave, where it was installed.
#ifndef TFLM_ARENA_SIZE
#define TFLM_ARENA_SIZE (128U * 1024U)
#endif

extern "C" const unsigned char tflm_model[];

namespace {

alignas(16) std::uint8_t arena[TFLM_ARENA_SIZE];
tflite::MicroInterpreter *interpreter = nullptr;

bool is_int8(const TfLiteTensor *tensor, std::size_t count)
{
    return tensor->type == kTfLiteInt8 && tensor->bytes == count;
}

}  // namespace

aed_status app_network_init(void)
{
    static tflite::MicroMutableOpResolver<TFLM_OPERATORS> resolver;
    if (!TFLM_ADD_OPERATORS(resolver)) {
        return AED_ERROR_MODEL;
    }
    const tflite::Model *const model = tflite::GetModel(tflm_model);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        return AED_ERROR_MODEL;
    }
    static tflite::MicroInterpreter only(model, resolver, arena, sizeof arena);
    if (only.AllocateTensors() != kTfLiteOk || !is_int8(only.input(0), APP_NETWORK_INPUT) ||
        !is_int8(only.output(0), AED_LABELS)) {
        return AED_ERROR_MODEL;
    }
    interpreter = &only;
    return AED_OK;
}

aed_status app_network_run(const int8_t *input, int8_t *scores)
{
    std::memcpy(interpreter->input(0)->data.int8, input, APP_NETWORK_INPUT);
    if (interpreter->Invoke() != kTfLiteOk) {
        return AED_ERROR_MODEL;
    }
    std::memcpy(scores, interpreter->output(0)->data.int8, AED_LABELS);
    return AED_OK;
}

#endif
