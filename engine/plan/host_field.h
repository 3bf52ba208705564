/*
 * host_field.h - `host` (or a field below it in ECS modes) with this machine's name, for inputs.
 *
 * Set only where the event has no host yet. Keys are compiled once; any shard.
 */
#ifndef ENGINE_PLAN_HOST_FIELD_H
#define ENGINE_PLAN_HOST_FIELD_H
#include "engine/plan/compiler.h"

struct host_field {
    struct key host, below;
    bool nested;
};

/* `below` is the ECS name under host: "name" or "hostname". */
void host_field_compile(struct host_field *f, const char *below, struct compiler *c);
void host_field_add(const struct host_field *f, struct batch *b, struct event *ev);

#endif
