/*
 * common_options.h - what every filter and input does besides its own work.
 *
 * Filters, on success, in Logstash's order: add_field, remove_field, add_tag, remove_tag.
 * Inputs: type when absent, then add_field, then tags. Compiled once; applied by the stepper and
 * by the input helpers, so that no plugin repeats them.
 */
#ifndef ENGINE_PLAN_COMMON_OPTIONS_H
#define ENGINE_PLAN_COMMON_OPTIONS_H
#include "engine/plan/compiler.h"

struct add_field {
    struct template name;
    struct fieldref ref; /* when the name is constant */
    struct template *value;
    uint32_t value_n; /* a list adds each item */
};

/* A field name that may be sprintf-ed. */
struct field_name {
    struct template text;
    struct fieldref ref; /* when constant */
};

struct common_options {
    struct add_field *add_field;
    struct field_name *remove_field;
    struct template *add_tag, *remove_tag;
    uint32_t add_field_n, remove_field_n, add_tag_n, remove_tag_n;
    bool any;
};

struct decoration {
    struct common_options fields; /* add_field and add_tag (tags) */
    struct template type;
    struct key type_key;
    bool has_type, any;
};

err common_options_compile(struct common_options *out, const struct common_filter_cfg *cfg,
                           struct compiler *c) MUST_USE;
void common_options_fini(struct common_options *o);
/* False when a field could not be added: a scalar is in the way, @timestamp takes no text, or the
 * name is no reference. What follows is then left undone if `strict`. */
bool common_options_apply(const struct common_options *o, struct batch *b, struct event *ev,
                          bool strict);

err decoration_compile(struct decoration *out, const struct common_input_cfg *cfg,
                       struct compiler *c) MUST_USE;
void decoration_fini(struct decoration *d);
/* Decorates events [from, b->n). */
void decoration_apply(const struct decoration *d, struct batch *b, uint32_t from);

#endif
