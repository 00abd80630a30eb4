// exp for attention and activations, as fast as the rest of them.

#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

// exp within 2 units in the last place, written so that the compiler can do eight at once. Not-a-number stays what it is:
// both comparisons are false for it and give back their first argument.
inline float exponential(float x) {
    x = std::min(std::max(x, -87.f), 88.f);
    const float n = std::nearbyint(x * 1.44269504f);
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    return p * std::bit_cast<float>((int32_t(n) + 127) << 23);
}
