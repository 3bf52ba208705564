/*
 * transplant.h - copies of events that share nothing with the originals.
 *
 * For events that go from one pipeline to another: texts, lists and maps are copied into the other
 * batch, because its memory may outlive the first one and the configuration behind it. Keys are
 * not copied for every event: each shard has a table of the names that it has seen, laid out for
 * the encoder, which stay for as long as the shard does. Other people choose names, so the table is
 * bounded; what does not fit is copied into the batch. Owner: one shard.
 */
#ifndef ENGINE_EVENT_TRANSPLANT_H
#define ENGINE_EVENT_TRANSPLANT_H
#include "engine/event/event.h"

#define KEY_TABLE_MAX 4096u
/* Longer names stay out of the table. */
#define KEY_TABLE_NAME_BYTES_MAX 128u

struct key_table;

struct key_table *key_table_new(void);
void key_table_free(struct key_table *keys);
/* How many names it holds, for tests. */
uint32_t key_table_size(const struct key_table *keys);

#define TRANSPLANT_SHARED 8u

/* One go from one batch to another, both of which stand still meanwhile. */
struct transplant {
    struct batch *to;
    struct key_table *keys;
    size_t bytes; /* of texts copied so far */
    struct {      /* maps that many events have in common, and their copies */
        const struct map *from;
        struct map *to;
    } shared[TRANSPLANT_SHARED];
};

void transplant_init(struct transplant *t, struct batch *to, struct key_table *keys);
/* Adds a copy of `from`, with fields, metadata and time. A removed @timestamp becomes now, a
 * removed
 * @version "1", as in every new event. NULL when the batch is full. */
struct event *transplant_event(struct transplant *t, const struct event *from);

#endif
