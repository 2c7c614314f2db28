#include "chacha20.h"

#include <string.h>

static uint32_t load32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void store32(uint8_t *bytes, uint32_t word)
{
    bytes[0] = (uint8_t)word;
    bytes[1] = (uint8_t)(word >> 8);
    bytes[2] = (uint8_t)(word >> 16);
    bytes[3] = (uint8_t)(word >> 24);
}

void assign_chacha20_init(assign_chacha20 *cipher, const uint8_t *key, const uint8_t *nonce)
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(cipher->words, constants, sizeof constants);
    for (int i = 0; i < 8; i++)
        cipher->words[4 + i] = load32(key + 4 * i);
    cipher->words[12] = 0;
    for (int i = 0; i < 3; i++)
        cipher->words[13 + i] = load32(nonce + 4 * i);
}

#define ROTATE(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define QUARTER(a, b, c, d)                                 \
    a += b; d ^= a; d = ROTATE(d, 16);                      \
    c += d; b ^= c; b = ROTATE(b, 12);                      \
    a += b; d ^= a; d = ROTATE(d, 8);                       \
    c += d; b ^= c; b = ROTATE(b, 7);

void assign_chacha20_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    for (; blocks > 0; blocks--, out += ASSIGN_BLOCK_BYTES) {
        uint32_t x[16];
        memcpy(x, cipher->words, sizeof x);
        for (int round = 0; round < 10; round++) {
            QUARTER(x[0], x[4], x[8], x[12])
            QUARTER(x[1], x[5], x[9], x[13])
            QUARTER(x[2], x[6], x[10], x[14])
            QUARTER(x[3], x[7], x[11], x[15])
            QUARTER(x[0], x[5], x[10], x[15])
            QUARTER(x[1], x[6], x[11], x[12])
            QUARTER(x[2], x[7], x[8], x[13])
            QUARTER(x[3], x[4], x[9], x[14])
        }
        for (int i = 0; i < 16; i++)
            store32(out + 4 * i, x[i] + cipher->words[i]);
        cipher->words[12]++;
    }
}

void assign_wipe(void *memory, size_t bytes)
{
    volatile uint8_t *byte = memory;
    while (bytes--)
        *byte++ = 0;
}
