/* feed.c - carrying cut frames, decoding, keeping bytes while the worker is full. */
#include "engine/shard/feed.h"

#include <stdlib.h>

#include "engine/base/assert.h"

struct feed_chunk {
    struct feed_chunk *next;
    uint32_t at, n; /* bytes [at, n) of data are left */
    char data[];
};

err feed_init(struct feed *feed, struct worker *worker, struct intake *intake,
              struct ack_window *window, const struct codec *codec,
              const struct decoration *decoration)
{
    *feed = (struct feed){.worker = worker,
                          .shard = worker->shard,
                          .intake = intake,
                          .window = window,
                          .codec = codec,
                          .decoration = decoration};
    feed->codec_state = calloc(1, codec->ops->state_size + 1);
    ASSERT(feed->codec_state != NULL);
    if (codec->ops->start == NULL) return ERR_OK;
    err e = codec->ops->start(feed->codec_state, codec->cfg);
    if (e != ERR_OK) {
        free(feed->codec_state);
        feed->codec_state = NULL;
    }
    return e;
}

static void carry_charge(struct feed *feed);

void feed_fini(struct feed *feed)
{
    if (timer_is_set(&feed->idle)) timer_cancel(&feed->shard->timers, &feed->idle);
    if (feed->noted) feed->intake->waiting--;
    feed->noted = false;
    if (feed->codec_state != NULL && feed->codec->ops->stop != NULL)
        feed->codec->ops->stop(feed->codec_state, feed->codec->cfg);
    free(feed->codec_state);
    feed->codec_state = NULL;
    free(feed->carry);
    feed->carry = NULL;
    feed->carry_cap = 0;
    carry_charge(feed);
    while (feed->first != NULL) {
        struct feed_chunk *chunk = feed->first;
        feed->first = chunk->next;
        free(chunk);
    }
}

void feed_move(struct feed *feed, struct worker *worker, const struct codec *codec,
               const struct decoration *decoration)
{
    ASSERT(feed->worker->shard == worker->shard && feed->codec->ops == codec->ops);
    feed->worker = worker;
    feed->codec = codec;
    feed->decoration = decoration;
}

/* Counts through the window's intake, or the feed's own when it has no window. */
static void took(struct feed *feed, uint32_t bytes, uint32_t events)
{
    if (feed->window == NULL) intake_took(feed->intake, bytes, events);
    worker_took(feed->worker, feed->window, bytes, events);
}

static uint32_t frame_max(const struct feed *feed)
{
    uint32_t own = feed->codec->frame_bytes_max;
    return own != 0 ? own : FEED_FRAME_BYTES_MAX;
}

/* Events [from, n) are new: the input's fields, then type, add_field, tags. */
static void finish_events(struct feed *feed, struct batch *b, uint32_t from)
{
    if (feed->describe != NULL) feed->describe(feed, b, from);
    if (feed->decoration != NULL) decoration_apply(feed->decoration, b, from);
}

/* One call of the codec; returns the bytes it used. *full: it stopped because the batch is full,
 * not because the next frame is incomplete. */
static uint32_t decode(struct feed *feed, struct blob *blob, slice bytes, bool end, bool *full)
{
    struct worker *w = feed->worker;
    worker_flush_full(w);
    struct batch *b = worker_batch(w);
    uint32_t from = b->n;
    struct decode d = {.batch = b,
                       .events_max = w->events_max,
                       .blob = blob != NULL && bytes.n >= FEED_COPY_BYTES ? blob : NULL,
                       .end = end,
                       .idle = feed->completing,
                       .counters = feed->intake->counters};
    uint32_t used = feed->codec->ops->decode(feed->codec_state, feed->codec->cfg, bytes, &d);
    ASSERT(used <= bytes.n);
    *full = b->n >= w->events_max;
    if (b->n > from) {
        if (d.blob != NULL) batch_pin(b, d.blob);
        if (feed->long_frame) event_tag(b, &b->event[from], SLICE("_frame_too_long"), true);
        feed->long_frame = false;
        finish_events(feed, b, from);
    }
    if (used > 0 || b->n > from) took(feed, used, b->n - from);
    worker_flush_full(w);
    return used;
}

static bool may_read(struct feed *feed)
{
    return worker_may_read(feed->worker, feed->intake, feed->window);
}

/* Puts the carry, as large as it is now, on the account of all shards. */
static void carry_charge(struct feed *feed)
{
    uint32_t now = feed->carry_cap > FEED_FRAME_FREE_BYTES ? feed->carry_cap : 0;
    if (now == feed->carry_charged) return;
    struct carry_budget *budget = feed->shard->carry_budget;
    if (budget == NULL) return;
    struct counter *used = &budget->used_bytes[feed->shard->index];
    counter_set(used, counter_read(used) + now - feed->carry_charged);
    feed->carry_charged = now;
}

/* What the carry may still take: up to the longest frame, and no more than it has memory for while
 * the account is overdrawn. It grows by doubling. */
static uint32_t carry_room(const struct feed *feed)
{
    const struct carry_budget *budget = feed->shard->carry_budget;
    uint32_t room = frame_max(feed) - feed->carry_n, cap = feed->carry_cap;
    if (budget == NULL || cap < FEED_FRAME_FREE_BYTES) return room;
    uint64_t used = 0;
    for (uint32_t i = 0; i < budget->shard_n; i++) used += counter_read(&budget->used_bytes[i]);
    if (used + cap <= budget->max_bytes) return room;
    uint32_t own = cap - BLOB_PAD - feed->carry_n;
    return own < room ? own : room;
}

static void carry_add(struct feed *feed, slice bytes)
{
    uint64_t need = (uint64_t)feed->carry_n + bytes.n + BLOB_PAD;
    if (need > feed->carry_cap) {
        uint64_t cap = feed->carry_cap < 512 ? 512 : feed->carry_cap;
        while (cap < need) cap *= 2;
        ASSERT(cap <= UINT32_MAX);
        feed->carry = realloc(feed->carry, cap);
        ASSERT(feed->carry != NULL);
        feed->carry_cap = (uint32_t)cap;
        carry_charge(feed);
    }
    memcpy(feed->carry + feed->carry_n, bytes.p, bytes.n);
    feed->carry_n += bytes.n;
}

/* A carry that one long frame blew up is not kept. */
static void carry_use(struct feed *feed, uint32_t used)
{
    feed->carry_n -= used;
    if (feed->carry_n > 0)
        memmove(feed->carry, feed->carry + used, feed->carry_n);
    else if (feed->carry_cap > FEED_FRAME_FREE_BYTES) {
        free(feed->carry);
        feed->carry = NULL;
        feed->carry_cap = 0;
        carry_charge(feed);
    }
}

/* Decodes what the carry holds. A batch that fills up on the way leaves whole frames behind:
 * carry_full says that they wait for the worker and not for more bytes. */
static void carry_decode(struct feed *feed)
{
    bool full = true;
    /* While bytes wait behind it the carry is not the end, even if the stream has ended. */
    bool end = feed->ended && feed->first == NULL;
    while (full && feed->carry_n > 0) {
        feed->carry_full = !may_read(feed);
        if (feed->carry_full) return;
        uint32_t used = decode(feed, NULL, slice_make(feed->carry, feed->carry_n), end, &full);
        if (used > 0)
            carry_use(feed, used);
        else if (end)
            carry_use(feed, feed->carry_n);
    }
    feed->carry_full = false;
}

/* The frame in the carry is longer than allowed: what is there becomes an event by itself. Decoding
 * may just have closed a batch and filled the window: then it stays, and the next bytes or
 * feed_resume find it still too long. */
static void carry_cut(struct feed *feed)
{
    bool full;
    feed->carry_full = !may_read(feed);
    if (feed->carry_full) return;
    if (feed->counters != NULL) counter_add(&feed->counters->frames_too_long, 1);
    feed->long_frame = true;
    uint32_t used = decode(feed, NULL, slice_make(feed->carry, feed->carry_n), true, &full);
    carry_use(feed, used == 0 ? feed->carry_n : used);
    feed->long_frame = true; /* its next piece is marked as well */
}

/* Moves bytes of `in` to the carry up to and including the next newline, or as many as fit, and
 * decodes the carry. A codec that gathers lines gets all, as its carry is seldom empty, and so does
 * one whose frames end otherwise: else they would be looked at again with each newline in them. */
static uint32_t carry_complete(struct feed *feed, slice in)
{
    int64_t end = slice_find_byte(in, '\n');
    bool all =
        end < 0 || !feed->codec->ends_at_newline || (feed->codec->ops->flags & CODEC_GATHERS_LINES);
    uint32_t take = all ? in.n : (uint32_t)end + 1;
    uint32_t room = carry_room(feed);
    if (take > room) take = room;
    carry_add(feed, slice_part(in, 0, take));
    /* A frame of many megabytes is not searched again with each of its pieces. */
    if (end >= 0 || !feed->codec->ends_at_newline) carry_decode(feed);
    if (carry_room(feed) == 0 && !feed->carry_full) carry_cut(feed);
    return take;
}

/* Decodes as much as the worker takes; returns the bytes that are done with. */
static uint32_t consume(struct feed *feed, struct blob *blob, slice in)
{
    uint32_t at = 0;
    while (at < in.n && may_read(feed)) {
        slice rest = slice_from(in, at);
        if (feed->carry_full) {
            carry_decode(feed);
        } else if (feed->carry_n > 0) {
            at += carry_complete(feed, rest);
        } else {
            bool full;
            at += decode(feed, blob, rest, false, &full);
            if (full || at == in.n) continue;
            slice part = slice_part(in, at, frame_max(feed));
            carry_add(feed, part);
            at += part.n;
            if (feed->carry_n >= frame_max(feed)) carry_cut(feed);
        }
    }
    return at;
}

/* ---- quiet streams ------------------------------------------------------------------ */

static bool note_waiting(struct feed *feed);

/* An input that stops may keep its connections for longer than the worker lives. */
static bool has_worker(const struct feed *feed)
{
    for (uint32_t i = 0; i < feed->shard->worker_n; i++)
        if (feed->shard->worker[i] == feed->worker) return true;
    return false;
}

void feed_complete(struct feed *feed)
{
    feed->completing = true;
    carry_decode(feed);
    feed->carry_full = false; /* one event at the most came out: what is left is part of a line */
    note_waiting(feed);
    feed->completing = false;
}

static void on_idle(struct timer *timer, int64_t now_ns)
{
    struct feed *feed = (struct feed *)((char *)timer - offsetof(struct feed, idle));
    if (!has_worker(feed)) return;
    bool ready = !feed_is_waiting(feed) && may_read(feed);
    if (ready && feed->quiet == NULL)
        feed_complete(feed);
    else if (!ready || !feed->quiet(feed))
        timer_set(&feed->shard->timers, timer, now_ns + feed->codec->idle_ns);
}

/* A frame that is incomplete gets so much time (again). Not after the time was up: what is left
 * then is part of a line. */
static void idle_restart(struct feed *feed)
{
    struct shard *shard = feed->shard;
    if (feed->carry_n > 0 && !feed->ended && !feed->completing) {
        feed->idle.fire = on_idle;
        timer_set(&shard->timers, &feed->idle, shard->now_mono_ns + feed->codec->idle_ns);
    } else if (timer_is_set(&feed->idle)) {
        timer_cancel(&shard->timers, &feed->idle);
    }
}

/* Tells the intake whether this feed holds bytes back; returns whether it does not. */
static bool note_waiting(struct feed *feed)
{
    bool waiting = feed_is_waiting(feed);
    if (waiting && !feed->noted) feed->intake->waiting++;
    if (!waiting && feed->noted) feed->intake->waiting--;
    feed->noted = waiting;
    if (feed->codec->idle_ns > 0) idle_restart(feed);
    return !waiting;
}

static void stash(struct feed *feed, slice rest)
{
    struct feed_chunk *chunk = malloc(sizeof(*chunk) + rest.n + BLOB_PAD);
    ASSERT(chunk != NULL);
    *chunk = (struct feed_chunk){.n = rest.n};
    memcpy(chunk->data, rest.p, rest.n);
    if (feed->last != NULL && feed->first != NULL)
        feed->last->next = chunk;
    else
        feed->first = chunk;
    feed->last = chunk;
    if (feed->counters != NULL) counter_add(&feed->counters->stashed, 1);
}

bool feed_bytes(struct feed *feed, struct blob *blob, slice bytes)
{
    uint32_t used = feed->first != NULL ? 0 : consume(feed, blob, bytes);
    if (used < bytes.n) stash(feed, slice_from(bytes, used));
    return note_waiting(feed);
}

bool feed_resume(struct feed *feed)
{
    if (feed->carry_full) carry_decode(feed);
    while (feed->first != NULL) {
        struct feed_chunk *chunk = feed->first;
        chunk->at += consume(feed, NULL, slice_make(chunk->data + chunk->at, chunk->n - chunk->at));
        if (chunk->at < chunk->n) return note_waiting(feed);
        feed->first = chunk->next;
        if (feed->first == NULL) feed->last = NULL;
        free(chunk);
    }
    if (feed->ended && !feed->carry_full) return feed_end(feed);
    return note_waiting(feed);
}

static void flush_codec(struct feed *feed)
{
    struct batch *b = worker_batch(feed->worker);
    uint32_t from = b->n;
    struct decode d = {.batch = b,
                       .events_max = feed->worker->events_max,
                       .end = true,
                       .counters = feed->intake->counters};
    feed->codec->ops->flush(feed->codec_state, feed->codec->cfg, &d);
    if (b->n == from) return;
    finish_events(feed, b, from);
    took(feed, 0, b->n - from);
}

bool feed_end(struct feed *feed)
{
    feed->ended = true;
    if (feed->first == NULL && feed->carry_n > 0) carry_decode(feed);
    if (!note_waiting(feed)) return false;
    if (feed->codec->ops->flush == NULL) return true;
    /* Like whole frames in the carry: what the codec still holds waits for the worker. */
    feed->carry_full = !may_read(feed);
    if (!feed->carry_full) flush_codec(feed);
    return note_waiting(feed);
}
