/* Logarithm and power of two in float32, the same to the bit on every machine.

   libm differs in the last bits from one C library to the next; these functions do not. This requires that each
   operation rounds once, to float32:
   - build with -std=c99. GCC's GNU modes fuse a*b+c into one rounding; if you need a GNU mode, add -ffp-contract=off
     and define AED_FP_CONTRACT_OFF;
   - never use -ffast-math, which reorders sums. */
#ifndef AED_MATH_H
#define AED_MATH_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "aed: -ffast-math changes the results; build this file without it"
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(__STRICT_ANSI__) && defined(__FP_FAST_FMAF) && \
    !defined(AED_FP_CONTRACT_OFF)
#error "aed: build with -std=c99, or with -ffp-contract=off -DAED_FP_CONTRACT_OFF"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "aed: float arithmetic must round to float (on 32-bit x86: -msse2 -mfpmath=sse)"
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

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

#endif
