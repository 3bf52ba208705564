/* host.c - gethostname, once. */
#define _GNU_SOURCE
#include "engine/plan/host.h"

#include <pthread.h>
#include <unistd.h>

static char name[256];

static void read_name(void)
{
    if (gethostname(name, sizeof(name) - 1) != 0)
        slice_cstr(SLICE("localhost"), name, sizeof(name));
}

slice host_name(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_name);
    return slice_from_cstr(name);
}
