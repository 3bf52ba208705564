/*
 * bell.h - wakes one sleeping thread; a system call only when it really sleeps.
 *
 * The sleeper: bell_arm(), look at all queues once more, bell_wait() or poll the descriptor,
 * bell_disarm(). The others: put something on a queue, bell_ring(). Waits on an eventfd, so the
 * descriptor can stand in a poll set.
 */
#ifndef ENGINE_BASE_BELL_H
#define ENGINE_BASE_BELL_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct bell {
    int fd;
    _Atomic int armed;
};

bool bell_init(struct bell *bell); /* false with errno */
void bell_fini(struct bell *bell);
void bell_ring(struct bell *bell); /* any thread */
void bell_arm(struct bell *bell);
void bell_wait(struct bell *bell, int64_t timeout_ns);
void bell_disarm(struct bell *bell); /* also swallows a pending ring */

#endif
