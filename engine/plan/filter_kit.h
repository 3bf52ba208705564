/*
 * filter_kit.h - small things that several filters do: lists of fields and templates, values of
 * the configuration as field values, failure tags, new fields from bytes.
 *
 * Compiling runs on the control thread and reports through the compiler; what it makes lives as
 * long as the plan. The rest runs on the shard that owns the batch.
 */
#ifndef ENGINE_PLAN_FILTER_KIT_H
#define ENGINE_PLAN_FILTER_KIT_H
#include "engine/plan/compiler.h"

struct field_list {
    struct fieldref *at;
    uint32_t n;
};
struct template_list {
    struct template *at;
    uint32_t n;
};

/* One reference or template an item; `option` is where errors point when an item has no place. */
err compile_field_list(struct compiler *c, struct field_list *out,
                       struct config_list list) MUST_USE;
err compile_template_list(struct compiler *c, struct template_list *out,
                          struct config_list list) MUST_USE;
void template_list_fini(struct template_list *list);
/* The reference of an option; an option that was not given (text.p is NULL) leaves *out alone. */
err compile_field_option(struct compiler *c, struct fieldref *out, const char *option,
                         slice text) MUST_USE;

/* A value of the configuration as a field's value, in the compiler's arena. */
struct value compile_value(struct compiler *c, const struct config_value *v);

/* Adds each tag that is not there yet. */
void event_tag_list(struct batch *b, struct event *ev, struct config_list tags);
/* [a][b] gets a value whose name is only known now. False when the name is no reference or the
 * value cannot be put there. */
bool event_put_named(struct batch *b, struct event *ev, slice name, struct value val) MUST_USE;
/* The field of a name that is only known now; NULL when absent or the name is no reference. */
struct value *event_get_named(struct batch *b, struct event *ev, slice name);
/* Whether the field is there, null included (Logstash's event.include?). */
bool event_has(struct batch *b, struct event *ev, const struct fieldref *ref);
/* A fresh event like the ones inputs make, in a batch of a tick; NULL when it is full. */
struct event *event_new(struct batch *b);

/* false and nil are what Ruby takes for false. */
static inline bool value_is_truthy(const struct value *v)
{
    return v != NULL && v->type != VALUE_NIL && !(v->type == VALUE_BOOL && !v->u.yes);
}

#endif
