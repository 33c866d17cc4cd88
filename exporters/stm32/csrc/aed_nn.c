/* See aed_nn.h. The integer arithmetic follows B. Jacob et al., "Quantization and Training of Neural Networks for
   Efficient Integer-Arithmetic-Only Inference", CVPR 2018, section 2 and appendix A, with the roundings of TensorFlow
   Lite Micro's reference kernels.

   An output may overlap the input of its layer and begins a few bytes before it: every kernel runs forward, pixel by
   pixel, and the memory plan keeps the necessary distance. So no kernel may read an input behind its current pixel. */
#include "aed_nn.h"

#include <stddef.h>
#include <string.h>

/* ---- fixed point ---- */

/* The two's complement number with these bits. C leaves it to the compiler what a conversion and a right shift do. */
static int32_t as_signed(uint32_t bits)
{
    int32_t number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* a * b / 2^31, rounded to the nearest, halves up. Overflows only if both operands are -2^31, which never occurs. */
static int32_t high_product(int32_t a, int32_t b)
{
    const int64_t rounded = (int64_t)a * b + ((int64_t)1 << 30);
    return as_signed((uint32_t)((uint64_t)rounded >> 31));
}

/* x / 2^power, rounded to the nearest, halves away from zero. */
static int32_t halve(int32_t x, int32_t power)
{
    if (power == 0) {
        return x;
    }
    const uint64_t size = x < 0 ? 0U - (uint32_t)x : (uint32_t)x;
    const int32_t halved = (int32_t)((size + ((uint64_t)1 << (power - 1))) >> power);
    return x < 0 ? -halved : halved;
}

/* x * 2^power, saturated. */
static int32_t doubled(int32_t x, int32_t power)
{
    const int64_t y = (int64_t)x * ((int64_t)1 << power);
    if (y > INT32_MAX) {
        return INT32_MAX;
    }
    return y < INT32_MIN ? INT32_MIN : (int32_t)y;
}

/* x * multiplier * 2^(shift - 31). The product is rounded before the shift and by the shift, as in the reference. */
static int32_t scaled(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift > 0) {
        /* Unsigned, so that an overflow wraps, as in the reference, instead of being undefined. */
        return high_product(as_signed((uint32_t)x << shift), multiplier);
    }
    return halve(high_product(x, multiplier), -shift);
}

static int8_t clamped(int32_t code, int32_t low, int32_t high)
{
    const int32_t at_least_low = code < low ? low : code;
    return (int8_t)(at_least_low > high ? high : at_least_low);
}

/* exp(x) for x <= 0: x has four or five integer bits, the result is in 2^-31.
   The part of x below a quarter uses a Taylor series around -1/8; each higher bit multiplies by its own power. */
static int32_t exp_of_negative(int32_t x, int32_t integer_bits)
{
    static const int32_t powers[] = {/* exp(-1/4), exp(-1/2), exp(-1) ... exp(-16), in 2^-31 */
                                     1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t exp_of_eighth = 1895147668, third = 715827883; /* exp(-1/8), 1/3 */
    const int32_t quarter = (int32_t)1 << (29 - integer_bits);
    if (x == 0) {
        return INT32_MAX;
    }
    /* -1/4 <= rest < 0, and x - rest a whole number of quarters. */
    const int32_t rest = (x & (quarter - 1)) - quarter;
    const int32_t t = doubled(rest, integer_bits) + ((int32_t)1 << 28); /* rest + 1/8, in 2^-31 */
    const int32_t t2 = high_product(t, t);
    const int32_t t3 = high_product(t2, t);
    const int32_t t4 = high_product(t2, t2);
    /* t^4/24 + t^3/6 + t^2/2 */
    const int32_t tail = halve(high_product(halve(t4, 2) + t3, third) + t2, 1);
    int32_t result = exp_of_eighth + high_product(exp_of_eighth, t + tail);
    const int32_t quarters = rest - x;
    for (int32_t bit = 0; bit < integer_bits + 2; bit++) {
        if (quarters & (quarter << bit)) {
            result = high_product(result, powers[bit]);
        }
    }
    return result;
}

/* 1 / (1 + x) for 0 <= x < 1, both in 2^-31: three steps of Newton's method on half the denominator. */
static int32_t reciprocal_of_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    /* From here on in 2^-29: 48/17 - 32/17 d is the best linear approximation of 1/d between 1/2 and 1. */
    const int32_t one = (int32_t)1 << 29;
    int32_t y = 1515870810 + high_product(half_denominator, -1010580540);
    for (int32_t step = 0; step < 3; step++) {
        y += doubled(high_product(y, one - high_product(half_denominator, y)), 2);
    }
    return doubled(y, 1);
}

/* ---- layers ---- */

static void convolve(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    const int32_t filter_size = l->kernel_rows * l->kernel_columns * l->in_channels;
    for (int32_t row = 0; row < l->out_rows; row++) {
        for (int32_t column = 0; column < l->out_columns; column++) {
            const int32_t top = row * l->stride_rows - l->pad_rows;
            const int32_t left = column * l->stride_columns - l->pad_columns;
            const int32_t first_row = top < 0 ? -top : 0;
            const int32_t last_row = top + l->kernel_rows > l->in_rows ? l->in_rows - top : l->kernel_rows;
            const int32_t first_column = left < 0 ? -left : 0;
            const int32_t last_column =
                left + l->kernel_columns > l->in_columns ? l->in_columns - left : l->kernel_columns;
            /* Within a row of the kernel, input and weights are contiguous. */
            const int32_t run = (last_column - first_column) * l->in_channels;
            for (int32_t filter = 0; filter < l->out_channels; filter++) {
                int32_t sum = l->bias[filter];
                for (int32_t k = first_row; k < last_row; k++) {
                    const int8_t *a = in + ((top + k) * l->in_columns + left + first_column) * l->in_channels;
                    const int8_t *w = l->weights + filter * filter_size +
                                      (k * l->kernel_columns + first_column) * l->in_channels;
                    for (int32_t i = 0; i < run; i++) {
                        sum += w[i] * (a[i] - l->in_zero);
                    }
                }
                *out++ = clamped(scaled(sum, l->multipliers[filter], l->shifts[filter]) + l->out_zero, l->low, l->high);
            }
        }
    }
}

static void convolve_depth(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    const int32_t filters = l->out_channels;
    const int32_t per_channel = filters / l->in_channels;
    for (int32_t row = 0; row < l->out_rows; row++) {
        for (int32_t column = 0; column < l->out_columns; column++) {
            for (int32_t filter = 0; filter < filters; filter++) {
                int32_t sum = l->bias[filter];
                for (int32_t k = 0; k < l->kernel_rows; k++) {
                    const int32_t y = row * l->stride_rows - l->pad_rows + k;
                    for (int32_t j = 0; j < l->kernel_columns && y >= 0 && y < l->in_rows; j++) {
                        const int32_t x = column * l->stride_columns - l->pad_columns + j;
                        if (x >= 0 && x < l->in_columns) {
                            const int32_t a = in[(y * l->in_columns + x) * l->in_channels + filter / per_channel];
                            sum += l->weights[(k * l->kernel_columns + j) * filters + filter] * (a - l->in_zero);
                        }
                    }
                }
                *out++ = clamped(scaled(sum, l->multipliers[filter], l->shifts[filter]) + l->out_zero, l->low, l->high);
            }
        }
    }
}

static void pool(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < l->out_rows; row++) {
        for (int32_t column = 0; column < l->out_columns; column++) {
            for (int32_t channel = 0; channel < l->out_channels; channel++) {
                int32_t sum = 0, count = 0, result = INT8_MIN;
                for (int32_t k = 0; k < l->kernel_rows; k++) {
                    const int32_t y = row * l->stride_rows - l->pad_rows + k;
                    for (int32_t j = 0; j < l->kernel_columns; j++) {
                        const int32_t x = column * l->stride_columns - l->pad_columns + j;
                        int32_t code = l->pad_value;
                        if (y >= 0 && y < l->in_rows && x >= 0 && x < l->in_columns) {
                            code = in[(y * l->in_columns + x) * l->in_channels + channel];
                            sum += code;
                            count++;
                        }
                        result = code > result ? code : result;
                    }
                }
                if (l->kind == AED_NN_AVERAGE_POOL && count > 0) { /* halves away from zero */
                    result = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
                }
                *out++ = clamped(result, l->low, l->high);
            }
        }
    }
}

static void pad(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < l->out_rows; row++) {
        for (int32_t column = 0; column < l->out_columns; column++) {
            for (int32_t channel = 0; channel < l->out_channels; channel++) {
                const int32_t y = row - l->pad_rows, x = column - l->pad_columns, z = channel - l->pad_channels;
                int32_t code = l->pad_value;
                if (y >= 0 && y < l->in_rows && x >= 0 && x < l->in_columns && z >= 0 && z < l->in_channels) {
                    code = in[(y * l->in_columns + x) * l->in_channels + z];
                }
                *out++ = (int8_t)code;
            }
        }
    }
}

static void transpose(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < l->out_rows; row++) {
        for (int32_t column = 0; column < l->out_columns; column++) {
            for (int32_t channel = 0; channel < l->out_channels; channel++) {
                *out++ = in[row * l->stride_rows + column * l->stride_columns + channel * l->stride_channels];
            }
        }
    }
}

static void concatenate(const struct aed_nn_layer *l, const int8_t *in, const int8_t *second, int8_t *out)
{
    for (int32_t row = 0; row < l->in_rows; row++) {
        memcpy(out, in, (size_t)l->in_channels);
        memcpy(out + l->in_channels, second, (size_t)l->second_size);
        in += l->in_channels;
        second += l->second_size;
        out += l->in_channels + l->second_size;
    }
}

/* Addition and multiplication, element by element. */
static void elementwise(const struct aed_nn_layer *l, const int8_t *in, const int8_t *second, int8_t *out)
{
    const int32_t size = l->out_rows * l->out_columns * l->out_channels;
    const int32_t *m = l->multipliers;
    const int8_t *s = l->shifts;
    for (int32_t i = 0, j = 0; i < size; i++, j = j + 1 == l->second_size ? 0 : j + 1) {
        const int32_t a = in[i] - l->in_zero;
        const int32_t b = second[j] - l->second_zero;
        int32_t result;
        if (l->kind == AED_NN_ADD) {
            /* 20 more bits, to keep precision when both operands get the same scale. */
            const int32_t factor = (int32_t)1 << 20;
            result = scaled(scaled(a * factor, m[0], s[0]) + scaled(b * factor, m[1], s[1]), m[2], s[2]);
        } else {
            result = scaled(a * b, m[0], s[0]);
        }
        out[i] = clamped(result + l->out_zero, l->low, l->high);
    }
}

static void mean(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    for (int32_t row = 0; row < l->in_rows; row++) {
        for (int32_t channel = 0; channel < l->in_channels; channel++) {
            int32_t sum = 0;
            for (int32_t column = 0; column < l->in_columns; column++) {
                sum += in[(row * l->in_columns + column) * l->in_channels + channel] - l->in_zero;
            }
            *out++ = clamped(scaled(sum, l->multipliers[0], l->shifts[0]) + l->out_zero, l->low, l->high);
        }
    }
}

static void softmax(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    const int32_t multiplier = l->multipliers[0], shift = l->shifts[0];
    for (int32_t row = 0; row < l->out_rows * l->out_columns; row++, in += l->in_channels, out += l->out_channels) {
        int32_t largest = INT8_MIN;
        for (int32_t i = 0; i < l->in_channels; i++) {
            largest = in[i] > largest ? in[i] : largest;
        }
        /* The sum of the powers in 2^-19; 12 integer bits are enough for 4,095 of them. */
        int32_t sum = 0;
        for (int32_t i = 0; i < l->in_channels; i++) {
            if (in[i] - largest >= l->low) {
                sum += halve(exp_of_negative(scaled(in[i] - largest, multiplier, shift), 5), 12);
            }
        }
        /* sum = (1 + rest) * 2^bits, rest in 2^-31. */
        int32_t leading_zeros = 0;
        while (((uint32_t)sum << leading_zeros) < ((uint32_t)1 << 31)) {
            leading_zeros++;
        }
        const int32_t rest = (int32_t)(((uint32_t)sum << leading_zeros) - ((uint32_t)1 << 31));
        const int32_t inverse = reciprocal_of_one_plus(rest), bits = 12 - leading_zeros;
        for (int32_t i = 0; i < l->in_channels; i++) {
            int32_t code = INT8_MIN;
            if (in[i] - largest >= l->low) {
                const int32_t power = exp_of_negative(scaled(in[i] - largest, multiplier, shift), 5);
                /* In 2^-8, from -128 on: the scale 1/256 and the zero point -128 of every softmax. */
                code += halve(high_product(inverse, power), bits + 31 - 8);
            }
            out[i] = clamped(code, INT8_MIN, INT8_MAX);
        }
    }
}

static void sigmoid(const struct aed_nn_layer *l, const int8_t *in, int8_t *out)
{
    const int32_t size = l->out_rows * l->out_columns * l->out_channels;
    for (int32_t i = 0; i < size; i++) {
        const int32_t a = in[i] - l->in_zero;
        int32_t code = a < 0 ? INT8_MIN : INT8_MAX;
        if (a > -l->high && a < l->high) {
            const int32_t x = scaled(a, l->multipliers[0], l->shifts[0]);
            const int32_t of_size = reciprocal_of_one_plus(exp_of_negative(x < 0 ? x : -x, 4));
            int32_t probability = x > 0 ? of_size : INT32_MAX - of_size;
            if (x == 0) {
                probability = (int32_t)1 << 30;
            }
            code = halve(probability, 31 - 8) + INT8_MIN;
        }
        out[i] = clamped(code, INT8_MIN, INT8_MAX);
    }
}

static aed_status run_layer(const struct aed_nn_layer *l, const int8_t *in, const int8_t *second, int8_t *out)
{
    switch (l->kind) {
    case AED_NN_CONVOLVE:
        convolve(l, in, out);
        break;
    case AED_NN_CONVOLVE_DEPTH:
        convolve_depth(l, in, out);
        break;
    case AED_NN_MAX_POOL:
    case AED_NN_AVERAGE_POOL:
        pool(l, in, out);
        break;
    case AED_NN_PAD:
        pad(l, in, out);
        break;
    case AED_NN_TRANSPOSE:
        transpose(l, in, out);
        break;
    case AED_NN_CONCATENATE:
        concatenate(l, in, second, out);
        break;
    case AED_NN_ADD:
    case AED_NN_MULTIPLY:
        elementwise(l, in, second, out);
        break;
    case AED_NN_MEAN:
        mean(l, in, out);
        break;
    case AED_NN_SOFTMAX:
        softmax(l, in, out);
        break;
    case AED_NN_SIGMOID:
        sigmoid(l, in, out);
        break;
    default:
        return AED_ERROR_MODEL;
    }
    return AED_OK;
}

/* Where a layer reads an operand. */
static const int8_t *operand(const struct aed_nn_layer *l, int32_t offset, const aed_nn *state, const int8_t *input,
                             const int8_t *output)
{
    switch (offset) {
    case AED_NN_AT_INPUT:
        return input;
    case AED_NN_AT_OUTPUT:
        return output;
    case AED_NN_AT_WEIGHTS:
        return l->weights;
    default:
        return state->arena + offset;
    }
}

aed_status aed_nn_run(aed_nn *state, const int8_t *input, int8_t *output)
{
    aed_status status = AED_OK;
    if (state == NULL || input == NULL || output == NULL) {
        return AED_ERROR_ARGUMENT;
    }
    for (int32_t i = 0; i < AED_NN_LAYERS && status == AED_OK; i++) {
        const struct aed_nn_layer *l = &aed_nn_layers[i];
        const int8_t *in = operand(l, l->in, state, input, output);
        const int8_t *second = operand(l, l->second, state, input, output);
        int8_t *out = l->out == AED_NN_AT_OUTPUT ? output : state->arena + l->out;
        status = run_layer(l, in, second, out);
    }
    return status;
}
