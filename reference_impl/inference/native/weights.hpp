// A weight matrix in one of four formats, and its product with a few rows of activations.
//
// Weights are read once, in the format they are stored in, and everything else stays in the caches: the product is
// bound by memory. Activations are fp32 for floating formats. For integer formats each group of 32 is rounded to 16-bit
// integers with a scale of its own (relative error about 3e-5, a fiftieth of bf16's), because products of integers of
// 8 or 4 bits with 16-bit ones are what vpmaddwd does, 16 at a time.

#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define VECTORS 1
#endif

enum Format : int32_t { FLOAT32 = 0, BFLOAT16 = 1, INT8 = 2, INT4 = 3 };

constexpr int GROUP = 32;  // inputs that share a scale (int4), and activations that share one (int8, int4)

struct Matrix {
    int32_t format, outputs, inputs, groups;  // groups: of 32 inputs, the last one padded with zeros
    const void *values;     // FLOAT32, BFLOAT16: (outputs, inputs). INT8: (outputs, 32 groups). INT4: (outputs, 16 groups)
    const uint16_t *scale;  // bf16. INT8: (outputs). INT4: (outputs, groups)
    const uint16_t *zero;   // bf16. INT4: (outputs, groups); a code c stands for (c - 8) scale + zero
    const float *bias;      // (outputs) or null
};

inline float to_float(float x) { return x; }
inline float to_float(uint16_t bf16) { return std::bit_cast<float>(uint32_t(bf16) << 16); }
inline void from_float(float x, float &to) { to = x; }
inline void from_float(float x, uint16_t &bf16) {  // round to nearest, ties to even
    uint32_t bits = std::bit_cast<uint32_t>(x);
    bf16 = std::isnan(x) ? uint16_t(0x7fc0) : uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// A few rows of activations, as the formats want them. Each thread has its own.
struct Activations {
    int rows = 0, groups = 0, padded_groups = 0;
    std::vector<float> floats;    // (rows, 32 groups), padded with zeros
    std::vector<int16_t> values;  // (rows, 32 groups)
    std::vector<float> scale;     // (rows, padded groups)
    std::vector<float> sum;       // (rows, padded groups): of the rounded activations, in their own unit

    void resize(int rows_, int inputs) {
        rows = rows_;
        groups = (inputs + GROUP - 1) / GROUP;
        padded_groups = (groups + 7) / 8 * 8;
        size_t elements = size_t(rows) * groups * GROUP, scales = size_t(rows) * padded_groups;
        if (floats.size() < elements) floats.resize(elements), values.resize(elements);
        if (scale.size() < scales) scale.resize(scales), sum.resize(scales);
        for (int row = 0; row < rows; row++)
            std::fill(this->row(row) + inputs, this->row(row) + groups * GROUP, 0.f);
    }
    float *row(int i) { return floats.data() + size_t(i) * groups * GROUP; }

    void round_to_integers() {
        for (int row = 0; row < rows; row++) {
            float *scales = scale.data() + size_t(row) * padded_groups, *sums = sum.data() + size_t(row) * padded_groups;
            for (int group = 0; group < groups; group++) {
                const float *x = this->row(row) + group * GROUP;
                int16_t *q = values.data() + (size_t(row) * groups + group) * GROUP;
                float largest = 0, poison = 0;  // poison: 0, or not a number where an activation isn't finite
                for (int i = 0; i < GROUP; i++) {
                    largest = std::max(largest, std::fabs(x[i]));
                    poison += x[i] * 0.f;
                }
                const float inverse = largest > 0 && poison == 0.f ? 32767.f / largest : 0.f;
                int total = 0;
                for (int i = 0; i < GROUP; i++) {
                    const int rounded = inverse > 0 ? int(x[i] * inverse + std::copysign(0.5f, x[i])) : 0;
                    q[i] = int16_t(rounded);
                    total += rounded;
                }
                scales[group] = largest / 32767.f + poison;
                sums[group] = scales[group] * float(total);
            }
            std::fill(scales + groups, scales + padded_groups, 0.f);
            std::fill(sums + groups, sums + padded_groups, 0.f);
        }
    }
};

#ifdef VECTORS
inline float total(__m256 x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
inline __m256 eight(const float *x) { return _mm256_loadu_ps(x); }
inline __m256 eight(const uint16_t *x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)x)), 16));
}
inline __m256 up_to_eight(const uint16_t *x, int n) {  // never reads past the last
    if (n >= 8) return eight(x);
    uint16_t padded[8] = {};
    std::copy(x, x + n, padded);
    return eight(padded);
}
inline __m256i sixteen_products(__m256i weights, const int16_t *x) {
    return _mm256_madd_epi16(weights, _mm256_loadu_si256((const __m256i *)x));
}
#endif

// One output of a floating format, for `ROWS` rows of activations.
template <int ROWS, typename T>
inline void dot(const Matrix &m, const T *weights, const Activations &a, int first, float *out) {
    const float *x = a.floats.data() + size_t(first) * a.groups * GROUP;
    const size_t stride = size_t(a.groups) * GROUP;
    int i = 0;
#ifdef VECTORS
    __m256 sums[ROWS][2];
    for (int row = 0; row < ROWS; row++) sums[row][0] = sums[row][1] = _mm256_setzero_ps();
    for (; i + 16 <= m.inputs; i += 16) {
        __m256 low = eight(weights + i), high = eight(weights + i + 8);
        for (int row = 0; row < ROWS; row++) {
            sums[row][0] = _mm256_fmadd_ps(low, eight(x + row * stride + i), sums[row][0]);
            sums[row][1] = _mm256_fmadd_ps(high, eight(x + row * stride + i + 8), sums[row][1]);
        }
    }
    for (int row = 0; row < ROWS; row++) out[row] = total(_mm256_add_ps(sums[row][0], sums[row][1]));
#else
    for (int row = 0; row < ROWS; row++) out[row] = 0;
#endif
    for (; i < m.inputs; i++)
        for (int row = 0; row < ROWS; row++) out[row] += to_float(weights[i]) * x[row * stride + i];
}

template <int ROWS>
inline void dot_int8(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    const int8_t *weights = (const int8_t *)m.values + output * m.groups * GROUP;
    const int16_t *x = a.values.data() + size_t(first) * a.groups * GROUP;
    const float *scale = a.scale.data() + size_t(first) * a.padded_groups;
    const size_t stride = size_t(a.groups) * GROUP;
#ifdef VECTORS
    __m256 sums[ROWS][2];
    for (int row = 0; row < ROWS; row++) sums[row][0] = sums[row][1] = _mm256_setzero_ps();
#pragma GCC unroll 2
    for (int group = 0; group < m.groups; group++) {
        const __m128i *w = (const __m128i *)(weights + group * GROUP);
        __m256i low = _mm256_cvtepi8_epi16(_mm_loadu_si128(w)), high = _mm256_cvtepi8_epi16(_mm_loadu_si128(w + 1));
        for (int row = 0; row < ROWS; row++) {
            const int16_t *q = x + row * stride + group * GROUP;
            __m256i products = _mm256_add_epi32(sixteen_products(low, q), sixteen_products(high, q + 16));
            __m256 unit = _mm256_broadcast_ss(scale + row * a.padded_groups + group);
            sums[row][group & 1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), unit, sums[row][group & 1]);
        }
    }
    for (int row = 0; row < ROWS; row++) out[row] = total(_mm256_add_ps(sums[row][0], sums[row][1]));
#else
    for (int row = 0; row < ROWS; row++) {
        out[row] = 0;
        for (int group = 0; group < m.groups; group++) {
            int sum = 0;
            for (int i = group * GROUP; i < (group + 1) * GROUP; i++) sum += weights[i] * x[row * stride + i];
            out[row] += float(sum) * scale[row * a.padded_groups + group];
        }
    }
#endif
    for (int row = 0; row < ROWS; row++) out[row] *= to_float(m.scale[output]);
}

template <int ROWS>
inline void dot_int4(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    // The sum over a group of ((c - 8) s + z) x is s (sum of c x) + (z - 8 s) (sum of x).
    const uint8_t *weights = (const uint8_t *)m.values + output * m.groups * (GROUP / 2);
    const uint16_t *scale = m.scale + output * m.groups, *zero = m.zero + output * m.groups;
    const int16_t *x = a.values.data() + size_t(first) * a.groups * GROUP;
    const size_t stride = size_t(a.groups) * GROUP;
#ifdef VECTORS
    const __m256i nibble = _mm256_set1_epi16(15);
    __m256 sums[ROWS][2], offsets[ROWS];
    for (int row = 0; row < ROWS; row++) sums[row][0] = sums[row][1] = offsets[row] = _mm256_setzero_ps();
    for (int eighth = 0; eighth < m.groups; eighth += 8) {
        const int n = std::min(8, m.groups - eighth);
        alignas(32) float units[ROWS][8];
        __m256 scales = up_to_eight(scale + eighth, n), zeros = up_to_eight(zero + eighth, n);
        zeros = _mm256_fnmadd_ps(scales, _mm256_set1_ps(8.f), zeros);
        for (int row = 0; row < ROWS; row++) {
            const size_t place = size_t(first + row) * a.padded_groups + eighth;
            _mm256_store_ps(units[row], _mm256_mul_ps(scales, eight(a.scale.data() + place)));
            offsets[row] = _mm256_fmadd_ps(zeros, eight(a.sum.data() + place), offsets[row]);
        }
        auto add_group = [&](int i) {
            const int group = eighth + i;
            __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(weights + group * (GROUP / 2))));
            __m256i low = _mm256_and_si256(bytes, nibble), high = _mm256_srli_epi16(bytes, 4);
            for (int row = 0; row < ROWS; row++) {
                const int16_t *q = x + row * stride + group * GROUP;
                __m256i products = _mm256_add_epi32(sixteen_products(low, q), sixteen_products(high, q + 16));
                __m256 unit = _mm256_broadcast_ss(&units[row][i]);
                sums[row][i & 1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), unit, sums[row][i & 1]);
            }
        };
        if (n == 8) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) add_group(i);
        } else {
            for (int i = 0; i < n; i++) add_group(i);
        }
    }
    for (int row = 0; row < ROWS; row++)
        out[row] = total(_mm256_add_ps(_mm256_add_ps(sums[row][0], sums[row][1]), offsets[row]));
#else
    for (int row = 0; row < ROWS; row++) {
        out[row] = 0;
        for (int group = 0; group < m.groups; group++) {
            const uint8_t *w = weights + group * (GROUP / 2);
            const int16_t *q = x + row * stride + group * GROUP;
            const size_t place = size_t(first + row) * a.padded_groups + group;
            int sum = 0;
            for (int i = 0; i < GROUP / 2; i++) sum += (w[i] & 15) * q[i] + (w[i] >> 4) * q[i + GROUP / 2];
            float s = to_float(scale[group]), z = to_float(zero[group]);
            out[row] += s * float(sum) * a.scale[place] + (z - 8 * s) * a.sum[place];
        }
    }
#endif
}

template <int ROWS>
__attribute__((noinline)) void dot_any(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    switch (m.format) {
        case FLOAT32: dot<ROWS>(m, (const float *)m.values + output * m.inputs, a, first, out); break;
        case BFLOAT16: dot<ROWS>(m, (const uint16_t *)m.values + output * m.inputs, a, first, out); break;
        case INT8: dot_int8<ROWS>(m, output, a, first, out); break;
        case INT4: dot_int4<ROWS>(m, output, a, first, out); break;
    }
}

// Outputs [start, stop) of all rows: store(row, output, value). The activations must be rounded for integer formats.
template <typename Store>
inline void multiply(const Matrix &m, const Activations &a, int start, int stop, Store store) {
    for (int output = start; output < stop; output++) {
        const float bias = m.bias ? m.bias[output] : 0.f;
        float out[4];
        int row = 0;
        for (; row + 4 <= a.rows; row += 4) {
            dot_any<4>(m, output, a, row, out);
            for (int i = 0; i < 4; i++) store(row + i, output, out[i] + bias);
        }
        for (; row + 2 <= a.rows; row += 2) {
            dot_any<2>(m, output, a, row, out);
            for (int i = 0; i < 2; i++) store(row + i, output, out[i] + bias);
        }
        if (row < a.rows) {
            dot_any<1>(m, output, a, row, out);
            store(row, output, out[0] + bias);
        }
    }
}

inline bool wants_integers(const Matrix &m) { return m.format == INT8 || m.format == INT4; }

// One output's weights, or what an embedding looks up, as fp32: (inputs).
inline void widen_row(const Matrix &m, int64_t row, float *to) {
    switch (m.format) {
        case FLOAT32: {
            const float *from = (const float *)m.values + row * m.inputs;
            std::copy(from, from + m.inputs, to);
            break;
        }
        case BFLOAT16: {
            const uint16_t *from = (const uint16_t *)m.values + row * m.inputs;
            for (int i = 0; i < m.inputs; i++) to[i] = to_float(from[i]);
            break;
        }
        case INT8: {
            const int8_t *from = (const int8_t *)m.values + row * m.groups * GROUP;
            const float scale = to_float(m.scale[row]);
            for (int i = 0; i < m.inputs; i++) to[i] = float(from[i]) * scale;
            break;
        }
        case INT4:
            for (int group = 0; group < m.groups; group++) {
                const uint8_t *from = (const uint8_t *)m.values + (row * m.groups + group) * (GROUP / 2);
                const float scale = to_float(m.scale[row * m.groups + group]);
                const float zero = to_float(m.zero[row * m.groups + group]);
                float wide[GROUP];
                for (int i = 0; i < GROUP / 2; i++) {
                    wide[i] = float((from[i] & 15) - 8) * scale + zero;
                    wide[i + GROUP / 2] = float((from[i] >> 4) - 8) * scale + zero;
                }
                std::copy(wide, wide + std::min(GROUP, m.inputs - group * GROUP), to + group * GROUP);
            }
            break;
    }
}
