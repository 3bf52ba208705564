/* signals.c - sigwait in a loop. */
#define _GNU_SOURCE
#include "engine/app/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/log.h"

static void signals_set(sigset_t *set)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) sigaddset(set, numbers[i]);
}

void signals_block(void)
{
    sigset_t set;
    signals_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void end(struct signals *s, int number)
{
    if (atomic_exchange(&s->engine->must_stop, 1) == 0) {
        log_warn("runner", "%s received. Shutting down.", number == SIGINT ? "SIGINT" : "SIGTERM");
        return;
    }
    if (number != SIGINT) return;
    log_error("runner", "SIGINT received again. Terminating at once; events in flight are lost.");
    _exit(1);
}

static void *signals_main(void *arg)
{
    struct signals *s = arg;
    sigset_t set;
    signals_set(&set);
    for (;;) {
        int number = sigwaitinfo(&set, NULL);
        if (number == SIGINT || number == SIGTERM) end(s, number);
        if (number == SIGHUP) atomic_store(&s->reload, 1);
        if (number == SIGUSR2) atomic_store(&s->status, 1);
        if (number > 0) engine_ring(s->engine);
    }
    return NULL;
}

err signals_start(struct signals *s, struct engine *engine)
{
    *s = (struct signals){.engine = engine};
    int failed = pthread_create(&s->thread, NULL, signals_main, s);
    if (failed == 0) return ERR_OK;
    log_error("runner", "cannot start a thread: %s", strerror(failed));
    return ERR_SYSTEM;
}

void signals_stop(struct signals *s)
{
    pthread_cancel(s->thread); /* sigwaitinfo is a cancellation point and holds nothing */
    pthread_join(s->thread, NULL);
}
