/* assert.c - the last words of the process. */
#define _GNU_SOURCE
#include "engine/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

void (*panic_report)(void);

void panic_at(const char *file, int line, const char *what)
{
    static int entered; /* A panic inside the report must not loop. */
    fprintf(stderr, "spate: panic at %s:%d: %s (thread %d)\n", file, line, what, (int)gettid());
    if (!entered) {
        entered = 1;
        if (panic_report != NULL) panic_report();
    }
    fflush(stderr);
    abort();
}
