/* json_walk.c - objects, lists, strings, numbers, literals. */
#include "parsers/json/json_walk.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* Room that an event wants behind its own members: @version, tags, host, what filters add. */
#define EVENT_SLACK 6u
#define MEMBERS_HINT_MAX 256u
#define NESTED_CAP_FIRST 8u

static uint64_t load64(const void *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static uint32_t load32(const void *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* The token at r->at + ahead is not what the grammar wants. */
static int fail(struct json_reader *r, uint32_t ahead, int status)
{
    uint32_t at = r->at + ahead;
    bool line_ends = r->lines && r->token[at] == '\n';
    bool text_ends = r->token[at] == 0 && r->position[at] == r->text.n;
    if (status != JSON_DEPTH && status != JSON_MEMBERS && (line_ends || text_ends))
        status = JSON_CUT;
    r->error_at = r->position[at];
    return status;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* The backslash at p begins an escape of RFC 8259 section 7. Bytes behind the end of the
 * text may be looked at: the missing quote is noticed later. */
static bool escape_is_good(const char *p)
{
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return true;
    case 'u': return is_hex(p[2]) && is_hex(p[3]) && is_hex(p[4]) && is_hex(p[5]);
    default: return false;
    }
}

/* From the opening quote at r->at to behind the closing one; *escaped tells about escapes. */
static int walk_string(struct json_reader *r, slice *body, bool *escaped)
{
    uint32_t from = r->position[r->at] + 1;
    *escaped = false;
    for (;;) {
        r->at++;
        json_need(r);
        uint32_t at = r->position[r->at];
        if (r->token[r->at] == '"') {
            *body = slice_make(r->text.p + from, at - from);
            r->at++;
            return JSON_OK;
        }
        if (r->token[r->at] != '\\' || !escape_is_good(r->text.p + at))
            return fail(r, 0, JSON_STRING);
        *escaped = true;
    }
}

static int walk_string_value(struct json_reader *r, struct value *out)
{
    slice body;
    bool escaped;
    int status = walk_string(r, &body, &escaped);
    if (status != JSON_OK) return status;
    *out = value_string(body);
    out->flags = escaped ? VALUE_ESCAPED : VALUE_CLEAN;
    return JSON_OK;
}

/* A key with escapes, or something that is no key. */
static __attribute__((noinline)) int walk_key_slow(struct json_reader *r, struct key *key)
{
    slice body;
    bool escaped;
    if (r->token[r->at] != '"') return fail(r, 0, JSON_SYNTAX);
    int status = walk_string(r, &body, &escaped);
    if (status != JSON_OK) return status;
    if (escaped) {
        char *out = arena_alloc(r->arena, body.n, 1);
        body = slice_make(out, json_string_unescape(body, out));
    }
    json_need(r);
    if (r->token[r->at] != ':') return fail(r, 0, JSON_SYNTAX);
    *key = key_borrow(body);
    if (!escaped) key->flags = KEY_QUOTED;
    r->at++;
    json_need(r);
    return JSON_OK;
}

static uint32_t digits_end(const char *text, uint32_t from, uint32_t to)
{
    while (from < to && text[from] >= '0' && text[from] <= '9') from++;
    return from;
}

/* Checks text[from, to) against the grammar of RFC 8259 section 6, white space behind it. */
static __attribute__((noinline)) bool number_check(const char *text, uint32_t from, uint32_t to,
                                                   bool *is_float)
{
    if (from < to && text[from] == '-') from++;
    uint32_t end = digits_end(text, from, to);
    if (end == from || (text[from] == '0' && end > from + 1)) return false;
    *is_float = false;
    if (end < to && text[end] == '.') {
        from = end + 1;
        end = digits_end(text, from, to);
        if (end == from) return false;
        *is_float = true;
    }
    if (end < to && (text[end] | 0x20) == 'e') {
        from = end + 1;
        if (from < to && (text[from] == '+' || text[from] == '-')) from++;
        end = digits_end(text, from, to);
        if (end == from) return false;
        *is_float = true;
    }
    /* Between here and the next token is white space only, if it begins with some. */
    return end == to || json_is_space(text[end]);
}

/* 8 bytes xor '0' are all digits. */
static bool all_digits(uint64_t x)
{
    return (((x + 0x7676767676767676ull) | x) & 0x8080808080808080ull) == 0;
}

/* Compact integers up to 16 digits, which most numbers are: no loop over the digits. */
static inline bool is_short_int(const char *p, uint32_t n)
{
    const uint64_t zeros = 0x3030303030303030ull;
    if (n - 1 >= 16 || (*p == '0' && n > 1)) return false;
    uint64_t head = load64(p) ^ zeros;
    if (n <= 8) return all_digits(head << (64 - 8 * n));
    return all_digits(head) && all_digits(load64(p + n - 8) ^ zeros);
}

static inline int walk_number(struct json_reader *r, uint32_t ahead, struct value *out)
{
    const uint32_t *position = r->position + r->at + ahead;
    uint32_t from = position[0], to = position[1];
    bool is_float = false;
    if (!is_short_int(r->text.p + from, to - from)) {
        if (!number_check(r->text.p, from, to, &is_float)) {
            r->error_at = from;
            return JSON_NUMBER;
        }
        while (json_is_space(r->text.p[to - 1])) to--;
    }
    out->type = is_float ? VALUE_FLOAT : VALUE_INT;
    out->flags = VALUE_RAW;
    out->n = to - from;
    out->u.str = r->text.p + from;
    return JSON_OK;
}

static inline int walk_literal(struct json_reader *r, uint32_t ahead, struct value *out)
{
    uint32_t from = r->position[r->at + ahead], to = r->position[r->at + ahead + 1];
    const char *p = r->text.p + from;
    uint32_t word = load32(p), n = 4;
    out->flags = 0;
    out->n = 0;
    out->u.num = 0;
    if (word == load32("true")) {
        out->type = VALUE_BOOL;
        out->u.yes = true;
    } else if (word == load32("null")) {
        out->type = VALUE_NIL;
    } else if (word == load32("fals") && p[4] == 'e') {
        out->type = VALUE_BOOL;
        n = 5;
    } else {
        return fail(r, ahead, JSON_SYNTAX);
    }
    if (n > to - from || (n < to - from && !json_is_space(p[n])))
        return fail(r, ahead, JSON_SYNTAX);
    return JSON_OK;
}

static int walk_object(struct json_reader *r, struct map *map, uint32_t depth);
static int walk_list(struct json_reader *r, struct value *out, uint32_t depth);

/* Fills *out but for its key_flags. The value begins at token r->at. */
static inline int walk_value(struct json_reader *r, struct value *out, uint32_t depth)
{
    int status;
    uint8_t first = r->token[r->at];
    switch (first) {
    case '"': {
        uint16_t key_flags = out->key_flags;
        status = walk_string_value(r, out);
        out->key_flags = key_flags;
        return status;
    }
    case '{':
        if (depth >= r->depth_max) return fail(r, 0, JSON_DEPTH);
        out->type = VALUE_MAP;
        out->flags = 0;
        out->n = 0;
        out->u.map = map_new(r->arena);
        return walk_object(r, out->u.map, depth);
    case '[':
        if (depth >= r->depth_max) return fail(r, 0, JSON_DEPTH);
        out->type = VALUE_LIST;
        out->flags = 0;
        return walk_list(r, out, depth);
    case 't':
    case 'f':
    case 'n': status = walk_literal(r, 0, out); break;
    default:
        if (first != '-' && (first < '0' || first > '9')) return fail(r, 0, JSON_SYNTAX);
        status = walk_number(r, 0, out);
    }
    r->at++;
    return status;
}

int json_walk_value(struct json_reader *r, struct value *out, uint32_t depth)
{
    out->key_flags = 0;
    return walk_value(r, out, depth);
}

static __attribute__((noinline)) bool map_widen(struct json_reader *r, struct map *map,
                                                uint32_t depth)
{
    if (map->n >= r->members_max) return false;
    uint32_t cap = map->cap * 2;
    if (map->cap == 0) cap = depth <= r->event_depth ? r->members_hint : NESTED_CAP_FIRST;
    map_grow(map, r->arena, cap);
    return true;
}

/* Where the value of `key` goes: a new member, or the old one of that name. `seen` has a bit
 * per hash met, so that most keys are known to be new without a look at the others. */
static inline struct value *member_place(struct json_reader *r, struct map *map,
                                         const struct key *key, uint64_t seen[4], uint32_t depth)
{
    uint64_t *word = &seen[key->hash >> 6 & 3], bit = 1ull << (key->hash & 63);
    if (__builtin_expect((*word & bit) != 0, 0)) {
        struct member *old = map_find(map, key->name, key->hash);
        if (old != NULL) return &old->val;
    }
    *word |= bit;
    if (__builtin_expect(map->n == map->cap, 0) && !map_widen(r, map, depth)) return NULL;
    struct member *m = &map->at[map->n++];
    m->key = key->name.p;
    m->key_n = key->name.n;
    m->hash = key->hash;
    m->val.key_flags = key->flags;
    if (__builtin_expect(map->cap > MAP_SCAN_MAX, 0)) map_index_add(map, map->n - 1);
    return &m->val;
}

/* Gives unused room back, or learns how much the next event will want. */
static void object_settle(struct json_reader *r, struct map *map, uint32_t depth)
{
    if (depth <= r->event_depth) {
        uint32_t want = map->n + EVENT_SLACK, hint = r->members_hint;
        if (want > MEMBERS_HINT_MAX) want = MEMBERS_HINT_MAX;
        if (want < MAP_CAP_FIRST) want = MAP_CAP_FIRST;
        r->members_hint = want > hint ? want : hint - (hint - want + 7) / 8;
        return;
    }
    bool last = r->arena->at == (char *)(map->at + map->cap);
    if (!last || map->cap > MAP_SCAN_MAX) return;
    r->arena->at = (char *)(map->at + map->n);
    map->cap = map->n;
}

/* `"":` and `"":""` as token bytes, first byte lowest. */
#define TOKENS_KEY 0x3a2222ull
#define TOKENS_STRING 0x22223a2222ull

static int walk_object(struct json_reader *r, struct map *map, uint32_t depth)
{
    uint64_t seen[4] = {0};
    const char *text = r->text.p;
    r->at++;
    json_need(r);
    if (r->token[r->at] == '}') {
        r->at++;
        return JSON_OK;
    }
    for (;;) {
        uint64_t tokens = load64(r->token + r->at);
        const uint32_t *position = r->position + r->at;
        struct key key;
        bool plain = (tokens & 0xffffff) == TOKENS_KEY;
        if (__builtin_expect(plain, 1)) {
            uint32_t from = position[0] + 1, n = position[1] - from;
            key.name = slice_make(text + from, n);
            key.hash = hash_key(text + from, n);
            key.flags = position[2] == position[1] + 1 ? KEY_WIRE | KEY_QUOTED : KEY_QUOTED;
        } else {
            int status = walk_key_slow(r, &key);
            if (status != JSON_OK) return status;
        }
        struct value *val = member_place(r, map, &key, seen, depth);
        if (val == NULL) return fail(r, 0, JSON_MEMBERS);
        if (__builtin_expect((tokens & 0xffffffffff) == TOKENS_STRING, 1)) {
            uint32_t from = position[3] + 1;
            val->type = VALUE_STRING;
            val->flags = VALUE_CLEAN;
            val->n = position[4] - from;
            val->u.str = text + from;
            r->at += 5;
        } else {
            if (plain) r->at += 3;
            int status = walk_value(r, val, depth + 1);
            if (status != JSON_OK) return status;
            json_need(r);
        }
        uint8_t next = r->token[r->at];
        if (next != ',' && next != '}') return fail(r, 0, JSON_SYNTAX);
        r->at++;
        if (next == '}') break;
        json_need(r);
    }
    r->fields += map->n;
    if (r->fields > r->fields_max || map->n > r->members_max) {
        r->error_at = r->position[r->at - 1];
        return JSON_MEMBERS;
    }
    object_settle(r, map, depth);
    return JSON_OK;
}

static __attribute__((noinline)) void stack_widen(struct json_reader *r)
{
    r->stack_cap *= 2;
    r->stack = realloc(r->stack, (size_t)r->stack_cap * sizeof(*r->stack));
    ASSERT(r->stack != NULL);
}

static int walk_list(struct json_reader *r, struct value *out, uint32_t depth)
{
    uint32_t base = r->stack_n;
    r->at++;
    json_need(r);
    uint8_t next = r->token[r->at];
    if (next == ']') r->at++;
    while (next != ']') {
        struct value item = {0};
        int status = walk_value(r, &item, depth + 1);
        if (status != JSON_OK) return status;
        if (r->stack_n == r->stack_cap) stack_widen(r);
        r->stack[r->stack_n++] = item;
        json_need(r);
        next = r->token[r->at];
        if (next != ',' && next != ']') return fail(r, 0, JSON_SYNTAX);
        r->at++;
        if (next == ',') json_need(r);
    }
    uint32_t n = r->stack_n - base;
    struct value *items = arena_alloc(r->arena, (n + (n == 0)) * sizeof(*items), 16);
    memcpy(items, r->stack + base, n * sizeof(*items));
    r->stack_n = base;
    out->n = n;
    out->u.list = items;
    return JSON_OK;
}
