/*
 * fuzz_template.c - any bytes as a field reference and as a sprintf text.
 *
 * A reference that parses can be put and got again, and means the same when it is written out in
 * the plain form. A template renders the same text twice and both ways, and what has no "%{" is
 * itself.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/event/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_reference(struct batch *b, slice text)
{
    struct fieldref ref, plain;
    if (fieldref_parse(&ref, text, &b->arena) != ERR_OK) return;
    ASSERT(ref.depth <= FIELD_DEPTH_MAX && slice_equal(ref.text, text));
    struct buf out = {0};
    if (ref.root == FIELD_META) buf_add_cstr(&out, "[@metadata]");
    if (ref.root == FIELD_TIMESTAMP) buf_add_cstr(&out, "[@timestamp]");
    for (uint32_t i = 0; i < ref.depth; i++) {
        if (ref.step[i].key.name.n == 0) { /* the field without a name has no brackets */
            ASSERT(text.n == 0);
            return;
        }
        buf_add_byte(&out, '[');
        buf_add_slice(&out, ref.step[i].key.name);
        buf_add_byte(&out, ']');
    }
    err e = fieldref_parse(&plain, buf_slice(&out), &b->arena);
    ASSERT(e == ERR_OK && plain.depth == ref.depth && plain.root == ref.root);
    ASSERT(plain.tags == ref.tags);
    for (uint32_t i = 0; i < ref.depth; i++)
        ASSERT(slice_equal(plain.step[i].key.name, ref.step[i].key.name));
    buf_fini(&out);
    struct event *ev = batch_add(b);
    ASSERT(event_get(b, ev, &ref) == NULL || ref.root == FIELD_TIMESTAMP);
    e = event_put(b, ev, &ref, value_string(SLICE("here")));
    if (e != ERR_OK) {
        ASSERT(ref.root != FIELD_DATA ? ref.root == FIELD_TIMESTAMP || ref.depth == 0 : ref.tags);
        return;
    }
    struct value *v = event_get(b, ev, &plain);
    ASSERT(v != NULL && v->type == VALUE_STRING && slice_equal(value_slice(v), SLICE("here")));
    ASSERT(event_remove(b, ev, &ref) && event_get(b, ev, &ref) == NULL);
}

static void fill(struct batch *b, struct event *ev)
{
    static const char *const fields[] = {"a", "[b][c]", "[@metadata][m]", "[l][0]"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct fieldref ref;
        err e = fieldref_parse(&ref, slice_from_cstr(fields[i]), &b->arena);
        if (e == ERR_OK) e = event_put(b, ev, &ref, value_string(SLICE("v%{a}")));
        ASSERT(e == ERR_OK);
    }
}

static void check_template(struct batch *b, slice text)
{
    struct template t;
    struct template_error error = {0};
    struct event *ev = batch_add(b);
    if (template_compile(&t, text, &b->arena, &error) != ERR_OK) {
        ASSERT(error.expected[0] != 0 && error.at <= text.n);
        template_fini(&t);
        return;
    }
    fill(b, ev);
    bool missing, again;
    slice once = template_render(&t, b, ev, &missing);
    if (slice_find(text, SLICE("%{")) < 0) {
        ASSERT(template_is_constant(&t) && slice_equal(once, text) && !missing);
    }
    /* The present moment is the only thing that may differ. */
    if (slice_find(text, SLICE("TIME_NOW")) < 0) {
        struct buf out = {0};
        template_add(&t, b, ev, &out, &again);
        ASSERT(again == missing && slice_equal(buf_slice(&out), once));
        buf_fini(&out);
    }
    /* Without the fields every reference stays as it is written. */
    struct event *empty = batch_add(b);
    empty->time = value_nil();
    template_render(&t, b, empty, &missing);
    template_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    /* Exact copies: reading beyond the end shows. */
    char *copy = malloc(n + 1);
    ASSERT(copy != NULL);
    if (n > 0) memcpy(copy, data, n);
    struct page_pool pool;
    struct batch b;
    page_pool_init(&pool, SIZE_MAX);
    batch_init(&b, &pool);
    b.now_ns = 1709618828123456789;
    slice text = slice_make(copy, n < 4096 ? n : 4096);
    check_reference(&b, text);
    check_template(&b, text);
    batch_fini(&b);
    page_pool_fini(&pool);
    free(copy);
    return 0;
}
