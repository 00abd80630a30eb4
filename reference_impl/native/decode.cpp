// One decode step of a GPT on a CPU, whole, in one call: one more token of each sequence, or a few, in; logits out.
//
// Decoding reads every weight once for a few rows of activations. Done operation by operation, starting and ending some
// four hundred operations takes longer than reading the weights. Here the threads start once a step and meet
// five times a layer; what is small (norms, rounding of activations) every thread does for itself instead of waiting.
//
// The model is the one of model/gpt.py, which is the oracle that this is tested against.

#include <atomic>
#include <omp.h>
#include <sched.h>

#include "exponential.hpp"
#include "weights.hpp"

enum Norm : int32_t { NO_NORM = 0, LAYER_NORM = 1, RMS_NORM = 2 };
enum Activation : int32_t { GELU_BY_TANH = 0, SWIGLU = 1, GELU = 2 };

struct Layer {
    const float *attention_norm, *attention_norm_bias, *ffn_norm, *ffn_norm_bias;
    Matrix qkv, out, gate, up, down;  // gate: SwiGLU only
};

struct Model {
    int32_t layers, heads, kv_heads, head_width, width, ffn_width, norm, activation;
    float norm_epsilon;
    const float *frequencies;  // (head_width / 2): rotary; null: learned positions
    const Layer *layer;
    Matrix embedding, positions, head;
    const float *final_norm, *final_norm_bias;
};

struct Step {
    int32_t threads, batch, time, cache_is_bf16;
    int64_t capacity, length;    // of the cache: room for, and held before this step
    int64_t layer_stride;        // of the cache: elements from one layer to the next; it may have room for more sequences
    const int64_t *tokens;       // (batch, time)
    const int64_t *positions;    // (batch, time)
    const int64_t *first;        // (batch): where the row's real tokens begin in the cache (left padding before)
    void *keys, *values;         // (layers, batch, kv heads, capacity, head width)
    float *logits;               // (batch, time, vocabulary)
};

namespace {

// Threads that meet here leave together. Spinning, because the next piece of work is microseconds away; yielding after a
// while, because the other thread may have lost its core.
class Meeting {
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<int> round{0};

  public:
    void operator()(int team) {
        const int now = round.load(std::memory_order_relaxed);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == team) {
            arrived.store(0, std::memory_order_relaxed);
            round.store(now + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; round.load(std::memory_order_acquire) == now; spins++) {
#ifdef VECTORS
            _mm_pause();
#endif
            if (spins > 10000) sched_yield();
        }
    }
};

struct Share {
    int start, stop;
};
Share share(int64_t n, int thread, int team, int unit = 1) {
    const int64_t units = (n + unit - 1) / unit;
    return {int(std::min(n, units * thread / team * unit)), int(std::min(n, units * (thread + 1) / team * unit))};
}

void normalize(const Model &m, const float *x, const float *weight, const float *bias, float *to) {
    const int n = m.width;
    float mean = 0, squares = 0;
    if (m.norm == NO_NORM) {
        std::copy(x, x + n, to);
        return;
    }
    if (m.norm == LAYER_NORM) {
        for (int i = 0; i < n; i++) mean += x[i];
        mean /= n;
    }
    for (int i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    const float scale = 1.f / std::sqrt(squares / n + m.norm_epsilon);
    for (int i = 0; i < n; i++) to[i] = (x[i] - mean) * scale * weight[i];
    if (bias)
        for (int i = 0; i < n; i++) to[i] += bias[i];
}

void activate(const Model &m, float *up, const float *gate, int n) {
    if (m.activation == SWIGLU)
        for (int i = 0; i < n; i++) up[i] *= gate[i] / (1.f + exponential(-gate[i]));
    else if (m.activation == GELU)
        for (int i = 0; i < n; i++) up[i] *= 0.5f * (1.f + std::erf(up[i] * 0.70710678f));
    else  // 0.5 (1 + tanh(u)) is 1 / (1 + exp(-2 u))
        for (int i = 0; i < n; i++)
            up[i] /= 1.f + exponential(-1.5957691216f * (up[i] + 0.044715f * up[i] * up[i] * up[i]));
}

void rotate(float *x, const float *cosines, const float *sines, int half) {
    for (int i = 0; i < half; i++) {
        const float low = x[i], high = x[i + half];
        x[i] = low * cosines[i] - high * sines[i];
        x[i + half] = high * cosines[i] + low * sines[i];
    }
}

template <typename T>
void attend(const float *query, const T *keys, const T *values, int64_t first, int64_t last, int head_width,
            float *scores, float *to) {
    const float scale = 1.f / std::sqrt(float(head_width));
    float largest = -INFINITY;
    for (int64_t p = first; p <= last; p++) {
        float sum = 0;
        for (int i = 0; i < head_width; i++) sum += query[i] * to_float(keys[p * head_width + i]);
        scores[p - first] = sum * scale;
        largest = std::max(largest, scores[p - first]);
    }
    float total = 0;
    for (int64_t i = 0; i <= last - first; i++) total += scores[i] = exponential(scores[i] - largest);
    std::fill(to, to + head_width, 0.f);
    for (int64_t p = first; p <= last; p++)
        for (int i = 0; i < head_width; i++) to[i] += scores[p - first] * to_float(values[p * head_width + i]);
    for (int i = 0; i < head_width; i++) to[i] /= total;
}

// What all threads share during a step.
struct Shared {
    std::vector<float> x, qkv, mixed, up, gate;
    Meeting meeting;
};

template <typename T>
void work(const Model &m, const Step &s, Shared &shared, int thread, int team) {
    static thread_local Activations a;
    static thread_local std::vector<float> scores, turns, query;
    const int hw = m.head_width, half = hw / 2, sharing = m.heads / m.kv_heads;
    const int rows = s.batch * s.time;  // row b * time + t is token t of sequence b
    const int qkv_width = m.width + 2 * m.kv_heads * hw;
    scores.resize(s.capacity);
    turns.resize(size_t(rows) * hw);
    query.resize(hw);
    if (m.frequencies)
        for (int r = 0; r < rows; r++)
            for (int i = 0; i < half; i++) {
                const float angle = float(s.positions[r]) * m.frequencies[i];
                turns[r * hw + i] = std::cos(angle);
                turns[r * hw + half + i] = std::sin(angle);
            }

    auto read = [&](const std::vector<float> &from, int width) {
        a.resize(rows, width);
        for (int r = 0; r < rows; r++)
            std::copy(from.data() + size_t(r) * width, from.data() + size_t(r + 1) * width, a.row(r));
    };
    auto read_normalized = [&](const float *weight, const float *bias) {
        a.resize(rows, m.width);
        for (int r = 0; r < rows; r++) normalize(m, shared.x.data() + size_t(r) * m.width, weight, bias, a.row(r));
    };
    // This thread's share of a product; `rounded` says that the activations are integers already.
    auto product = [&](const Matrix &w, auto store, bool rounded = false) {
        if (wants_integers(w) && !rounded) a.round_to_integers();
        const Share mine = share(w.outputs, thread, team, 8);
        multiply(w, a, mine.start, mine.stop, store);
        return mine;
    };

    for (int layer = 0; layer < m.layers; layer++) {
        const Layer &l = m.layer[layer];
        const size_t plane = size_t(s.capacity) * hw;
        T *keys = (T *)s.keys + layer * s.layer_stride, *values = (T *)s.values + layer * s.layer_stride;

        read_normalized(l.attention_norm, l.attention_norm_bias);
        product(l.qkv, [&](int r, int o, float y) { shared.qkv[size_t(r) * qkv_width + o] = y; });
        shared.meeting(team);

        const Share groups = share(int64_t(rows) * m.kv_heads, thread, team);
        for (int item = groups.start; item < groups.stop; item++) {
            const int r = item / m.kv_heads, b = r / s.time;
            const size_t place = (size_t(b) * m.kv_heads + item % m.kv_heads) * plane + (s.length + r % s.time) * hw;
            float *key = shared.qkv.data() + (size_t(item) * (sharing + 2) + sharing) * hw, *value = key + hw;
            if (m.frequencies) rotate(key, &turns[r * hw], &turns[r * hw + half], half);
            for (int i = 0; i < hw; i++) {
                from_float(key[i], keys[place + i]);
                from_float(value[i], values[place + i]);
            }
        }
        shared.meeting(team);

        const Share heads = share(int64_t(rows) * m.heads, thread, team);
        for (int item = heads.start; item < heads.stop; item++) {
            const int r = item / m.heads, b = r / s.time, group = item % m.heads / sharing;
            const float *source = shared.qkv.data() + size_t(r) * qkv_width +
                                  size_t(group * (sharing + 2) + item % m.heads % sharing) * hw;
            const size_t held = (size_t(b) * m.kv_heads + group) * plane;
            std::copy(source, source + hw, query.data());
            if (m.frequencies) rotate(query.data(), &turns[r * hw], &turns[r * hw + half], half);
            attend(query.data(), keys + held, values + held, s.first[b], s.length + r % s.time, hw, scores.data(),
                   shared.mixed.data() + size_t(item) * hw);
        }
        shared.meeting(team);

        read(shared.mixed, m.width);
        auto add = [&](int r, int o, float y) { shared.x[size_t(r) * m.width + o] += y; };
        product(l.out, add);
        shared.meeting(team);

        read_normalized(l.ffn_norm, l.ffn_norm_bias);
        const Share mine =
            product(l.up, [&](int r, int o, float y) { shared.up[size_t(r) * m.ffn_width + o] = y; });
        if (m.activation == SWIGLU) {
            const bool rounded = wants_integers(l.up);
            product(l.gate, [&](int r, int o, float y) { shared.gate[size_t(r) * m.ffn_width + o] = y; }, rounded);
        }
        for (int r = 0; r < rows; r++) {
            const size_t place = size_t(r) * m.ffn_width + mine.start;
            activate(m, shared.up.data() + place, shared.gate.data() + place, mine.stop - mine.start);
        }
        shared.meeting(team);

        read(shared.up, m.ffn_width);
        product(l.down, add);
        shared.meeting(team);
    }

    read_normalized(m.final_norm, m.final_norm_bias);
    product(m.head, [&](int r, int o, float y) { s.logits[size_t(r) * m.head.outputs + o] = y; });
}

}  // namespace

extern "C" {

void decode_step(const Model *m, const Step *s) {
    static thread_local Shared shared;
    Shared &ours = shared;  // thread_local names mean another object in each thread of the team
    const size_t rows = size_t(s->batch) * s->time;
    ours.x.resize(rows * m->width);
    ours.qkv.resize(rows * (m->width + 2 * m->kv_heads * m->head_width));
    ours.mixed.resize(rows * m->width);
    ours.up.resize(rows * m->ffn_width);
    ours.gate.resize(rows * m->ffn_width);
    std::vector<float> position(m->width);
    for (size_t r = 0; r < rows; r++) {
        float *x = ours.x.data() + r * m->width;
        widen_row(m->embedding, s->tokens[r], x);
        if (m->frequencies) continue;
        widen_row(m->positions, s->positions[r], position.data());
        for (int i = 0; i < m->width; i++) x[i] += position[i];
    }
#pragma omp parallel num_threads(s->threads)
    {
        if (s->cache_is_bf16)
            work<uint16_t>(*m, *s, ours, omp_get_thread_num(), omp_get_num_threads());
        else
            work<float>(*m, *s, ours, omp_get_thread_num(), omp_get_num_threads());
    }
}

// y = x W^T + bias. x: (rows, inputs), y: (rows, outputs), both fp32.
void multiply_rows(const Matrix *m, int32_t threads, int32_t rows, const float *x, float *y) {
#pragma omp parallel num_threads(threads)
    {
        static thread_local Activations a;
        a.resize(rows, m->inputs);
        for (int row = 0; row < rows; row++)
            std::copy(x + size_t(row) * m->inputs, x + size_t(row + 1) * m->inputs, a.row(row));
        if (wants_integers(*m)) a.round_to_integers();
        const Share mine = share(m->outputs, omp_get_thread_num(), omp_get_num_threads(), 8);
        multiply(*m, a, mine.start, mine.stop,
                 [&](int row, int output, float value) { y[size_t(row) * m->outputs + output] = value; });
    }
}

// Outputs [start, stop) of a matrix as fp32: (stop - start, inputs).
void widen(const Matrix *m, int32_t threads, int64_t start, int64_t stop, float *to) {
#pragma omp parallel num_threads(threads)
    {
        const Share mine = share(stop - start, omp_get_thread_num(), omp_get_num_threads());
        for (int row = mine.start; row < mine.stop; row++) widen_row(*m, start + row, to + size_t(row) * m->inputs);
    }
}

}
