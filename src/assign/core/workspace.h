/* Memory for a draw. */
#ifndef ASSIGN_WORKSPACE_H
#define ASSIGN_WORKSPACE_H

#include <stddef.h>
#include <stdlib.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { ASSIGN_HUGE_PAGE = 1 << 21 };

/* Cache-aligned, not cleared; NULL if there is none. Large spaces ask for huge pages: a walk jumps
 * about in them, and with small pages most jumps would miss the page table cache as well. */
static inline void *assign_allocate(size_t size)
{
#if defined(__linux__)
    int large = size >= 2 * (size_t)ASSIGN_HUGE_PAGE;
    size_t alignment = large ? (size_t)ASSIGN_HUGE_PAGE : 64;
    void *memory = NULL;
    if (posix_memalign(&memory, alignment, size ? size : 1) != 0)
        return NULL;
#if defined(MADV_HUGEPAGE)
    if (large)
        (void)madvise(memory, size, MADV_HUGEPAGE); /* a hint: refusal changes nothing but speed */
#endif
    return memory;
#else
    return malloc(size ? size : 1);
#endif
}

static inline void assign_free(void *memory)
{
    free(memory);
}

/* A hint that two cache lines from `memory` on will be read soon. */
static inline void assign_prefetch(const void *memory)
{
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(memory);
    __builtin_prefetch((const char *)memory + 64);
#else
    (void)memory;
#endif
}

#endif
