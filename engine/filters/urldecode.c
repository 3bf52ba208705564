/*
 * urldecode.c - %XX escapes in text become the bytes they stand for.
 *
 * A plus stays a plus, and an escape that is none stays as it is. The result is read in `charset`
 * as codecs read theirs: declared UTF-8 that is none is shown escaped. Strings inside lists and
 * hashes are decoded too, their keys are not. A field that is missing becomes null. Common
 * options apply whatever happened.
 * State: the charset's decoder.
 */
#include "engine/plan/filter_kit.h"
#include "parsers/text/charset.h"

struct urldecode_cfg {
    slice field_name, charset_name;
    struct config_list tag_on_failure;
    bool all_fields;
    struct fieldref field;
    const struct charset *charset;
};

struct urldecode_state {
    struct charset_decoder decoder;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The text itself when it has no escapes. */
static slice unescape(slice text, struct arena *arena)
{
    int64_t at = slice_find_byte(text, '%');
    if (at < 0) return text;
    char *out = arena_alloc(arena, (size_t)text.n + 1, 1);
    uint32_t n = (uint32_t)at;
    memcpy(out, text.p, n);
    for (uint32_t i = n; i < text.n;) {
        int high = -1, low = -1;
        if (text.p[i] == '%' && i + 2 < text.n) {
            high = hex(text.p[i + 1]);
            low = hex(text.p[i + 2]);
        }
        bool escape = high >= 0 && low >= 0;
        out[n++] = escape ? (char)(high << 4 | low) : text.p[i];
        i += escape ? 3 : 1;
    }
    return slice_make(out, n);
}

static struct value decoded(struct urldecode_state *s, struct value *v, struct arena *arena)
{
    value_resolve(v, arena);
    if (v->type == VALUE_STRING) {
        slice text = unescape(value_slice(v), arena);
        if (text.p == v->u.str && s->decoder.charset->utf8) return *v;
        return value_string(charset_decode(&s->decoder, text, arena, NULL));
    }
    if (v->type == VALUE_LIST) {
        struct value *items = arena_alloc(arena, ((size_t)v->n + 1) * sizeof(*items), 16);
        for (uint32_t i = 0; i < v->n; i++) items[i] = decoded(s, &v->u.list[i], arena);
        return value_list(items, v->n);
    }
    if (v->type == VALUE_MAP) {
        struct map *map = map_new(arena);
        map_copy(map, v->u.map, arena);
        for (uint32_t i = 0; i < map->n; i++) {
            uint16_t key_flags = map->at[i].val.key_flags;
            map->at[i].val = decoded(s, &map->at[i].val, arena);
            map->at[i].val.key_flags = key_flags;
        }
        return value_map(map);
    }
    return *v;
}

static bool decode_all(struct urldecode_state *s, struct batch *b, struct event *ev)
{
    for (uint32_t i = 0; i < ev->data.n; i++) {
        struct value *v = &ev->data.at[i].val;
        uint16_t key_flags = v->key_flags;
        *v = decoded(s, v, &b->arena);
        v->key_flags = key_flags;
    }
    return true;
}

static bool decode_field(struct urldecode_state *s, const struct urldecode_cfg *cfg,
                         struct batch *b, struct event *ev)
{
    struct value *v = event_get(b, ev, &cfg->field);
    struct value out = v == NULL ? value_nil() : decoded(s, v, &b->arena);
    return event_put(b, ev, &cfg->field, out) == ERR_OK;
}

static enum applied urldecode_apply(void *state, const void *config, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct urldecode_cfg *cfg = config;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        bool ok = cfg->all_fields ? decode_all(state, b, ev) : decode_field(state, cfg, b, ev);
        if (!ok) event_tag_list(b, ev, cfg->tag_on_failure);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err urldecode_start(void *state, const void *config, struct worker *worker)
{
    (void)worker;
    return charset_decoder_init(&((struct urldecode_state *)state)->decoder,
                                ((const struct urldecode_cfg *)config)->charset);
}

static void urldecode_stop(void *state, const void *cfg)
{
    (void)cfg;
    charset_decoder_fini(&((struct urldecode_state *)state)->decoder);
}

static err urldecode_compile(void *config, struct compiler *c)
{
    struct urldecode_cfg *cfg = config;
    if (charset_find(cfg->charset_name, &cfg->charset) != ERR_OK) {
        compile_error(c, "charset", "the name of an encoding", "unknown charset `%.*s`",
                      SLICE_FMT(cfg->charset_name));
        return ERR_CONFIG;
    }
    return compile_field_option(c, &cfg->field, "field", cfg->field_name);
}

/* clang-format off */
static const struct setting urldecode_settings[] = {
    {.name = "field", SETTING_AT(struct urldecode_cfg, field_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message", .doc = "The field to decode."},
    {.name = "all_fields", SETTING_AT(struct urldecode_cfg, all_fields, BOOL),
     .default_text = "false", .doc = "Decode all fields of the event."},
    {.name = "charset", SETTING_AT(struct urldecode_cfg, charset_name, STRING),
     .default_text = "UTF-8", .doc = "The encoding of the decoded text."},
    {.name = "tag_on_failure", SETTING_AT(struct urldecode_cfg, tag_on_failure, LIST),
     .default_text = "[\"_urldecodefailure\"]",
     .doc = "Tags of events whose field cannot be set."},
    {0}};
/* clang-format on */

const struct filter_ops filter_urldecode = {
    .name = "urldecode",
    .doc = "Decodes text that is URL-encoded.",
    .settings = urldecode_settings,
    .cfg_size = sizeof(struct urldecode_cfg),
    .state_size = sizeof(struct urldecode_state),
    .compile = urldecode_compile,
    .start = urldecode_start,
    .apply = urldecode_apply,
    .stop = urldecode_stop,
};
