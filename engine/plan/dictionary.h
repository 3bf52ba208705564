/*
 * dictionary.h - keys with values for translating: built once, then read by any thread.
 *
 * Three ways to look up: the exact key, the first key that matches as an expression, and all keys
 * inside a text at once (the first key in order at the leftmost place). Keys and values are copied
 * into the dictionary's own memory. Files are YAML (Psych's reading of plain scalars), JSON or
 * CSV (key, value), told by their extension. Built on the control thread or a loader's.
 */
#ifndef ENGINE_PLAN_DICTIONARY_H
#define ENGINE_PLAN_DICTIONARY_H
#include "engine/base/err.h"
#include "engine/event/map.h"
#include "engine/plan/edition.h"
#include "parsers/grok/regex_list.h"

#define DICTIONARY_FILE_BYTES_MAX (1u << 30)
#define DICTIONARY_DEPTH_MAX 100u   /* lists and hashes in values */
#define DICTIONARY_ERROR_BYTES 512u /* room that a `reason` has */

enum dictionary_mode { DICTIONARY_EXACT, DICTIONARY_REGEX, DICTIONARY_UNION };

#define DICTIONARY_NEAR_BYTES 24u

/* One cache line: a look-up of a short key touches a slot and this. */
struct dictionary_entry {
    slice key; /* text; of a number, its digits; once finished, short ones are in `near` */
    uint32_t hash;
    bool is_int; /* YAML: an integer without quotes, which no text equals */
    struct value val;
    char near[DICTIONARY_NEAR_BYTES];
};
_Static_assert(sizeof(struct dictionary_entry) == 64, "a cache line");

struct dictionary_slot {
    uint32_t hash, index; /* index + 1; 0: free */
};

struct dictionary {
    struct edition edition; /* the box's business */
    struct page_pool pool;
    struct arena arena;
    struct dictionary_entry *at; /* in order */
    uint32_t n, cap;
    struct dictionary_slot *slot; /* open addressing */
    uint32_t slot_mask;
    enum dictionary_mode mode;
    struct regex_list *regexes;
    uint32_t *by_byte;       /* UNION: keys by first byte, in order */
    uint32_t byte_from[258]; /* [256] holds empty keys */
};

struct dictionary *dictionary_new(enum dictionary_mode mode);
void dictionary_free(struct dictionary *d);
/* Replaces the value of an older entry, which keeps its place. */
void dictionary_put(struct dictionary *d, slice key, bool is_int, const struct value *val);
void dictionary_put_all(struct dictionary *d, const struct dictionary *from);
/* Adds the file's entries. False with a reason. */
bool dictionary_read(struct dictionary *d, const char *path, uint64_t yaml_chars_max,
                     char *reason) MUST_USE;
/* The readers on text, for tests and fuzzing. */
bool dictionary_read_yaml(struct dictionary *d, slice text, char *reason);
bool dictionary_read_json(struct dictionary *d, slice text, char *reason);
bool dictionary_read_csv(struct dictionary *d, slice text, char *reason);
/* Makes what the mode needs; nothing is put afterwards. */
bool dictionary_finish(struct dictionary *d, const char *cache_dir, char *reason) MUST_USE;

/* NULL when there is none. */
const struct value *dictionary_get(const struct dictionary *d, slice key, bool is_int);
/* Looking up many keys in a dictionary that no cache holds: ask for each key first, then for all
 * again, twice, before they are got. Three waits for memory become one each for all of them. */
static inline uint32_t dictionary_ask(const struct dictionary *d, slice key)
{
    uint32_t hash = hash_key(key.p, key.n);
    if (d->slot != NULL) __builtin_prefetch(&d->slot[hash & d->slot_mask]);
    return hash;
}
static inline void dictionary_ask_entry(const struct dictionary *d, uint32_t hash)
{
    struct dictionary_slot slot = d->slot[hash & d->slot_mask];
    if (slot.hash == hash && slot.index != 0) __builtin_prefetch(&d->at[slot.index - 1]);
}
static inline void dictionary_ask_value(const struct dictionary *d, uint32_t hash)
{
    struct dictionary_slot slot = d->slot[hash & d->slot_mask];
    if (slot.hash == hash && slot.index != 0) __builtin_prefetch(d->at[slot.index - 1].val.u.str);
}

const struct value *dictionary_match(const struct dictionary *d, struct regex_list_scratch *scratch,
                                     slice text);
/* Every key inside the text replaced by its value; false when none is in it, or nothing changes. */
bool dictionary_replace(const struct dictionary *d, slice text, struct arena *arena,
                        struct buf *out);

/* A copy that shares nothing with v, strings included. */
struct value value_copy_deep(const struct value *v, struct arena *arena);

#endif
