// Attention of many queries on a CPU: softmax(Q K^T / sqrt(head width)) V, a block of queries and of keys at a time.
//
// The whole pattern is never stored: what each block of keys adds is scaled by the largest score so far (Dao et al. 2022,
// "FlashAttention", algorithm 1). Queries of the heads that share a key are rows of one product. Blocks of which a mask
// hides everything cost nothing, so that sequences side by side in a row cost what they cost apart.
//
// explicit_attention of model/gpt.py is the oracle that this is tested against.

#include <cstring>
#include <omp.h>
#include <vector>

#include "exponential.hpp"

struct Attention {
    int32_t threads, batch, heads, kv_heads, head_width, time, total;
    const float *queries, *keys, *values;  // each (batch, heads or kv heads, time or total, head width)
    int64_t query_batch, query_head, query_time, key_batch, key_head, key_time, value_batch, value_head, value_time;
    const uint8_t *visible;  // (time, total), or null: causal, with the queries at the end of the keys
    float *to;               // (batch, time, heads, head width)
};

namespace {

typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));  // wherever floats lie
typedef float Sum __attribute__((vector_size(32)));
constexpr float HIDDEN = -INFINITY, NONE = -1e30f;

// C (ROWS, 16) = A (ROWS, depth) B (depth, 16), or += it.
template <int ROWS, bool ADD>
inline void tile(const float *a, int64_t a_row, const float *b, int64_t b_row, int depth, float *c, int64_t c_row) {
    Sum left[ROWS] = {}, right[ROWS] = {};
    for (int k = 0; k < depth; k++) {
        const Sum low = *(const Eight *)(b + k * b_row), high = *(const Eight *)(b + k * b_row + 8);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; r++) {
            const float x = a[r * a_row + k];
            left[r] += x * low;
            right[r] += x * high;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; r++) {
        Eight *to = (Eight *)(c + r * c_row), *after = (Eight *)(c + r * c_row + 8);
        *to = ADD ? *to + left[r] : left[r];
        *after = ADD ? *after + right[r] : right[r];
    }
}

// C (rows, columns) = A (rows, depth) B (depth, columns), or += it. columns: a multiple of 16.
template <bool ADD>
void multiply(const float *a, int64_t a_row, const float *b, int64_t b_row, int rows, int depth, int columns, float *c,
              int64_t c_row) {
    for (int j = 0; j < columns; j += 16) {
        int i = 0;
        for (; i + 6 <= rows; i += 6) tile<6, ADD>(a + i * a_row, a_row, b + j, b_row, depth, c + i * c_row + j, c_row);
        for (; i < rows; i++) tile<1, ADD>(a + i * a_row, a_row, b + j, b_row, depth, c + i * c_row + j, c_row);
    }
}

// What a thread needs for one block of queries.
struct Scratch {
    std::vector<float> queries, values, scores, sums, largest, total;
};

// Keys go by column in blocks of KEYS, so that eight of them lie next to each other: (width, KEYS), zeros after the last.
template <int KEYS>
void turn(const Attention &a, int batch, int kv_head, int key, float *to) {
    const int n = std::min(KEYS, a.total - key);
    const float *keys = a.keys + batch * a.key_batch + kv_head * a.key_head + key * a.key_time;
    for (int i = 0; i < a.head_width; i++) {
        for (int k = 0; k < n; k++) to[i * KEYS + k] = keys[k * a.key_time + i];
        for (int k = n; k < KEYS; k++) to[i * KEYS + k] = 0.f;
    }
}

template <int KEYS>
float largest_of(const float *scores, float most) {
    Sum found = *(const Eight *)scores;
    for (int k = 8; k < KEYS; k += 8) {
        const Sum next = *(const Eight *)(scores + k);
        found = next > found ? next : found;
    }
    const float a = std::max(found[0], found[4]), b = std::max(found[1], found[5]);
    const float c = std::max(found[2], found[6]), d = std::max(found[3], found[7]);
    return std::max(most, std::max(std::max(a, b), std::max(c, d)));
}

// One block of queries of the heads that share a key. KEYS: in a block of keys.
template <int KEYS>
void block(const Attention &a, const float *turned, int batch, int kv_head, int first, int end, Scratch &s) {
    const int group = a.heads / a.kv_heads, count = end - first, rows = group * count, held = a.total - a.time;
    const int width = a.head_width, padded = (width + 15) / 16 * 16;
    const float scale = 1.f / std::sqrt(float(width));
    s.queries.resize(size_t(rows) * width);
    s.values.assign(size_t(KEYS) * padded, 0.f);
    s.scores.resize(size_t(rows) * KEYS);
    s.sums.assign(size_t(rows) * padded, 0.f);
    s.largest.assign(rows, NONE);
    s.total.assign(rows, 0.f);
    for (int r = 0; r < rows; r++) {  // row: head by head
        const float *from = a.queries + batch * a.query_batch + (kv_head * group + r / count) * a.query_head +
                            (first + r % count) * a.query_time;
        for (int i = 0; i < width; i++) s.queries[size_t(r) * width + i] = from[i] * scale;
    }
    const float *values = a.values + batch * a.value_batch + kv_head * a.value_head;

    for (int key = 0; key < held + end; key += KEYS) {
        const int n = std::min(KEYS, held + end - key);
        bool whole = a.visible ? false : key + n <= held + first + 1;
        if (a.visible) {
            uint8_t any = 0, all = 1;
            for (int q = first; q < end; q++)
                for (int k = 0; k < n; k++) {
                    const uint8_t seen = a.visible[int64_t(q) * a.total + key + k];
                    any |= seen, all &= seen;
                }
            if (!any) continue;
            whole = all;
        }
        const float *values_here = values + key * a.value_time;
        int64_t value_row = a.value_time;
        if (padded != width) {
            for (int k = 0; k < n; k++)
                std::copy_n(values_here + k * a.value_time, width, &s.values[size_t(k) * padded]);
            values_here = s.values.data(), value_row = padded;
        }
        multiply<false>(s.queries.data(), width, turned + size_t(key) * width, KEYS, rows, width, (n + 15) / 16 * 16, s.scores.data(), KEYS);

        for (int r = 0; r < rows; r++) {
            float *score = &s.scores[size_t(r) * KEYS];
            const int q = first + r % count;
            for (int k = n; k < KEYS; k++) score[k] = HIDDEN;
            if (!whole) {
                if (a.visible) {
                    const uint8_t *seen = a.visible + int64_t(q) * a.total + key;
                    for (int k = 0; k < n; k++) score[k] = seen[k] ? score[k] : HIDDEN;
                } else
                    for (int k = std::max(held + q + 1 - key, 0); k < n; k++) score[k] = HIDDEN;
            }
            const float most = largest_of<KEYS>(score, s.largest[r]);
            if (most > s.largest[r]) {
                const float shrink = exponential(s.largest[r] - most);
                s.total[r] *= shrink;
                for (int i = 0; i < padded; i++) s.sums[size_t(r) * padded + i] *= shrink;
                s.largest[r] = most;
            }
            float total = 0;
            for (int k = 0; k < KEYS; k++) total += score[k] = exponential(score[k] - most);
            s.total[r] += total;
        }
        multiply<true>(s.scores.data(), KEYS, values_here, value_row, rows, n, padded, s.sums.data(), padded);
    }
    for (int r = 0; r < rows; r++) {
        float *to = a.to + ((int64_t(batch) * a.time + first + r % count) * a.heads + kv_head * group + r / count) * width;
        for (int i = 0; i < width; i++) to[i] = s.sums[size_t(r) * padded + i] / s.total[r];
    }
}

template <int KEYS>
void attend(const Attention &a, int size) {
    static thread_local std::vector<float> turned;  // of the calling thread: all keys, (batch, kv heads, blocks, …)
    const int key_blocks = (a.total + KEYS - 1) / KEYS, blocks = (a.time + size - 1) / size, pairs = a.batch * a.kv_heads;
    const size_t plane = size_t(key_blocks) * KEYS * a.head_width;
    if (turned.size() < plane * pairs) turned.resize(plane * pairs);
    float *keys = turned.data();
#pragma omp parallel num_threads(a.threads)
    {
        static thread_local Scratch scratch;
#pragma omp for
        for (int64_t i = 0; i < int64_t(pairs) * key_blocks; i++) {
            const int pair = i / key_blocks, part = i % key_blocks;
            turn<KEYS>(a, pair / a.kv_heads, pair % a.kv_heads, part * KEYS,
                       keys + pair * plane + size_t(part) * KEYS * a.head_width);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < int64_t(pairs) * blocks; i++) {
            // the last queries see the most keys: first, so that no thread is left with them at the end
            const int first = (blocks - 1 - i / pairs) * size, pair = i % pairs;
            block<KEYS>(a, keys + pair * plane, pair / a.kv_heads, pair % a.kv_heads, first,
                        std::min(a.time, first + size), scratch);
        }
    }
}

}  // namespace

// Larger blocks where there is much to do, smaller ones where a mask leaves much out. Measured.
extern "C" void attend_rows(const Attention *attention) {
    if (attention->visible)
        attend<32>(*attention, 16);
    else if (attention->total < 1024)
        attend<64>(*attention, 32);
    else
        attend<128>(*attention, 64);
}
