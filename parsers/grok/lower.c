/* lower.c - shapes to operations. */
#include "parsers/grok/ops.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* A loop with captures inside is written out so many times at most. */
#define UNROLL_MAX 8u

struct lowerer {
    struct program *program;
    struct buf *why;
    bool failed;
};

static void lower_list(struct lowerer *l, const struct shape *s, struct follow follow);

static void refuse(struct lowerer *l, const char *what)
{
    if (!l->failed && l->why->n == 0) buf_add_cstr(l->why, what);
    l->failed = true;
}

static struct op *emit(struct lowerer *l, enum op_code code)
{
    struct program *p = l->program;
    if (p->n_ops >= OPS_MAX) {
        refuse(l, "more operations than fit");
        return &p->op[OPS_MAX];
    }
    p->op[p->n_ops] = (struct op){.code = (uint8_t)code, .sure = true};
    return &p->op[p->n_ops++];
}

static const struct run_set *run_set(struct lowerer *l, const struct symbols *set)
{
    struct run_set *run = tree_alloc(l->program->heap, sizeof(*run));
    run_set_init(run, set);
    return run;
}

static const struct symbols *keep_symbols(struct lowerer *l, struct symbols set)
{
    struct symbols *kept = tree_alloc(l->program->heap, sizeof(*kept));
    *kept = set;
    return kept;
}

static bool single_byte(const struct shape *s, uint32_t *byte)
{
    if (s == NULL || s->kind != SHAPE_SET) return false;
    uint32_t n = 0;
    for (uint32_t c = 0; c < 256; c++) {
        if (!symbols_has(&s->set, c)) continue;
        *byte = c;
        n++;
    }
    return n == 1;
}

/* ---- runs of one set ----------------------------------------------------------------------- */

static bool is_run(const struct shape *s)
{
    return s->kind == SHAPE_REPEAT && s->run;
}

static bool covers_bytes(const struct symbols *set)
{
    return (set->w[0] & set->w[1] & set->w[2] & set->w[3]) == ~0ULL;
}

/* The bytes that the list starts with, two at least; else an empty slice. */
static slice text_of(struct lowerer *l, const struct shape *s)
{
    char bytes[64];
    uint32_t n = 0, byte;
    for (; n < sizeof(bytes) && single_byte(s, &byte); s = s->next) bytes[n++] = (char)byte;
    if (n < 2) return SLICE_NONE;
    char *copy = tree_alloc(l->program->heap, n);
    memcpy(copy, bytes, n);
    return slice_make(copy, n);
}

/*
 * Lazy: the first end at which the rest can match has its next symbol in follow, and all before
 * it were not in follow; so run over what is not. Another end may exist beyond it.
 */
static void lower_lazy(struct lowerer *l, const struct shape *s, struct follow follow, slice text)
{
    const struct symbols *set = &s->set;
    bool ascii = !l->program->takes_utf8;
    struct symbols high_too = *set;
    if (ascii) high_too.w[2] = high_too.w[3] = ~0ULL;
    if (text.n > 0 && covers_bytes(&high_too) && s->min == 0) {
        struct op *op = emit(l, OP_FIND);
        op->text = text;
        op->sure = false;
        return;
    }
    struct symbols body = symbols_minus(*set, follow.set);
    const struct run_set *run = run_set(l, &body), *first = run_set(l, set);
    struct op *op = emit(l, OP_RUN);
    op->run = run;
    op->first = first;
    op->min = s->min;
    op->set = keep_symbols(l, follow.set);
    op->sure = symbols_disjoint(*set, follow.set) || follow.accept;
}

static void lower_greedy(struct lowerer *l, const struct shape *s, struct follow follow)
{
    const struct symbols *set = &s->set;
    const struct run_set *run = run_set(l, set);
    bool sure = symbols_disjoint(*set, follow.set) || follow.accept;
    struct symbols all = symbols_all();
    if (follow.accept && covers_bytes(set) && s->min == 0) {
        emit(l, OP_REST);
        return;
    }
    /* When anything may follow the longest run is the first choice as it stands. */
    bool plain = sure || symbols_equal(&follow.set, &all);
    struct op *op = emit(l, plain ? OP_RUN : OP_LAST);
    op->run = op->first = run;
    op->min = s->min;
    op->set = keep_symbols(l, follow.set);
    op->sure = sure;
}

/* ---- parts without captures ---------------------------------------------------------------- */

/* Whether s .. end has one way at most when the rest of its list and then `follow` come after. */
static bool part_unique(const struct shape *s, const struct shape *end, struct follow follow,
                        const struct symbols *after)
{
    struct symbols bytes = {{0}};
    bool unique = true;
    for (const struct shape *at = s; at != end; at = at->next) {
        bytes = symbols_or(bytes, shape_bytes(at));
        unique = unique && shape_unique(at, shape_follow(at, follow));
    }
    /* Two ends: the longer way consumed the symbol that follows the shorter. */
    return unique || symbols_disjoint(bytes, *after);
}

static bool automatic(const struct shape *s, struct follow follow)
{
    return !s->captures && shape_atomics_plain(s, follow);
}

static struct follow follow_before(const struct shape *end, struct follow follow)
{
    if (end == NULL) return follow;
    return (struct follow){shape_first_list(end, follow.set), false, end};
}

/* A run that a span operation does better than an automaton. */
static bool worth_run(const struct shape *s, struct follow after)
{
    return is_run(s) && (!s->flattened || shape_commits(s, after)) &&
           (symbols_disjoint(s->set, after.set) || after.accept);
}

/* As far as an automaton can take it; at least one shape. */
static const struct shape *part_end(const struct shape *s, struct follow follow)
{
    const struct shape *end = s->next;
    while (end != NULL && automatic(end, shape_follow(end, follow)) &&
           !worth_run(end, shape_follow(end, follow)))
        end = end->next;
    return end;
}

/* The shape behind what was lowered; `s` itself when no automaton takes it. */
static const struct shape *lower_dfa(struct lowerer *l, const struct shape *s, struct follow follow)
{
    const struct shape *end = part_end(s, follow);
    if (end == s->next && s->kind >= SHAPE_NEXT) return s;
    struct follow after = follow_before(end, follow);
    struct dfa *dfa = dfa_new(s, end, after.set);
    if (dfa == NULL && end != s->next && s->kind < SHAPE_NEXT) {
        end = s->next;
        after = follow_before(end, follow);
        dfa = dfa_new(s, end, after.set);
    }
    if (dfa == NULL) return s;
    struct op *op = emit(l, OP_DFA);
    op->dfa = dfa;
    op->sure = after.accept || part_unique(s, end, follow, &after.set);
    if (l->failed) dfa_free(dfa);
    return end;
}

/* ---- structure ----------------------------------------------------------------------------- */

static struct choice *new_choice(struct lowerer *l)
{
    return tree_alloc(l->program->heap, sizeof(struct choice));
}

static void add_branch(struct choice *choice, uint32_t target, struct symbols first)
{
    for (uint32_t c = 0; c < SYMBOLS; c++)
        if (symbols_has(&first, c)) choice->viable[c] |= (uint8_t)(1u << choice->n);
    choice->target[choice->n++] = target;
}

static void lower_alternate(struct lowerer *l, const struct shape *s, struct follow follow)
{
    struct choice *choice = new_choice(l);
    uint32_t jumps[CHOICES_MAX], n = 0;
    emit(l, OP_CHOICE)->choice = choice;
    for (const struct shape *at = s->child; at != NULL && !l->failed; at = at->next) {
        if (n == CHOICES_MAX) {
            refuse(l, "an alternation of too many branches with captures");
            return;
        }
        add_branch(choice, l->program->n_ops, shape_first(at, follow.set));
        struct shape one = *at;
        one.next = NULL;
        lower_list(l, &one, follow);
        jumps[n++] = l->program->n_ops;
        emit(l, OP_JUMP);
    }
    for (uint32_t i = 0; i < n && !l->failed; i++)
        l->program->op[jumps[i]].target = l->program->n_ops;
}

/* One round as a list of its own, so that ->next is not what follows the loop. */
static void lower_round(struct lowerer *l, const struct shape *s, struct follow follow)
{
    struct shape body = *s->child;
    body.next = NULL;
    lower_list(l, &body, follow);
}

/* Body or exit; `again` jumps back for another round. */
static void lower_optional(struct lowerer *l, const struct shape *s, struct follow round,
                           struct follow follow, bool again)
{
    uint32_t start = l->program->n_ops;
    struct choice *choice = new_choice(l);
    emit(l, OP_CHOICE)->choice = choice;
    struct symbols first =
        shape_first(s->child, s->child->nullable ? round.set : (struct symbols){{0}});
    uint32_t body = l->program->n_ops;
    lower_round(l, s, round);
    if (again) emit(l, OP_JUMP)->target = start;
    uint32_t out = l->program->n_ops;
    if (l->failed) return;
    if (s->lazy) add_branch(choice, out, follow.set);
    add_branch(choice, body, first);
    if (!s->lazy) add_branch(choice, out, follow.set);
}

static void lower_repeat(struct lowerer *l, const struct shape *s, struct follow follow)
{
    bool endless = s->max == TREE_REPEAT_INFINITE;
    struct follow round = follow;
    if (s->max != 1) {
        struct symbols again = shape_first(s->child, (struct symbols){{0}});
        round = (struct follow){symbols_or(again, follow.set), false, NULL};
    }
    if (s->min > UNROLL_MAX || (!endless && s->max > UNROLL_MAX)) {
        refuse(l, "a counted repeat too long to write out");
        return;
    }
    if (s->flattened && !shape_commits(s, follow)) {
        refuse(l, "possessive runs in an ambiguous loop");
        return;
    }
    for (uint32_t i = 0; i < s->min; i++) lower_round(l, s, round);
    if (endless) {
        lower_optional(l, s, round, follow, true);
        return;
    }
    /* x{0,2} as x?x?: the second way to one x comes later and finds the same ends. */
    for (uint32_t i = s->min; i < s->max && !l->failed; i++)
        lower_optional(l, s, round, follow, false);
}

/* Nobody may come back into the group: its first way is the only one. */
static void lower_atomic(struct lowerer *l, const struct shape *s, struct follow follow)
{
    if (follow.accept || shape_commits(s->child, follow)) {
        struct shape child = *s->child;
        child.next = NULL;
        lower_list(l, &child, follow);
        return;
    }
    struct follow anything = {symbols_all(), true, NULL};
    if (s->captures || !shape_atomics_plain(s->child, anything)) {
        refuse(l, "an atomic group that can end in several places");
        return;
    }
    struct shape child = *s->child;
    child.next = NULL;
    struct dfa *dfa = dfa_new(&child, NULL, symbols_all());
    if (dfa == NULL) {
        refuse(l, "an atomic group too large for an automaton");
        return;
    }
    struct op *op = emit(l, OP_DFA);
    op->dfa = dfa;
    op->sure = true;
    if (l->failed) dfa_free(dfa);
}

static void lower_test(struct lowerer *l, const struct shape *s)
{
    struct op *op = emit(l, OP_TEST);
    op->test = (uint8_t)s->kind;
    op->set = keep_symbols(l, s->set);
}

static bool code_is_span(uint8_t code)
{
    return code >= OP_RUN && code <= OP_DFA;
}

/* A group that is one span operation needs no saves of its own. */
static void lower_group(struct lowerer *l, const struct shape *s, struct follow follow)
{
    struct program *p = l->program;
    uint32_t start = p->n_ops;
    emit(l, OP_SAVE)->arg = (uint16_t)(2 * s->group);
    lower_list(l, s->child, follow);
    if (l->failed) return;
    if (p->n_ops == start + 2 && code_is_span(p->op[start + 1].code) &&
        p->op[start + 1].group == 0) {
        p->op[start] = p->op[start + 1];
        p->op[start].group = (uint16_t)s->group;
        p->op[start + 1].dfa = NULL;
        p->n_ops = start + 1;
        return;
    }
    emit(l, OP_SAVE)->arg = (uint16_t)(2 * s->group + 1);
}

/* A part that no automaton took. */
static void lower_one(struct lowerer *l, const struct shape *s, struct follow follow)
{
    switch (s->kind) {
    case SHAPE_GROUP: lower_group(l, s, follow); break;
    case SHAPE_SEQUENCE: lower_list(l, s->child, follow); break;
    case SHAPE_ALTERNATE: lower_alternate(l, s, follow); break;
    case SHAPE_REPEAT: lower_repeat(l, s, follow); break;
    case SHAPE_ATOMIC: lower_atomic(l, s, follow); break;
    case SHAPE_SET: {
        const struct run_set *run = run_set(l, &s->set);
        struct op *op = emit(l, OP_RUN);
        op->first = run;
        op->run = run_set(l, &(struct symbols){{0}});
        op->min = 1;
        break;
    }
    default: lower_test(l, s); break;
    }
}

/* Single bytes in a row, as one comparison. */
static const struct shape *lower_bytes(struct lowerer *l, const struct shape *s)
{
    char bytes[64];
    uint32_t n = 0, byte = 0;
    for (; n < sizeof(bytes) && single_byte(s, &byte); s = s->next) bytes[n++] = (char)byte;
    if (n == 1) {
        emit(l, OP_BYTE)->arg = (uint16_t)(unsigned char)bytes[0];
        return s;
    }
    char *copy = tree_alloc(l->program->heap, n);
    memcpy(copy, bytes, n);
    struct op *op = emit(l, OP_STRING);
    op->text = slice_make(copy, n);
    op->mask = n >= 8 ? ~0ULL : (1ULL << (8 * n)) - 1;
    memcpy(&op->word, copy, n < 8 ? n : 8);
    return s;
}

static void lower_run(struct lowerer *l, const struct shape *s, struct follow after, slice text)
{
    if (s->lazy)
        lower_lazy(l, s, after, text);
    else
        lower_greedy(l, s, after);
}

static void lower_list(struct lowerer *l, const struct shape *s, struct follow follow)
{
    uint32_t byte;
    while (s != NULL && !l->failed) {
        struct follow after = shape_follow(s, follow);
        if (single_byte(s, &byte)) {
            s = lower_bytes(l, s);
            continue;
        }
        bool plain = is_run(s) && (!s->flattened || shape_commits(s, after));
        slice text = plain && s->lazy ? text_of(l, after.next) : SLICE_NONE;
        bool alone = s->next == NULL || s->next->captures;
        if (plain && (alone || text.n > 0 || worth_run(s, after))) {
            lower_run(l, s, after, text);
            s = s->next;
            continue;
        }
        const struct shape *behind = s;
        if (s->kind != SHAPE_SET && automatic(s, after)) behind = lower_dfa(l, s, follow);
        if (behind == s) {
            lower_one(l, s, after);
            behind = s->next;
        }
        s = behind;
    }
}

static void find_anchor(struct program *p)
{
    const struct shape *s = p->shape.root->child;
    while (s != NULL && s->kind == SHAPE_GROUP) s = s->child;
    if (s == NULL) return;
    p->line_begin = s->kind == SHAPE_LINE_BEGIN;
    p->text_begin = s->kind == SHAPE_PREVIOUS && symbols_has(&s->set, SYMBOL_END) &&
                    symbols_disjoint(s->set, (struct symbols){{~0ULL, ~0ULL, ~0ULL, ~0ULL, 0}});
}

/* A run_set that is read in steps has all of the bytes above 0x7f, or none. */
static void start_set(struct run_set *run, struct symbols set)
{
    if ((set.w[2] | set.w[3]) != 0) set.w[2] = set.w[3] = ~0ULL;
    run_set_init(run, &set);
}

/* What the first operation says of the bytes around the start of a match. */
static void find_starts(struct program *p)
{
    const struct op *op = p->op;
    struct symbols before = symbols_all(), bytes[START_BYTES] = {{{0}}};
    while (op->code == OP_SAVE) op++;
    if (op->code == OP_DFA) {
        dfa_starts(op->dfa, p->takes_utf8 ? 256 : 128, &before, bytes, START_BYTES);
    } else if (op->code == OP_STRING) {
        for (uint32_t i = 0; i < START_BYTES; i++) {
            if (i < op->text.n)
                symbols_add(&bytes[i], (unsigned char)op->text.p[i]);
            else
                bytes[i] = symbols_all();
        }
    } else {
        return;
    }
    p->many_starts = true;
    start_set(&p->before, before);
    for (uint32_t i = 0; i < START_BYTES; i++) start_set(&p->start[i], bytes[i]);
}

/* What is executed at `at`: jumps ahead are taken now. */
static struct op *op_at(const struct program *p, uint32_t at)
{
    while (p->op[at].code == OP_JUMP && p->op[at].target > at) at = p->op[at].target;
    return &p->op[at];
}

/* Indexes become addresses. */
static void link_ops(struct program *p)
{
    for (uint32_t i = 0; i < p->n_ops; i++) {
        struct op *op = &p->op[i];
        if (op->code == OP_MATCH) continue;
        op->next = op_at(p, op->code == OP_JUMP ? op->target : i + 1);
        if (op->code != OP_CHOICE) continue;
        for (uint32_t k = 0; k < op->choice->n; k++)
            op->choice->branch[k] = op_at(p, op->choice->target[k]);
    }
}

struct program *program_new(const struct regex_tree *tree, struct buf *why)
{
    struct program *p = calloc(1, sizeof(*p));
    ASSERT(p != NULL);
    if (!shape_build(tree, &p->shape, why)) {
        free(p);
        return NULL;
    }
    p->heap = p->shape.heap;
    p->takes_utf8 = !p->shape.ascii_only;
    p->n_slots = 2 * (tree->n_groups + 1);
    p->op = calloc(OPS_MAX + 1, sizeof(*p->op));
    ASSERT(p->op != NULL);
    struct lowerer l = {p, why, false};
    struct follow end = {symbols_all(), true, NULL};
    lower_list(&l, p->shape.root->child, end);
    emit(&l, OP_MATCH);
    if (l.failed) {
        program_free(p);
        return NULL;
    }
    p->first = shape_first_list(p->shape.root->child, symbols_all());
    struct symbols not_first = symbols_minus(symbols_all(), p->first);
    run_set_init(&p->not_first, &not_first);
    find_anchor(p);
    struct op *shrunk = realloc(p->op, p->n_ops * sizeof(*p->op));
    if (shrunk != NULL) p->op = shrunk;
    link_ops(p);
    find_starts(p);
    return p;
}

void program_free(struct program *p)
{
    if (p == NULL) return;
    for (uint32_t i = 0; i < p->n_ops; i++) dfa_free(p->op[i].dfa);
    free(p->op);
    shape_free(&p->shape);
    free(p);
}

bool program_takes_utf8(const struct program *p)
{
    return p->takes_utf8;
}

void program_explain(const struct program *p, struct buf *out)
{
    static const char *const names[] = {"byte", "text", "run",  "find",   "last", "rest",
                                        "dfa",  "save", "test", "choice", "jump", "match"};
    buf_printf(out, "\n  program of %u operations%s:", p->n_ops,
               p->takes_utf8 ? "" : ", for ASCII lines");
    for (uint32_t i = 0; i < p->n_ops; i++) {
        const struct op *op = &p->op[i];
        buf_printf(out, " %s", names[op->code]);
        if (op->code == OP_DFA) buf_printf(out, "(%u states)", dfa_states(op->dfa));
        if (op->text.n > 0) buf_add_json(out, op->text);
        if (!op->sure) buf_add_cstr(out, "?");
    }
    buf_add_cstr(out, "\n  (\"?\": PCRE2 decides when the rest fails after it)\n");
}
