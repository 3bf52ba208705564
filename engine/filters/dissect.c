/*
 * dissect.c - takes text apart at literal delimiters.
 *
 * parsers/text/dissect finds the fields; this file saves them in the plugin's order: normal
 * ones, appended ones by their number, indirect ones. Common options apply once per mapping that
 * matched; conversions run whatever matched. A missing source field only counts as a failure, an
 * empty one and text without the delimiters tag the event. A field that cannot be set ends the
 * work on its event.
 * State: spans of one text.
 */
#include "parsers/text/dissect.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/number.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/java_text.h"
#include "engine/plan/ruby_text.h"
#include "parsers/text/ruby_number.h"

/* A float of more digits is kept as exact text. */
#define DOUBLE_DIGITS 15u

struct dissect_target {
    struct fieldref ref;
    struct key key;
    bool plain;
};

struct dissect_mapping {
    struct fieldref source;
    struct dissect dissect;
    struct dissect_target *target; /* one per field; indirect ones: where the name comes from */
};

struct dissect_conversion {
    struct fieldref field;
    bool to_int;
    slice null_tag, bad_tag;
};

struct dissect_cfg {
    struct config_hash mapping_given, convert_given;
    struct config_list tag_on_failure;
    struct dissect_mapping *mapping;
    struct dissect_conversion *convert;
    uint32_t mapping_n, convert_n;
};

struct dissect_state {
    slice *value;
    struct log_gate gate;
    struct counter matches, failures;
};

struct dissect_run {
    struct dissect_state *state;
    const struct dissect_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

static void failed(struct dissect_run *r, const struct dissect_mapping *m, const char *why,
                   bool tags)
{
    uint64_t held;
    counter_add(&r->state->failures, 1);
    if (log_gate_open(&r->state->gate, &held))
        log_warn("filters.dissect",
                 "Dissector mapping, %s: field `%.*s` (%llu more since the last report)", why,
                 SLICE_FMT(m->source.text), (unsigned long long)held);
    if (tags) event_tag_list(r->batch, r->ev, r->cfg->tag_on_failure);
}

/* ---- saving ---------------------------------------------------------------------- */

static bool put(struct dissect_run *r, const struct dissect_target *t, slice text)
{
    if (t->plain) {
        map_put(&r->ev->data, &r->batch->arena, t->key, value_string(text));
        return true;
    }
    return event_put(r->batch, r->ev, &t->ref, value_string(text)) == ERR_OK;
}

/* Lists and hashes in Java's spelling. */
static slice text_of(struct dissect_run *r, struct value *v)
{
    if (v->type == VALUE_STRING) return value_slice(v);
    struct buf *scratch = &r->batch->scratch;
    scratch->n = 0;
    java_text(v, &r->batch->arena, scratch);
    return arena_copy(&r->batch->arena, buf_slice(scratch));
}

static bool append(struct dissect_run *r, const struct dissect_target *t,
                   const struct dissect_field *f, slice text)
{
    struct arena *arena = &r->batch->arena;
    struct value *old = event_get(r->batch, r->ev, &t->ref);
    if (old == NULL) return put(r, t, text);
    if (old->type == VALUE_NIL) return false;
    slice have = text_of(r, old);
    slice joint = f->before.n == 0 ? SLICE(" ") : f->before;
    char *out = arena_alloc(arena, (size_t)have.n + joint.n + text.n + 1, 1);
    if (have.n > 0) memcpy(out, have.p, have.n);
    memcpy(out + have.n, joint.p, joint.n);
    if (text.n > 0) memcpy(out + have.n + joint.n, text.p, text.n);
    return put(r, t, slice_make(out, (size_t)have.n + joint.n + text.n));
}

/* The name is the value of another field: of the event, or of this mapping. */
static bool put_indirect(struct dissect_run *r, const struct dissect_mapping *m, uint32_t index,
                         slice text)
{
    const struct dissect *d = &m->dissect;
    struct value *named = event_get(r->batch, r->ev, &m->target[index].ref);
    slice name = SLICE_NONE;
    if (named != NULL) {
        name = text_of(r, named);
    } else {
        for (uint32_t i = 0; i < d->n && name.p == NULL; i++)
            if (i != index && slice_equal(d->at[i].name, d->at[index].name))
                name = r->state->value[i];
    }
    return name.n == 0 || event_put_named(r->batch, r->ev, name, value_string(text));
}

static bool save(struct dissect_run *r, const struct dissect_mapping *m)
{
    const struct dissect *d = &m->dissect;
    if (r->ev->data.cap == 0) map_reserve(&r->ev->data, &r->batch->arena, MAP_CAP_FIRST);
    for (uint32_t i = 0; i < d->save_n; i++) {
        uint32_t index = d->save[i];
        const struct dissect_field *f = &d->at[index];
        slice text = r->state->value[index];
        bool ok;
        if (f->kind == DISSECT_NORMAL)
            ok = put(r, &m->target[index], text);
        else if (f->kind == DISSECT_APPEND)
            ok = append(r, &m->target[index], f, text);
        else
            ok = put_indirect(r, m, index, text);
        if (!ok) return false;
    }
    return true;
}

/* ---- conversions ------------------------------------------------------------------- */

/* java.math.BigDecimal's grammar: no blanks, no underscores. */
static bool is_decimal(slice text, bool *whole, uint32_t *digits)
{
    uint32_t at = text.n > 0 && (text.p[0] == '-' || text.p[0] == '+');
    uint32_t before = at;
    while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9') at++;
    *digits = at - before;
    *whole = at == text.n;
    if (at < text.n && text.p[at] == '.') {
        before = ++at;
        while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9') at++;
        *digits += at - before;
    }
    if (*digits == 0) return false;
    if (at == text.n) return true;
    if ((text.p[at] | 0x20) != 'e') return false;
    at++;
    if (at < text.n && (text.p[at] == '-' || text.p[at] == '+')) at++;
    before = at;
    while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9') at++;
    return at == text.n && at > before;
}

static bool convert(struct dissect_run *r, const struct dissect_conversion *to, struct value *v)
{
    struct arena *arena = &r->batch->arena;
    bool number = v->type == VALUE_INT || v->type == VALUE_FLOAT || v->type == VALUE_BIGNUM;
    if (!number && v->type != VALUE_STRING) return false;
    slice text = value_to_slice(v, arena, &r->batch->scratch);
    struct value out;
    bool whole;
    uint32_t digits;
    if (!is_decimal(text, &whole, &digits)) return false;
    /* Ruby's grammar wants digits on both sides of the point. */
    int64_t point = slice_find_byte(text, '.');
    if (point >= 0 && ((uint32_t)point + 1 == text.n || (text.p[point + 1] | 0x20) == 'e'))
        text = arena_join(arena, slice_part(text, 0, (uint32_t)point),
                          slice_from(text, (uint32_t)point + 1));
    if (to->to_int || whole) {
        if (!ruby_integer_parse(text, arena, &out)) return false;
    } else {
        double real;
        if (!ruby_float_parse(text, arena, &real)) return false;
        out = value_float(real);
        bool exact = digits <= DOUBLE_DIGITS || text.p[0] == '+' || point == 0;
        if (!exact) out = (struct value){.type = VALUE_BIGNUM, .n = text.n, .u.str = text.p};
    }
    return event_put(r->batch, r->ev, &to->field, out) == ERR_OK;
}

static void convert_all(struct dissect_run *r)
{
    for (uint32_t i = 0; i < r->cfg->convert_n; i++) {
        const struct dissect_conversion *to = &r->cfg->convert[i];
        struct value *v = event_get(r->batch, r->ev, &to->field);
        if (v == NULL || v->type == VALUE_NIL)
            event_tag(r->batch, r->ev, to->null_tag, true);
        else if (!convert(r, to, v))
            event_tag(r->batch, r->ev, to->bad_tag, true);
    }
}

/* ---- one event ------------------------------------------------------------------------ */

enum dissected { NOT_MATCHED, MATCHED, BROKEN };

static enum dissected dissect_mapping(struct dissect_run *r, const struct dissect_mapping *m)
{
    struct value *source = event_get(r->batch, r->ev, &m->source);
    if (source == NULL) {
        failed(r, m, "field not found in event", false);
        return NOT_MATCHED;
    }
    slice text = ruby_text_slice(source, &r->batch->arena, &r->batch->scratch);
    if (text.n == 0) {
        failed(r, m, "field found in event but it was empty", true);
        return NOT_MATCHED;
    }
    if (!dissect_run(&m->dissect, text, r->state->value)) {
        failed(r, m, "pattern not found", true);
        return NOT_MATCHED;
    }
    if (!save(r, m)) {
        failed(r, m, "a field cannot be set", true);
        return BROKEN;
    }
    counter_add(&r->state->matches, 1);
    return MATCHED;
}

static enum applied dissect_apply(void *state, const void *config, struct batch *b,
                                  const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct dissect_cfg *cfg = config;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct dissect_run r = {state, cfg, b, &b->event[in->at[i]]};
        enum dissected did = NOT_MATCHED;
        for (uint32_t k = 0; k < cfg->mapping_n && did != BROKEN; k++) {
            did = dissect_mapping(&r, &cfg->mapping[k]);
            if (did == MATCHED) sel_push(b, hit, in->at[i]);
        }
        if (did != BROKEN) convert_all(&r);
    }
    return APPLIED;
}

static err dissect_start(void *state, const void *cfg, struct worker *worker)
{
    struct dissect_state *s = state;
    (void)cfg, (void)worker;
    s->value = calloc(DISSECT_FIELDS_MAX + 1, sizeof(slice));
    ASSERT(s->value != NULL);
    return ERR_OK;
}

static void dissect_stop(void *state, const void *cfg)
{
    (void)cfg;
    free(((struct dissect_state *)state)->value);
}

static void dissect_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct dissect_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"matches\":%llu,\"failures\":%llu",
               (unsigned long long)counter_read(&s->matches),
               (unsigned long long)counter_read(&s->failures));
}

/* ---- compiling --------------------------------------------------------------------------- */

static err compile_mapping(struct compiler *c, struct dissect_mapping *m,
                           const struct config_pair *pair)
{
    err e = compile_fieldref(c, &m->source, pair->key.text, pair->key.pos);
    const char *wrong = dissect_compile(&m->dissect, pair->val.text);
    if (wrong != NULL) {
        diag_error(c->diag, pair->val.pos, "text such as %{a} %{b}", "bad mapping `%.*s`: %s",
                   SLICE_FMT(pair->val.text), wrong);
        return ERR_CONFIG;
    }
    m->target = heap_alloc(c->heap, m->dissect.n * sizeof(*m->target));
    for (uint32_t i = 0; i < m->dissect.n; i++) {
        const struct dissect_field *f = &m->dissect.at[i];
        struct dissect_target *t = &m->target[i];
        if (f->kind == DISSECT_SKIP) continue;
        if (compile_fieldref(c, &t->ref, f->name, pair->val.pos) != ERR_OK) e = ERR_CONFIG;
        t->plain = field_is_plain(f->name);
        if (t->plain) t->key = compile_key(c, f->name);
    }
    return e;
}

static err compile_conversion(struct compiler *c, struct dissect_conversion *out,
                              const struct config_pair *pair)
{
    slice type = pair->val.text;
    out->to_int = slice_equal_nocase(type, SLICE("int"));
    if (!out->to_int && !slice_equal_nocase(type, SLICE("float"))) {
        diag_error(c->diag, pair->val.pos, "int or float",
                   "Dissector datatype conversion, datatype not supported: %.*s", SLICE_FMT(type));
        return ERR_CONFIG;
    }
    out->null_tag = heap_printf(c->heap, "_dataconversionnullvalue_%.*s_%.*s",
                                SLICE_FMT(pair->key.text), SLICE_FMT(type));
    out->bad_tag = heap_printf(c->heap, "_dataconversionuncoercible_%.*s_%.*s",
                               SLICE_FMT(pair->key.text), SLICE_FMT(type));
    return compile_fieldref(c, &out->field, pair->key.text, pair->key.pos);
}

static err dissect_compile_cfg(void *config, struct compiler *c)
{
    struct dissect_cfg *cfg = config;
    err e = ERR_OK;
    cfg->mapping = heap_alloc(c->heap, (cfg->mapping_given.n + 1) * sizeof(*cfg->mapping));
    for (uint32_t i = 0; i < cfg->mapping_given.n; i++) {
        if (cfg->mapping_given.at[i].val.text.n == 0) continue;
        struct dissect_mapping *m = &cfg->mapping[cfg->mapping_n++];
        if (compile_mapping(c, m, &cfg->mapping_given.at[i]) != ERR_OK) e = ERR_CONFIG;
    }
    cfg->convert_n = cfg->convert_given.n;
    cfg->convert = heap_alloc(c->heap, (cfg->convert_n + 1) * sizeof(*cfg->convert));
    for (uint32_t i = 0; i < cfg->convert_n; i++)
        if (compile_conversion(c, &cfg->convert[i], &cfg->convert_given.at[i]) != ERR_OK)
            e = ERR_CONFIG;
    return e;
}

static void dissect_release(void *config)
{
    struct dissect_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->mapping_n; i++) dissect_fini(&cfg->mapping[i].dissect);
}

/* clang-format off */
static const struct setting dissect_settings[] = {
    {.name = "mapping", SETTING_AT(struct dissect_cfg, mapping_given, HASH), .flags = SETTING_FIELD,
     .default_text = "{}",
     .doc = "Fields with the pattern of their text: %{name}, %{+name} and %{+name/2} append, "
            "%{?name} and %{} skip, %{&name} takes its name from another field, -> at the end "
            "allows repeated delimiters."},
    {.name = "convert_datatype", SETTING_AT(struct dissect_cfg, convert_given, HASH),
     .flags = SETTING_FIELD,
     .default_text = "{}", .doc = "Fields with the type to convert them to: int or float."},
    {.name = "tag_on_failure", SETTING_AT(struct dissect_cfg, tag_on_failure, LIST),
     .default_text = "[\"_dissectfailure\"]",
     .doc = "Tags of events whose text does not have the delimiters."},
    {0}};
/* clang-format on */

const struct filter_ops filter_dissect = {
    .name = "dissect",
    .doc = "Takes text apart at literal delimiters.",
    .settings = dissect_settings,
    .cfg_size = sizeof(struct dissect_cfg),
    .state_size = sizeof(struct dissect_state),
    .compile = dissect_compile_cfg,
    .release = dissect_release,
    .start = dissect_start,
    .apply = dissect_apply,
    .stop = dissect_stop,
    .stats = dissect_stats,
};
