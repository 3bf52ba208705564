/* json_walk.c - objects, lists, strings, numbers, literals. */
#include "parsers/json/json_walk.h"

#include <immintrin.h>
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

/* Token `at` is not what the grammar wants. */
static int fail(struct json_reader *r, uint32_t at, int status)
{
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
        if (r->token[r->at] != '\\') return fail(r, r->at, JSON_STRING);
        if (!escape_is_good(r->text.p + at)) {
            /* Cut rather than wrong when the end, not a quote, comes before the escape's. */
            uint32_t end = at + (r->text.p[at + 1] == 'u' ? 6 : 2);
            return fail(r, r->at + (r->position[r->at + 1] < end), JSON_STRING);
        }
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
    if (r->token[r->at] != '"') return fail(r, r->at, JSON_SYNTAX);
    int status = walk_string(r, &body, &escaped);
    if (status != JSON_OK) return status;
    if (escaped) {
        char *out = arena_alloc(r->arena, body.n, 1);
        body = slice_make(out, json_string_unescape(body, out));
    }
    json_need(r);
    if (r->token[r->at] != ':') return fail(r, r->at, JSON_SYNTAX);
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

/* Compact numbers of up to 16 bytes without exponent, which almost all are, with no loop over
 * the digits: 0 when it is none of these, else VALUE_INT or VALUE_FLOAT. SSE is in the baseline
 * of the build. */
static inline int short_number(const char *p, uint32_t n)
{
    uint32_t minus = *p == '-';
    p += minus;
    n -= minus;
    if (n - 1 >= 16) return 0;
    __m128i digit = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)p), _mm_set1_epi8('0'));
    __m128i good = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    uint32_t other = ~(uint32_t)_mm_movemask_epi8(good) & ((1u << n) - 1);
    uint32_t whole = other == 0 ? n : (uint32_t)__builtin_ctz(other); /* digits in front */
    if (whole == 0 || (*p == '0' && whole > 1)) return 0;
    if (other == 0) return VALUE_INT;
    return p[whole] == '.' && (other & (other - 1)) == 0 && whole + 1 < n ? VALUE_FLOAT : 0;
}

static inline int walk_number(struct json_reader *r, uint32_t at, struct value *out)
{
    const uint32_t *position = r->position + at;
    uint32_t from = position[0], to = position[1];
    int type = short_number(r->text.p + from, to - from);
    if (__builtin_expect(type == 0, 0)) {
        bool is_float = false;
        if (!number_check(r->text.p, from, to, &is_float)) {
            r->error_at = from;
            return JSON_NUMBER;
        }
        while (json_is_space(r->text.p[to - 1])) to--;
        type = is_float ? VALUE_FLOAT : VALUE_INT;
    }
    out->type = (uint8_t)type;
    out->flags = VALUE_RAW;
    out->n = to - from;
    out->u.str = r->text.p + from;
    return JSON_OK;
}

static inline int walk_literal(struct json_reader *r, uint32_t at, struct value *out)
{
    uint32_t from = r->position[at], to = r->position[at + 1];
    const char *p = r->text.p + from;
    uint32_t word = load32(p);
    bool yes = word == load32("true"), no = word == load32("fals") && p[4] == 'e';
    if (!(yes | no) && word != load32("null")) return fail(r, at, JSON_SYNTAX);
    uint32_t n = no ? 5 : 4;
    out->type = (yes | no) ? VALUE_BOOL : VALUE_NIL;
    out->flags = 0;
    out->n = 0;
    out->u.num = 0;
    out->u.yes = yes;
    if (n > to - from || (n < to - from && !json_is_space(p[n]))) return fail(r, at, JSON_SYNTAX);
    return JSON_OK;
}

static const struct json_shape_part no_shape;

static int walk_object(struct json_reader *r, struct map *map, uint32_t depth,
                       struct json_shape_part shape);
static int walk_list(struct json_reader *r, struct value *out, uint32_t depth);

/* An empty map; that of a shape has its members right behind it. */
static inline struct map *map_begin(struct json_reader *r, uint32_t depth,
                                    struct json_shape_part shape)
{
    if (shape.n == 0 || shape.n > MAP_SCAN_MAX || depth <= r->event_depth) return map_new(r->arena);
    return map_placed(arena_alloc(r->arena, MAP_EXACT_BYTES(shape.n), 32), shape.n);
}

/* Fills *out but for its key_flags. The value begins at token r->at; `shape` is what keys are
 * likely should it be a map. */
static inline int walk_value(struct json_reader *r, struct value *out, uint32_t depth,
                             struct json_shape_part shape)
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
        if (depth >= r->depth_max) return fail(r, r->at, JSON_DEPTH);
        out->type = VALUE_MAP;
        out->flags = 0;
        out->n = 0;
        out->u.map = map_begin(r, depth, shape);
        return walk_object(r, out->u.map, depth, shape);
    case '[':
        if (depth >= r->depth_max) return fail(r, r->at, JSON_DEPTH);
        out->type = VALUE_LIST;
        out->flags = 0;
        return walk_list(r, out, depth);
    case 't':
    case 'f':
    case 'n': status = walk_literal(r, r->at, out); break;
    default:
        if (first != '-' && (first < '0' || first > '9')) return fail(r, r->at, JSON_SYNTAX);
        status = walk_number(r, r->at, out);
    }
    r->at++;
    return status;
}

int json_walk_value(struct json_reader *r, struct value *out, uint32_t depth)
{
    out->key_flags = 0;
    return walk_value(r, out, depth, no_shape);
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

/* What does not change while a text is walked, in registers: the compiler cannot know that the
 * members it stores are no part of the reader. */
struct view {
    const uint8_t *token;
    const uint32_t *position;
    const char *text;
};

static inline struct view view_of(const struct json_reader *r)
{
    return (struct view){r->token, r->position, r->text.p};
}

/* The value of a member and the ',' or '}' behind it, which is left in *next. `tokens` are
 * those from the member's key on, or 0 when *at is at the value. *at is where r->at would be:
 * a register, because going through memory from member to member costs more than the walk. */
static inline __attribute__((always_inline)) int
walk_member_value(struct json_reader *r, const struct view *view, uint32_t *at, uint64_t tokens,
                  struct value *val, uint32_t depth, struct json_shape_part below, uint8_t *next)
{
    int status = JSON_OK;
    uint8_t first = (uint8_t)(tokens >> 24);
    if (__builtin_expect((tokens & 0xffffffffff) == TOKENS_STRING, 1)) {
        const uint32_t *position = view->position + *at;
        uint32_t from = position[3] + 1;
        val->type = VALUE_STRING;
        val->flags = VALUE_CLEAN;
        val->n = position[4] - from;
        val->u.str = view->text + from;
        *at += 5;
        *next = (uint8_t)(tokens >> 40);
    } else if ((first >= '0' && first <= '9') || first == '-') {
        status = walk_number(r, *at + 3, val);
        *at += 4;
        *next = (uint8_t)(tokens >> 32);
    } else if (first == 't' || first == 'f' || first == 'n') {
        status = walk_literal(r, *at + 3, val);
        *at += 4;
        *next = (uint8_t)(tokens >> 32);
    } else {
        r->at = tokens != 0 ? *at + 3 : *at;
        status = walk_value(r, val, depth + 1, below);
        json_need(r);
        *at = r->at;
        *next = r->token[*at];
    }
    if (__builtin_expect(status != JSON_OK, 0)) return status;
    if (*next != ',' && *next != '}') return fail(r, *at, JSON_SYNTAX);
    ++*at;
    return JSON_OK;
}

static inline void need_at(struct json_reader *r, uint32_t *at)
{
    if (__builtin_expect(*at + JSON_AHEAD > r->token_n, 0)) {
        r->at = *at;
        json_need(r);
        *at = r->at;
    }
}

/* n <= JSON_SHAPE_KEY_BYTES bytes are equal; that many are readable at both. */
static inline bool key_equal(const char *a, const char *b, uint32_t n)
{
    __m128i low =
        _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)a), _mm_loadu_si128((const __m128i *)b));
    __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(a + 16)),
                                  _mm_loadu_si128((const __m128i *)(b + 16)));
    uint32_t differ = ~((uint32_t)_mm_movemask_epi8(low) | (uint32_t)_mm_movemask_epi8(high) << 16);
    return ((uint64_t)differ & ((1ull << n) - 1)) == 0;
}

/* The text at `key` is that of a known key and its '":'. Where the tokens are those of a plain
 * key, the quote must be its closing one. Names are short: the second half is seldom looked at. */
static inline bool key_is_known(const char *key, const struct json_shape_key *known)
{
    __m128i low = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)key),
                                 _mm_loadu_si128((const __m128i *)known->key));
    uint32_t equal = (uint32_t)_mm_movemask_epi8(low), mask = known->mask;
    if (__builtin_expect(mask > 0xffff, 0)) {
        __m128i high = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(key + 16)),
                                      _mm_loadu_si128((const __m128i *)(known->key + 16)));
        equal |= (uint32_t)_mm_movemask_epi8(high) << 16;
    }
    return (~equal & mask) == 0;
}

/* A key that was written with escapes may hold what ends a string or escapes: with the NULs behind
 * it, it is no text that comes with the tokens of a plain key. */
static void shape_key_set(struct json_shape_key *to, const struct member *m)
{
    memset(to, 0, sizeof(*to));
    memcpy(to->key, m->key, m->key_n);
    to->key_n = m->key_n;
    to->hash = m->hash;
    to->mask = UINT32_MAX;
    if (!(m->val.key_flags & KEY_QUOTED)) return;
    memcpy(to->key + to->key_n, "\":", 2);
    to->mask = (uint32_t)((1ull << (to->key_n + 2)) - 1);
}

static struct json_shape_part shape_add(struct json_shape *shape, const struct map *map,
                                        uint32_t depth)
{
    struct json_shape_part part = {.from = (uint16_t)shape->n};
    uint32_t n = 0;
    while (n < map->n && shape->n < JSON_SHAPE_KEYS &&
           map->at[n].key_n + 2 <= JSON_SHAPE_KEY_BYTES) {
        shape_key_set(&shape->at[shape->n++], &map->at[n++]);
    }
    part.n = (uint16_t)n;
    for (uint32_t i = 0; i < n && depth < JSON_SHAPE_DEPTH_MAX; i++)
        if (map->at[i].val.type == VALUE_MAP)
            shape->at[part.from + i].below = shape_add(shape, map->at[i].val.u.map, depth + 1);
    return part;
}

static __attribute__((noinline)) void shape_learn(struct json_shape *shape, const struct map *map)
{
    shape->n = 0;
    shape->root = shape_add(shape, map, 0);
}

/* Learning costs as much as it saves: where shapes alternate it is done ever less often. */
static inline void shape_settle(struct json_shape *shape, const struct map *map)
{
    if (!shape->missed) {
        shape->patience = 0;
        return;
    }
    shape->missed = false;
    if (shape->misses++ < shape->patience) return;
    shape->misses = 0;
    if (shape->patience < 64) shape->patience = shape->patience * 2 + 1;
    shape_learn(shape, map);
}

/* `"":"",`: the member that most are, and not the last one. */
#define TOKENS_STRING_MORE 0x2c22223a2222ull

/* Reads members as long as they are those of the shape. Their number is map->n; *next is what
 * followed the last. */
static int walk_shape(struct json_reader *r, struct map *map, uint32_t depth,
                      struct json_shape_part part, uint8_t *next)
{
    const struct json_shape_key *known = r->shape.at + part.from, *behind = known + part.n;
    const struct view view = view_of(r);
    uint32_t at = r->at;
    int status = JSON_OK;
    struct member *m = map->at;
    for (; known < behind; known++) {
        need_at(r, &at);
        uint64_t tokens = load64(view.token + at);
        const uint32_t *position = view.position + at;
        bool plain = (tokens & 0xffffffffffff) == TOKENS_STRING_MORE;
        if (!plain && (tokens & 0xffffff) != TOKENS_KEY) break;
        const char *key = view.text + position[0] + 1;
        uint16_t flags = KEY_QUOTED | KEY_WIRE;
        if (__builtin_expect(!key_is_known(key, known), 0)) {
            uint32_t n = position[1] - position[0] - 1;
            if (n != known->key_n || !key_equal(key, known->key, n)) break;
            if (position[2] - position[1] != 1) flags = KEY_QUOTED;
        }
        m->key = key;
        m->key_n = known->key_n;
        m->hash = known->hash;
        m->val.key_flags = flags;
        if (__builtin_expect(plain, 1)) {
            uint32_t from = position[3] + 1;
            m->val.type = VALUE_STRING;
            m->val.flags = VALUE_CLEAN;
            m->val.n = position[4] - from;
            m->val.u.str = view.text + from;
            m++;
            at += 6;
            continue;
        }
        status = walk_member_value(r, &view, &at, tokens, &m->val, depth, known->below, next);
        m++;
        if (status != JSON_OK || *next == '}') break;
    }
    r->at = at;
    map->n = (uint32_t)(m - map->at);
    for (uint32_t i = 0; map->cap > MAP_SCAN_MAX && i < map->n; i++) map_index_add(map, i);
    return status;
}

/* The key at token *at; *tokens becomes 0 when it was one of the slow kind. */
static inline int walk_key(struct json_reader *r, uint32_t *at, uint64_t *tokens, struct key *key)
{
    const uint32_t *position = r->position + *at;
    if (__builtin_expect((*tokens & 0xffffff) == TOKENS_KEY, 1)) {
        uint32_t from = position[0] + 1, n = position[1] - from;
        key->name = slice_make(r->text.p + from, n);
        key->hash = hash_key(key->name.p, n);
        key->flags = position[2] == position[1] + 1 ? KEY_WIRE | KEY_QUOTED : KEY_QUOTED;
        return JSON_OK;
    }
    r->at = *at;
    int status = walk_key_slow(r, key);
    *at = r->at;
    *tokens = 0;
    return status;
}

static int walk_members(struct json_reader *r, struct map *map, uint32_t depth)
{
    uint64_t seen[4] = {0};
    const struct view view = view_of(r);
    uint32_t at = r->at;
    uint8_t next = ',';
    for (uint32_t i = 0; i < map->n; i++) {
        uint32_t hash = map->at[i].hash;
        seen[hash >> 6 & 3] |= 1ull << (hash & 63);
    }
    while (next != '}') {
        need_at(r, &at);
        uint64_t tokens = load64(r->token + at);
        struct key key;
        int status = walk_key(r, &at, &tokens, &key);
        if (status != JSON_OK) return status;
        struct value *val = member_place(r, map, &key, seen, depth);
        if (val == NULL) return fail(r, at, JSON_MEMBERS);
        status = walk_member_value(r, &view, &at, tokens, val, depth, no_shape, &next);
        if (status != JSON_OK) return status;
    }
    r->at = at;
    return JSON_OK;
}

static int walk_object(struct json_reader *r, struct map *map, uint32_t depth,
                       struct json_shape_part shape)
{
    r->at++;
    json_need(r);
    if (r->token[r->at] == '}') {
        r->at++;
        return JSON_OK;
    }
    bool event = depth <= r->event_depth;
    int status = JSON_OK;
    uint8_t next = ',';
    if (event) shape = r->shape.root;
    if (shape.n > 0) {
        map_reserve(map, r->arena, event && r->members_hint > shape.n ? r->members_hint : shape.n);
        status = walk_shape(r, map, depth, shape, &next);
    }
    r->shape.missed |= next != '}';
    if (status == JSON_OK && next != '}') status = walk_members(r, map, depth);
    if (status != JSON_OK) return status;
    r->fields += map->n;
    if (r->fields > r->fields_max || map->n > r->members_max) {
        r->error_at = r->position[r->at - 1];
        return JSON_MEMBERS;
    }
    if (event) shape_settle(&r->shape, map);
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
        int status = walk_value(r, &item, depth + 1, no_shape);
        if (status != JSON_OK) return status;
        if (r->stack_n == r->stack_cap) stack_widen(r);
        r->stack[r->stack_n++] = item;
        json_need(r);
        next = r->token[r->at];
        if (next != ',' && next != ']') return fail(r, r->at, JSON_SYNTAX);
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
