/* The network in plain C99 for checks: the same int8 scores as TensorFlow Lite Micro's reference kernels, bit for bit.
   It is portable and easy to read, but not fast; in a product, run the model with ST's runtime or CMSIS-NN.
   The layers, their weights and their offsets in the arena are in aed_model.c, which labeltool generates. */
#ifndef AED_NN_H
#define AED_NN_H

#include <stdint.h>

#include "aed_model.h"
#include "aed_status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum aed_nn_kind {
    AED_NN_CONVOLVE,        /* also the dense layer: a 1x1 convolution over its rows */
    AED_NN_CONVOLVE_DEPTH,  /* each input channel has its own filters */
    AED_NN_MAX_POOL,
    AED_NN_AVERAGE_POOL,    /* cells outside the input do not count */
    AED_NN_PAD,
    AED_NN_TRANSPOSE,
    AED_NN_CONCATENATE,     /* the channels of a second operand behind those of the first */
    AED_NN_ADD,
    AED_NN_MULTIPLY,
    AED_NN_MEAN,            /* over the columns */
    AED_NN_SOFTMAX,         /* over the channels */
    AED_NN_SIGMOID
};

/* Offsets that stand for the buffers of the caller and for the weights of the layer. */
#define AED_NN_AT_INPUT (-1)
#define AED_NN_AT_OUTPUT (-2)
#define AED_NN_AT_WEIGHTS (-3)

/* One layer. Tensors are rows x columns x channels; the channel index varies fastest. The value of a code is
   scale * (code - zero); the scales are folded into the multipliers, each `multiplier * 2^(shift - 31)`. */
struct aed_nn_layer {
    enum aed_nn_kind kind;
    int32_t in, second, out; /* offsets in the arena, or the values above */
    int32_t in_rows, in_columns, in_channels;
    int32_t out_rows, out_columns, out_channels;
    int32_t kernel_rows, kernel_columns;
    int32_t stride_rows, stride_columns; /* of AED_NN_TRANSPOSE: steps in the input from one output row, column, ... */
    int32_t stride_channels;             /* ... channel to the next */
    int32_t pad_rows, pad_columns;       /* cells before the first row and column; pad_channels: of AED_NN_PAD only */
    int32_t pad_channels;
    int32_t pad_value;      /* the code outside the input, for AED_NN_MAX_POOL and AED_NN_PAD */
    int32_t second_size;    /* elements of the second operand, which is repeated along the first; of
                               AED_NN_CONCATENATE: its channels */
    int32_t in_zero, second_zero, out_zero;
    int32_t low, high;      /* codes are clipped to these; AED_NN_SOFTMAX: a code at least -`low` below the largest
                               gives 0; AED_NN_SIGMOID: a code at least `high` from its zero gives 0 or 1 */
    const int8_t *weights;  /* filters x rows x columns x channels; of ADD, MULTIPLY: a constant second operand */
    const int32_t *bias;
    const int32_t *multipliers; /* one for each filter; of AED_NN_ADD: first operand, second operand, sum */
    const int8_t *shifts;
};

/* In aed_model.c. */
extern const struct aed_nn_layer aed_nn_layers[AED_NN_LAYERS];

/* Memory of a run; nothing of it must be kept between runs. Threads that run the network need one each. */
typedef struct {
    int8_t arena[AED_NN_ARENA_SIZE];
} aed_nn;

/* Run the network on one patch.
   input: AED_NN_INPUT_SIZE codes, not changed; output: AED_NN_OUTPUT_SIZE codes. They must not overlap.
   AED_ERROR_MODEL: aed_model.c uses a layer that aed_nn.c does not support (the files are of different versions). */
aed_status aed_nn_run(aed_nn *state, const int8_t *input, int8_t *output);

#ifdef __cplusplus
}
#endif

#endif
