/* merge.c - repeated attributes and repeated keys, after lscl.rb and Util.hash_merge_many. */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/hash.h"
#include "engine/config/parser.h"

static struct config_value *list_of(struct parser *p, const struct config_value *v, uint32_t more)
{
    bool is_list = v->type == CONFIG_LIST;
    uint32_t n = is_list ? v->n : 1;
    return heap_grow(p->heap, is_list ? v->u.list : v, n, n + more, sizeof(*v));
}

/* `into` becomes a list with the item, or with the items of a list, at its end. */
static void list_append(struct parser *p, struct config_value *into, const struct config_value *add)
{
    bool many = add->type == CONFIG_LIST;
    uint32_t more = many ? add->n : 1, n = into->type == CONFIG_LIST ? into->n : 1;
    struct config_value *list = list_of(p, into, more);
    if (more > 0) memcpy(list + n, many ? add->u.list : add, more * sizeof(*list));
    *into = (struct config_value){.type = CONFIG_LIST, .n = n + more, .pos = into->pos};
    into->u.list = list;
}

static bool list_has(const struct config_value *list, const struct config_value *item)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (config_value_equal(&list->u.list[i], item)) return true;
    return false;
}

static void hash_merge(struct parser *p, struct config_value *into, const struct config_value *add);

/* Two values under one key of merged hashes. */
static void entry_merge(struct parser *p, struct config_value *into, const struct config_value *add)
{
    if (into->type == CONFIG_HASH && add->type == CONFIG_HASH) {
        hash_merge(p, into, add);
    } else if (add->type == CONFIG_LIST) {
        list_append(p, into, add);
    } else if (into->type == CONFIG_LIST ? !list_has(into, add) : !config_value_equal(into, add)) {
        list_append(p, into, add);
    }
}

static void hash_merge(struct parser *p, struct config_value *into, const struct config_value *add)
{
    uint32_t n = into->n;
    into->u.pairs =
        heap_grow(p->heap, into->u.pairs, n, (size_t)n + add->n, sizeof(*into->u.pairs));
    for (uint32_t i = 0; i < add->n; i++) {
        const struct config_pair *pair = &add->u.pairs[i];
        uint32_t at = 0;
        while (at < n && !slice_equal(into->u.pairs[at].key.text, pair->key.text)) at++;
        if (at < n)
            entry_merge(p, &into->u.pairs[at].val, &pair->val);
        else
            into->u.pairs[into->n++] = *pair;
    }
}

static void attribute_merge(struct parser *p, struct ast_option *option,
                            const struct config_value *val)
{
    struct config_value *into = &option->val;
    if (option->times++ == PLUGIN_OPTIONS_MAX)
        diag_error(p->diag, val->pos, NULL, "option '%.*s' is given more than %u times",
                   SLICE_FMT(option->name), PLUGIN_OPTIONS_MAX);
    if (option->times > PLUGIN_OPTIONS_MAX) return;
    if (into->type == CONFIG_HASH && val->type != CONFIG_HASH) {
        diag_error(p->diag, val->pos, "a hash, as the first time",
                   "option '%.*s' is given again with a value that cannot be merged into a hash",
                   SLICE_FMT(option->name));
    } else if (into->type == CONFIG_HASH) {
        hash_merge(p, into, val);
    } else if (into->type == CONFIG_LIST || !config_value_equal(into, val)) {
        list_append(p, into, val);
    }
}

void option_merge(struct parser *p, struct ast_plugin *plugin, uint32_t *cap, slice name,
                  struct pos pos, const struct config_value *val)
{
    for (uint32_t i = 0; i < plugin->n; i++)
        if (slice_equal(plugin->options[i].name, name))
            return attribute_merge(p, &plugin->options[i], val);
    if (plugin->n == PLUGIN_OPTIONS_MAX) {
        diag_error(p->diag, pos, NULL, "more than %u options in one plugin", PLUGIN_OPTIONS_MAX);
        p->failed = true;
        return;
    }
    if (plugin->n == *cap) {
        *cap = *cap == 0 ? 8 : *cap * 2;
        plugin->options =
            heap_grow(p->heap, plugin->options, plugin->n, *cap, sizeof(*plugin->options));
    }
    plugin->options[plugin->n++] =
        (struct ast_option){.name = name, .pos = pos, .val = *val, .times = 1};
}

/* ---- duplicate keys -------------------------------------------------------------------- */

/* Keys count as duplicates when they are written alike: a and "a" are one key, no error. */
static bool written_alike(const struct config_value *a, const struct config_value *b)
{
    const char *text = a->pos.source->text.p;
    bool bare = (a->flags & CONFIG_BARE) || a->type != CONFIG_STRING;
    bool bare_b = (b->flags & CONFIG_BARE) || b->type != CONFIG_STRING;
    return bare == bare_b && (bare || text[a->pos.at] == text[b->pos.at]);
}

void hash_check(struct parser *p, struct config_value *hash)
{
    if (hash->n < 2) return;
    /* Dictionaries may have many thousand entries: an open table instead of all pairs. */
    uint32_t slots = 4;
    while (slots < hash->n * 2) slots *= 2;
    uint32_t *table = calloc(slots, sizeof(*table));
    ASSERT(table != NULL);
    struct config_pair *pairs = hash->u.pairs;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < hash->n; i++) {
        struct config_value *key = &pairs[i].key;
        uint32_t slot = hash_key(key->text.p, key->text.n) & (slots - 1);
        while (table[slot] != 0 && !slice_equal(pairs[table[slot] - 1].key.text, key->text))
            slot = (slot + 1) & (slots - 1);
        if (table[slot] == 0) {
            pairs[kept] = pairs[i];
            table[slot] = ++kept;
            continue;
        }
        struct config_pair *first = &pairs[table[slot] - 1];
        if (written_alike(&first->key, key))
            diag_error(p->diag, key->pos, "every key once",
                       "Duplicate keys found in your configuration: ['%.*s']",
                       SLICE_FMT(key->text));
        first->val = pairs[i].val;
    }
    hash->n = kept;
    free(table);
}
