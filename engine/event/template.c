/* template.c - compiling and rendering sprintf texts. */
#include "engine/event/template.h"

#include <stdio.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/number.h"

/* Classifies what stands between "%{" and "}"; a broken field reference stays literal. */
static err compile_part(struct template_part *part, slice inner, struct arena *arena,
                        struct time_format_error *error)
{
    if (slice_equal(inner, SLICE("+%s"))) {
        part->kind = TEMPLATE_EPOCH;
    } else if (inner.n > 0 && inner.p[0] == '+') {
        part->kind = TEMPLATE_TIME;
        part->format = time_format_new(slice_from(inner, 1), TIME_JODA, error);
        if (part->format == NULL) return ERR_SYNTAX;
    } else if (inner.n > 0 && inner.p[0] == '{') {
        slice pattern = slice_from(inner, 1);
        part->kind = slice_equal(pattern, SLICE("TIME_NOW")) ? TEMPLATE_NOW : TEMPLATE_TIME;
        if (part->kind == TEMPLATE_NOW) return ERR_OK;
        part->format = time_format_new(pattern, TIME_JAVA, error);
        if (part->format == NULL) return ERR_SYNTAX;
    } else if (fieldref_parse(&part->ref, inner, arena) == ERR_OK) {
        part->kind = TEMPLATE_FIELD;
    }
    return ERR_OK;
}

/* End of the placeholder that starts at `at` (behind its "}"), or 0 when it is unterminated.
 * %{{...}} ends with "}}". */
static uint32_t placeholder_end(slice text, uint32_t at, slice *inner)
{
    slice rest = slice_from(text, at + 2);
    bool java = rest.n > 0 && rest.p[0] == '{';
    int64_t close = slice_find(rest, java ? SLICE("}}") : SLICE("}"));
    if (close < 0) return 0;
    *inner = slice_part(rest, 0, (uint32_t)close);
    return at + 2 + (uint32_t)close + (java ? 2 : 1);
}

static struct template_part *part_add(struct template *t, slice text)
{
    struct template_part *part = &t->part[t->n++];
    *part = (struct template_part){.kind = TEMPLATE_LITERAL, .text = text};
    return part;
}

err template_compile(struct template *t, slice text, struct arena *arena,
                     struct template_error *error)
{
    /* Each placeholder needs three bytes, so this many parts are enough. */
    size_t parts_max = (size_t)text.n / 3 * 2 + 2;
    *t = (struct template){.text = arena_copy(arena, text)};
    t->part = arena_alloc(arena, parts_max * sizeof(struct template_part), 8);
    text = t->text;
    uint32_t literal = 0, at = 0;
    while (at + 2 < text.n) {
        slice inner;
        uint32_t end;
        if (text.p[at] != '%' || text.p[at + 1] != '{' ||
            (end = placeholder_end(text, at, &inner)) == 0) {
            at++;
            continue;
        }
        if (at > literal) part_add(t, slice_part(text, literal, at - literal));
        struct time_format_error time_error = {0};
        err e =
            compile_part(part_add(t, slice_part(text, at, end - at)), inner, arena, &time_error);
        if (e != ERR_OK) {
            error->at = at + 3 + time_error.at;
            snprintf(error->expected, sizeof(error->expected), "%s", time_error.expected);
            return e;
        }
        at = literal = end;
    }
    if (literal < text.n) part_add(t, slice_from(text, literal));
    return ERR_OK;
}

void template_fini(struct template *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->part[i].format != NULL) time_format_free(t->part[i].format);
    t->n = 0;
}

static void add_field(const struct template_part *part, struct batch *b, struct event *ev,
                      struct buf *out, bool *missing)
{
    struct value meta, *v;
    if (part->ref.root == FIELD_META && part->ref.depth == 0) {
        meta = event_meta_value(ev);
        v = &meta;
    } else {
        v = event_get(b, ev, &part->ref);
    }
    if (v == NULL || v->type == VALUE_NIL) {
        buf_add_slice(out, part->text);
        if (missing != NULL) *missing = true;
        return;
    }
    value_text(v, &b->arena, out);
}

void template_add(const struct template *t, struct batch *b, struct event *ev, struct buf *out,
                  bool *missing)
{
    char text[TIME_ISO_BYTES_MAX + NUMBER_TEXT_MAX];
    if (missing != NULL) *missing = false;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct template_part *part = &t->part[i];
        bool timed = ev->time.type == VALUE_TIME;
        switch (part->kind) {
        case TEMPLATE_LITERAL: buf_add_slice(out, part->text); break;
        case TEMPLATE_FIELD: add_field(part, b, ev, out, missing); break;
        case TEMPLATE_TIME:
            if (timed) time_format_add_utc(part->format, ev->time.u.time_ns, b->time_memo, out);
            break;
        case TEMPLATE_EPOCH: {
            int64_t ns = ev->time.u.time_ns;
            if (timed)
                buf_add(out, text, number_i64_text(ns / NS_PER_SEC - (ns % NS_PER_SEC < 0), text));
            break;
        }
        case TEMPLATE_NOW:
            buf_add(out, text, time_iso_write(clock_real_ns(), &(struct time_iso_cache){0}, text));
            break;
        }
    }
}

slice template_render(const struct template *t, struct batch *b, struct event *ev, bool *missing)
{
    if (missing != NULL) *missing = false;
    if (t->n == 0) return SLICE("");
    if (t->n == 1 && t->part[0].kind == TEMPLATE_LITERAL) return t->part[0].text;
    if (t->n == 1 && t->part[0].kind == TEMPLATE_FIELD) {
        struct value *v = event_get(b, ev, &t->part[0].ref);
        if (v != NULL && v->type == VALUE_STRING) return value_slice(v);
    }
    b->scratch.n = 0;
    template_add(t, b, ev, &b->scratch, missing);
    return arena_copy(&b->arena, buf_slice(&b->scratch));
}
