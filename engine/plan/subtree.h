/*
 * subtree.h - fields below a target that many events get: made once, shared by all.
 *
 * Where nothing is in the way the whole map is put, already encoded; where the target has fields,
 * maps are merged. Lives in the memory given, which must outlive the events (memo.h). The owner of
 * that memory: one shard.
 */
#ifndef ENGINE_PLAN_SUBTREE_H
#define ENGINE_PLAN_SUBTREE_H
#include "engine/event/event.h"

struct subtree {
    struct value whole; /* shared */
    struct map parts;   /* the same; its maps are shared */
    uint64_t part_bits; /* of the hashes of its names */
};

/* Copies the map: at most MAP_SCAN_MAX members in each, no lists. */
void subtree_make(struct subtree *tree, const struct map *map, struct arena *arena);
/* target NULL: the event itself. `undivided` names maps that replace what is there instead of
 * being merged into it. False, perhaps after a part was put, when a scalar is in the way. */
bool subtree_put(const struct subtree *tree, struct batch *b, struct event *ev,
                 const struct fieldref *target, slice undivided) MUST_USE;

#endif
