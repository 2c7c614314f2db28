/* ChaCha20 on 8 (AVX2) and 16 (AVX-512) blocks at once; empty where the compiler cannot make either. */
#include "chacha20_paths.h"

#if ASSIGN_HAS_X86_PATHS

#include <immintrin.h>

#include "chacha20_rounds.h"

/* -- AVX-512: sixteen blocks ------------------------------------------------------------------- */

#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define ROTATE(a, bits) _mm512_rol_epi32(a, bits)

/* Four vectors of four words of sixteen blocks become, in each 128-bit part, four words of one block. */
#define INTERLEAVE_512(a, b, c, d)                                            \
    do {                                                                      \
        __m512i ab0 = _mm512_unpacklo_epi32(a, b), ab1 = _mm512_unpackhi_epi32(a, b); \
        __m512i cd0 = _mm512_unpacklo_epi32(c, d), cd1 = _mm512_unpackhi_epi32(c, d); \
        a = _mm512_unpacklo_epi64(ab0, cd0);                                  \
        b = _mm512_unpackhi_epi64(ab0, cd0);                                  \
        c = _mm512_unpacklo_epi64(ab1, cd1);                                  \
        d = _mm512_unpackhi_epi64(ab1, cd1);                                  \
    } while (0)

/* Writes blocks `first`, `first` + 4, + 8 and + 12 from their four quarters. */
__attribute__((target("avx512f"))) static inline void store_blocks_512(
    uint8_t *out, int first, __m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i ab0 = _mm512_shuffle_i32x4(a, b, 0x44), ab1 = _mm512_shuffle_i32x4(a, b, 0xee);
    __m512i cd0 = _mm512_shuffle_i32x4(c, d, 0x44), cd1 = _mm512_shuffle_i32x4(c, d, 0xee);
    _mm512_storeu_si512(out + 64 * first, _mm512_shuffle_i32x4(ab0, cd0, 0x88));
    _mm512_storeu_si512(out + 64 * (first + 4), _mm512_shuffle_i32x4(ab0, cd0, 0xdd));
    _mm512_storeu_si512(out + 64 * (first + 8), _mm512_shuffle_i32x4(ab1, cd1, 0x88));
    _mm512_storeu_si512(out + 64 * (first + 12), _mm512_shuffle_i32x4(ab1, cd1, 0xdd));
}

__attribute__((target("avx512f"))) size_t assign_chacha20_avx512(
    assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t done = 0;
    for (; blocks - done >= 16; done += 16, out += 16 * ASSIGN_BLOCK_BYTES) {
        __m512i x[16];
        for (int i = 0; i < 16; i++)
            x[i] = _mm512_set1_epi32((int)cipher->words[i]);
        x[12] = ADD(x[12], lanes);
        TWENTY_ROUNDS(x)
        for (int i = 0; i < 16; i++)
            x[i] = ADD(x[i], _mm512_set1_epi32((int)cipher->words[i]));
        x[12] = ADD(x[12], lanes);
        INTERLEAVE_512(x[0], x[1], x[2], x[3]);
        INTERLEAVE_512(x[4], x[5], x[6], x[7]);
        INTERLEAVE_512(x[8], x[9], x[10], x[11]);
        INTERLEAVE_512(x[12], x[13], x[14], x[15]);
        for (int i = 0; i < 4; i++)
            store_blocks_512(out, i, x[i], x[4 + i], x[8 + i], x[12 + i]);
        cipher->words[12] += 16;
    }
    return done;
}

#undef ADD
#undef XOR
#undef ROTATE

/* -- AVX2: eight blocks ------------------------------------------------------------------------ */

#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ROTATE(a, bits)                                                       \
    ((bits) == 16 ? _mm256_shuffle_epi8(a, rotate16)                          \
     : (bits) == 8 ? _mm256_shuffle_epi8(a, rotate8)                          \
                   : _mm256_or_si256(_mm256_slli_epi32(a, bits), _mm256_srli_epi32(a, 32 - (bits))))

#define INTERLEAVE_256(a, b, c, d)                                            \
    do {                                                                      \
        __m256i ab0 = _mm256_unpacklo_epi32(a, b), ab1 = _mm256_unpackhi_epi32(a, b); \
        __m256i cd0 = _mm256_unpacklo_epi32(c, d), cd1 = _mm256_unpackhi_epi32(c, d); \
        a = _mm256_unpacklo_epi64(ab0, cd0);                                  \
        b = _mm256_unpackhi_epi64(ab0, cd0);                                  \
        c = _mm256_unpacklo_epi64(ab1, cd1);                                  \
        d = _mm256_unpackhi_epi64(ab1, cd1);                                  \
    } while (0)

__attribute__((target("avx2"))) static inline void store_256(uint8_t *out, __m256i value)
{
    _mm256_storeu_si256((__m256i *)(void *)out, value);
}

/* Writes half a block of blocks `first` and `first` + 4. */
__attribute__((target("avx2"))) static inline void store_halves_256(
    uint8_t *out, int first, __m256i a, __m256i b)
{
    store_256(out + 64 * first, _mm256_permute2x128_si256(a, b, 0x20));
    store_256(out + 64 * (first + 4), _mm256_permute2x128_si256(a, b, 0x31));
}

__attribute__((target("avx2"))) size_t assign_chacha20_avx2(
    assign_chacha20 *cipher, uint8_t *out, size_t blocks)
{
    const __m256i rotate16 = _mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
                                              2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    const __m256i rotate8 = _mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14,
                                             3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    size_t done = 0;
    for (; blocks - done >= 8; done += 8, out += 8 * ASSIGN_BLOCK_BYTES) {
        __m256i x[16];
        for (int i = 0; i < 16; i++)
            x[i] = _mm256_set1_epi32((int)cipher->words[i]);
        x[12] = ADD(x[12], lanes);
        TWENTY_ROUNDS(x)
        for (int i = 0; i < 16; i++)
            x[i] = ADD(x[i], _mm256_set1_epi32((int)cipher->words[i]));
        x[12] = ADD(x[12], lanes);
        INTERLEAVE_256(x[0], x[1], x[2], x[3]);
        INTERLEAVE_256(x[4], x[5], x[6], x[7]);
        INTERLEAVE_256(x[8], x[9], x[10], x[11]);
        INTERLEAVE_256(x[12], x[13], x[14], x[15]);
        for (int i = 0; i < 4; i++) {
            store_halves_256(out, i, x[i], x[4 + i]);
            store_halves_256(out + 32, i, x[8 + i], x[12 + i]);
        }
        cipher->words[12] += 8;
    }
    return done;
}

int assign_x86_supports(int path)
{
    __builtin_cpu_init();
    return path == ASSIGN_AVX512 ? __builtin_cpu_supports("avx512f") != 0 : __builtin_cpu_supports("avx2") != 0;
}

#else
typedef int assign_no_x86_paths; /* ISO C forbids an empty translation unit */
#endif
