/* Logarithm and power of two in float32, the same to the bit on every machine.

   libm differs in the last bits from one C library to the next; these functions do not. This requires that each
   operation rounds once, to float32:
   - build with -ffp-contract=off. GCC's GNU modes otherwise make one operation, with one rounding, of a*b+c where the
     processor has one; its strict modes (-std=c99) and clang do not;
   - never use -ffast-math, which also reorders sums.
   aed_preproc_init() fails where the compiler was allowed either. */
#ifndef AED_MATH_H
#define AED_MATH_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "aed: -ffast-math changes the results; build this file without it"
#endif
/* 16: only half-precision numbers are computed in their own type, beside float. */
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "aed: float arithmetic must round to float (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the compiler leaves each operation as it is written: neither fused nor reordered. */
static inline bool aed_math_is_exact(void)
{
    const volatile float above_one = 1.0F + FLT_EPSILON;
    const volatile float below_minus_one = -1.0F - 2.0F * FLT_EPSILON;
    const volatile float small = 1.0F;
    const volatile float large = 67108864.0F;
    const float a = above_one;
    const float b = below_minus_one;
    const float s = small;
    const float l = large;
    /* The square rounds to -b; fused, a rest of FLT_EPSILON squared remains. A float of 2^26 has no room for 1. */
    return a * a + b == 0.0F && (l + s) - l == 0.0F;
}

/* log2 of a positive, normal x; the error is below 3e-7 or one step of float32, whichever is larger. */
static inline float aed_log2(float x)
{
    uint32_t bits;
    float m;
    memcpy(&bits, &x, sizeof bits);
    /* x = m 2^e with m from sqrt(1/2) (0x3F3504F3) to sqrt(2), so that there is no cancellation near 1. */
    bits += 0x3F800000U - 0x3F3504F3U;
    const float e = (float)((int32_t)(bits >> 23) - 127);
    bits = (bits & 0x007FFFFFU) + 0x3F3504F3U;
    memcpy(&m, &bits, sizeof m);
    const float f = m - 1.0F;
    float p = 0.125696123F;
    p = p * f - 0.210060373F;
    p = p * f + 0.217133328F;
    p = p * f - 0.238550633F;
    p = p * f + 0.287693858F;
    p = p * f - 0.360720158F;
    p = p * f + 0.480920643F;
    p = p * f - 0.721347153F;
    p = p * f + 1.4426949F;
    return e + f * p;
}

/* The integer nearest to x, half to even; x is clipped to +-2^21. */
static inline int32_t aed_round(float x)
{
    const float limit = 2097152.0F;
    x = x > limit ? limit : x;
    x = x < -limit ? -limit : x;
    /* 1.5 * 2^23: float32 numbers of this size are integers, so the addition rounds as IEEE 754 requires. */
    x += 12582912.0F;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int32_t)(bits & 0x007FFFFFU) - 0x00400000;
}

/* 2^x with a relative error below 3e-7; x is clipped to -125 to 127. */
static inline float aed_exp2(float x)
{
    x = x > 127.0F ? 127.0F : x;
    x = x < -125.0F ? -125.0F : x;
    const int32_t n = aed_round(x);
    const float f = x - (float)n;
    float p = 0.00015345811F;
    p = p * f + 0.00133999309F;
    p = p * f + 0.00961848907F;
    p = p * f + 0.0555032864F;
    p = p * f + 0.240226462F;
    p = p * f + 0.693147182F;
    p = p * f + 1.0F;
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

#ifdef __cplusplus
}
#endif

#endif
