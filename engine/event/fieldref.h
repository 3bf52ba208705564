/*
 * fieldref.h - "[user][name]" parsed and hashed once, when the configuration is compiled.
 *
 * Grammar of Logstash's strict tokenizer: a bare name without any bracket is one top-level
 * field, whatever else it contains; otherwise the whole text is bracketed steps, which may
 * nest one level ([[a][b]][c] is [a][b][c]). Keys live in the arena given. Any thread reads.
 */
#ifndef ENGINE_EVENT_FIELDREF_H
#define ENGINE_EVENT_FIELDREF_H
#include "engine/base/err.h"
#include "engine/event/map.h"

enum field_root { FIELD_DATA, FIELD_META, FIELD_TIMESTAMP };
#define FIELD_DEPTH_MAX 16

struct field_step {
    struct key key;
    int64_t index; /* the key as a list index; negative counts from the end */
    bool is_index; /* the key is a decimal number */
};

struct fieldref {
    uint8_t root;   /* enum field_root */
    bool tags;      /* [tags]... : only strings and lists of strings may be put there */
    bool top;       /* a field of the event itself: one step below FIELD_DATA */
    uint32_t depth; /* steps below the root; 0 for [@metadata] and [@timestamp] */
    struct field_step *step;
    slice text; /* as written */
};

/* ERR_SYNTAX for a malformed reference, ERR_LIMIT when deeper than FIELD_DEPTH_MAX. */
err fieldref_parse(struct fieldref *ref, slice text, struct arena *arena) MUST_USE;
/* Whether the text, as a reference, is a top-level field without rules of its own: no brackets,
 * not tags, no '@' in front. Such a name can go straight into the map. */
static inline bool field_is_plain(slice name)
{
    if (name.n == 0 || name.p[0] == '@' || (name.n == 4 && memcmp(name.p, "tags", 4) == 0))
        return false;
    for (uint32_t i = 0; i < name.n; i++)
        if (name.p[i] == '[' || name.p[i] == ']') return false;
    return true;
}
/* `prefix` followed by `ref` ([target] + [field]); ERR_LIMIT when too deep. */
err fieldref_join(struct fieldref *out, const struct fieldref *prefix, const struct fieldref *ref,
                  struct arena *arena) MUST_USE;

#endif
