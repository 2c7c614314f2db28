#include "chacha20.h"

#include <string.h>

#include "chacha20_paths.h"
#include "chacha20_rounds.h"

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

#define ADD(a, b) ((a) + (b))
#define XOR(a, b) ((a) ^ (b))
#define ROTATE(a, bits) ((a) << (bits) | (a) >> (32 - (bits)))

#if defined(__GNUC__) || defined(__clang__)
/* Four blocks at once with the compiler's own vectors: SSE2, NEON, or whatever the target has. */
typedef uint32_t lanes4 __attribute__((vector_size(16)));

static size_t four_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    const lanes4 lanes = {0, 1, 2, 3};
    size_t done = 0;
    for (; blocks - done >= 4; done += 4, out += 4 * ASSIGN_BLOCK_BYTES) {
        lanes4 x[16];
        for (int i = 0; i < 16; i++)
            x[i] = (lanes4){0} + cipher->words[i];
        x[12] += lanes;
        TWENTY_ROUNDS(x)
        for (int i = 0; i < 16; i++) {
            x[i] += cipher->words[i];
            if (i == 12)
                x[i] += lanes;
            for (int block = 0; block < 4; block++)
                store32(out + ASSIGN_BLOCK_BYTES * block + 4 * i, x[i][block]);
        }
        cipher->words[12] += 4;
    }
    return done;
}
#else
static size_t four_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    (void)cipher, (void)out, (void)blocks;
    return 0;
}
#endif

static void one_block(assign_chacha20 *cipher, uint8_t *out)
{
    uint32_t x[16];
    memcpy(x, cipher->words, sizeof x);
    TWENTY_ROUNDS(x)
    for (int i = 0; i < 16; i++)
        store32(out + 4 * i, x[i] + cipher->words[i]);
    cipher->words[12]++;
}

static int path_in_use = ASSIGN_PORTABLE;

int assign_path_available(int path)
{
#if ASSIGN_HAS_X86_PATHS
    if (path == ASSIGN_AVX2 || path == ASSIGN_AVX512)
        return assign_x86_supports(path);
#endif
    return path == ASSIGN_PORTABLE;
}

void assign_select_path(int path)
{
    path_in_use = path;
}

void assign_chacha20_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    size_t done = 0;
#if ASSIGN_HAS_X86_PATHS
    if (path_in_use == ASSIGN_AVX512)
        done = assign_chacha20_avx512(cipher, out, blocks);
    if (path_in_use != ASSIGN_PORTABLE && blocks - done >= 8)
        done += assign_chacha20_avx2(cipher, out + done * ASSIGN_BLOCK_BYTES, blocks - done);
#endif
    done += four_blocks(cipher, out + done * ASSIGN_BLOCK_BYTES, blocks - done);
    for (; done < blocks; done++)
        one_block(cipher, out + done * ASSIGN_BLOCK_BYTES);
}

void assign_wipe(void *memory, size_t bytes)
{
#if defined(__GNUC__) || defined(__clang__)
    memset(memory, 0, bytes);
    __asm__ __volatile__("" : : "r"(memory) : "memory"); /* the memory may be read here: keep the memset */
#else
    volatile uint8_t *byte = memory;
    while (bytes--)
        *byte++ = 0;
#endif
}
