/*
 * ring.c - a pointer handed from one end of a ring to the other: on one core, where only the
 * instructions count, and to a second thread, where the cache lines travel.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>

#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "engine/base/cpu.h"
#include "engine/base/ring.h"

#define HANDED 65536u
#define SLOTS 1024u

static struct ring ring;
static struct mpsc mpsc;
static char item;

/* Full and empty again, 256 at a time, as a shard hands batches to a busy writer. */
static uint64_t ring_same(void *opaque)
{
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t i = 0; i < HANDED; i += 256) {
        for (uint32_t k = 0; k < 256; k++) n += ring_push(&ring, &item);
        for (uint32_t k = 0; k < 256; k++) n += ring_pop(&ring) != NULL;
    }
    return n;
}

static uint64_t mpsc_same(void *opaque)
{
    uint64_t n = 0;
    (void)opaque;
    for (uint32_t i = 0; i < HANDED; i += 256) {
        for (uint32_t k = 0; k < 256; k++) n += mpsc_push(&mpsc, &item);
        for (uint32_t k = 0; k < 256; k++) n += mpsc_pop(&mpsc) != NULL;
    }
    return n;
}

static void *consume(void *opaque)
{
    (void)opaque;
    for (uint32_t n = 0; n < HANDED;) {
        if (ring_pop(&ring) != NULL)
            n++;
        else
            sched_yield();
    }
    return NULL;
}

static uint64_t ring_other(void *opaque)
{
    pthread_t thread;
    (void)opaque;
    ASSERT(pthread_create(&thread, NULL, consume, NULL) == 0);
    for (uint32_t n = 0; n < HANDED;) {
        if (ring_push(&ring, &item))
            n++;
        else
            sched_yield();
    }
    pthread_join(thread, NULL);
    return HANDED;
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "ring");
    ring_init(&ring, SLOTS);
    mpsc_init(&mpsc, SLOTS);
    bench_run(&(struct bench_case){.name = "one thread", .body = ring_same, .events = HANDED});
    bench_run(&(struct bench_case){
        .name = "one thread, many producers' queue", .body = mpsc_same, .events = HANDED});
    bench_run(&(struct bench_case){
        .name = "to another thread", .body = ring_other, .events = HANDED, .wall = true});
    ring_fini(&ring);
    mpsc_fini(&mpsc);
    return bench_end();
}
