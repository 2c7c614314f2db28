/* One keyed stream of random words and unbiased bounded integers (Lemire 2019, arXiv 1805.10941). */
#ifndef ASSIGN_STREAM_H
#define ASSIGN_STREAM_H

#include <string.h>

#include "chacha20.h"

enum { ASSIGN_STREAM_BYTES = 1024 };

typedef struct {
    assign_chacha20 cipher;
    uint32_t position; /* bytes of `buffer` already used */
    uint8_t buffer[ASSIGN_STREAM_BYTES];
} assign_stream;

static inline void assign_stream_init(assign_stream *stream, const uint8_t *key, const uint8_t *nonce)
{
    assign_chacha20_init(&stream->cipher, key, nonce);
    stream->position = ASSIGN_STREAM_BYTES;
}

static inline uint32_t assign_word(const uint8_t *bytes)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
#else
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
#endif
}

static inline void assign_refill(assign_stream *stream)
{
    assign_chacha20_blocks(&stream->cipher, stream->buffer, ASSIGN_STREAM_BYTES / ASSIGN_BLOCK_BYTES);
    stream->position = 0;
}

static inline uint32_t assign_next32(assign_stream *stream)
{
    if (stream->position == ASSIGN_STREAM_BYTES)
        assign_refill(stream);
    stream->position += 4;
    return assign_word(stream->buffer + stream->position - 4);
}

static inline uint64_t assign_next64(assign_stream *stream)
{
    uint64_t low = assign_next32(stream);
    return low | (uint64_t)assign_next32(stream) << 32;
}

/* Uniform in 0 .. bound-1 from 32-bit words; bound >= 1. */
static inline uint32_t assign_below32(assign_stream *stream, uint32_t bound)
{
    uint64_t product = (uint64_t)assign_next32(stream) * bound;
    if ((uint32_t)product < bound) {
        uint32_t threshold = (uint32_t)(0u - bound) % bound;
        while ((uint32_t)product < threshold)
            product = (uint64_t)assign_next32(stream) * bound;
    }
    return (uint32_t)(product >> 32);
}

/* High half of a * b; the low half goes to `low`. */
static inline uint64_t assign_multiply(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__)
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
    uint64_t bottom = a0 * b0, left = a1 * b0, right = a0 * b1;
    uint64_t middle = (bottom >> 32) + (left & 0xffffffffu) + (right & 0xffffffffu);
    *low = middle << 32 | (bottom & 0xffffffffu);
    return a1 * b1 + (left >> 32) + (right >> 32) + (middle >> 32);
#endif
}

/* Uniform in 0 .. bound-1 from 64-bit words; bound >= 1. */
static inline uint64_t assign_below64(assign_stream *stream, uint64_t bound)
{
    uint64_t low;
    uint64_t high = assign_multiply(assign_next64(stream), bound, &low);
    if (low < bound) {
        uint64_t threshold = (0u - bound) % bound;
        while (low < threshold)
            high = assign_multiply(assign_next64(stream), bound, &low);
    }
    return high;
}

enum { ASSIGN_BATCH = ASSIGN_STREAM_BYTES / 8 };

/* The indices of Fisher-Yates: uniform in 0 .. last, then in 0 .. last-1 and so on, at most as many as
 * the words at hand give and never one for place 0. Returns how many. For streams read in 64-bit words
 * alone: a buffer then holds a whole number of them. */
static inline uint32_t assign_places(assign_stream *stream, uint64_t last, uint32_t *places)
{
    uint32_t count = 0;
    if (stream->position == ASSIGN_STREAM_BYTES)
        assign_refill(stream);
    const uint8_t *bytes = stream->buffer + stream->position;
    const uint8_t *end = stream->buffer + ASSIGN_STREAM_BYTES;
    for (; bytes != end && last > 0; bytes += 8) {
        uint64_t low, bound = last + 1;
        uint64_t word = assign_word(bytes) | (uint64_t)assign_word(bytes + 4) << 32;
        places[count] = (uint32_t)assign_multiply(word, bound, &low);
        if (low < bound && low < (0u - bound) % bound)
            continue; /* rejected: the next word decides this place */
        count++;
        last--;
    }
    stream->position = (uint32_t)(bytes - stream->buffer);
    return count;
}

#endif
