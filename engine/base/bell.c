/* bell.c - eventfd and the fence that makes a lost wake-up impossible. */
#define _GNU_SOURCE
#include "engine/base/bell.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"

bool bell_init(struct bell *bell)
{
    atomic_init(&bell->armed, 0);
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return bell->fd >= 0;
}

void bell_fini(struct bell *bell)
{
    close(bell->fd);
}

void bell_ring(struct bell *bell)
{
    /* Partner: the fence in bell_arm. Either the sleeper's last look sees what was queued before
     * this, or we see that it is armed. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!atomic_load_explicit(&bell->armed, memory_order_relaxed)) return;
    if (!atomic_exchange_explicit(&bell->armed, 0, memory_order_relaxed)) return;
    uint64_t one = 1;
    ssize_t n = write(bell->fd, &one, sizeof(one));
    (void)n; /* EAGAIN: it has been rung before */
}

void bell_arm(struct bell *bell)
{
    atomic_store_explicit(&bell->armed, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* partner: bell_ring */
}

void bell_wait(struct bell *bell, int64_t timeout_ns)
{
    struct pollfd pfd = {.fd = bell->fd, .events = POLLIN};
    struct timespec ts = {timeout_ns / NS_PER_SEC, timeout_ns % NS_PER_SEC};
    ppoll(&pfd, 1, &ts, NULL);
}

void bell_disarm(struct bell *bell)
{
    atomic_store_explicit(&bell->armed, 0, memory_order_relaxed);
    uint64_t swallowed;
    ssize_t n = read(bell->fd, &swallowed, sizeof(swallowed));
    (void)n;
}
