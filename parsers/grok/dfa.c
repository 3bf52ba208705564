/* dfa.c - shapes to NFA threads to a table. */
#include "parsers/grok/dfa.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/hash.h"
#include "parsers/grok/dfa_table.h"

#define NFA_OPS_MAX 4000u
#define DFA_CELLS_MAX 65536u   /* so that a row fits 16 bits */
#define DFA_STEPS_MAX 3000000u /* of determinization: a few milliseconds */
#define SETS_MAX 64u
#define RELAX_ROUNDS_MIN 24u
#define SKIP_BYTES_MIN 48u
#define SKIPS_MAX 8u

enum nfa_code { NFA_SET, NFA_SPLIT, NFA_JUMP, NFA_TEST, NFA_MATCH };

struct nfa_op {
    uint8_t code, test; /* test: shape_kind */
    uint16_t set;
    uint32_t a, b;
};

struct state {
    uint32_t from, n; /* threads in pool[] */
    uint32_t previous;
    bool matched;
};

struct maker {
    struct nfa_op *op;
    uint32_t n_ops;
    struct symbols set[SETS_MAX];
    uint32_t n_sets;
    uint32_t representative[SYMBOLS]; /* of each class */
    struct dfa *dfa;
    struct state *state;
    uint32_t *pool, n_pool, pool_cap;
    uint32_t *index, index_slots; /* hash of states, value + 1 */
    uint32_t *list, n_list;       /* closure in order */
    uint32_t *seen, seen_mark;
    uint32_t steps;
    uint32_t scan_max;
    bool relax, by_previous, by_word, failed, unknown, matched;
};

/* ---- NFA ----------------------------------------------------------------------------------- */

static uint32_t emit(struct maker *m, enum nfa_code code)
{
    if (m->n_ops >= NFA_OPS_MAX) {
        m->failed = true;
        return 0;
    }
    m->op[m->n_ops] = (struct nfa_op){.code = (uint8_t)code};
    return m->n_ops++;
}

static uint16_t add_set(struct maker *m, struct symbols set)
{
    for (uint32_t i = 0; i < m->n_sets; i++)
        if (symbols_equal(&m->set[i], &set)) return (uint16_t)i;
    if (m->n_sets >= SETS_MAX) {
        m->failed = true;
        return 0;
    }
    m->set[m->n_sets] = set;
    return (uint16_t)m->n_sets++;
}

static void emit_shape(struct maker *m, const struct shape *s);

static void emit_list(struct maker *m, const struct shape *s, const struct shape *end)
{
    for (; s != end && !m->failed; s = s->next) emit_shape(m, s);
}

static void emit_alternate(struct maker *m, const struct shape *s)
{
    uint32_t last_jump = UINT32_MAX;
    for (const struct shape *at = s->child; at != NULL && !m->failed; at = at->next) {
        uint32_t split = at->next != NULL ? emit(m, NFA_SPLIT) : 0;
        if (at->next != NULL) m->op[split].a = m->n_ops;
        emit_shape(m, at);
        if (at->next == NULL) break;
        uint32_t jump = emit(m, NFA_JUMP);
        m->op[jump].a = last_jump; /* a chain, resolved below */
        last_jump = jump;
        m->op[split].b = m->n_ops;
    }
    while (last_jump != UINT32_MAX && !m->failed) {
        uint32_t before = m->op[last_jump].a;
        m->op[last_jump].a = m->n_ops;
        last_jump = before;
    }
}

/* The preferred way of a split is `a`. */
static void set_split(struct maker *m, uint32_t split, bool lazy, uint32_t in, uint32_t out)
{
    m->op[split].a = lazy ? out : in;
    m->op[split].b = lazy ? in : out;
}

/*
 * An upper bound is not reached before as many bytes as rounds are consumed, so within that many
 * bytes an endless loop does the same.
 */
static bool relaxed(struct maker *m, const struct shape *s)
{
    if (!m->relax || s->max < RELAX_ROUNDS_MIN) return false;
    if (s->max < m->scan_max) m->scan_max = s->max;
    return true;
}

static void emit_repeat(struct maker *m, const struct shape *s)
{
    for (uint32_t i = 0; i < s->min && !m->failed; i++) emit_shape(m, s->child);
    if (s->max == TREE_REPEAT_INFINITE || (s->max > s->min && relaxed(m, s))) {
        uint32_t split = emit(m, NFA_SPLIT);
        emit_shape(m, s->child);
        uint32_t jump = emit(m, NFA_JUMP);
        m->op[jump].a = split;
        set_split(m, split, s->lazy, split + 1, m->n_ops);
        return;
    }
    uint32_t first = m->n_ops;
    uint32_t splits[1024], n = 0;
    for (uint32_t i = s->min; i < s->max && !m->failed; i++) {
        if (n >= ARRAY_LEN(splits)) {
            m->failed = true;
            return;
        }
        splits[n++] = emit(m, NFA_SPLIT);
        emit_shape(m, s->child);
    }
    ASSERT(first <= m->n_ops);
    for (uint32_t i = 0; i < n && !m->failed; i++)
        set_split(m, splits[i], s->lazy, splits[i] + 1, m->n_ops);
}

static void emit_shape(struct maker *m, const struct shape *s)
{
    uint32_t at;
    switch (s->kind) {
    case SHAPE_SET:
        at = emit(m, NFA_SET);
        m->op[at].set = add_set(m, s->set);
        break;
    case SHAPE_SEQUENCE:
    case SHAPE_ATOMIC:
    case SHAPE_GROUP: emit_list(m, s->child, NULL); break;
    case SHAPE_ALTERNATE: emit_alternate(m, s); break;
    case SHAPE_REPEAT: emit_repeat(m, s); break;
    default:
        at = emit(m, NFA_TEST);
        m->op[at].test = (uint8_t)s->kind;
        if (s->kind == SHAPE_NEXT || s->kind == SHAPE_PREVIOUS) m->op[at].set = add_set(m, s->set);
        m->by_previous |= s->kind != SHAPE_NEXT;
        m->by_word |= s->kind == SHAPE_WORD || s->kind == SHAPE_NOT_WORD;
    }
}

/* ---- classes of symbols that nothing here tells apart -------------------------------------- */

static bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static struct symbols word_symbols(void)
{
    struct symbols word = {{0}};
    for (uint32_t c = 0; c < 128; c++)
        if (is_word(c)) symbols_add(&word, c);
    return word;
}

static void find_classes(struct maker *m)
{
    struct symbols line_feed = {{0}}, high = {{0, 0, ~0ULL, ~0ULL, 0}};
    symbols_add(&line_feed, '\n');
    add_set(m, line_feed);
    if (m->by_word) {
        add_set(m, word_symbols());
        add_set(m, high);
    }
    uint64_t signature[SYMBOLS] = {0};
    for (uint32_t c = 0; c < SYMBOLS; c++)
        for (uint32_t i = 0; i < m->n_sets; i++)
            signature[c] |= (uint64_t)symbols_has(&m->set[i], c) << i;
    uint32_t n = 0;
    for (uint32_t c = 0; c < SYMBOLS; c++) {
        uint32_t k = 0;
        while (k < n && (c == SYMBOL_END || signature[m->representative[k]] != signature[c])) k++;
        if (k == n) m->representative[n++] = c;
        if (c == SYMBOL_END)
            m->dfa->end_class = k;
        else
            m->dfa->class_of[c] = (uint8_t)k;
        /* END is left as the 256th class at most; a byte that needs it is one too many. */
        if (n > 200) m->failed = true;
        if (m->failed) return;
    }
    m->dfa->n_classes = n;
    m->dfa->stride = n + 1;
}

/* ---- determinization ----------------------------------------------------------------------- */

/* `previous` and `next` are symbols, END meaning start and end. */
static bool test_holds(struct maker *m, const struct nfa_op *op, uint32_t previous, uint32_t next)
{
    switch ((enum shape_kind)op->test) {
    case SHAPE_NEXT: return symbols_has(&m->set[op->set], next);
    case SHAPE_PREVIOUS: return symbols_has(&m->set[op->set], previous);
    case SHAPE_LINE_BEGIN:
        return previous == SYMBOL_END || (previous == '\n' && next != SYMBOL_END);
    default: break;
    }
    if ((previous >= 0x80 && previous != SYMBOL_END) || (next >= 0x80 && next != SYMBOL_END))
        m->unknown = true;
    return (is_word(previous) != is_word(next)) == (op->test == SHAPE_WORD);
}

/* Appends what `at` reaches without consuming; false once the part may end here. */
static bool close_over(struct maker *m, uint32_t at, uint32_t previous, uint32_t next)
{
    for (;;) {
        m->steps++;
        if (m->seen[at] == m->seen_mark) return true;
        m->seen[at] = m->seen_mark;
        const struct nfa_op *op = &m->op[at];
        switch ((enum nfa_code)op->code) {
        case NFA_SET: m->list[m->n_list++] = at; return true;
        case NFA_MATCH: m->matched = true; return false;
        case NFA_JUMP: at = op->a; break;
        case NFA_TEST:
            if (!test_holds(m, op, previous, next)) return true;
            at++;
            break;
        case NFA_SPLIT:
            if (!close_over(m, op->a, previous, next)) return false;
            at = op->b;
            break;
        }
    }
}

/* The state with these threads, new or known. */
static uint32_t intern(struct maker *m, const uint32_t *threads, uint32_t n, uint32_t previous,
                       bool matched)
{
    uint64_t hash = hash_bytes((const char *)threads, n * sizeof(*threads), previous * 2 + matched);
    uint32_t slot = (uint32_t)hash & (m->index_slots - 1);
    for (; m->index[slot] != 0; slot = (slot + 1) & (m->index_slots - 1)) {
        const struct state *s = &m->state[m->index[slot] - 1];
        if (s->n == n && s->previous == previous && s->matched == matched &&
            (n == 0 || memcmp(m->pool + s->from, threads, n * sizeof(*threads)) == 0))
            return m->index[slot] - 1;
    }
    uint32_t index = m->dfa->n_states;
    if (index >= DFA_STATES_MAX || (index + 1) * m->dfa->stride > DFA_CELLS_MAX ||
        m->n_pool + n > m->pool_cap) {
        m->failed = true;
        return 0;
    }
    if (n > 0) memcpy(m->pool + m->n_pool, threads, n * sizeof(*threads));
    m->state[index] = (struct state){m->n_pool, n, previous, matched};
    m->n_pool += n;
    m->index[slot] = index + 1;
    return m->dfa->n_states++;
}

static uint32_t make_cell(struct maker *m, uint32_t from, uint32_t class)
{
    struct state s = m->state[from];
    uint32_t previous = m->by_previous ? m->representative[s.previous] : SYMBOL_END;
    uint32_t next = m->representative[class], n = 0;
    m->n_list = 0;
    m->seen_mark++;
    m->matched = m->unknown = false;
    for (uint32_t i = 0; i < s.n; i++)
        if (!close_over(m, m->pool[s.from + i], previous, next)) break;
    if (m->unknown) return STATE_UNKNOWN;
    uint32_t nothing = m->matched ? STATE_DEAD_MATCH : STATE_DEAD;
    if (next == SYMBOL_END) return nothing;
    for (uint32_t i = 0; i < m->n_list; i++) {
        const struct nfa_op *op = &m->op[m->list[i]];
        if (symbols_has(&m->set[op->set], next)) m->list[n++] = m->list[i] + 1;
    }
    if (n == 0) return nothing;
    return intern(m, m->list, n, m->by_previous ? class : 0, m->matched);
}

/* Sorts states so that those with a match come last, and turns indices into rows. */
static void arrange(struct maker *m, const uint32_t *target)
{
    struct dfa *dfa = m->dfa;
    uint32_t *place = m->pool; /* no longer needed */
    uint32_t n = STATES_TERMINAL;
    for (uint32_t i = 0; i < STATES_TERMINAL; i++) place[i] = i;
    for (int matched = 0; matched < 2; matched++) {
        if (matched) dfa->match_row = n * dfa->stride;
        for (uint32_t i = STATES_TERMINAL; i < dfa->n_states; i++)
            if (m->state[i].matched == matched) place[i] = n++;
    }
    for (uint32_t i = STATES_TERMINAL; i < dfa->n_states; i++)
        for (uint32_t k = 0; k < dfa->n_classes; k++)
            dfa->cell[place[i] * dfa->stride + k] =
                (uint16_t)(place[target[i * dfa->stride + k]] * dfa->stride);
    for (uint32_t k = 0; k < dfa->n_classes; k++)
        dfa->start[k] = (uint16_t)(place[dfa->start[k]] * dfa->stride);
    dfa->first_row = STATES_TERMINAL * dfa->stride;
}

/* States that stay the same over many bytes are left by run_end. */
static void find_skips(struct dfa *dfa)
{
    dfa->skip = calloc(SKIPS_MAX, sizeof(*dfa->skip));
    ASSERT(dfa->skip != NULL);
    dfa->n_skips = 1; /* 0 is none */
    for (uint32_t i = STATES_TERMINAL; i < dfa->n_states && dfa->n_skips < SKIPS_MAX; i++) {
        struct symbols set = {{0}};
        uint32_t n = 0, row = i * dfa->stride;
        for (uint32_t c = 0; c < 256; c++) {
            if (dfa->cell[row + dfa->class_of[c]] != row) continue;
            symbols_add(&set, c);
            n++;
        }
        if (n < SKIP_BYTES_MIN || row >= dfa->match_row) continue;
        dfa->cell[row + dfa->n_classes] = (uint16_t)dfa->n_skips;
        run_set_init(&dfa->skip[dfa->n_skips++], &set);
    }
}

static void determinize(struct maker *m, uint32_t *target)
{
    struct dfa *dfa = m->dfa;
    dfa->by_previous = m->by_previous;
    uint32_t begin = 0;
    for (uint32_t i = 0; i < STATES_TERMINAL; i++) intern(m, NULL, 0, UINT32_MAX - i, false);
    for (uint32_t k = 0; k < dfa->n_classes; k++)
        dfa->start[k] = (uint16_t)intern(m, &begin, 1, m->by_previous ? k : 0, false);
    for (uint32_t i = STATES_TERMINAL; i < dfa->n_states && !m->failed; i++) {
        for (uint32_t k = 0; k < dfa->n_classes && !m->failed; k++)
            target[i * dfa->stride + k] = make_cell(m, i, k);
        if (m->steps > DFA_STEPS_MAX) m->failed = true;
    }
}

static void *new_array(size_t n, size_t bytes)
{
    void *at = calloc(n == 0 ? 1 : n, bytes);
    ASSERT(at != NULL);
    return at;
}

static void make(struct maker *m, const struct shape *first, const struct shape *end,
                 struct symbols follow)
{
    emit_list(m, first, end);
    struct symbols all = symbols_all();
    if (!symbols_equal(&follow, &all)) {
        uint32_t at = emit(m, NFA_TEST);
        m->op[at].test = SHAPE_NEXT;
        m->op[at].set = add_set(m, follow);
    }
    emit(m, NFA_MATCH);
    if (m->failed) return;
    find_classes(m);
    if (m->failed) return;
    m->dfa->start = new_array(m->dfa->n_classes, sizeof(uint16_t));
    uint32_t *target = new_array(DFA_CELLS_MAX, sizeof(uint32_t));
    determinize(m, target);
    if (!m->failed) {
        m->dfa->cell = new_array((size_t)m->dfa->n_states * m->dfa->stride, sizeof(uint16_t));
        m->dfa->scan_max = m->scan_max;
        arrange(m, target);
        find_skips(m->dfa);
        m->dfa->shortcut = shortcut_new(m->dfa);
    }
    free(target);
}

static struct dfa *try_make(const struct shape *first, const struct shape *end,
                            struct symbols follow, bool relax)
{
    struct maker *m = new_array(1, sizeof(*m));
    m->relax = relax;
    m->scan_max = UINT32_MAX;
    m->op = new_array(NFA_OPS_MAX + 1, sizeof(*m->op));
    m->dfa = new_array(1, sizeof(*m->dfa));
    m->state = new_array(DFA_STATES_MAX, sizeof(*m->state));
    m->pool_cap = 400000;
    m->pool = new_array(m->pool_cap, sizeof(*m->pool));
    m->index_slots = 8192;
    m->index = new_array(m->index_slots, sizeof(*m->index));
    m->list = new_array(NFA_OPS_MAX + 1, sizeof(*m->list));
    m->seen = new_array(NFA_OPS_MAX + 1, sizeof(*m->seen));
    make(m, first, end, follow);
    struct dfa *dfa = m->dfa;
    if (m->failed) {
        dfa_free(dfa);
        dfa = NULL;
    }
    free(m->op);
    free(m->state);
    free(m->pool);
    free(m->index);
    free(m->list);
    free(m->seen);
    free(m);
    return dfa;
}

struct dfa *dfa_new(const struct shape *first, const struct shape *end, struct symbols follow)
{
    struct dfa *dfa = try_make(first, end, follow, false);
    return dfa != NULL ? dfa : try_make(first, end, follow, true);
}

void dfa_free(struct dfa *dfa)
{
    if (dfa == NULL) return;
    free(dfa->shortcut);
    free(dfa->skip);
    free(dfa->start);
    free(dfa->cell);
    free(dfa);
}

uint32_t dfa_states(const struct dfa *dfa)
{
    return dfa->n_states;
}

static uint32_t state_behind(const struct dfa *dfa, uint32_t state, uint32_t byte)
{
    return dfa->cell[state * dfa->stride + dfa->class_of[byte]] / dfa->stride;
}

/*
 * Adds the bytes that lead somewhere from `state`, and to `out` where to. False when the part can
 * have ended then, or nobody knows: what comes behind tells nothing.
 */
static bool starts_step(const struct dfa *dfa, uint32_t below, uint32_t state, bool *out,
                        struct symbols *bytes)
{
    bool goes_on = true;
    for (uint32_t c = 0; c < below; c++) {
        uint32_t next = state_behind(dfa, state, c);
        if (next == STATE_DEAD) continue;
        symbols_add(bytes, c);
        out[next] = true;
        if (next < STATES_TERMINAL || next * dfa->stride >= dfa->match_row) goes_on = false;
    }
    return goes_on;
}

void dfa_starts(const struct dfa *dfa, uint32_t below, struct symbols *before,
                struct symbols *bytes, uint32_t n)
{
    bool in[DFA_STATES_MAX] = {false}, goes_on = true;
    *before = (struct symbols){{0}};
    memset(bytes, 0, n * sizeof(*bytes));
    for (uint32_t c = 0; c < below; c++) {
        uint32_t class = dfa->by_previous ? dfa->class_of[c] : dfa->end_class;
        uint32_t start = dfa->start[class] / dfa->stride;
        bool out[DFA_STATES_MAX];
        struct symbols first = {{0}};
        if (start == STATE_DEAD) continue;
        if (start < STATES_TERMINAL)
            goes_on = false;
        else
            starts_step(dfa, below, start, out, &first);
        if (goes_on && symbols_disjoint(first, first)) continue;
        symbols_add(before, c);
        in[start] = true;
    }
    for (uint32_t i = 0; i < n; i++) {
        bool out[DFA_STATES_MAX] = {false}, all = !goes_on;
        for (uint32_t s = STATES_TERMINAL; s < dfa->n_states && !all; s++)
            if (in[s] && !starts_step(dfa, below, s, out, &bytes[i])) goes_on = false;
        if (all) bytes[i] = symbols_all();
        memcpy(in, out, sizeof(in));
    }
}
