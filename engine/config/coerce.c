/* coerce.c - types, bounds and choices of plugin options. */
#include "engine/config/coerce.h"

#include <math.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/config/hash_order.h"
#include "engine/config/units.h"

/* Always false, for `return refuse(...)`. */
static bool refuse(const struct coercion *c, const struct config_value *v, const char *expected)
{
    struct buf shown = {0};
    if (c->setting->type == SETTING_PASSWORD || (c->setting->flags & SETTING_SECRET))
        buf_add_cstr(&shown, "<password>");
    else
        config_value_show(v, &shown);
    diag_error(c->diag, v->pos, expected,
               "Invalid setting for the %.*s %s plugin: %.*s must be a valid %s, got %s",
               SLICE_FMT(c->plugin), c->kind, SLICE_FMT(c->option),
               setting_type_text(c->setting->type), buf_cstr(&shown));
    buf_fini(&shown);
    return false;
}

/* A list of one stands for its element, as everywhere in Logstash. */
static const struct config_value *single(const struct config_value *v)
{
    return v->type == CONFIG_LIST && v->n == 1 ? &v->u.list[0] : v;
}

static bool in_bounds(const struct coercion *c, const struct config_value *v, double num)
{
    const struct setting *s = c->setting;
    if (s->min == 0 && s->max == 0) return true;
    if (num >= (double)s->min && num <= (double)s->max) return true;
    char expected[96];
    if (s->max == INT64_MAX)
        snprintf(expected, sizeof(expected), "at least %lld", (long long)s->min);
    else
        snprintf(expected, sizeof(expected), "a value between %lld and %lld", (long long)s->min,
                 (long long)s->max);
    return refuse(c, v, expected);
}

static bool number_of(const struct config_value *v, double *out)
{
    switch ((enum config_type)v->type) {
    case CONFIG_INT: *out = (double)v->u.num; return true;
    case CONFIG_FLOAT: *out = v->u.real; return true;
    case CONFIG_STRING: return number_f64_parse(v->text, out);
    default: return false;
    }
}

static bool coerce_int(const struct coercion *c, const struct config_value *v, int64_t *out)
{
    static const char expected[] = "a whole number such as 5 or \"5\"";
    double real;
    if (v->type == CONFIG_INT && !(v->flags & CONFIG_BIG))
        *out = v->u.num;
    else if (v->type == CONFIG_STRING && slice_to_i64(v->text, out))
        ;
    else if (number_of(v, &real) && floor(real) == real && fabs(real) < 9e15)
        *out = (int64_t)real;
    else
        return refuse(c, v, expected);
    return in_bounds(c, v, (double)*out);
}

static bool coerce_float(const struct coercion *c, const struct config_value *v, double *out)
{
    if (!number_of(v, out)) return refuse(c, v, "a number such as 0.5 or \"0.5\"");
    return in_bounds(c, v, *out);
}

static bool coerce_bool(const struct coercion *c, const struct config_value *v, bool *out)
{
    bool yes = v->type == CONFIG_STRING && slice_equal(v->text, SLICE("true"));
    bool no = v->type == CONFIG_STRING && slice_equal(v->text, SLICE("false"));
    if (!yes && !no) return refuse(c, v, "true or false");
    *out = yes;
    return true;
}

static bool coerce_bytes(const struct coercion *c, const struct config_value *v, int64_t *out)
{
    if (!config_is_scalar(v) || !bytes_parse_plugin(v->text, out))
        return refuse(c, v, "a size such as 1048576, \"10mb\" (10^6) or \"10MiB\" (2^20)");
    return in_bounds(c, v, (double)*out);
}

static bool coerce_duration(const struct coercion *c, const struct config_value *v, int64_t *out)
{
    if (!config_is_scalar(v) || !duration_parse_plugin(v->text, out))
        return refuse(c, v, "seconds, or a duration such as \"250 ms\" or \"5 min\"");
    return in_bounds(c, v, (double)*out);
}

static bool coerce_text(const struct coercion *c, const struct config_value *v, slice *out)
{
    if (!config_is_scalar(v)) return refuse(c, v, "one string");
    *out = v->text;
    return true;
}

static bool coerce_path(const struct coercion *c, const struct config_value *v, slice *out)
{
    if (!coerce_text(c, v, out)) return false;
    if (access(out->p, F_OK) == 0) return true;
    diag_error(c->diag, v->pos, "the path of an existing file",
               "Invalid setting for the %.*s %s plugin: %.*s: File does not exist or cannot be "
               "opened %.*s",
               SLICE_FMT(c->plugin), c->kind, SLICE_FMT(c->option), SLICE_FMT(*out));
    return false;
}

/* ---- choices --------------------------------------------------------------------------- */

static uint32_t choices_n(const char *const *choices)
{
    uint32_t n = 0;
    while (choices[n] != NULL) n++;
    return n;
}

static bool coerce_enum(const struct coercion *c, const struct config_value *v, int *out)
{
    const char *const *choices = c->setting->choices;
    ASSERT(choices != NULL);
    uint32_t n = choices_n(choices);
    for (uint32_t i = 0; config_is_scalar(v) && i < n; i++) {
        if (!slice_equal(v->text, slice_from_cstr(choices[i]))) continue;
        *out = (int)i;
        return true;
    }
    struct buf expected = {0};
    buf_add_cstr(&expected, "one of ");
    for (uint32_t i = 0; i < n; i++) buf_printf(&expected, "%s\"%s\"", i ? ", " : "", choices[i]);
    refuse(c, v, buf_cstr(&expected));
    buf_fini(&expected);
    if (config_is_scalar(v)) diag_suggest(c->diag, v->text, choices, n);
    return false;
}

static bool coerce_enum_list(const struct coercion *c, const struct config_value *v, uint64_t *out)
{
    uint32_t n = v->type == CONFIG_LIST ? v->n : 1;
    bool ok = true;
    *out = 0;
    for (uint32_t i = 0; i < n; i++) {
        int choice;
        if (!coerce_enum(c, v->type == CONFIG_LIST ? &v->u.list[i] : v, &choice)) {
            ok = false;
            continue;
        }
        ASSERT(choice < 64);
        *out |= UINT64_C(1) << choice;
    }
    return ok;
}

/* ---- lists and hashes ------------------------------------------------------------------ */

static struct config_list list_view(const struct coercion *c, const struct config_value *v)
{
    if (v->type == CONFIG_LIST) return (struct config_list){v->u.list, v->n};
    struct config_value *one = heap_alloc(c->heap, sizeof(*one));
    *one = *v;
    return (struct config_list){one, 1};
}

static bool coerce_list(const struct coercion *c, const struct config_value *v,
                        struct config_list *out)
{
    *out = list_view(c, v);
    for (uint32_t i = 0; i < out->n; i++)
        if (!config_is_scalar(&out->at[i])) return refuse(c, &out->at[i], "a list of strings");
    return true;
}

static bool is_blank(char b)
{
    return b == ' ' || (b >= '\t' && b <= '\r');
}

/* hosts => "${ES}" with two addresses in the variable must give two hosts. */
static bool coerce_uri_list(const struct coercion *c, const struct config_value *v,
                            struct config_list *out)
{
    struct config_list given;
    if (!coerce_list(c, v, &given)) return false;
    uint32_t cap = 0;
    for (uint32_t i = 0; i < given.n; i++) cap += 1 + given.at[i].text.n / 2;
    struct config_value *uris = heap_alloc(c->heap, cap * sizeof(*uris));
    uint32_t n = 0;
    for (uint32_t i = 0; i < given.n; i++) {
        slice text = given.at[i].text;
        for (uint32_t at = 0; at < text.n;) {
            uint32_t to = at;
            while (to < text.n && !is_blank(text.p[to])) to++;
            if (to > at) {
                uris[n] = given.at[i];
                uris[n].type = CONFIG_STRING;
                uris[n++].text = heap_dup(c->heap, slice_part(text, at, to - at));
            }
            at = to + 1;
        }
    }
    *out = (struct config_list){uris, n};
    return true;
}

static void pair_add(const struct coercion *c, struct config_pair *pairs, uint32_t *n,
                     const struct config_value *key, const struct config_value *val)
{
    uint32_t at = 0;
    while (at < *n && !slice_equal(pairs[at].key.text, key->text)) at++;
    if (at == *n) {
        pairs[(*n)++] = (struct config_pair){*key, *val};
        return;
    }
    struct config_value *into = &pairs[at].val;
    bool was_list = into->type == CONFIG_LIST;
    uint32_t old = was_list ? into->n : 1;
    struct config_value *list =
        heap_grow(c->heap, was_list ? into->u.list : into, old, (size_t)old + 1, sizeof(*list));
    list[old] = *val;
    *into = (struct config_value){.type = CONFIG_LIST, .n = old + 1, .pos = into->pos};
    into->u.list = list;
}

/* match => ["message", "%{X}"]: keys and values by turns, a repeated key collects its values. */
static bool hash_from_list(const struct coercion *c, const struct config_value *v,
                           struct config_hash *out)
{
    static const char expected[] = "a hash like { \"key\" => \"value\" }, or a list of an even "
                                   "number of items";
    if (v->type != CONFIG_LIST || v->n % 2 == 1) return refuse(c, v, expected);
    struct config_pair *pairs = heap_alloc(c->heap, v->n / 2 * sizeof(*pairs));
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i += 2) {
        if (!config_is_scalar(&v->u.list[i])) return refuse(c, &v->u.list[i], expected);
        pair_add(c, pairs, &n, &v->u.list[i], &v->u.list[i + 1]);
    }
    *out = (struct config_hash){pairs, n};
    return true;
}

static bool coerce_hash(const struct coercion *c, const struct config_value *v,
                        struct config_hash *out)
{
    if (v->type != CONFIG_HASH) return hash_from_list(c, v, out);
    *out = hash_in_order(v->u.pairs, v->n, c->heap);
    return true;
}

static bool coerce_codec(const struct coercion *c, const struct config_value *v,
                         struct config_codec *out)
{
    if (v->type != CONFIG_PLUGIN && v->type != CONFIG_STRING)
        return refuse(c, v, "a codec name, or a name with options: json { ... }");
    *out = (struct config_codec){.name = v->text, .pos = v->pos};
    if (v->type == CONFIG_PLUGIN) out->plugin = v->u.plugin;
    return true;
}

bool coerce_value(const struct coercion *c, const struct config_value *v, void *member)
{
    switch (c->setting->type) {
    case SETTING_STRING:
    case SETTING_PASSWORD:
    case SETTING_URI: return coerce_text(c, single(v), member);
    case SETTING_INT: return coerce_int(c, single(v), member);
    case SETTING_FLOAT: return coerce_float(c, single(v), member);
    case SETTING_BOOL: return coerce_bool(c, single(v), member);
    case SETTING_BYTES: return coerce_bytes(c, single(v), member);
    case SETTING_DURATION: return coerce_duration(c, single(v), member);
    case SETTING_PATH: return coerce_path(c, single(v), member);
    case SETTING_ENUM: return coerce_enum(c, single(v), member);
    case SETTING_ENUM_LIST: return coerce_enum_list(c, v, member);
    case SETTING_LIST: return coerce_list(c, v, member);
    case SETTING_URI_LIST: return coerce_uri_list(c, v, member);
    case SETTING_ANY_LIST: *(struct config_list *)member = list_view(c, v); return true;
    case SETTING_HASH: return coerce_hash(c, v, member);
    case SETTING_CODEC: return coerce_codec(c, single(v), member);
    case SETTING_ANY: *(const struct config_value **)member = v; return true;
    case SETTING_DEFAULT: break;
    }
    PANIC("a default is no option");
}
