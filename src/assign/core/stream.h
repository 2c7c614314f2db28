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

static inline uint32_t assign_next32(assign_stream *stream)
{
    if (stream->position == ASSIGN_STREAM_BYTES) {
        assign_chacha20_blocks(&stream->cipher, stream->buffer, ASSIGN_STREAM_BYTES / ASSIGN_BLOCK_BYTES);
        stream->position = 0;
    }
    const uint8_t *bytes = stream->buffer + stream->position;
    stream->position += 4;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
#else
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
#endif
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

/* High and low half of a * b where b < 2^32: no 128-bit type is needed. */
static inline uint64_t assign_multiply(uint64_t a, uint32_t b, uint64_t *low)
{
    uint64_t bottom = (a & 0xffffffffu) * b;
    uint64_t top = (a >> 32) * b + (bottom >> 32);
    *low = top << 32 | (bottom & 0xffffffffu);
    return top >> 32;
}

/* Uniform in 0 .. bound-1 from 64-bit words; bound >= 1. */
static inline uint32_t assign_below64(assign_stream *stream, uint32_t bound)
{
    uint64_t low;
    uint64_t high = assign_multiply(assign_next64(stream), bound, &low);
    if (low < bound) {
        uint64_t threshold = (0u - (uint64_t)bound) % bound;
        while (low < threshold)
            high = assign_multiply(assign_next64(stream), bound, &low);
    }
    return (uint32_t)high;
}

#endif
