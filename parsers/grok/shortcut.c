/* shortcut.c - proofs about automata. */
#include "parsers/grok/shortcut.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/grok/dfa_table.h"

#define LEVELS_MAX 64u
#define RUN_MAX_LEAST 8u /* a run that may be no longer is not worth it */

/* A set of states that are not terminal. */
struct rows {
    uint64_t w[(DFA_STATES_MAX + 63) / 64];
};

static bool rows_within(const struct rows *a, const struct rows *b)
{
    for (uint32_t i = 0; i < ARRAY_LEN(a->w); i++)
        if (a->w[i] & ~b->w[i]) return false;
    return true;
}

static void rows_add(struct rows *to, const struct rows *more)
{
    for (uint32_t i = 0; i < ARRAY_LEN(to->w); i++) to->w[i] |= more->w[i];
}

static void rows_set(struct rows *to, uint32_t state)
{
    to->w[state / 64] |= 1ULL << (state % 64);
}

/* Calls for every state of the set. */
#define ROWS_EACH(rows, state)                                                                     \
    for (uint32_t word_ = 0, state = 0; word_ < ARRAY_LEN((rows)->w); word_++)                     \
        for (uint64_t bits_ = (rows)->w[word_];                                                    \
             bits_ != 0 && (state = word_ * 64 + (uint32_t)__builtin_ctzll(bits_), true);          \
             bits_ &= bits_ - 1)

static uint32_t next_state(const struct dfa *dfa, uint32_t state, uint32_t class)
{
    return dfa->cell[state * dfa->stride + class] / dfa->stride;
}

/* Where all bytes of `set` lead from `in`; false when one of them ends the part. */
static bool step(const struct dfa *dfa, const struct rows *in, const struct symbols *set,
                 struct rows *out)
{
    uint64_t classes[4] = {0};
    struct rows to = {{0}};
    for (uint32_t c = 0; c < 256; c++)
        if (symbols_has(set, c)) classes[dfa->class_of[c] / 64] |= 1ULL << (dfa->class_of[c] % 64);
    ROWS_EACH(in, state)
    {
        for (uint32_t k = 0; k < dfa->n_classes; k++) {
            if (!(classes[k / 64] >> (k % 64) & 1)) continue;
            uint32_t next = next_state(dfa, state, k);
            if (next < STATES_TERMINAL) return false;
            rows_set(&to, next);
        }
    }
    *out = to;
    return true;
}

/* Where all of the texts lead, added to `out`. */
static bool walk(const struct dfa *dfa, const struct rows *in, slice text, struct rows *out)
{
    ROWS_EACH(in, from)
    {
        uint32_t state = from;
        for (uint32_t i = 0; i < text.n; i++) {
            state = next_state(dfa, state, dfa->class_of[(unsigned char)text.p[i]]);
            if (state < STATES_TERMINAL) return false;
        }
        rows_set(out, state);
    }
    return true;
}

/* Symbols that say of each of the states that the part has ended just before them. */
static struct symbols stops_of(const struct dfa *dfa, const struct rows *in)
{
    struct symbols stops = symbols_all();
    ROWS_EACH(in, state)
    {
        struct symbols own = {{0}};
        for (uint32_t c = 0; c < SYMBOLS; c++) {
            uint32_t class = c == SYMBOL_END ? dfa->end_class : dfa->class_of[c];
            if (next_state(dfa, state, class) == STATE_DEAD_MATCH) symbols_add(&own, c);
        }
        stops = symbols_and(stops, own);
    }
    return stops;
}

static bool symbols_none(const struct symbols *s)
{
    return symbols_disjoint(*s, *s);
}

/* ---- languages ----------------------------------------------------------------------------- */

struct language {
    struct shortcut *shortcut;
    uint8_t bit;
    struct symbols first, body; /* of a run */
    struct symbols quote;
    const char *shape; /* of a stamp */
    uint32_t run_max;
};

/* First, then any number of body; *stops is what may follow at any length up to run_max. */
static bool prove_run(const struct dfa *dfa, struct language *l, struct rows at,
                      struct symbols *stops)
{
    struct rows all = {{0}};
    uint32_t n = 1;
    if (symbols_none(&l->first) || !step(dfa, &at, &l->first, &at)) return false;
    *stops = stops_of(dfa, &at);
    for (; n < LEVELS_MAX; n++) {
        rows_add(&all, &at);
        if (!step(dfa, &at, &l->body, &at)) break;
        if (rows_within(&at, &all)) {
            n = UINT32_MAX;
            break;
        }
        struct symbols further = symbols_and(*stops, stops_of(dfa, &at));
        if (symbols_none(&further)) break;
        *stops = further;
    }
    *stops = symbols_minus(*stops, l->body);
    if (n < l->run_max) l->run_max = n;
    return n >= RUN_MAX_LEAST;
}

static bool prove_quoted(const struct dfa *dfa, const struct language *l, struct rows at,
                         struct symbols *stops)
{
    struct rows all = {{0}};
    if (!step(dfa, &at, &l->quote, &at)) return false;
    for (uint32_t n = 0; !rows_within(&at, &all); n++) {
        rows_add(&all, &at);
        if (n == LEVELS_MAX || !step(dfa, &at, &l->body, &at)) return false;
    }
    if (!step(dfa, &all, &l->quote, &at)) return false;
    *stops = stops_of(dfa, &at);
    return true;
}

/* Wherever one digit or more lead to. */
static bool walk_digits(const struct dfa *dfa, struct rows *at)
{
    struct rows all = {{0}}, now = *at;
    struct symbols digits = {{0x03ff000000000000ULL, 0, 0, 0, 0}};
    for (uint32_t n = 0; n < LEVELS_MAX; n++) {
        if (!step(dfa, &now, &digits, &now)) return false;
        if (rows_within(&now, &all)) {
            *at = all;
            return true;
        }
        rows_add(&all, &now);
    }
    return false;
}

static bool prove_decimal(const struct dfa *dfa, struct rows at, struct symbols *stops)
{
    struct symbols dot = {{0}};
    symbols_add(&dot, '.');
    if (!walk_digits(dfa, &at) || !step(dfa, &at, &dot, &at) || !walk_digits(dfa, &at))
        return false;
    *stops = stops_of(dfa, &at);
    stops->w[0] &= ~0x03ff000000000000ULL;
    return true;
}

/* All numbers from `low` to `high` in `width` digits at least. */
static bool walk_numbers(const struct dfa *dfa, struct rows *at, uint32_t low, uint32_t high,
                         uint32_t width)
{
    struct rows out = {{0}};
    for (uint32_t i = low; i <= high; i++) {
        char text[4] = {(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), 0};
        uint32_t skip = i >= 100 ? 0 : i >= 10 || width == 2 ? 1 : 2;
        if (!walk(dfa, at, slice_make(text + skip, 3 - skip), &out)) return false;
    }
    *at = out;
    return true;
}

static bool prove_quad(const struct dfa *dfa, struct rows at, struct symbols *stops)
{
    for (int i = 0; i < 4; i++) {
        struct symbols dot = {{0}};
        symbols_add(&dot, '.');
        if (i > 0 && !step(dfa, &at, &dot, &at)) return false;
        if (!walk_numbers(dfa, &at, 0, 255, 1)) return false;
    }
    *stops = stops_of(dfa, &at);
    for (uint32_t c = '0'; c <= '9'; c++) stops->w[0] &= ~(1ULL << c);
    stops->w[0] &= ~(1ULL << '.');
    return true;
}

/*
 * Shapes of time stamps: 9 a digit, 5 one up to 5, D a day, H an hour and M a month in two digits,
 * N a month's name, S a sign; the rest stands for itself.
 */
static const char *const shapes[] = {
    "DD/NNN/9999:HH:59:59 S9999", "NNN DD HH:59:59",      "NNN  9 HH:59:59",
    "9999-MM-DDTHH:59:59.999Z",   "9999-MM-DDTHH:59:59Z", "9999-MM-DD HH:59:59,999",
    "9999-MM-DD HH:59:59.999",    "9999-MM-DD HH:59:59",  "9999-MM-DDTHH:59:59S99:59",
    "9999-MM-DDTHH:59:59.999999Z"};

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool step_range(const struct dfa *dfa, struct rows *at, char low, char high)
{
    struct symbols set = {{0}};
    for (int c = low; c <= high; c++) symbols_add(&set, (uint32_t)c);
    return step(dfa, at, &set, at);
}

/* What one item of a shape leads to; *n is its bytes. */
static bool step_item(const struct dfa *dfa, struct rows *at, char item, uint32_t *n)
{
    struct rows out = {{0}};
    *n = 2;
    switch (item) {
    case 'D': return walk_numbers(dfa, at, 1, 31, 2);
    case 'H': return walk_numbers(dfa, at, 0, 23, 2);
    case 'M': return walk_numbers(dfa, at, 1, 12, 2);
    case 'N':
        *n = 3;
        for (uint32_t i = 0; i < 12; i++)
            if (!walk(dfa, at, slice_make(months + 3 * (size_t)i, 3), &out)) return false;
        break;
    case 'S':
        *n = 1;
        if (!walk(dfa, at, SLICE("+"), &out) || !walk(dfa, at, SLICE("-"), &out)) return false;
        break;
    default:
        *n = 1;
        if (item == '9') return step_range(dfa, at, '0', '9');
        if (item == '5') return step_range(dfa, at, '0', '5');
        return step_range(dfa, at, item, item);
    }
    *at = out;
    return true;
}

/* A '9' behind a blank stands for a day, which is not 0. */
static bool is_short_day(const char *shape, uint32_t at)
{
    return at > 0 && shape[at] == '9' && shape[at - 1] == ' ';
}

static bool prove_stamp(const struct dfa *dfa, const char *shape, struct rows at,
                        struct symbols *stops)
{
    for (uint32_t i = 0, n; shape[i] != 0; i += n) {
        n = 1;
        bool ok = is_short_day(shape, i) ? step_range(dfa, &at, '1', '9')
                                         : step_item(dfa, &at, shape[i], &n);
        if (!ok) return false;
    }
    *stops = stops_of(dfa, &at);
    return true;
}

/* ---- making -------------------------------------------------------------------------------- */

static bool prove(const struct dfa *dfa, struct language *l, uint32_t start, struct symbols *stops)
{
    struct rows at = {{0}};
    rows_set(&at, start);
    bool ok = false;
    switch (l->bit) {
    case SHORTCUT_RUN: ok = prove_run(dfa, l, at, stops); break;
    case SHORTCUT_QUOTED: ok = prove_quoted(dfa, l, at, stops); break;
    case SHORTCUT_DECIMAL: ok = prove_decimal(dfa, at, stops); break;
    case SHORTCUT_QUAD: ok = prove_quad(dfa, at, stops); break;
    default: ok = prove_stamp(dfa, l->shape, at, stops);
    }
    return ok && !symbols_none(stops);
}

static uint32_t start_state(const struct dfa *dfa, uint32_t previous)
{
    uint32_t class = previous == SYMBOL_END ? dfa->end_class : dfa->class_of[previous];
    return dfa->start[class] / dfa->stride;
}

static bool symbols_within(const struct symbols *a, const struct symbols *b)
{
    struct symbols beyond = symbols_minus(*a, *b);
    return symbols_none(&beyond);
}

/* What is known of the language behind `usual` holds behind `start`, too. */
static bool holds_behind(const struct dfa *dfa, const struct language *l, uint32_t start,
                         const struct symbols *stops)
{
    struct language again = *l;
    struct symbols other;
    again.run_max = UINT32_MAX;
    return start >= STATES_TERMINAL && prove(dfa, &again, start, &other) &&
           again.run_max >= l->run_max && symbols_within(stops, &other);
}

/*
 * Proves the language behind a blank or where the line begins, and notes behind which other
 * symbols the same holds.
 */
static bool add_language(const struct dfa *dfa, struct language *l)
{
    struct shortcut *shortcut = l->shortcut;
    struct symbols stops;
    uint32_t usual = start_state(dfa, ' ');
    if (usual < STATES_TERMINAL || !prove(dfa, l, usual, &stops)) {
        usual = start_state(dfa, SYMBOL_END);
        if (usual < STATES_TERMINAL || !prove(dfa, l, usual, &stops)) return false;
    }
    uint32_t last = usual;
    bool holds = true;
    for (uint32_t c = 0; c < SYMBOLS; c++) {
        uint32_t start = start_state(dfa, c);
        if (start != last) holds = start == usual || holds_behind(dfa, l, start, &stops);
        last = start;
        if (holds) shortcut->starts[c] |= l->bit;
        if (symbols_has(&stops, c)) shortcut->stops[c] |= l->bit;
        if (c < 256 && symbols_has(&l->first, c)) shortcut->first[c] |= l->bit;
    }
    return true;
}

static struct symbols symbols_of(const char *ranges)
{
    struct symbols set = {{0}};
    for (; *ranges != 0; ranges += 2)
        for (int c = ranges[0]; c <= ranges[1]; c++) symbols_add(&set, (uint32_t)c);
    return set;
}

/* The largest of these runs that can be proven. */
static bool add_run(const struct dfa *dfa, struct shortcut *shortcut)
{
    static const char *const bodies[] = {"..--__09AZaz", "--09AZaz", "__09AZaz",
                                         "09AZaz",       "09",       "AZaz"};
    static const char *const firsts[] = {"..--__09AZaz", "09AZaz", "09", "AZaz", "gzGZ"};
    for (uint32_t i = 0; i < ARRAY_LEN(bodies); i++) {
        for (uint32_t k = 0; k < ARRAY_LEN(firsts); k++) {
            struct language l = {.shortcut = shortcut,
                                 .bit = SHORTCUT_RUN,
                                 .body = symbols_of(bodies[i]),
                                 .run_max = UINT32_MAX};
            l.first = symbols_and(symbols_of(firsts[k]), l.body);
            if (dfa->scan_max < l.run_max) l.run_max = dfa->scan_max;
            if (symbols_none(&l.first) || !add_language(dfa, &l)) continue;
            run_set_init(&shortcut->run, &l.body);
            shortcut->run_max = l.run_max;
            return true;
        }
    }
    return false;
}

static bool add_quoted(const struct dfa *dfa, struct shortcut *shortcut)
{
    struct language l = {.shortcut = shortcut, .bit = SHORTCUT_QUOTED, .run_max = UINT32_MAX};
    l.quote = l.first = symbols_of("\"\"");
    l.body = symbols_minus(symbols_of("\x01\x7f"), symbols_of("\"\"\\\\"));
    if (dfa->scan_max != UINT32_MAX || !add_language(dfa, &l)) return false;
    shortcut->quote = '"';
    run_set_init(&shortcut->quoted, &l.body);
    return true;
}

static bool add_quad(const struct dfa *dfa, struct shortcut *shortcut)
{
    struct language l = {.shortcut = shortcut, .bit = SHORTCUT_QUAD, .first = symbols_of("09")};
    return add_language(dfa, &l);
}

static bool add_decimal(const struct dfa *dfa, struct shortcut *shortcut)
{
    struct language l = {.shortcut = shortcut, .bit = SHORTCUT_DECIMAL, .first = symbols_of("09")};
    return dfa->scan_max == UINT32_MAX && add_language(dfa, &l);
}

static void stamp_byte(struct stamp *stamp, char low, char high)
{
    stamp->low[stamp->n] = (uint8_t)low;
    stamp->span[stamp->n++] = (uint8_t)(high - low);
}

/* The bytes an item of a shape can be, and where its number is. Returns its length. */
static uint32_t stamp_item(struct stamp *stamp, const char *shape, uint32_t at)
{
    switch (shape[at]) {
    case 'D': stamp->day = stamp->n; break;
    case 'H': stamp->hour = stamp->n; break;
    case 'M': stamp->month = stamp->n; break;
    case 'N':
        stamp->name = stamp->n;
        stamp_byte(stamp, 'A', 'S');
        stamp_byte(stamp, 'a', 'u');
        stamp_byte(stamp, 'b', 'y');
        return 3;
    case 'S':
        stamp->sign = stamp->n;
        stamp_byte(stamp, '+', '-');
        return 1;
    case '9': stamp_byte(stamp, is_short_day(shape, at) ? '1' : '0', '9'); return 1;
    case '5': stamp_byte(stamp, '0', '5'); return 1;
    default: stamp_byte(stamp, shape[at], shape[at]); return 1;
    }
    stamp_byte(stamp, '0', shape[at] == 'D' ? '3' : shape[at] == 'H' ? '2' : '1');
    stamp_byte(stamp, '0', '9');
    return 2;
}

static struct symbols stamp_first(const struct stamp *stamp)
{
    char range[3] = {(char)stamp->low[0], (char)(stamp->low[0] + stamp->span[0]), 0};
    return symbols_of(range);
}

static bool add_stamp(const struct dfa *dfa, struct shortcut *shortcut, uint32_t n,
                      const char *shape)
{
    struct stamp *stamp = &shortcut->stamp[n];
    *stamp = (struct stamp){.day = STAMP_NONE,
                            .hour = STAMP_NONE,
                            .month = STAMP_NONE,
                            .name = STAMP_NONE,
                            .sign = STAMP_NONE};
    memset(stamp->span, 255, sizeof(stamp->span));
    for (uint32_t i = 0; shape[i] != 0;) i += stamp_item(stamp, shape, i);
    struct language l = {.shortcut = shortcut,
                         .bit = (uint8_t)(SHORTCUT_STAMP << n),
                         .first = stamp_first(stamp),
                         .shape = shape};
    if (stamp->n <= dfa->scan_max && add_language(dfa, &l)) return true;
    stamp->n = 0;
    return false;
}

struct shortcut *shortcut_new(const struct dfa *dfa)
{
    struct shortcut *shortcut = calloc(1, sizeof(*shortcut));
    ASSERT(shortcut != NULL);
    uint32_t stamps = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(shapes) && stamps < SHORTCUT_STAMPS_MAX; i++)
        stamps += add_stamp(dfa, shortcut, stamps, shapes[i]);
    bool any = stamps > 0;
    any |= dfa->scan_max >= QUAD_BYTES_MAX && add_quad(dfa, shortcut);
    any |= add_quoted(dfa, shortcut);
    any |= add_decimal(dfa, shortcut);
    any |= add_run(dfa, shortcut);
    if (any) return shortcut;
    free(shortcut);
    return NULL;
}
