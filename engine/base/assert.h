/*
 * assert.h - cheap truths, checked in production too.
 *
 * ASSERT is for programmer errors only: it prints what was believed, where, on which
 * thread, and aborts. DASSERT is for expensive walks and exists only in debug, fuzz
 * and simulation builds.
 */
#ifndef ENGINE_BASE_ASSERT_H
#define ENGINE_BASE_ASSERT_H

__attribute__((noreturn, cold)) void panic_at(const char *file, int line, const char *what);

#define ASSERT(x)                                                                                  \
    do {                                                                                           \
        if (__builtin_expect(!(x), 0)) panic_at(__FILE__, __LINE__, #x);                           \
    } while (0)

#ifdef SPATE_DEBUG
#define DASSERT(x) ASSERT(x)
#else
#define DASSERT(x) ((void)0)
#endif

#define PANIC(what) panic_at(__FILE__, __LINE__, (what))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Called once by panic_at before abort(), on the panicking thread, to add what the
 * process was doing (shard, node, batch). Set at start-up; may be NULL. */
extern void (*panic_report)(void);

#endif
