/*
 * event.h - events, batches, selections.
 *
 * A batch owns its events and everything they point at: arena memory, or receive buffers
 * it pins until batch_reset. Filters get a whole batch and the indices they may touch.
 * Events are cancelled, never removed, so indices stay stable; new events (clone, split)
 * are appended and linked behind the event they came from, so that order survives.
 * Owner: one shard; nothing is atomic.
 */
#ifndef ENGINE_EVENT_EVENT_H
#define ENGINE_EVENT_EVENT_H
#include "engine/base/buf.h"
#include "engine/event/fieldref.h"
#include "engine/event/map.h"
#include "engine/event/time_format.h"

enum event_flag {
    EVENT_CANCELLED = 1,
    EVENT_MARKED = 2 /* its input's own, until the batch goes on */
};
#define EVENT_NONE UINT32_MAX

struct event {
    struct map data, meta;      /* meta is [@metadata]: never serialised by outputs */
    struct value time;          /* @timestamp: VALUE_TIME, or VALUE_NIL once removed */
    uint16_t flags;             /* enum event_flag */
    uint16_t shape;             /* see event_shape_add */
    uint32_t child, child_last; /* events made from this one, in order; EVENT_NONE: none */
    uint32_t sibling;           /* next child of the same parent */
};
_Static_assert(sizeof(struct event) == 64, "an event is one cache line");

/* Which events of a batch, in processing order. */
struct sel {
    uint32_t *at;
    uint32_t n, cap;
};
/* For a selection that is known to have room. */
static inline void sel_add(struct sel *s, uint32_t index)
{
    s->at[s->n++] = index;
}

/* What a batch holds at the most; splitting filters can reach it, sources stop far below. */
#define BATCH_EVENTS_MAX 65536u

struct blob;
struct receipt;

struct batch {
    struct event *event;
    uint32_t n;
    uint32_t cancelled_n; /* grows when filters cancel: the stepper compacts selections then */
    size_t bytes;         /* of the frames decoded into it, for accounting */
    uint32_t fields_room; /* that the events of earlier batches needed: see batch_fields_room */
    int64_t now_ns;       /* real time when it was opened: @timestamp of its events */
    struct arena arena;
    struct blob **pin;
    uint32_t pin_n, pin_cap;
    struct receipt **hold;
    uint32_t hold_n, hold_cap;
    struct buf scratch; /* for building text; contents die at the next use */
    struct time_memo time_memo[TIME_MEMOS];
    struct batch *next; /* free list, queues; the holder's business */
};

/* Reserves address space for BATCH_EVENTS_MAX events; pages come as they are touched. */
void batch_init(struct batch *b, struct page_pool *pool);
void batch_fini(struct batch *b);
/* Unpins blobs, releases holds (as delivered unless outputs hold on), rewinds the arena. */
void batch_reset(struct batch *b);

void event_init(struct batch *b, struct event *ev);

/* A new event at the end with @timestamp = b->now_ns and no fields; NULL when full. */
static inline struct event *batch_add(struct batch *b)
{
    if (__builtin_expect(b->n == BATCH_EVENTS_MAX, 0)) return NULL;
    struct event *ev = &b->event[b->n++];
    ev->data = ev->meta = (struct map){0};
    ev->time = value_time(b->now_ns);
    ev->flags = ev->shape = 0;
    ev->child = ev->child_last = ev->sibling = EVENT_NONE;
    return ev;
}
/* A new empty event that follows `parent` (and the children it got from the same filter before)
 * in order. */
struct event *batch_add_child(struct batch *b, uint32_t parent) MUST_USE;
/* Top-level fields that a new event should have room for, when it starts with `least`: filters add
 * some to most events, and moving a map costs more than room that stays empty. */
static inline uint32_t batch_fields_room(const struct batch *b, uint32_t least)
{
    return b->fields_room > least ? b->fields_room : least;
}
static inline uint32_t batch_index(const struct batch *b, const struct event *ev)
{
    return (uint32_t)(ev - b->event);
}
static inline void event_cancel(struct batch *b, struct event *ev)
{
    if (ev->flags & EVENT_CANCELLED) return;
    ev->flags |= EVENT_CANCELLED;
    b->cancelled_n++;
}

/* Who gives events of one source different fields says so with a number for each choice: encoders
 * then guess rightly which layout an event has. Only a guess, so nobody has to. */
static inline void event_shape_add(struct event *ev, uint64_t choice)
{
    ev->shape = (uint16_t)(((ev->shape ^ choice) * 0x9e3779b97f4a7c15ULL) >> 48);
}

/* Keeps `blob` from being reused until batch_reset. */
void batch_pin(struct batch *b, struct blob *blob);
/* sel_add for a selection that may be full: it moves to a larger place in the arena. */
void sel_push(struct batch *b, struct sel *s, uint32_t index);
/* Makes the batch part of the promise `r`. */
void batch_hold(struct batch *b, struct receipt *r);

/* The field's value, resolved; NULL when absent. [@metadata] itself has no value here:
 * see event_meta_value. Valid until the event is changed. */
struct value *event_get(struct batch *b, struct event *ev, const struct fieldref *ref);
/* Sets, making maps on the way where nothing (or null) is. ERR_TYPE when a scalar is in the
 * way, when a list index is out of its range to the front, or for what @timestamp and tags
 * refuse; a name that is no index of the list in the way is ignored, as if it had been set.
 * Keys and bytes are borrowed. */
err event_put(struct batch *b, struct event *ev, const struct fieldref *ref,
              struct value val) MUST_USE;
/* Like event_put for a new or existing field as grok, add_field and kv do: an existing value
 * becomes a list with the new one appended. */
err event_append(struct batch *b, struct event *ev, const struct fieldref *ref,
                 struct value val) MUST_USE;
/* The place of a field below data or metadata, made (as null) when it is absent; NULL, and
 * nothing changed, when a scalar is in the way. Unresolved; not for tags and @timestamp. */
struct value *event_place(struct batch *b, struct event *ev, const struct fieldref *ref);
bool event_remove(struct batch *b, struct event *ev, const struct fieldref *ref);
/* [@metadata] as a map value over the event's own map. */
static inline struct value event_meta_value(struct event *ev)
{
    return value_map(&ev->meta);
}

/* Adds to tags. unique: not if it is there already (failure tags); add_tag appends always. */
void event_tag(struct batch *b, struct event *ev, slice tag, bool unique);
bool event_has_tag(struct batch *b, struct event *ev, slice tag);
/* A deep copy of fields, metadata and time into `to`, which is fresh. */
void event_copy(struct batch *b, struct event *to, const struct event *from);

/* "@version": "1", which every event has. */
void event_add_version(struct batch *b, struct event *ev);
/* The same, for plugins that lay their fields out. */
struct member event_version_member(void);

#endif
