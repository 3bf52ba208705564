/* lookup.c - questions to threads, answers to shards. */
#define _GNU_SOURCE
#include "engine/shard/lookup.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/shard/worker.h"

#define SLOTS_FIRST 64u
/* How long a service that waits for nothing in particular sleeps. */
#define IDLE_NS NS_PER_SEC

struct list {
    struct lookup_question *first, *last;
};

struct lookup_asker {
    pthread_mutex_t lock;
    struct list answers;  /* under the lock, like the five below it */
    struct shard *shard;  /* NULL: without a shard, or left */
    uint64_t held_bytes;  /* of the batch's answers */
    uint32_t abandoned_n; /* questions still out when it left */
    uint32_t wanted_n;    /* answers until it is to be woken; 0: it does not wait */
    bool left;
    /* The shard's own. */
    struct lookup_asker *next; /* of the shard */
    struct worker *worker;
    struct bell bell; /* without a shard */
    uint32_t out_n;   /* asked and not taken in */
    bool waits;       /* a batch is parked */
    struct lookup_question **slot;
    uint32_t slot_mask, n;
};

struct call {
    void (*fn)(void *arg);
    void *arg;
    sem_t done;
};

struct lookup_service {
    const struct lookup_service_ops *ops;
    void *ctx;
    pthread_t thread;
    struct bell bell;
    pthread_mutex_t lock;
    struct list queue; /* under the lock, like call and stop */
    struct call *call;
    bool stop;
    uint32_t running_n, running_max; /* the thread's */
};

static void list_push(struct list *list, struct lookup_question *q)
{
    q->next = NULL;
    if (list->first == NULL)
        list->first = q;
    else
        list->last->next = q;
    list->last = q;
}

static struct lookup_question *list_pop(struct list *list)
{
    struct lookup_question *q = list->first;
    if (q != NULL) list->first = q->next;
    return q;
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct lookup_asker *lookup_join(struct worker *worker)
{
    struct lookup_asker *a = calloc(1, sizeof(*a));
    ASSERT(a != NULL);
    pthread_mutex_init(&a->lock, NULL);
    bool ok = bell_init(&a->bell);
    ASSERT(ok);
    a->slot = calloc(SLOTS_FIRST, sizeof(struct lookup_question *));
    ASSERT(a->slot != NULL);
    a->slot_mask = SLOTS_FIRST - 1;
    a->worker = worker;
    if (worker == NULL) return a;
    a->shard = worker->shard;
    a->next = a->shard->askers;
    a->shard->askers = a;
    return a;
}

static void asker_free(struct lookup_asker *a)
{
    pthread_mutex_destroy(&a->lock);
    bell_fini(&a->bell);
    free(a->slot);
    free(a);
}

/* Questions of the batch that are the asker's; those that are out belong to their services. */
static void known_discard(struct lookup_asker *a)
{
    for (uint32_t i = 0; i <= a->slot_mask; i++) {
        struct lookup_question *q = a->slot[i];
        if (q != NULL && q->known) q->discard(q);
        a->slot[i] = NULL;
    }
    a->n = 0;
}

static void unlink_asker(struct lookup_asker *a)
{
    if (a->shard == NULL) return;
    struct lookup_asker **at = &a->shard->askers;
    while (*at != a) at = &(*at)->next;
    *at = a->next;
}

/* Takes the answers that are there. If it then waits for the rest, the last of them wakes it. */
static void take_in(struct lookup_asker *a, bool waits)
{
    pthread_mutex_lock(&a->lock);
    for (struct lookup_question *q; (q = list_pop(&a->answers)) != NULL; a->out_n--)
        q->known = true;
    a->wanted_n = waits ? a->out_n : 0;
    pthread_mutex_unlock(&a->lock);
}

void lookup_leave(struct lookup_asker *a)
{
    if (a == NULL) return;
    unlink_asker(a);
    take_in(a, false);
    known_discard(a);
    pthread_mutex_lock(&a->lock);
    /* What was answered between the two locks. */
    struct list late = a->answers;
    a->answers.first = NULL;
    for (struct lookup_question *q = late.first; q != NULL; q = q->next) a->out_n--;
    a->left = true;
    a->shard = NULL;
    a->abandoned_n = a->out_n;
    bool last = a->abandoned_n == 0;
    pthread_mutex_unlock(&a->lock);
    for (struct lookup_question *q; (q = list_pop(&late)) != NULL;) q->discard(q);
    if (last) asker_free(a);
}

struct lookup_question *lookup_find(struct lookup_asker *a, slice key, uint64_t hash)
{
    for (uint64_t i = hash & a->slot_mask; a->slot[i] != NULL; i = (i + 1) & a->slot_mask)
        if (a->slot[i]->hash == hash && slice_equal(a->slot[i]->key, key)) return a->slot[i];
    return NULL;
}

static void slot_put(struct lookup_asker *a, struct lookup_question *q)
{
    uint64_t i = q->hash & a->slot_mask;
    while (a->slot[i] != NULL) i = (i + 1) & a->slot_mask;
    a->slot[i] = q;
}

static void slots_grow(struct lookup_asker *a)
{
    struct lookup_question **old = a->slot;
    uint32_t n = a->slot_mask + 1;
    a->slot = calloc((size_t)n * 2, sizeof(struct lookup_question *));
    ASSERT(a->slot != NULL);
    a->slot_mask = n * 2 - 1;
    for (uint32_t i = 0; i < n; i++)
        if (old[i] != NULL) slot_put(a, old[i]);
    free(old);
}

bool lookup_may_ask(struct lookup_asker *a, struct lookup_counters *counters)
{
    if (a->out_n < LOOKUP_IN_FLIGHT_MAX) return true;
    counter_add(&counters->full, 1);
    return false;
}

void lookup_ask(struct lookup_asker *a, struct lookup_service *s, struct lookup_question *q)
{
    ASSERT(a->out_n < LOOKUP_IN_FLIGHT_MAX);
    q->asker = a;
    q->service = s;
    q->known = false;
    if ((a->n + 1) * 2 > a->slot_mask) slots_grow(a);
    slot_put(a, q);
    a->n++;
    a->out_n++;
    pthread_mutex_lock(&s->lock);
    list_push(&s->queue, q);
    pthread_mutex_unlock(&s->lock);
    bell_ring(&s->bell);
}

static void sleep_until_answered(struct lookup_asker *a)
{
    for (;;) {
        bell_arm(&a->bell);
        take_in(a, true);
        if (a->out_n == 0) break;
        bell_wait(&a->bell, IDLE_NS);
        bell_disarm(&a->bell);
    }
    bell_disarm(&a->bell);
}

enum applied lookup_wait(struct lookup_asker *a)
{
    take_in(a, true);
    if (a->out_n == 0) return APPLIED;
    if (a->worker == NULL) {
        sleep_until_answered(a);
        return APPLIED;
    }
    a->waits = true;
    return APPLY_PARKED;
}

enum applied lookup_each(struct lookup_asker *a, struct lookup_counters *counters, struct batch *b,
                         const struct sel *in, void ***of_event,
                         void *(*ask)(void *run, struct event *ev), void *run)
{
    uint32_t at = 0;
    if (*of_event == NULL) {
        size_t bytes = ((size_t)in->n + 1) * sizeof(void *);
        *of_event = memset(arena_alloc(&b->arena, bytes, _Alignof(void *)), 0, bytes);
    }
    for (;;) {
        while (at < in->n && (*of_event)[at] != NULL) at++;
        for (; at < in->n && lookup_may_ask(a, counters); at++)
            (*of_event)[at] = ask(run, &b->event[in->at[at]]);
        if (lookup_wait(a) == APPLY_PARKED) return APPLY_PARKED;
        if (at == in->n) return APPLIED;
    }
}

void lookup_end(struct lookup_asker *a)
{
    ASSERT(a->out_n == 0);
    if (a->n == 0) return;
    known_discard(a);
    pthread_mutex_lock(&a->lock);
    a->held_bytes = 0;
    pthread_mutex_unlock(&a->lock);
}

void lookup_stats(const struct lookup_counters *c, struct buf *out)
{
    buf_printf(
        out, ",\"hits\":%llu,\"misses\":%llu,\"timeouts\":%llu,\"errors\":%llu,\"full_hits\":%llu",
        (unsigned long long)counter_read(&c->hits), (unsigned long long)counter_read(&c->misses),
        (unsigned long long)counter_read(&c->timeouts),
        (unsigned long long)counter_read(&c->errors), (unsigned long long)counter_read(&c->full));
}

void lookup_poll(struct shard *shard)
{
    struct lookup_asker *next;
    for (struct lookup_asker *a = shard->askers; a != NULL; a = next) {
        next = a->next;
        if (!a->waits) continue;
        take_in(a, true);
        if (a->out_n > 0) continue;
        a->waits = false;
        worker_resume(a->worker);
    }
}

/* ---- answering ------------------------------------------------------------------------------ */

static void wake(struct lookup_asker *a)
{
    if (a->shard != NULL)
        shard_notify(a->shard);
    else
        bell_ring(&a->bell);
}

bool lookup_room(struct lookup_question *q, uint64_t bytes)
{
    struct lookup_asker *a = q->asker;
    pthread_mutex_lock(&a->lock);
    bool ok = a->held_bytes + bytes <= LOOKUP_HELD_BYTES_MAX;
    if (ok) a->held_bytes += bytes;
    pthread_mutex_unlock(&a->lock);
    return ok;
}

void lookup_answer(struct lookup_question *q)
{
    struct lookup_asker *a = q->asker;
    q->service->running_n--;
    pthread_mutex_lock(&a->lock);
    bool left = a->left;
    bool last = left && --a->abandoned_n == 0;
    if (!left) {
        list_push(&a->answers, q);
        /* Under the lock: the shard may be gone as soon as its asker has left. */
        if (a->wanted_n > 0 && --a->wanted_n == 0) wake(a);
    }
    pthread_mutex_unlock(&a->lock);
    if (left) q->discard(q);
    if (last) asker_free(a);
}

static struct lookup_question *queue_pop(struct lookup_service *s)
{
    if (s->running_n >= s->running_max) return NULL;
    pthread_mutex_lock(&s->lock);
    struct lookup_question *q = list_pop(&s->queue);
    pthread_mutex_unlock(&s->lock);
    return q;
}

static bool asker_has_left(struct lookup_asker *a)
{
    pthread_mutex_lock(&a->lock);
    bool left = a->left;
    pthread_mutex_unlock(&a->lock);
    return left;
}

static bool take_one(struct lookup_service *s)
{
    struct lookup_question *q = queue_pop(s);
    if (q == NULL) return false;
    s->running_n++;
    /* What it needs may be gone together with its asker. */
    if (asker_has_left(q->asker))
        lookup_answer(q);
    else
        s->ops->take(s->ctx, q);
    return true;
}

/* A call, when there is one; true: the service ends. */
static bool obey(struct lookup_service *s)
{
    pthread_mutex_lock(&s->lock);
    struct call *call = s->call;
    s->call = NULL;
    bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (call == NULL) return stop;
    call->fn(call->arg);
    sem_post(&call->done);
    return false;
}

static void give_up(struct lookup_service *s)
{
    struct lookup_question *q;
    s->running_max = UINT32_MAX;
    while ((q = queue_pop(s)) != NULL) {
        s->running_n++;
        lookup_answer(q);
    }
}

static void *serve(void *arg)
{
    struct lookup_service *s = arg;
    pthread_setname_np(pthread_self(), s->ops->name);
    for (;;) {
        while (take_one(s)) continue;
        bell_arm(&s->bell);
        if (obey(s)) break;
        if (!take_one(s)) {
            if (s->ops->wait != NULL)
                s->ops->wait(s->ctx, s->bell.fd, IDLE_NS);
            else
                bell_wait(&s->bell, IDLE_NS);
        }
        bell_disarm(&s->bell);
    }
    give_up(s);
    return NULL;
}

static bool thread_start(struct lookup_service *s)
{
    /* Signals are the control thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = pthread_create(&s->thread, NULL, serve, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

struct lookup_service *lookup_service_new(const struct lookup_service_ops *ops, void *ctx,
                                          uint32_t running_max)
{
    struct lookup_service *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    *s = (struct lookup_service){.ops = ops, .ctx = ctx, .running_max = running_max};
    if (!bell_init(&s->bell)) {
        free(s);
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    if (thread_start(s)) return s;
    pthread_mutex_destroy(&s->lock);
    bell_fini(&s->bell);
    free(s);
    return NULL;
}

void lookup_service_call(struct lookup_service *s, void (*fn)(void *arg), void *arg)
{
    struct call call = {.fn = fn, .arg = arg};
    sem_init(&call.done, 0, 0);
    pthread_mutex_lock(&s->lock);
    ASSERT(s->call == NULL);
    s->call = &call;
    pthread_mutex_unlock(&s->lock);
    bell_ring(&s->bell);
    while (sem_wait(&call.done) != 0) ASSERT(errno == EINTR);
    sem_destroy(&call.done);
}

void lookup_service_free(struct lookup_service *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_mutex_unlock(&s->lock);
    bell_ring(&s->bell);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    bell_fini(&s->bell);
    free(s);
}
