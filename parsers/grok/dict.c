/* dict.c - layered dictionaries of pattern definitions. */
#include "parsers/grok/grok.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/hash.h"

#define FILE_BYTES_MAX (16u * 1024 * 1024)

struct entry {
    char *name, *text; /* one allocation, `name` owns it */
    uint32_t name_n, text_n;
};

struct grok_dict {
    const struct grok_dict *below;
    bool (*lookup)(void *, slice name, slice *pattern);
    void *opaque;
    struct entry *slot; /* open addressing; power of two, at most half full */
    uint32_t slots, used;
};

struct grok_dict *grok_dict_new(const struct grok_dict *below)
{
    struct grok_dict *dict = calloc(1, sizeof(*dict));
    ASSERT(dict != NULL);
    dict->below = below;
    dict->slots = 64;
    dict->slot = calloc(dict->slots, sizeof(*dict->slot));
    ASSERT(dict->slot != NULL);
    return dict;
}

void grok_dict_free(struct grok_dict *dict)
{
    if (dict == NULL) return;
    for (uint32_t i = 0; i < dict->slots; i++) free(dict->slot[i].name);
    free(dict->slot);
    free(dict);
}

void grok_dict_lookup(struct grok_dict *dict, bool (*lookup)(void *, slice name, slice *pattern),
                      void *opaque)
{
    dict->lookup = lookup;
    dict->opaque = opaque;
}

static struct entry *find(const struct grok_dict *dict, slice name)
{
    uint32_t i = hash_key(name.p, name.n) & (dict->slots - 1);
    for (;; i = (i + 1) & (dict->slots - 1)) {
        struct entry *entry = &dict->slot[i];
        if (entry->name == NULL) return entry;
        if (slice_equal(slice_make(entry->name, entry->name_n), name)) return entry;
    }
}

static void grow(struct grok_dict *dict)
{
    struct entry *old = dict->slot;
    uint32_t n = dict->slots;
    dict->slots *= 2;
    dict->slot = calloc(dict->slots, sizeof(*dict->slot));
    ASSERT(dict->slot != NULL);
    for (uint32_t i = 0; i < n; i++)
        if (old[i].name != NULL) *find(dict, slice_make(old[i].name, old[i].name_n)) = old[i];
    free(old);
}

void grok_dict_set(struct grok_dict *dict, slice name, slice pattern)
{
    struct entry *entry = find(dict, name);
    if (entry->name == NULL) dict->used++;
    char *copy = malloc((size_t)name.n + pattern.n + 1);
    ASSERT(copy != NULL);
    if (name.n > 0) memcpy(copy, name.p, name.n);
    if (pattern.n > 0) memcpy(copy + name.n, pattern.p, pattern.n);
    free(entry->name);
    *entry = (struct entry){copy, copy + name.n, name.n, pattern.n};
    if (dict->used * 2 > dict->slots) grow(dict);
}

bool grok_dict_get(const struct grok_dict *dict, slice name, slice *pattern)
{
    for (; dict != NULL; dict = dict->below) {
        const struct entry *entry = find(dict, name);
        if (entry->name != NULL) return *pattern = slice_make(entry->text, entry->text_n), true;
        if (dict->lookup != NULL && dict->lookup(dict->opaque, name, pattern)) return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Leading white space is ignored, trailing white space belongs to the expression. */
static void add_line(struct grok_dict *dict, slice line)
{
    if (slice_ends(line, SLICE("\r"))) line.n--;
    while (line.n > 0 && is_blank(line.p[0])) line = slice_from(line, 1);
    if (line.n == 0 || line.p[0] == '#') return;
    uint32_t name_n = 0;
    while (name_n < line.n && !is_blank(line.p[name_n])) name_n++;
    slice text = slice_from(line, name_n);
    while (text.n > 0 && is_blank(text.p[0])) text = slice_from(text, 1);
    grok_dict_set(dict, slice_part(line, 0, name_n), text);
}

void grok_dict_add_text(struct grok_dict *dict, slice text)
{
    while (text.n > 0) {
        int64_t end = slice_find_byte(text, '\n');
        uint32_t n = end < 0 ? text.n : (uint32_t)end;
        add_line(dict, slice_part(text, 0, n));
        text = slice_from(text, n + 1);
    }
}

err grok_dict_add_file(struct grok_dict *dict, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return ERR_SYSTEM;
    struct buf text = {0};
    err e = ERR_OK;
    for (size_t n = 1; n > 0 && e == ERR_OK;) {
        buf_room(&text, 65536);
        n = fread(buf_end(&text), 1, 65536, file);
        text.n += n;
        if (text.n > FILE_BYTES_MAX) e = ERR_LIMIT;
    }
    if (e == ERR_OK && ferror(file)) e = ERR_SYSTEM;
    fclose(file);
    if (e == ERR_OK) grok_dict_add_text(dict, buf_slice(&text));
    buf_fini(&text);
    return e;
}
