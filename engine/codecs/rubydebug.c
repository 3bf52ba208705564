/*
 * rubydebug.c - events for people, as Ruby's amazing_print shows a hash.
 *
 * Four blanks a level; keys in quotes, right-aligned to the longest of their map; strings
 * escaped as Ruby does, timestamps bare.
 */
#include "engine/base/number.h"
#include "engine/event/time_format.h"
#include "engine/plan/compiler.h"
#include "parsers/text/ruby_inspect.h"

struct rubydebug_cfg {
    bool metadata;
};

#define INDENT 4u

static const struct setting rubydebug_settings[] = {
    {.name = "metadata",
     SETTING_AT(struct rubydebug_cfg, metadata, BOOL),
     .default_text = "false",
     .doc = "Show @metadata too."},
    {0},
};

static void add_value(struct buf *out, struct value *v, struct arena *arena, uint32_t indent);

static void add_blanks(struct buf *out, uint32_t n)
{
    buf_room(out, n);
    memset(buf_end(out), ' ', n);
    out->n += n;
}

/* A key's width in characters as it will be shown. */
static uint32_t key_width(slice key)
{
    struct buf shown = {0};
    ruby_inspect_add(&shown, key);
    uint32_t n = 0;
    for (size_t i = 0; i < shown.n; i++) n += (shown.data[i] & 0xc0) != 0x80;
    buf_fini(&shown);
    return n;
}

static void add_key(struct buf *out, slice key, uint32_t width, bool first)
{
    buf_add_cstr(out, first ? "\n" : ",\n");
    add_blanks(out, width - key_width(key));
    ruby_inspect_add(out, key);
    buf_add_cstr(out, " => ");
}

static uint32_t widest(const struct map *map)
{
    uint32_t width = 0;
    for (uint32_t i = 0; i < map->n; i++) {
        uint32_t n = key_width(slice_make(map->at[i].key, map->at[i].key_n));
        if (n > width) width = n;
    }
    return width;
}

static void add_members(struct buf *out, const struct map *map, struct arena *arena, uint32_t width,
                        uint32_t indent, bool first)
{
    for (uint32_t i = 0; i < map->n; i++) {
        add_key(out, slice_make(map->at[i].key, map->at[i].key_n), width, first && i == 0);
        add_value(out, &map->at[i].val, arena, indent);
    }
}

static void add_map(struct buf *out, const struct map *map, struct arena *arena, uint32_t indent)
{
    if (map->n == 0) {
        buf_add_cstr(out, "{}");
        return;
    }
    buf_add_byte(out, '{');
    add_members(out, map, arena, widest(map) + indent, indent + INDENT, true);
    buf_add_byte(out, '\n');
    add_blanks(out, indent - INDENT);
    buf_add_byte(out, '}');
}

static void add_list(struct buf *out, struct value *v, struct arena *arena, uint32_t indent)
{
    if (v->n == 0) {
        buf_add_cstr(out, "[]");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    uint32_t width = number_i64_text(v->n - 1, text);
    buf_add_byte(out, '[');
    for (uint32_t i = 0; i < v->n; i++) {
        buf_add_cstr(out, i == 0 ? "\n" : ",\n");
        add_blanks(out, indent);
        uint32_t n = number_i64_text(i, text);
        buf_add_byte(out, '[');
        add_blanks(out, width - n);
        buf_add(out, text, n);
        buf_add_cstr(out, "] ");
        add_value(out, &v->u.list[i], arena, indent + INDENT);
    }
    buf_add_byte(out, '\n');
    add_blanks(out, indent - INDENT);
    buf_add_byte(out, ']');
}

static void add_value(struct buf *out, struct value *v, struct arena *arena, uint32_t indent)
{
    value_resolve(v, arena);
    switch ((enum value_type)v->type) {
    case VALUE_NIL: buf_add_cstr(out, "nil"); break;
    case VALUE_STRING: ruby_inspect_add(out, value_slice(v)); break;
    case VALUE_LIST: add_list(out, v, arena, indent); break;
    case VALUE_MAP: add_map(out, v->u.map, arena, indent); break;
    default: value_text_ruby(v, arena, out);
    }
}

static void encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    (void)state;
    const struct rubydebug_cfg *cfg = cfg_;
    bool timed = ev->time.type == VALUE_TIME;
    uint32_t width = widest(&ev->data);
    if (timed && width < key_width(SLICE("@timestamp"))) width = key_width(SLICE("@timestamp"));
    if (cfg->metadata && width < key_width(SLICE("@metadata")))
        width = key_width(SLICE("@metadata"));
    buf_add_byte(out, '{');
    if (timed) {
        add_key(out, SLICE("@timestamp"), width + INDENT, true);
        value_text_ruby(&ev->time, &b->arena, out);
    }
    add_members(out, &ev->data, &b->arena, width + INDENT, 2 * INDENT, !timed);
    if (cfg->metadata) {
        add_key(out, SLICE("@metadata"), width + INDENT, !timed && ev->data.n == 0);
        add_map(out, &ev->meta, &b->arena, 2 * INDENT);
    }
    buf_add_cstr(out, "\n}\n");
}

const struct codec_ops codec_rubydebug = {
    .name = "rubydebug",
    .doc = "Shows events the way Ruby prints a hash.",
    .settings = rubydebug_settings,
    .cfg_size = sizeof(struct rubydebug_cfg),
    .encode = encode,
};
