/* parse_value.c - strings, numbers, lists, hashes and plugin blocks. */
#include "engine/config/parser.h"

/* Room for one more item; arrays double in the heap. */
static void *room(struct parser *p, void *at, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return at;
    *cap = *cap == 0 ? 4 : *cap * 2;
    return heap_grow(p->heap, at, n, *cap, size);
}

bool parse_array(struct parser *p, struct config_value *out)
{
    *out = (struct config_value){.type = CONFIG_LIST, .pos = lex_pos(p)};
    if (!lex_take(p, "[")) return config_parse_fail(p, SYNTAX_TOKEN, "a list");
    if (!parse_enter(p)) return false;
    uint32_t cap = 0;
    lex_skip(p);
    while (!lex_take(p, "]")) {
        if (out->n > 0) {
            if (!lex_take(p, ","))
                return config_parse_fail(p, SYNTAX_LIST, "',' or ']' in the list");
            lex_skip(p);
        }
        out->u.list = room(p, out->u.list, out->n, &cap, sizeof(*out->u.list));
        if (!parse_value(p, &out->u.list[out->n])) return false;
        out->n++;
        lex_skip(p);
    }
    parse_leave(p);
    return true;
}

static bool parse_key(struct parser *p, struct config_value *key)
{
    if (lex_number(p, key) || lex_string(p, key)) return true;
    if (p->failed) return false;
    *key = (struct config_value){.type = CONFIG_STRING, .flags = CONFIG_BARE, .pos = lex_pos(p)};
    slice word;
    if (!lex_bareword(p, &word))
        return config_parse_fail(
            p, SYNTAX_KEY,
            "a key (a string, a number or a bare word of two letters or more) or '}'");
    key->text = heap_dup(p->heap, word);
    return true;
}

static bool parse_hash(struct parser *p, struct config_value *out)
{
    *out = (struct config_value){.type = CONFIG_HASH, .pos = lex_pos(p)};
    if (!lex_take(p, "{")) return config_parse_fail(p, SYNTAX_TOKEN, "a hash");
    if (!parse_enter(p)) return false;
    uint32_t cap = 0;
    lex_skip(p);
    while (!lex_take(p, "}")) {
        out->u.pairs = room(p, out->u.pairs, out->n, &cap, sizeof(*out->u.pairs));
        struct config_pair *pair = &out->u.pairs[out->n];
        if (!parse_key(p, &pair->key)) return false;
        lex_skip(p);
        if (!lex_take(p, "=>")) return config_parse_fail(p, SYNTAX_ARROW, "'=>' after the key");
        lex_skip(p);
        if (!parse_value(p, &pair->val)) return false;
        out->n++;
        lex_skip(p);
    }
    parse_leave(p);
    hash_check(p, out);
    return true;
}

/* name cs "{": a block, as in codec => json { ... }. Leaves the cursor when it is none. */
static bool parse_block(struct parser *p, slice name, struct pos pos, struct config_value *out)
{
    uint32_t back = p->at;
    lex_skip(p);
    if (lex_peek(p) != '{') {
        p->at = back;
        return false;
    }
    struct ast_plugin *plugin = parse_plugin_body(p, name, pos);
    if (plugin == NULL) return false;
    *out = (struct config_value){.type = CONFIG_PLUGIN, .pos = pos, .text = plugin->name};
    out->u.plugin = plugin;
    return true;
}

static bool parse_word(struct parser *p, struct config_value *out)
{
    uint32_t back = p->at;
    struct pos pos = lex_pos(p);
    slice name = lex_name(p);
    if (name.n == 0) return false;
    if (parse_block(p, name, pos, out)) return true;
    if (p->failed) return false;
    p->at = back;
    slice word;
    if (!lex_bareword(p, &word)) return lex_number(p, out);
    *out = (struct config_value){.type = CONFIG_STRING, .flags = CONFIG_BARE, .pos = pos};
    out->text = heap_dup(p->heap, word);
    return true;
}

static bool parse_value_here(struct parser *p, struct config_value *out)
{
    if (lex_end(p)) return false;
    char c = lex_peek(p);
    if (c == '[') return parse_array(p, out);
    if (c == '{') return parse_hash(p, out);
    if (!lex_string(p, out)) return !p->failed && parse_word(p, out);
    struct config_value block;
    if (parse_block(p, out->text, out->pos, &block)) *out = block;
    return !p->failed;
}

bool parse_value(struct parser *p, struct config_value *out)
{
    if (!parse_enter(p)) return false;
    if (!parse_value_here(p, out))
        return config_parse_fail(
            p, SYNTAX_VALUE,
            "a value: a quoted string, a bare word of two letters or more, a number, "
            "a list or a hash");
    parse_leave(p);
    return true;
}

/* ---- plugins ------------------------------------------------------------------------- */

static bool parse_attribute(struct parser *p, struct ast_plugin *plugin, uint32_t *cap)
{
    struct pos pos = lex_pos(p);
    struct config_value quoted, val;
    slice name;
    if (lex_string(p, &quoted)) {
        name = quoted.text;
    } else {
        name = p->failed ? SLICE_NONE : lex_name(p);
        if (name.n == 0) return config_parse_fail(p, SYNTAX_OPTION, "an option name or '}'");
        name = heap_dup(p->heap, name);
    }
    lex_skip(p);
    if (!lex_take(p, "=>")) return config_parse_fail(p, SYNTAX_ARROW, "'=>' after the option name");
    lex_skip(p);
    if (!parse_value(p, &val)) return false;
    option_merge(p, plugin, cap, name, pos, &val);
    return true;
}

struct ast_plugin *parse_plugin_body(struct parser *p, slice name, struct pos pos)
{
    struct ast_plugin *plugin = heap_alloc(p->heap, sizeof(*plugin));
    plugin->name = heap_dup(p->heap, name);
    plugin->pos = pos;
    uint32_t cap = 0;
    bool separated = true;
    if (!lex_take(p, "{")) {
        config_parse_fail(p, SYNTAX_PLUGIN, "'{' after the plugin name");
        return NULL;
    }
    if (!parse_enter(p)) return NULL;
    lex_skip(p);
    while (!lex_take(p, "}")) {
        if (!separated) {
            config_parse_fail(p, SYNTAX_OPTION_END, "white space between two options (no comma)");
            return NULL;
        }
        if (!parse_attribute(p, plugin, &cap)) return NULL;
        separated = lex_is_blank(lex_peek(p));
        lex_skip(p);
    }
    parse_leave(p);
    return plugin;
}
