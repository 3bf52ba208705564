/* value.c - comparing, finding and showing configuration values. */
#include "engine/config/value.h"

#include "engine/config/ast.h"

#define VALUE_SHOW_BYTES 60u

static bool plugin_equal(const struct ast_plugin *a, const struct ast_plugin *b)
{
    if (a->n != b->n || !slice_equal(a->name, b->name)) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (!slice_equal(a->options[i].name, b->options[i].name)) return false;
        if (!config_value_equal(&a->options[i].val, &b->options[i].val)) return false;
    }
    return true;
}

bool config_value_equal(const struct config_value *a, const struct config_value *b)
{
    if (a->type != b->type) return false;
    switch ((enum config_type)a->type) {
    case CONFIG_INT:
        return (a->flags | b->flags) & CONFIG_BIG ? slice_equal(a->text, b->text)
                                                  : a->u.num == b->u.num;
    case CONFIG_FLOAT: return a->u.real == b->u.real;
    case CONFIG_LIST:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++)
            if (!config_value_equal(&a->u.list[i], &b->u.list[i])) return false;
        return true;
    case CONFIG_HASH:
        if (a->n != b->n) return false;
        for (uint32_t i = 0; i < a->n; i++)
            if (!slice_equal(a->u.pairs[i].key.text, b->u.pairs[i].key.text) ||
                !config_value_equal(&a->u.pairs[i].val, &b->u.pairs[i].val))
                return false;
        return true;
    case CONFIG_PLUGIN: return plugin_equal(a->u.plugin, b->u.plugin);
    case CONFIG_STRING:
    case CONFIG_SELECTOR:
    case CONFIG_REGEX: break;
    }
    return slice_equal(a->text, b->text);
}

struct pos config_value_pos_in(const struct config_value *v, uint32_t at)
{
    if (v->pos.source == NULL || (v->flags & CONFIG_EXPANDED)) return v->pos;
    bool quoted = v->type == CONFIG_STRING && !(v->flags & CONFIG_BARE);
    uint32_t start = v->pos.at + (quoted || v->type == CONFIG_REGEX ? 1 : 0);
    /* With escapes processed the text is shorter than its source: then only the start is sure. */
    slice source = slice_part(v->pos.source->text, start, v->text.n);
    if (at > v->text.n || !slice_equal(source, v->text)) return v->pos;
    return pos_make(v->pos.source, start + at);
}

static void value_show(const struct config_value *v, struct buf *out, size_t limit);

static void pairs_show(const struct config_value *v, struct buf *out, size_t limit)
{
    buf_add_cstr(out, "{");
    for (uint32_t i = 0; i < v->n && out->n < limit; i++) {
        buf_add_cstr(out, " ");
        value_show(&v->u.pairs[i].key, out, limit);
        buf_add_cstr(out, " => ");
        value_show(&v->u.pairs[i].val, out, limit);
    }
    buf_add_cstr(out, " }");
}

static void value_show(const struct config_value *v, struct buf *out, size_t limit)
{
    if (out->n >= limit) return;
    if (v->flags & CONFIG_SECRET) {
        buf_add_cstr(out, "<a value of the keystore>");
        return;
    }
    switch ((enum config_type)v->type) {
    case CONFIG_STRING:
        buf_printf(out, v->flags & CONFIG_BARE ? "%.*s" : "\"%.*s\"", SLICE_FMT(v->text));
        break;
    case CONFIG_REGEX: buf_printf(out, "/%.*s/", SLICE_FMT(v->text)); break;
    case CONFIG_INT:
    case CONFIG_FLOAT:
    case CONFIG_SELECTOR: buf_add_slice(out, v->text); break;
    case CONFIG_LIST:
        buf_add_cstr(out, "[");
        for (uint32_t i = 0; i < v->n && out->n < limit; i++) {
            if (i > 0) buf_add_cstr(out, ", ");
            value_show(&v->u.list[i], out, limit);
        }
        buf_add_cstr(out, "]");
        break;
    case CONFIG_HASH: pairs_show(v, out, limit); break;
    case CONFIG_PLUGIN: buf_printf(out, "%.*s {...}", SLICE_FMT(v->text)); break;
    }
}

void config_value_show(const struct config_value *v, struct buf *out)
{
    size_t start = out->n, limit = start + VALUE_SHOW_BYTES;
    value_show(v, out, limit);
    if (out->n <= limit) return;
    out->n = limit;
    while (out->n > start && ((unsigned char)out->data[out->n] & 0xC0) == 0x80) out->n--;
    buf_add_cstr(out, "...");
}

const struct config_value *config_hash_get(struct config_hash hash, slice key)
{
    for (uint32_t i = hash.n; i > 0; i--)
        if (slice_equal(hash.at[i - 1].key.text, key)) return &hash.at[i - 1].val;
    return NULL;
}
