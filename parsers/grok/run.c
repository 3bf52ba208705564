/* run.c - executes the operations of a program over a line. */
#define _GNU_SOURCE
#include "parsers/grok/ops.h"

#include <stdlib.h>

#include "engine/base/assert.h"

#define FRAMES_MAX 256u
#define TRAIL_MAX 1024u
/* Work of one search before PCRE2, with its own limit, takes over. */
#define STEPS_MAX 20000u
#define STARTS_MAX 1024u

struct frame {
    uint32_t op; /* of the choice */
    uint32_t at;
    uint32_t viable; /* branches left */
    uint32_t trail;
};

struct program_scratch {
    struct regex_span spans[REGEX_GROUPS_MAX + 1];
    struct frame frame[FRAMES_MAX];
    struct {
        uint32_t slot, value;
    } trail[TRAIL_MAX];
};

_Static_assert(sizeof(struct regex_span) == 2 * sizeof(uint32_t), "spans are pairs of slots");

struct program_scratch *program_scratch_new(void)
{
    struct program_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(scratch != NULL);
    return scratch;
}

void program_scratch_free(struct program_scratch *scratch)
{
    free(scratch);
}

static inline uint32_t symbol_at(slice line, uint32_t at)
{
    return at < line.n ? (unsigned char)line.p[at] : SYMBOL_END;
}

static inline bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 128) || c == '_';
}

enum verdict { FAILS, HOLDS, UNKNOWN };

static enum verdict test(const struct op *op, slice line, uint32_t at)
{
    uint32_t previous = at == 0 ? SYMBOL_END : (unsigned char)line.p[at - 1];
    uint32_t next = symbol_at(line, at);
    switch ((enum shape_kind)op->test) {
    case SHAPE_NEXT: return symbols_has(op->set, next) ? HOLDS : FAILS;
    case SHAPE_PREVIOUS: return symbols_has(op->set, previous) ? HOLDS : FAILS;
    case SHAPE_LINE_BEGIN:
        return previous == SYMBOL_END || (previous == '\n' && next != SYMBOL_END) ? HOLDS : FAILS;
    default: break;
    }
    bool high =
        (previous >= 0x80 && previous != SYMBOL_END) || (next >= 0x80 && next != SYMBOL_END);
    if (high) return UNKNOWN;
    return (is_word(previous) != is_word(next)) == (op->test == SHAPE_WORD) ? HOLDS : FAILS;
}

/* End of a run, or UINT32_MAX. */
static uint32_t run(const struct op *op, slice line, uint32_t at)
{
    if (op->min > 0) {
        if (at >= line.n || !op->first->has[(unsigned char)line.p[at]]) return UINT32_MAX;
        at++;
        while (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80) at++;
    }
    at = run_end(op->run, line, at);
    /* A lazy run has stopped at what must follow, or nothing can. */
    if (!op->sure && !symbols_has(op->set, symbol_at(line, at))) return UINT32_MAX;
    return at;
}

/* A greedy run gives bytes back until something can follow. */
static uint32_t run_last(const struct op *op, slice line, uint32_t at)
{
    uint32_t end = run_end(op->run, line, at), least = at + op->min;
    if (end < least) return UINT32_MAX;
    for (;; end--) {
        uint32_t next = symbol_at(line, end);
        bool inside = next >= 0x80 && next < 0xc0; /* of a character */
        if (!inside && symbols_has(op->set, next)) return end;
        if (end == least) return UINT32_MAX;
    }
}

static uint32_t find(const struct op *op, slice line, uint32_t at)
{
    const char *hit = memmem(line.p + at, line.n - at, op->text.p, op->text.n);
    return hit == NULL ? UINT32_MAX : (uint32_t)(hit - line.p);
}

/* State of one attempt. */
struct machine {
    const struct program *program;
    struct program_scratch *scratch;
    slice line;
    uint32_t at, pc;
    uint32_t n_frames, n_trail;
    uint32_t steps;
    bool unsure; /* some part could have ended elsewhere: failing proves nothing */
};

static inline bool save(struct machine *m, uint32_t slot, uint32_t at)
{
    uint32_t *slots = &m->scratch->spans[0].from;
    if (m->n_frames > 0) {
        if (m->n_trail == TRAIL_MAX) return false;
        m->scratch->trail[m->n_trail].slot = slot;
        m->scratch->trail[m->n_trail++].value = slots[slot];
    }
    slots[slot] = at;
    return true;
}

/* Takes the first viable branch and remembers the rest. 1: go on, 0: none is viable, -1: full. */
static int choose(struct machine *m, uint32_t viable)
{
    if (viable == 0) return 0;
    const struct choice *choice = m->program->op[m->pc].choice;
    uint32_t rest = viable & (viable - 1);
    if (rest != 0) {
        if (m->n_frames == FRAMES_MAX) return -1;
        m->scratch->frame[m->n_frames++] = (struct frame){m->pc, m->at, rest, m->n_trail};
    }
    m->pc = choice->target[__builtin_ctz(viable)];
    return 1;
}

/* Back to the last choice; false when there is none. */
static bool backtrack(struct machine *m)
{
    if (m->n_frames == 0) return false;
    struct frame frame = m->scratch->frame[--m->n_frames];
    uint32_t *slots = &m->scratch->spans[0].from;
    while (m->n_trail > frame.trail) {
        m->n_trail--;
        slots[m->scratch->trail[m->n_trail].slot] = m->scratch->trail[m->n_trail].value;
    }
    m->at = frame.at;
    m->pc = frame.op;
    return choose(m, frame.viable) == 1;
}

/* What was before an unsure part need not be kept: only success counts from here. */
static inline void be_unsure(struct machine *m)
{
    m->unsure = true;
    m->n_frames = m->n_trail = 0;
}

/* Not found, with whatever is left to try. */
static inline bool resume(struct machine *m, enum program_status *status)
{
    bool left = m->n_frames > 0;
    *status = m->unsure ? PROGRAM_UNDECIDED : PROGRAM_NO_MATCH;
    return left && backtrack(m);
}

/* The operations that take no bytes. Returns whether to go on; *ok says if it held. */
static inline bool control(struct machine *m, const struct op *op, bool *ok,
                           enum program_status *status)
{
    *ok = true;
    *status = PROGRAM_UNDECIDED;
    switch ((enum op_code)op->code) {
    case OP_MATCH: *status = PROGRAM_MATCH; return false;
    case OP_SAVE: m->pc++; return save(m, op->arg, m->at);
    case OP_JUMP: m->pc = op->target; return true;
    case OP_TEST: {
        enum verdict verdict = test(op, m->line, m->at);
        *ok = verdict == HOLDS;
        m->pc++;
        return verdict != UNKNOWN;
    }
    default: {
        int chosen = choose(m, op->choice->viable[symbol_at(m->line, m->at)]);
        *ok = chosen > 0;
        return chosen >= 0;
    }
    }
}

/* From m->pc on. */
static enum program_status execute(struct machine *m)
{
    const struct op *ops = m->program->op;
    const slice line = m->line;
    enum program_status status;
    for (;;) {
        const struct op *op = &ops[m->pc];
        uint32_t at = m->at, end = UINT32_MAX;
        bool ok;
        if (__builtin_expect(++m->steps > STEPS_MAX, 0)) return PROGRAM_UNDECIDED;
        switch ((enum op_code)op->code) {
        case OP_BYTE:
            if (at < line.n && (unsigned char)line.p[at] == op->arg) end = at + 1;
            break;
        case OP_STRING:
            if (line.n - at >= op->text.n && memcmp(line.p + at, op->text.p, op->text.n) == 0)
                end = at + op->text.n;
            break;
        case OP_RUN: end = run(op, line, at); break;
        case OP_FIND: end = find(op, line, at); break;
        case OP_LAST: end = run_last(op, line, at); break;
        case OP_REST: end = line.n; break;
        case OP_DFA:
            end = dfa_run(op->dfa, line, at);
            if (end == DFA_UNKNOWN) return PROGRAM_UNDECIDED;
            break;
        default:
            if (!control(m, op, &ok, &status)) return status;
            if (!ok && !resume(m, &status)) return status;
            continue;
        }
        if (end == UINT32_MAX) {
            if (!resume(m, &status)) return status;
            continue;
        }
        if (!op->sure) be_unsure(m);
        if (op->group != 0 && (!save(m, 2u * op->group, at) || !save(m, 2u * op->group + 1, end)))
            return PROGRAM_UNDECIDED;
        m->at = end;
        m->pc++;
    }
}

static inline enum program_status attempt(struct machine *m, uint32_t start)
{
    memset(m->scratch->spans, 0xff, m->program->n_slots * sizeof(uint32_t));
    m->at = start;
    m->pc = 0;
    m->n_frames = m->n_trail = 0;
    m->unsure = false;
    enum program_status status = execute(m);
    if (status == PROGRAM_MATCH) m->scratch->spans[0] = (struct regex_span){start, m->at};
    return status;
}

/* Where the next attempt can succeed, or UINT32_MAX. */
static uint32_t next_start(const struct program *p, slice line, uint32_t at)
{
    if (p->text_begin) return UINT32_MAX;
    for (; at <= line.n; at++) {
        if (p->line_begin && line.p[at - 1] != '\n') {
            const char *feed = memchr(line.p + at, '\n', line.n - at);
            if (feed == NULL) return UINT32_MAX;
            at = (uint32_t)(feed - line.p) + 1;
        }
        /* Inside a character nothing starts. */
        if (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80) continue;
        if (symbols_has(&p->first, symbol_at(line, at))) return at;
    }
    return UINT32_MAX;
}

enum program_status program_run(const struct program *program, struct program_scratch *scratch,
                                slice line, const struct need_literal *gate,
                                const struct regex_span **spans, uint32_t *from)
{
    struct machine m = {.program = program, .scratch = scratch, .line = line};
    uint32_t start = 0;
    *spans = scratch->spans;
    if (!symbols_has(&program->first, symbol_at(line, 0))) start = next_start(program, line, 1);
    bool gated = gate != NULL;
    for (uint32_t tries = 0; start != UINT32_MAX; tries++) {
        *from = start;
        if (tries == STARTS_MAX) return PROGRAM_UNDECIDED;
        enum program_status status = attempt(&m, start);
        if (status != PROGRAM_NO_MATCH) return status;
        if (gated && slice_find(line, slice_make(gate->bytes, gate->n)) < 0)
            return PROGRAM_NO_MATCH;
        gated = false;
        start = next_start(program, line, start + 1);
    }
    return PROGRAM_NO_MATCH;
}
