/* The ways to compute the keystream. All give the same bytes. */
#ifndef ASSIGN_CHACHA20_PATHS_H
#define ASSIGN_CHACHA20_PATHS_H

#include "chacha20.h"

#if (defined(__x86_64__) || defined(__i386__)) && (defined(__GNUC__) || defined(__clang__))
#define ASSIGN_HAS_X86_PATHS 1
#else
#define ASSIGN_HAS_X86_PATHS 0
#endif

enum { ASSIGN_PORTABLE, ASSIGN_AVX2, ASSIGN_AVX512, ASSIGN_PATHS };

/* Whether path `path` can run on this processor. */
int assign_path_available(int path);

/* Makes `path`, which must be available, the one in use. */
void assign_select_path(int path);

#if ASSIGN_HAS_X86_PATHS
int assign_x86_supports(int path);

/* Each writes as many whole groups of blocks as fit in `blocks` and returns how many blocks that is. */
size_t assign_chacha20_avx2(assign_chacha20 *cipher, uint8_t *out, size_t blocks);
size_t assign_chacha20_avx512(assign_chacha20 *cipher, uint8_t *out, size_t blocks);
#endif

#endif
