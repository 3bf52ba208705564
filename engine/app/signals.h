/*
 * signals.h - the thread that receives the process's signals.
 *
 * SIGTERM and SIGINT ask for a graceful end; a SIGINT while that is under way leaves at once with
 * code 1, whatever the control thread is blocked in, which is why this is a thread of its own.
 * SIGHUP asks for a reload, SIGUSR2 for a status dump; the control thread takes both.
 */
#ifndef ENGINE_APP_SIGNALS_H
#define ENGINE_APP_SIGNALS_H
#include <pthread.h>

#include "engine/app/engine.h"

struct signals {
    struct engine *engine;
    pthread_t thread;
    _Atomic int reload, status;
};

/* Blocks the signals in the calling thread and those it starts later: call it first of all. */
void signals_block(void);
err signals_start(struct signals *s, struct engine *engine) MUST_USE;
void signals_stop(struct signals *s);

#endif
