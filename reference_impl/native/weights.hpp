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
#include <new>
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

// Memory that begins at a line of the cache: a vector that lies across two lines takes twice as long to load.
template <typename T>
struct OnLines {
    using value_type = T;
    T *allocate(size_t n) { return (T *)::operator new(n * sizeof(T), std::align_val_t(64)); }
    void deallocate(T *at, size_t) { ::operator delete(at, std::align_val_t(64)); }
    bool operator==(const OnLines &) const { return true; }
};

// A few rows of activations, as the formats want them. Each thread has its own.
struct Activations {
    int rows = 0, groups = 0, padded_groups = 0;
    std::vector<float, OnLines<float>> floats;      // (rows, 32 groups), padded with zeros
    std::vector<int16_t, OnLines<int16_t>> values;  // (rows, 32 groups)
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
            for (int group = 0; group < groups; group++)
                round_group(this->row(row) + group * GROUP, values.data() + (size_t(row) * groups + group) * GROUP,
                            scales[group], sums[group]);
            std::fill(scales + groups, scales + padded_groups, 0.f);
            std::fill(sums + groups, sums + padded_groups, 0.f);
        }
    }

  private:
    // Where an activation isn't finite, neither are scale and sum: they carry it into every product.
    static void round_group(const float *x, int16_t *q, float &scale, float &sum) {
        float largest = 0, poison = 0;
#ifdef VECTORS
        const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff)), nothing = _mm256_setzero_ps();
        __m256 most = nothing, poisons = nothing, in[4];
        for (int i = 0; i < 4; i++) {
            in[i] = _mm256_loadu_ps(x + 8 * i);
            most = _mm256_max_ps(most, _mm256_and_ps(in[i], magnitude));
            poisons = _mm256_fmadd_ps(in[i], nothing, poisons);
        }
        alignas(32) float lanes[2][8];
        _mm256_store_ps(lanes[0], most);
        _mm256_store_ps(lanes[1], poisons);
        for (int i = 0; i < 8; i++) largest = std::max(largest, lanes[0][i]), poison += lanes[1][i];
        const float inverse = largest > 0 && poison == 0.f ? 32767.f / largest : 0.f;
        const __m256 by = _mm256_set1_ps(inverse);
        __m256i totals = _mm256_setzero_si256();
        for (int i = 0; i < 4; i += 2) {
            __m256i low = _mm256_cvtps_epi32(_mm256_mul_ps(in[i], by)), high = _mm256_cvtps_epi32(_mm256_mul_ps(in[i + 1], by));
            totals = _mm256_add_epi32(totals, _mm256_add_epi32(low, high));
            __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
            if (poison != 0.f || inverse == 0.f) both = totals = _mm256_setzero_si256();
            _mm256_storeu_si256((__m256i *)(q + 8 * i), both);
        }
        alignas(32) int parts[8];
        _mm256_store_si256((__m256i *)parts, totals);
        int total = 0;
        for (int i = 0; i < 8; i++) total += parts[i];
#else
        for (int i = 0; i < GROUP; i++) largest = std::max(largest, std::fabs(x[i])), poison += x[i] * 0.f;
        const float inverse = largest > 0 && poison == 0.f ? 32767.f / largest : 0.f;
        int total = 0;
        for (int i = 0; i < GROUP; i++) {
            q[i] = inverse > 0 ? int16_t(std::nearbyint(x[i] * inverse)) : 0;
            total += q[i];
        }
#endif
        scale = largest / 32767.f + poison;
        sum = scale * float(total);
    }
};

#ifdef VECTORS
inline float total(__m256 x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
}
template <int N>
inline void totals(const __m256 *x, float *out) {
    if constexpr (N == 4) {
        const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(x[0], x[1]), _mm256_hadd_ps(x[2], x[3]));
        _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
    } else {
        for (int i = 0; i < N; i++) out[i] = total(x[i]);
    }
}
inline __m256 eight(const float *x) { return _mm256_loadu_ps(x); }
inline __m256 eight(const uint16_t *x) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)x)), 16));
}
inline __m256i sixteen(const int16_t *x) { return _mm256_loadu_si256((const __m256i *)x); }
#endif

// A tile: OUTPUTS outputs for ROWS rows of activations, out[output * ROWS + row]. Outputs come one after the other, so that
// weights stream through in their order in memory. With one row two sums take turns: each addition waits for the one before.

template <int OUTPUTS, int ROWS, typename T>
inline void tile_of_floats(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    const T *weights = (const T *)m.values + output * m.inputs;
    const float *x = a.floats.data() + size_t(first) * a.groups * GROUP;
    const size_t stride = size_t(a.groups) * GROUP;
    int done = 0;
#ifdef VECTORS
    constexpr int TURNS = 4 / ROWS;
    __m256 sums[OUTPUTS * ROWS];
    done = m.inputs / (8 * TURNS) * (8 * TURNS);
    for (int o = 0; o < OUTPUTS; o++) {
        const T *w = weights + size_t(o) * m.inputs;
        __m256 sum[TURNS][ROWS];
        for (auto &turn : sum)
            for (auto &one : turn) one = _mm256_setzero_ps();
        for (int i = 0; i < done; i += 8 * TURNS)
            for (int turn = 0; turn < TURNS; turn++) {
                const __m256 wide = eight(w + i + 8 * turn);
                for (int row = 0; row < ROWS; row++)
                    sum[turn][row] = _mm256_fmadd_ps(wide, eight(x + row * stride + i + 8 * turn), sum[turn][row]);
            }
        for (int row = 0; row < ROWS; row++) {
            for (int turn = 1; turn < TURNS; turn++) sum[0][row] = _mm256_add_ps(sum[0][row], sum[turn][row]);
            sums[o * ROWS + row] = sum[0][row];
        }
    }
    totals<OUTPUTS * ROWS>(sums, out);
#else
    std::fill(out, out + OUTPUTS * ROWS, 0.f);
#endif
    for (int o = 0; o < OUTPUTS; o++)
        for (int row = 0; row < ROWS; row++)
            for (int i = done; i < m.inputs; i++)
                out[o * ROWS + row] += to_float(weights[size_t(o) * m.inputs + i]) * x[row * stride + i];
}

// Two outputs for four rows at once: each vector of activations is loaded once for both, and eight sums are in flight.
// Sooner than two tiles where the weights are in the cache already; slower where they must come from memory, in two streams.
template <typename T>
inline void pair_of_floats(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    const T *weights = (const T *)m.values + output * m.inputs;
    const float *x = a.floats.data() + size_t(first) * a.groups * GROUP;
    const size_t stride = size_t(a.groups) * GROUP;
    int done = 0;
#ifdef VECTORS
    __m256 one[4], other[4];
    for (int row = 0; row < 4; row++) one[row] = other[row] = _mm256_setzero_ps();
    for (; done + 8 <= m.inputs; done += 8) {
        const __m256 w = eight(weights + done), v = eight(weights + m.inputs + done);
        for (int row = 0; row < 4; row++) {
            const __m256 xs = eight(x + row * stride + done);
            one[row] = _mm256_fmadd_ps(w, xs, one[row]);
            other[row] = _mm256_fmadd_ps(v, xs, other[row]);
        }
    }
    totals<4>(one, out);
    totals<4>(other, out + 4);
#else
    std::fill(out, out + 8, 0.f);
#endif
    for (int o = 0; o < 2; o++)
        for (int row = 0; row < 4; row++)
            for (int i = done; i < m.inputs; i++)
                out[o * 4 + row] += to_float(weights[size_t(o) * m.inputs + i]) * x[row * stride + i];
}

#ifdef __AVX512F__
inline __m512 sixteen_floats(const float *x) { return _mm512_loadu_ps(x); }
inline __m512 sixteen_floats(const uint16_t *x) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)x)), 16));
}

// One output for up to eight rows at once: each vector of weights is loaded once for all of them. What is read `ahead` is
// asked for early, since the processor loses sight of a stream that it has to wait for at every new page.
template <int ROWS, typename T>
inline void rows_of_floats(const Matrix &m, int64_t output, const Activations &a, int first, int64_t ahead, float *out) {
    const T *weights = (const T *)m.values + output * m.inputs;
    const size_t stride = size_t(a.groups) * GROUP;
    const float *x = a.floats.data() + first * stride;
    __m512 sums[ROWS];
    for (auto &sum : sums) sum = _mm512_setzero_ps();
    int done = 0;
    for (; done + 16 <= m.inputs; done += 16) {
        if (ahead) _mm_prefetch((const char *)(weights + done + ahead), _MM_HINT_T0);
        const __m512 wide = sixteen_floats(weights + done);
#pragma GCC unroll 8
        for (int row = 0; row < ROWS; row++)
            sums[row] = _mm512_fmadd_ps(wide, _mm512_loadu_ps(x + row * stride + done), sums[row]);
    }
    for (int row = 0; row < ROWS; row++) {
        out[row] = _mm512_reduce_add_ps(sums[row]);
        for (int i = done; i < m.inputs; i++) out[row] += to_float(weights[i]) * x[row * stride + i];
    }
}

template <int ROWS>
__attribute__((noinline)) void rows_at_once(const Matrix &m, int start, int stop, const Activations &a, int first,
                                            int64_t ahead, float *out) {
    for (int output = start; output < stop; output++, out += ROWS)
        if (m.format == FLOAT32)
            rows_of_floats<ROWS, float>(m, output, a, first, ahead, out);
        else
            rows_of_floats<ROWS, uint16_t>(m, output, a, first, ahead, out);
}

// Outputs [start, stop) of rows first to first + rows, at most eight: out[(output - start) * rows + row].
inline void some_rows(const Matrix &m, int start, int stop, const Activations &a, int first, int rows, int64_t ahead, float *out) {
    switch (rows) {
        case 1: return rows_at_once<1>(m, start, stop, a, first, ahead, out);
        case 2: return rows_at_once<2>(m, start, stop, a, first, ahead, out);
        case 3: return rows_at_once<3>(m, start, stop, a, first, ahead, out);
        case 4: return rows_at_once<4>(m, start, stop, a, first, ahead, out);
        case 5: return rows_at_once<5>(m, start, stop, a, first, ahead, out);
        case 6: return rows_at_once<6>(m, start, stop, a, first, ahead, out);
        case 7: return rows_at_once<7>(m, start, stop, a, first, ahead, out);
        default: return rows_at_once<8>(m, start, stop, a, first, ahead, out);
    }
}
#endif

__attribute__((noinline)) inline void pair(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    if (m.format == FLOAT32)
        pair_of_floats<float>(m, output, a, first, out);
    else
        pair_of_floats<uint16_t>(m, output, a, first, out);
}

#ifdef VECTORS
// One group's 32 weights, as two times sixteen, with the activations of each row: added to its sum of eight.
template <int ROWS>
inline void add_group(__m256i low, __m256i high, const int16_t *x, size_t stride, const __m256 *units, __m256 *sums) {
    for (int row = 0; row < ROWS; row++) {
        const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(low, sixteen(x + row * stride)),
                                                  _mm256_madd_epi16(high, sixteen(x + row * stride + 16)));
        sums[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), units[row], sums[row]);
    }
}
#endif

template <int OUTPUTS, int ROWS>
inline void tile_of_int8(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    const size_t groups = m.groups, stride = groups * GROUP, scales = a.padded_groups;
    const int8_t *weights = (const int8_t *)m.values + output * stride;
    const int16_t *x = a.values.data() + size_t(first) * stride;
    const float *scale = a.scale.data() + size_t(first) * scales;
#ifdef VECTORS
    __m256 sums[OUTPUTS * ROWS];
    for (int o = 0; o < OUTPUTS; o++) {
        __m256 even[ROWS], odd[ROWS];
        for (int row = 0; row < ROWS; row++) even[row] = odd[row] = _mm256_setzero_ps();
        auto add = [&](size_t group, __m256 *to) {
            const __m128i *w = (const __m128i *)(weights + stride * o + group * GROUP);
            __m256 units[ROWS];
            for (int row = 0; row < ROWS; row++) units[row] = _mm256_broadcast_ss(scale + row * scales + group);
            add_group<ROWS>(_mm256_cvtepi8_epi16(_mm_loadu_si128(w)), _mm256_cvtepi8_epi16(_mm_loadu_si128(w + 1)),
                            x + group * GROUP, stride, units, to);
        };
        size_t group = 0;
        for (; group + 2 <= groups; group += 2) add(group, even), add(group + 1, odd);
        if (group < groups) add(group, even);
        for (int row = 0; row < ROWS; row++) sums[o * ROWS + row] = _mm256_add_ps(even[row], odd[row]);
    }
    totals<OUTPUTS * ROWS>(sums, out);
#else
    for (int o = 0; o < OUTPUTS; o++)
        for (int row = 0; row < ROWS; row++) {
            out[o * ROWS + row] = 0;
            for (size_t group = 0; group < groups; group++) {
                int sum = 0;
                for (size_t i = group * GROUP; i < (group + 1) * GROUP; i++)
                    sum += weights[stride * o + i] * x[row * stride + i];
                out[o * ROWS + row] += float(sum) * scale[row * scales + group];
            }
        }
#endif
    for (int o = 0; o < OUTPUTS; o++)
        for (int row = 0; row < ROWS; row++) out[o * ROWS + row] *= to_float(m.scale[output + o]);
}

template <int OUTPUTS, int ROWS>
inline void tile_of_int4(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    // The sum over a group of ((c - 8) s + z) x is s (sum of c x) + (z - 8 s) (sum of x).
    const size_t groups = m.groups, stride = groups * GROUP, scales = a.padded_groups;
    const uint8_t *weights = (const uint8_t *)m.values + output * groups * (GROUP / 2);
    const uint16_t *scale = m.scale + output * groups, *zero = m.zero + output * groups;
    const int16_t *x = a.values.data() + size_t(first) * stride;
    const float *x_scale = a.scale.data() + size_t(first) * scales, *x_sum = a.sum.data() + size_t(first) * scales;
    float offset[OUTPUTS * ROWS] = {};
#ifdef VECTORS
    const __m256i nibble = _mm256_set1_epi16(15);
    __m256 sums[OUTPUTS * ROWS];
    for (int o = 0; o < OUTPUTS; o++) {
        const uint8_t *w = weights + groups * o * (GROUP / 2);
        const uint16_t *ss = scale + groups * o, *zs = zero + groups * o;
        __m256 even[ROWS], odd[ROWS];
        for (int row = 0; row < ROWS; row++) even[row] = odd[row] = _mm256_setzero_ps();
        auto add = [&](size_t group, const __m256 *units, __m256 *to) {
            const __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(w + group * (GROUP / 2))));
            add_group<ROWS>(_mm256_and_si256(bytes, nibble), _mm256_srli_epi16(bytes, 4), x + group * GROUP, stride,
                            units, to);
        };
        __m256 units[ROWS];
        size_t group = 0;
        for (; group + 8 <= groups; group += 8) {
            alignas(32) float unit[ROWS][8];
            const __m256 s = eight(ss + group), z = _mm256_fnmadd_ps(s, _mm256_set1_ps(8.f), eight(zs + group));
            for (int row = 0; row < ROWS; row++) {
                _mm256_store_ps(unit[row], _mm256_mul_ps(s, eight(x_scale + row * scales + group)));
                odd[row] = _mm256_fmadd_ps(z, eight(x_sum + row * scales + group), odd[row]);
            }
            for (int i = 0; i < 8; i += 2) {
                for (int row = 0; row < ROWS; row++) units[row] = _mm256_broadcast_ss(&unit[row][i]);
                add(group + i, units, even);
                for (int row = 0; row < ROWS; row++) units[row] = _mm256_broadcast_ss(&unit[row][i + 1]);
                add(group + i + 1, units, odd);
            }
        }
        for (; group < groups; group++) {
            const float s = to_float(ss[group]), z = to_float(zs[group]) - 8 * s;
            for (int row = 0; row < ROWS; row++) {
                units[row] = _mm256_set1_ps(s * x_scale[row * scales + group]);
                offset[o * ROWS + row] += z * x_sum[row * scales + group];
            }
            add(group, units, even);
        }
        for (int row = 0; row < ROWS; row++) sums[o * ROWS + row] = _mm256_add_ps(even[row], odd[row]);
    }
    totals<OUTPUTS * ROWS>(sums, out);
#else
    std::fill(out, out + OUTPUTS * ROWS, 0.f);
    for (int o = 0; o < OUTPUTS; o++)
        for (size_t group = 0; group < groups; group++) {
            const uint8_t *w = weights + (groups * o + group) * (GROUP / 2);
            const float s = to_float(scale[groups * o + group]), z = to_float(zero[groups * o + group]) - 8 * s;
            for (int row = 0; row < ROWS; row++) {
                const int16_t *q = x + row * stride + group * GROUP;
                int sum = 0;
                for (int i = 0; i < GROUP / 2; i++) sum += (w[i] & 15) * q[i] + (w[i] >> 4) * q[i + GROUP / 2];
                offset[o * ROWS + row] += z * x_sum[row * scales + group];
                out[o * ROWS + row] += s * float(sum) * x_scale[row * scales + group];
            }
        }
#endif
    for (int n = 0; n < OUTPUTS * ROWS; n++) out[n] += offset[n];
}

template <int OUTPUTS, int ROWS>
__attribute__((noinline)) void tile(const Matrix &m, int64_t output, const Activations &a, int first, float *out) {
    switch (m.format) {
        case FLOAT32: tile_of_floats<OUTPUTS, ROWS, float>(m, output, a, first, out); break;
        case BFLOAT16: tile_of_floats<OUTPUTS, ROWS, uint16_t>(m, output, a, first, out); break;
        case INT8: tile_of_int8<OUTPUTS, ROWS>(m, output, a, first, out); break;
        case INT4: tile_of_int4<OUTPUTS, ROWS>(m, output, a, first, out); break;
    }
}

// Outputs [start, stop) of all rows: store(row, output, value). The activations must be rounded for integer formats.
template <typename Store>
inline void multiply(const Matrix &m, const Activations &a, int start, int stop, Store store) {
    float out[8];
    auto put = [&](int output, int row, int outputs, int rows) {
        for (int o = 0; o < outputs; o++)
            for (int r = 0; r < rows; r++)
                store(row + r, output + o, out[o * rows + r] + (m.bias ? m.bias[output + o] : 0.f));
    };
    const bool floats = m.format == FLOAT32 || m.format == BFLOAT16;
#ifdef __AVX512F__
    if (floats && a.rows > 4) {
        constexpr int BLOCK = 4;
        float sums[BLOCK * 8];
        for (int block = start; block < stop; block += BLOCK) {
            const int end = std::min(block + BLOCK, stop);
            for (int first = 0; first < a.rows; first += 8) {
                const int rows = std::min(8, a.rows - first);
                // The last rows of a block call for the next one: those before find the block in the cache.
                some_rows(m, block, end, a, first, rows, first + 8 >= a.rows ? BLOCK * int64_t(m.inputs) : 0, sums);
                for (int output = block; output < end; output++)
                    for (int row = 0; row < rows; row++)
                        store(first + row, output, sums[(output - block) * rows + row] + (m.bias ? m.bias[output] : 0.f));
            }
        }
        return;
    }
#endif
    for (int block = start; block < stop; block += 4) {
        const int end = std::min(block + 4, stop);
        int row = 0;
        for (; row + 4 <= a.rows; row += 4) {
            int output = block;
            if (floats && row > 0)  // the first four rows have brought the weights
                for (; output + 2 <= end; output += 2) pair(m, output, a, row, out), put(output, row, 2, 4);
            for (; output < end; output++) tile<1, 4>(m, output, a, row, out), put(output, row, 1, 4);
        }
        for (; row + 2 <= a.rows; row += 2) {
            int output = block;
            for (; output + 2 <= end; output += 2) tile<2, 2>(m, output, a, row, out), put(output, row, 2, 2);
            for (; output < end; output++) tile<1, 2>(m, output, a, row, out), put(output, row, 1, 2);
        }
        if (row < a.rows) {
            int output = block;
            if (output + 4 <= end) tile<4, 1>(m, output, a, row, out), put(output, row, 4, 1), output += 4;
            for (; output < end; output++) tile<1, 1>(m, output, a, row, out), put(output, row, 1, 1);
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
                float padded[GROUP], *wide = group * GROUP + GROUP <= m.inputs ? to + group * GROUP : padded;
#ifdef VECTORS
                const __m256 by = _mm256_set1_ps(scale), from_zero = _mm256_set1_ps(zero - 8 * scale);
                for (int i = 0; i < GROUP / 2; i += 8) {
                    const __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(from + i)));
                    const __m256i low = _mm256_and_si256(bytes, _mm256_set1_epi32(15)), high = _mm256_srli_epi32(bytes, 4);
                    _mm256_storeu_ps(wide + i, _mm256_fmadd_ps(_mm256_cvtepi32_ps(low), by, from_zero));
                    _mm256_storeu_ps(wide + i + GROUP / 2, _mm256_fmadd_ps(_mm256_cvtepi32_ps(high), by, from_zero));
                }
#else
                for (int i = 0; i < GROUP / 2; i++) {
                    wide[i] = float(from[i] & 15) * scale + (zero - 8 * scale);
                    wide[i + GROUP / 2] = float(from[i] >> 4) * scale + (zero - 8 * scale);
                }
#endif
                if (wide == padded) std::copy(padded, padded + m.inputs - group * GROUP, to + group * GROUP);
            }
            break;
    }
}
