/* ChaCha20 (RFC 8439) keystream: many blocks at once, the same bytes on every path. */
#ifndef ASSIGN_CHACHA20_H
#define ASSIGN_CHACHA20_H

#include <stddef.h>
#include <stdint.h>

enum { ASSIGN_BLOCK_BYTES = 64 };

/* The sixteen words of RFC 8439 section 2.3: constants, key, block counter, nonce. */
typedef struct {
    uint32_t words[16];
} assign_chacha20;

/* `key` has 32 bytes, `nonce` 12; the block counter starts at 0. */
void assign_chacha20_init(assign_chacha20 *cipher, const uint8_t *key, const uint8_t *nonce);

/* Writes `blocks` blocks of keystream to `out` and moves the counter on. */
void assign_chacha20_blocks(assign_chacha20 *cipher, uint8_t *out, size_t blocks);

/* Overwrites memory that held key material; not optimised away. */
void assign_wipe(void *memory, size_t bytes);

#endif
