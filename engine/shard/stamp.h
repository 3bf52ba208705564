/*
 * stamp.h - fields that are the same for every event of a source, made once and set if absent.
 *
 * The input's own fields of a connection or sender: [host], [@metadata][input][tcp]... Values
 * live in the stamp; the first event of each batch moves them into the batch's arena, later ones
 * only copy ready-made maps. Owner: one shard.
 */
#ifndef ENGINE_SHARD_STAMP_H
#define ENGINE_SHARD_STAMP_H
#include "engine/event/event.h"

#define STAMP_FIELDS_MAX 12u

struct stamp_field {
    const struct fieldref *ref; /* of the configuration */
    struct value val;           /* of strings u.num is the offset in text */
};

struct stamp {
    struct stamp_field field[STAMP_FIELDS_MAX];
    uint32_t field_n;
    struct buf text;
    uint64_t serial;       /* of the batch whose arena holds: */
    struct map data, meta; /* all fields as they are set on an empty event */
};

/* A stamp starts zeroed. Bytes of strings are copied; ref must outlive the stamp. */
void stamp_add(struct stamp *s, const struct fieldref *ref, struct value val);
void stamp_clear(struct stamp *s);
/* A reload: references into the old configuration become those at the same place of the new. */
void stamp_move(struct stamp *s, const void *old_cfg, const void *new_cfg);
void stamp_fini(struct stamp *s);
/* For events [from, b->n); `serial` is the worker's batch_serial, or another number that tells
 * batches apart. */
void stamp_apply(struct stamp *s, struct batch *b, uint64_t serial, uint32_t from);

#endif
