/*
 * template.h - sprintf: text with %{field}, %{+joda}, %{+%s}, %{{java.time}}, %{{TIME_NOW}}.
 *
 * Compiled once; rendering a constant or a single string field copies nothing. A field that
 * is missing leaves its %{...} as it was written; a missing @timestamp makes time parts empty.
 * Result bytes are in the batch arena, the event, or the template itself. Immutable after
 * compile, any shard renders.
 */
#ifndef ENGINE_EVENT_TEMPLATE_H
#define ENGINE_EVENT_TEMPLATE_H
#include "engine/event/event.h"
#include "engine/event/time_format.h"

enum template_part_kind {
    TEMPLATE_LITERAL,
    TEMPLATE_FIELD,
    TEMPLATE_TIME,  /* Joda or java.time pattern, UTC, of @timestamp */
    TEMPLATE_EPOCH, /* %{+%s} */
    TEMPLATE_NOW    /* %{{TIME_NOW}} */
};

struct template_part {
    enum template_part_kind kind;
    slice text; /* the literal; for the others, the %{...} as written */
    struct fieldref ref;
    struct time_format *format;
};

struct template
{
    struct template_part *part;
    uint32_t n;
    slice text; /* as written */
};

struct template_error {
    uint32_t at; /* byte offset in the text */
    char expected[96];
};

/* Memory comes from `arena` (time formats are heap and live as long as the process's plan).
 * ERR_SYNTAX with *error filled for a bad time pattern; a bad field reference is kept as
 * literal text, because Logstash leaves it too. */
err template_compile(struct template *t, slice text, struct arena *arena,
                     struct template_error *error) MUST_USE;
void template_fini(struct template *t);

static inline bool template_is_constant(const struct template *t)
{
    return t->n == 0 || (t->n == 1 && t->part[0].kind == TEMPLATE_LITERAL);
}

/* The text for this event. When missing is not NULL, *missing tells whether a field that the
 * template names was absent. */
slice template_render(const struct template *t, struct batch *b, struct event *ev, bool *missing);
/* The same, appended to a buf. */
void template_add(const struct template *t, struct batch *b, struct event *ev, struct buf *out,
                  bool *missing);

#endif
