/* spec_match.c - events as documents, and whether they are those that a case expects. */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "tests/spec/spec.h"

static bool value_matches(struct runner *r, struct value *want, struct value *got);

static struct value *member_of(struct map *map, slice name)
{
    struct member *m = map_find(map, name, hash_key(name.p, name.n));
    return m == NULL ? NULL : &m->val;
}

static bool text_matches(struct runner *r, struct value *want, struct value *got)
{
    struct grok_error error;
    struct regex *regex = regex_new(value_slice(want), 0, &error);
    if (regex == NULL) return false;
    struct buf scratch = {0};
    slice text = value_to_slice(got, &r->expected, &scratch);
    bool yes = regex_search(regex, r->scratch, text, 0, NULL) == REGEX_MATCH;
    buf_fini(&scratch);
    regex_free(regex);
    return yes;
}

/* {"$re": ".."} and kin; -1 when the map is an ordinary one. */
static int special_matches(struct runner *r, struct map *want, struct value *got)
{
    if (want->n != 1 || want->at[0].key_n < 2 || want->at[0].key[0] != '$') return -1;
    slice name = slice_make(want->at[0].key, want->at[0].key_n);
    struct value *arg = &want->at[0].val;
    value_resolve(arg, &r->expected);
    if (slice_equal(name, SLICE("$absent"))) return got == NULL;
    if (slice_equal(name, SLICE("$any"))) return got != NULL;
    if (slice_equal(name, SLICE("$re")))
        return got != NULL && arg->type == VALUE_STRING && text_matches(r, arg, got);
    if (slice_equal(name, SLICE("$oneof")) && arg->type == VALUE_LIST) {
        for (uint32_t i = 0; i < arg->n; i++)
            if (value_matches(r, &arg->u.list[i], got)) return 1;
        return 0;
    }
    return -1;
}

static bool map_matches(struct runner *r, struct map *want, struct map *got)
{
    if (want->n != got->n) return false;
    for (uint32_t i = 0; i < want->n; i++) {
        struct member *m = &want->at[i];
        if (!value_matches(r, &m->val, member_of(got, slice_make(m->key, m->key_n)))) return false;
    }
    return true;
}

static bool value_matches(struct runner *r, struct value *want, struct value *got)
{
    value_resolve(want, &r->expected);
    if (got != NULL) value_resolve(got, &r->expected);
    int special = want->type == VALUE_MAP ? special_matches(r, want->u.map, got) : -1;
    if (special >= 0) return special == 1;
    if (got == NULL || want->type != got->type) return false;
    if (want->type == VALUE_MAP) return map_matches(r, want->u.map, got->u.map);
    if (want->type != VALUE_LIST) return value_equal(want, got, &r->expected);
    if (want->n != got->n) return false;
    for (uint32_t i = 0; i < want->n; i++)
        if (!value_matches(r, &want->u.list[i], &got->u.list[i])) return false;
    return true;
}

static struct value *find_named(struct runner *r, struct map *doc, slice name)
{
    struct value *v = member_of(doc, name);
    if (v != NULL || name.p[0] != '[') return v;
    struct fieldref ref;
    if (fieldref_parse(&ref, name, &r->expected) != ERR_OK) return NULL;
    struct event as_event = {.data = *doc};
    ref.root = FIELD_DATA;
    return event_get(&r->batch, &as_event, &ref);
}

/* Why the document is not what is wanted, or an empty text. */
static void doc_compare(struct runner *r, const struct spec *spec, struct map *want,
                        struct map *got, struct buf *why)
{
    for (uint32_t i = 0; i < want->n; i++) {
        struct member *m = &want->at[i];
        slice name = slice_make(m->key, m->key_n);
        struct value *v = find_named(r, got, name);
        if (value_matches(r, &m->val, v)) continue;
        buf_printf(why, "\n    %.*s: want ", SLICE_FMT(name));
        value_json(&m->val, why);
        buf_add_cstr(why, ", got ");
        if (v == NULL)
            buf_add_cstr(why, "nothing");
        else
            value_json(v, why);
    }
    for (uint32_t i = 0; spec->exact && i < got->n; i++) {
        slice name = slice_make(got->at[i].key, got->at[i].key_n);
        bool is_free = slice_equal(name, SLICE("@timestamp")) ||
                       slice_equal(name, SLICE("@version")) ||
                       slice_equal(name, SLICE("@metadata"));
        if (!is_free && member_of(want, name) == NULL)
            buf_printf(why, "\n    %.*s: not expected", SLICE_FMT(name));
    }
}

/* ---- documents ------------------------------------------------------------------- */

bool doc_parse(struct runner *r, slice text, struct arena *arena, struct value *out)
{
    return json_decode_copy(&r->reader, text, JSON_WHOLE, arena, out) >= 0 &&
           out->type == VALUE_MAP;
}

void docs_clear(struct runner *r)
{
    r->docs.n = 0;
    arena_reset(&r->expected);
}

bool docs_add(struct runner *r, const struct spec *spec, struct event *ev)
{
    struct docs *docs = &r->docs;
    if (docs->n == docs->cap) {
        docs->cap = docs->cap == 0 ? 64 : docs->cap * 2;
        docs->at = realloc(docs->at, docs->cap * sizeof(*docs->at));
        ASSERT(docs->at != NULL);
    }
    struct buf text = {0};
    struct value meta = event_meta_value(ev), copy, *out = &docs->at[docs->n];
    json_write_event(&text, ev, &r->cache);
    bool ok = doc_parse(r, buf_slice(&text), &r->expected, out);
    if (!ok) fail_at(r, spec, spec->out.line, "the event became bad JSON: %s", buf_cstr(&text));
    text.n = 0;
    json_write_value(&text, &meta, &r->cache);
    ok = ok && doc_parse(r, buf_slice(&text), &r->expected, &copy);
    if (ok) map_put(out->u.map, &r->expected, key_borrow(SLICE("@metadata")), copy);
    buf_fini(&text);
    docs->n += ok;
    return ok;
}

static bool any_match(struct runner *r, const struct spec *spec, struct map *want, bool *used)
{
    for (uint32_t i = 0; i < r->docs.n; i++) {
        struct buf why = {0};
        if (used[i]) continue;
        doc_compare(r, spec, want, r->docs.at[i].u.map, &why);
        used[i] = why.n == 0;
        buf_fini(&why);
        if (used[i]) return true;
    }
    return false;
}

void docs_compare(struct runner *r, const struct spec *spec)
{
    struct reader at = {spec->out.body, spec->out.line};
    struct value want;
    bool *used = arena_alloc(&r->expected, r->docs.n + 1, 1);
    memset(used, 0, r->docs.n + 1);
    uint32_t n = 0;
    slice line;
    while (line_next(&at, &line)) {
        if (slice_trim(line).n == 0) continue;
        if (!doc_parse(r, line, &r->expected, &want)) {
            fail_at(r, spec, at.line - 1, "the expected event is no JSON object");
        } else if (spec->unordered) {
            if (!any_match(r, spec, want.u.map, used))
                fail_at(r, spec, at.line - 1, "no event is like this one");
        } else if (n < r->docs.n) {
            struct buf why = {0};
            doc_compare(r, spec, want.u.map, r->docs.at[n].u.map, &why);
            if (why.n > 0) fail_at(r, spec, at.line - 1, "event %u differs:%s", n, buf_cstr(&why));
            buf_fini(&why);
        }
        n++;
    }
    if (n != r->docs.n) fail_at(r, spec, spec->out.line, "%u events wanted, got %u", n, r->docs.n);
}
