/* select.c - candidates of a line by Hyperscan. */
#include "parsers/grok/select.h"

#include <errno.h>
#include <fcntl.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/hash.h"
#include "parsers/grok/literal.h"

/* Below this many patterns without literals, trying them is cheaper than a second scan. */
#define REGEX_PATTERNS_MIN 3u
/* Hyperscan takes some 25 ms for each, so their number and size bound a cold start. */
#define REGEX_PATTERNS_MAX 24u
#define REGEX_TEXT_BYTES_MAX 2048u
#define CACHE_MAGIC 0x3142445348505347ULL
#define CACHE_BYTES_MAX (64u * 1024 * 1024)

struct selector {
    uint32_t n, words;
    struct need *need;       /* per pattern */
    unsigned char *how;      /* enum select_how */
    uint32_t *literal_owner; /* literal id -> pattern */
    uint32_t n_literals;
    uint64_t *always, *without_literal;
    hs_database_t *literals, *regexes;
    hs_scratch_t *prototype;
};

struct selector_scratch {
    hs_scratch_t *hs;
};

struct found {
    const struct selector *selector;
    uint64_t *candidates;
};

static void *new_array(size_t n, size_t bytes)
{
    void *at = calloc(n == 0 ? 1 : n, bytes);
    ASSERT(at != NULL);
    return at;
}

static void set_bit(uint64_t *words, uint32_t i)
{
    words[i / 64] |= 1ULL << (i % 64);
}

/* ---- literals ------------------------------------------------------------------------------ */

/* Bytes as \xHH is not needed: hs_compile_lit takes raw bytes with their length. */
static void build_literals(struct selector *s)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < s->n; i++) total += s->need[i].n;
    s->literal_owner = new_array(total, sizeof(*s->literal_owner));
    const char **text = new_array(total, sizeof(*text));
    size_t *bytes = new_array(total, sizeof(*bytes));
    unsigned *flags = new_array(total, sizeof(*flags)), *ids = new_array(total, sizeof(*ids));
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t k = 0; k < s->need[i].n; k++) {
            const struct need_literal *l = &s->need[i].literal[k];
            uint32_t id = s->n_literals++;
            text[id] = l->bytes;
            bytes[id] = l->n;
            flags[id] = HS_FLAG_SINGLEMATCH | (l->no_case ? HS_FLAG_CASELESS : 0);
            ids[id] = id;
            s->literal_owner[id] = i;
        }
    }
    hs_compile_error_t *error = NULL;
    if (total > 0 && hs_compile_lit_multi(text, flags, ids, bytes, total, HS_MODE_BLOCK, NULL,
                                          &s->literals, &error) != HS_SUCCESS) {
        hs_free_compile_error(error);
        s->literals = NULL;
    }
    free(text);
    free(bytes);
    free(flags);
    free(ids);
}

/* ---- regex database and its cache ---------------------------------------------------------- */

struct regex_list {
    const char **text;
    struct buf *texts;
    unsigned *flags, *ids;
    uint32_t n;
};

#define REGEX_FLAGS                                                                                \
    (HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_ALLOWEMPTY | HS_FLAG_PREFILTER |                 \
     HS_FLAG_SINGLEMATCH)

static uint64_t cache_key(const struct regex_list *list)
{
    hs_platform_info_t platform;
    memset(&platform, 0, sizeof(platform));
    hs_populate_platform(&platform);
    uint64_t key = hash_bytes((const char *)&platform, sizeof(platform), REGEX_FLAGS);
    slice version = slice_from_cstr(hs_version());
    key = hash_bytes(version.p, version.n, key);
    for (uint32_t i = 0; i < list->n; i++) {
        key = hash_bytes(list->text[i], list->texts[i].n, key);
        key = hash_bytes((const char *)&list->ids[i], sizeof(list->ids[i]), key);
    }
    return key;
}

struct cache_header {
    uint64_t magic, key, bytes, checksum;
};

static hs_database_t *cache_load(const char *path, uint64_t key)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return NULL;
    struct cache_header header;
    hs_database_t *database = NULL;
    char *payload = NULL;
    bool ok = read(fd, &header, sizeof(header)) == (ssize_t)sizeof(header) &&
              header.magic == CACHE_MAGIC && header.key == key && header.bytes <= CACHE_BYTES_MAX;
    if (ok) {
        payload = new_array(header.bytes, 1);
        ok = read(fd, payload, header.bytes) == (ssize_t)header.bytes &&
             hash_bytes(payload, header.bytes, key) == header.checksum;
    }
    if (ok && hs_deserialize_database(payload, header.bytes, &database) != HS_SUCCESS)
        database = NULL;
    free(payload);
    close(fd);
    return database;
}

/* Best effort: the next start builds again what could not be written. */
static void cache_store(const char *path, uint64_t key, const hs_database_t *database)
{
    char *payload = NULL, temporary[4200];
    size_t bytes = 0;
    if (hs_serialize_database(database, &payload, &bytes) != HS_SUCCESS) return;
    struct cache_header header = {CACHE_MAGIC, key, bytes, hash_bytes(payload, bytes, key)};
    snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0) {
        bool ok = write(fd, &header, sizeof(header)) == (ssize_t)sizeof(header) &&
                  write(fd, payload, bytes) == (ssize_t)bytes;
        if (close(fd) != 0) ok = false;
        if (!ok || rename(temporary, path) != 0) unlink(temporary);
    }
    free(payload);
}

/* hs_compile_multi fails as a whole on one expression it cannot take, so drop that one. */
static hs_database_t *compile_regexes(struct regex_list *list)
{
    while (list->n > 0) {
        hs_database_t *database = NULL;
        hs_compile_error_t *error = NULL;
        if (hs_compile_multi(list->text, list->flags, list->ids, list->n, HS_MODE_BLOCK, NULL,
                             &database, &error) == HS_SUCCESS)
            return database;
        int bad = error->expression;
        hs_free_compile_error(error);
        if (bad < 0 || (uint32_t)bad >= list->n) return NULL;
        list->n--;
        buf_fini(&list->texts[bad]);
        for (uint32_t i = (uint32_t)bad; i < list->n; i++) {
            list->text[i] = list->text[i + 1];
            list->texts[i] = list->texts[i + 1];
            list->ids[i] = list->ids[i + 1];
        }
        list->texts[list->n] = (struct buf){0};
    }
    return NULL;
}

/* Which expressions a loaded database holds is found by asking Hyperscan about each alone. */
static void collect(struct selector *s, struct regex *const *patterns, struct regex_list *list)
{
    for (uint32_t i = 0; i < s->n && list->n < REGEX_PATTERNS_MAX; i++) {
        if (s->need[i].n > 0) continue;
        struct buf *text = &list->texts[list->n];
        regex_translate(regex_get_tree(patterns[i]), false, text);
        list->text[list->n] = buf_cstr(text);
        hs_expr_info_t *info = NULL;
        hs_compile_error_t *error = NULL;
        bool ok =
            text->n > 0 && text->n <= REGEX_TEXT_BYTES_MAX &&
            hs_expression_info(list->text[list->n], REGEX_FLAGS, &info, &error) == HS_SUCCESS &&
            info->min_width > 0;
        free(info);
        hs_free_compile_error(error);
        if (!ok) {
            buf_fini(text);
            *text = (struct buf){0};
            continue;
        }
        list->flags[list->n] = REGEX_FLAGS;
        list->ids[list->n++] = i;
    }
}

static void build_regexes(struct selector *s, struct regex *const *patterns, const char *cache_dir)
{
    struct regex_list list = {
        .text = new_array(REGEX_PATTERNS_MAX + 1, sizeof(*list.text)),
        .texts = new_array(REGEX_PATTERNS_MAX + 1, sizeof(*list.texts)),
        .flags = new_array(REGEX_PATTERNS_MAX + 1, sizeof(*list.flags)),
        .ids = new_array(REGEX_PATTERNS_MAX + 1, sizeof(*list.ids)),
    };
    collect(s, patterns, &list);
    if (list.n >= REGEX_PATTERNS_MIN) {
        char path[4096];
        uint64_t key = cache_key(&list);
        uint32_t asked = list.n;
        snprintf(path, sizeof(path), "%s/grok-%016llx.hsdb", cache_dir == NULL ? "" : cache_dir,
                 (unsigned long long)key);
        if (cache_dir != NULL) s->regexes = cache_load(path, key);
        if (s->regexes == NULL) {
            s->regexes = compile_regexes(&list);
            /* Only a database of all that was asked for can be found again by its key. */
            if (s->regexes != NULL && cache_dir != NULL && list.n == asked)
                cache_store(path, key, s->regexes);
        }
        for (uint32_t i = 0; s->regexes != NULL && i < list.n; i++)
            s->how[list.ids[i]] = SELECT_REGEX;
    }
    for (uint32_t i = 0; i < REGEX_PATTERNS_MAX + 1; i++) buf_fini(&list.texts[i]);
    free(list.text);
    free(list.texts);
    free(list.flags);
    free(list.ids);
}

/* ---- the selector -------------------------------------------------------------------------- */

struct selector *select_new(struct regex *const *patterns, uint32_t n, const char *cache_dir)
{
    struct selector *s = new_array(1, sizeof(*s));
    s->n = n;
    s->words = (n + 63) / 64;
    s->need = new_array(n, sizeof(*s->need));
    s->how = new_array(n, 1);
    s->always = new_array(s->words, sizeof(uint64_t));
    s->without_literal = new_array(s->words, sizeof(uint64_t));
    for (uint32_t i = 0; i < n; i++) literal_need(regex_get_tree(patterns[i]), &s->need[i]);
    if (n > 1) {
        build_literals(s);
        build_regexes(s, patterns, cache_dir);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (s->literals != NULL && s->need[i].n > 0) s->how[i] = SELECT_LITERAL;
        if (s->how[i] == SELECT_ALWAYS) set_bit(s->always, i);
        if (s->how[i] != SELECT_LITERAL) set_bit(s->without_literal, i);
    }
    bool ok = true;
    if (s->literals != NULL) ok = hs_alloc_scratch(s->literals, &s->prototype) == HS_SUCCESS;
    if (ok && s->regexes != NULL) ok = hs_alloc_scratch(s->regexes, &s->prototype) == HS_SUCCESS;
    ASSERT(ok);
    return s;
}

void select_free(struct selector *s)
{
    if (s == NULL) return;
    hs_free_scratch(s->prototype);
    hs_free_database(s->literals);
    hs_free_database(s->regexes);
    free(s->need);
    free(s->how);
    free(s->literal_owner);
    free(s->always);
    free(s->without_literal);
    free(s);
}

struct selector_scratch *select_scratch_new(const struct selector *s)
{
    struct selector_scratch *scratch = new_array(1, sizeof(*scratch));
    if (s->prototype != NULL) {
        bool ok = hs_clone_scratch(s->prototype, &scratch->hs) == HS_SUCCESS;
        ASSERT(ok);
    }
    return scratch;
}

void select_scratch_free(struct selector_scratch *scratch)
{
    if (scratch == NULL) return;
    hs_free_scratch(scratch->hs);
    free(scratch);
}

static int on_literal(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                      void *context)
{
    (void)from, (void)to, (void)flags;
    struct found *found = context;
    set_bit(found->candidates, found->selector->literal_owner[id]);
    return 0;
}

static int on_regex(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    (void)from, (void)to, (void)flags;
    set_bit(((struct found *)context)->candidates, id);
    return 0;
}

void select_run(const struct selector *s, struct selector_scratch *scratch, slice line,
                enum encoding encoding, uint64_t *candidates)
{
    struct found found = {s, candidates};
    bool regexes = s->regexes != NULL && encoding == ENCODING_ASCII && line.n > 0;
    const uint64_t *start = regexes || s->regexes == NULL ? s->always : s->without_literal;
    for (uint32_t i = 0; i < s->words; i++) candidates[i] = start[i];
    bool ok = true;
    if (s->literals != NULL && line.n > 0)
        ok = hs_scan(s->literals, line.p, line.n, 0, scratch->hs, on_literal, &found) == HS_SUCCESS;
    if (ok && regexes)
        ok = hs_scan(s->regexes, line.p, line.n, 0, scratch->hs, on_regex, &found) == HS_SUCCESS;
    /* A scan that failed has excluded nothing. */
    if (!ok)
        for (uint32_t i = 0; i < s->n; i++) set_bit(candidates, i);
}

enum select_how select_how(const struct selector *s, uint32_t pattern)
{
    return s->how[pattern];
}

void select_explain(const struct selector *s, uint32_t pattern, struct buf *out)
{
    const struct need *need = &s->need[pattern];
    if (s->how[pattern] == SELECT_REGEX)
        buf_add_cstr(out, "selected by a Hyperscan prefilter (it has no required literal)");
    else if (need->n == 0)
        buf_add_cstr(out, "always tried (it has no required literal)");
    else
        buf_add_cstr(out, s->n > 1 ? "selected by literal" : "needs");
    for (uint32_t i = 0; i < need->n; i++) {
        buf_add_cstr(out, i == 0 ? " " : " or ");
        buf_add_json(out, slice_make(need->literal[i].bytes, need->literal[i].n));
        if (need->literal[i].no_case) buf_add_cstr(out, " in any case");
    }
}
