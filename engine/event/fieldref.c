/* fieldref.c - the strict tokenizer of field references. */
#include "engine/event/fieldref.h"

static bool parse_index(slice key, int64_t *index)
{
    return key.n > 0 && key.n <= 10 && slice_to_i64(key, index);
}

/* Splits "[a][b]" or "[[a][b]][c]" into keys; false on anything mixed or unbalanced. */
static err split(slice text, slice key[FIELD_DEPTH_MAX], uint32_t *n)
{
    uint32_t open = 0, from = 0;
    *n = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '[') {
            if (open > 0 && i > from) return ERR_SYNTAX; /* [a[b] */
            open++;
            from = i + 1;
        } else if (c == ']') {
            if (open == 0) return ERR_SYNTAX;
            bool closes_group = from > i;
            if (!closes_group && i == from) return ERR_SYNTAX; /* [] */
            if (!closes_group) {
                if (*n == FIELD_DEPTH_MAX) return ERR_LIMIT;
                key[(*n)++] = slice_make(text.p + from, i - from);
            }
            open--;
            from = i + 2; /* so that a second ']' right here closes a group */
        } else if (open == 0 || from > i) {
            return ERR_SYNTAX; /* text outside of brackets */
        }
    }
    return open == 0 && *n > 0 ? ERR_OK : ERR_SYNTAX;
}

static void fill(struct fieldref *ref, const slice *key, uint32_t n, struct arena *arena)
{
    ref->root = FIELD_DATA;
    if (slice_equal(key[0], SLICE("@metadata"))) {
        ref->root = FIELD_META;
        key++, n--;
    } else if (slice_equal(key[0], SLICE("@timestamp"))) {
        /* A path below the timestamp leads nowhere but must still be refused on put. */
        ref->root = FIELD_TIMESTAMP;
        key++, n--;
    }
    ref->tags = ref->root == FIELD_DATA && slice_equal(key[0], SLICE("tags"));
    ref->depth = n;
    ref->top = ref->root == FIELD_DATA && n == 1;
    ref->step = arena_alloc(arena, (n + 1) * sizeof(struct field_step), 8);
    for (uint32_t i = 0; i < n; i++) {
        struct field_step *step = &ref->step[i];
        step->key = key_make(arena, key[i]);
        step->index = 0;
        step->is_index = parse_index(key[i], &step->index);
    }
}

err fieldref_parse(struct fieldref *ref, slice text, struct arena *arena)
{
    slice key[FIELD_DEPTH_MAX];
    uint32_t n = 1;
    key[0] = text.n == 0 ? SLICE("") : text; /* a field may have an empty name */
    if (slice_find_byte(text, '[') >= 0 || slice_find_byte(text, ']') >= 0) {
        err e = split(text, key, &n);
        if (e != ERR_OK) return e;
    }
    ref->text = arena_copy(arena, text);
    fill(ref, key, n, arena);
    return ERR_OK;
}

err fieldref_join(struct fieldref *out, const struct fieldref *prefix, const struct fieldref *ref,
                  struct arena *arena)
{
    uint32_t n = prefix->depth + ref->depth;
    slice key[FIELD_DEPTH_MAX + 1];
    uint32_t at = 0;
    if (n > FIELD_DEPTH_MAX) return ERR_LIMIT;
    if (prefix->root == FIELD_META) key[at++] = SLICE("@metadata");
    if (prefix->root == FIELD_TIMESTAMP) key[at++] = SLICE("@timestamp");
    for (uint32_t i = 0; i < prefix->depth; i++) key[at++] = prefix->step[i].key.name;
    if (at + ref->depth > FIELD_DEPTH_MAX) return ERR_LIMIT;
    for (uint32_t i = 0; i < ref->depth; i++) key[at++] = ref->step[i].key.name;
    if (at == 0) return ERR_SYNTAX;
    out->text = ref->text;
    fill(out, key, at, arena);
    return ERR_OK;
}
