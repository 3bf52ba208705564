/*
 * run_kernel.h - executes the operations of a program over a line; compiled once for each CPU
 * level. Private to parsers/grok. A scratch belongs to a thread.
 */
#ifndef PARSERS_GROK_RUN_KERNEL_H
#define PARSERS_GROK_RUN_KERNEL_H
#include "parsers/grok/dfa_run.h"
#include "parsers/grok/find.h"
#include "parsers/grok/ops.h"

/* Work of one search before PCRE2, with its own limit, takes over. */
#define STEPS_MAX 20000u
#define STARTS_MAX 1024u
#define STEP_BYTES 256u /* a step may look at all of a line, so long lines have fewer */

static inline uint32_t symbol_at(slice line, uint32_t at)
{
    return at < line.n ? (unsigned char)line.p[at] : SYMBOL_END;
}

static inline bool is_word(uint32_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z' && c < 128) || c == '_';
}

enum verdict { FAILS, HOLDS, UNKNOWN };

static inline enum verdict test(const struct op *op, slice line, uint32_t at)
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

/* End of a run, or DFA_FAIL. */
static inline uint32_t run(const struct op *op, slice line, uint32_t at)
{
    if (op->first == op->run) { /* the usual case */
        uint32_t end = run_end(op->run, line, at);
        if (end - at < op->min) return DFA_FAIL;
        at = end;
    } else {
        if (op->min > 0) {
            if (at >= line.n || !op->first->has[(unsigned char)line.p[at]]) return DFA_FAIL;
            at++;
            while (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80) at++;
        }
        at = run_end(op->run, line, at);
    }
    /* A lazy run has stopped at what must follow, or nothing can. */
    if (!op->sure && !symbols_has(op->set, symbol_at(line, at))) return DFA_FAIL;
    return at;
}

/* A greedy run gives bytes back until something can follow. */
static inline uint32_t run_last(const struct op *op, slice line, uint32_t at)
{
    uint32_t end = run_end(op->run, line, at), least = at + op->min;
    if (end < least) return DFA_FAIL;
    for (;; end--) {
        uint32_t next = symbol_at(line, end);
        bool inside = next >= 0x80 && next < 0xc0; /* of a character */
        if (!inside && symbols_has(op->set, next)) return end;
        if (end == least) return DFA_FAIL;
    }
}

static inline bool is_text(const struct op *op, slice line, uint32_t at)
{
    if (line.n - at < op->text.n) return false;
    if (__builtin_expect(op->text.n <= 8 && line.n - at >= 8, 1)) {
        uint64_t word;
        memcpy(&word, line.p + at, sizeof(word));
        return ((word ^ op->word) & op->mask) == 0;
    }
    return memcmp(line.p + at, op->text.p, op->text.n) == 0;
}

/* State of one attempt, apart from the operation and the place, which execute() has at hand. */
struct machine {
    const struct program *program;
    struct program_scratch *scratch;
    slice line;
    uint32_t at; /* of the last choice, or where the attempt started; the end when it has matched */
    uint32_t n_frames, n_trail;
    uint32_t steps; /* of the whole search */
    bool unsure;    /* some part could have ended elsewhere: failing proves nothing */
    bool saved;     /* some span is set */
};

/* Before a span is changed: going back to a choice restores it. False: there is no room. */
static inline bool keep_span(struct machine *m, uint32_t group)
{
    m->saved = true;
    if (m->n_frames == 0) return true;
    if (m->n_trail == TRAIL_MAX) return false;
    m->scratch->trail[m->n_trail].group = group;
    m->scratch->trail[m->n_trail++].span = m->scratch->spans[group];
    return true;
}

/* Remembers the branches of a choice that are left. */
static inline bool push(struct machine *m, const struct op *op, uint32_t at, uint32_t rest)
{
    if (m->n_frames == FRAMES_MAX) return false;
    m->scratch->frame[m->n_frames++] = (struct frame){op, at, m->n_trail, rest};
    return true;
}

/* The next branch of the last choice; NULL when there is none, or the search takes too long. */
static __attribute__((noinline)) const struct op *backtrack(struct machine *m)
{
    m->steps += 1 + (m->line.n - m->at) / STEP_BYTES;
    if (m->n_frames == 0 || m->steps > STEPS_MAX) return NULL;
    struct frame *frame = &m->scratch->frame[m->n_frames - 1];
    while (m->n_trail > frame->trail) {
        m->n_trail--;
        m->scratch->spans[m->scratch->trail[m->n_trail].group] = m->scratch->trail[m->n_trail].span;
    }
    m->at = frame->at;
    const struct op *op = frame->op->choice->branch[__builtin_ctz(frame->viable)];
    frame->viable &= frame->viable - 1;
    if (frame->viable == 0) m->n_frames--;
    return op;
}

/* What was before an unsure part need not be kept: only success counts from here. */
static inline void be_unsure(struct machine *m)
{
    m->unsure = true;
    m->n_frames = m->n_trail = 0;
}

/* What the attempt has shown when nothing is left to try. */
static inline enum program_status failed(const struct machine *m)
{
    return m->unsure || m->steps > STEPS_MAX || m->n_frames > 0 ? PROGRAM_UNDECIDED
                                                                : PROGRAM_NO_MATCH;
}

/* From the first operation on; m->at is the end when it has matched. */
static inline enum program_status execute(struct machine *m, uint32_t at)
{
    const struct op *op = m->program->op;
    const slice line = m->line;
    for (;;) {
        uint32_t end = DFA_FAIL, viable;
        /* Span operations break with their end, DFA_FAIL says that any has failed. */
        switch ((enum op_code)op->code) {
        case OP_BYTE:
            if (at >= line.n || (unsigned char)line.p[at] != op->arg) break;
            at++;
            op = op->next;
            continue;
        case OP_STRING:
            if (!is_text(op, line, at)) break;
            at += op->text.n;
            op = op->next;
            continue;
        case OP_RUN: end = run(op, line, at); break;
        case OP_FIND: end = find_text(line, at, op->text); break;
        case OP_LAST: end = run_last(op, line, at); break;
        case OP_REST: end = line.n; break;
        case OP_DFA: end = dfa_run(op->dfa, line, at); break;
        case OP_SAVE:
            if (!keep_span(m, op->arg / 2)) return PROGRAM_UNDECIDED;
            (&m->scratch->spans[0].from)[op->arg] = at;
            op = op->next;
            continue;
        case OP_TEST:
            switch (test(op, line, at)) {
            case HOLDS: op = op->next; continue;
            case UNKNOWN: return PROGRAM_UNDECIDED;
            case FAILS: break;
            }
            break;
        case OP_CHOICE:
            viable = op->choice->viable[symbol_at(line, at)];
            if (viable == 0) break;
            m->at = at;
            if ((viable & (viable - 1)) != 0 && !push(m, op, at, viable & (viable - 1)))
                return PROGRAM_UNDECIDED;
            op = op->choice->branch[__builtin_ctz(viable)];
            continue;
        case OP_JUMP:
            if (++m->steps > STEPS_MAX) return PROGRAM_UNDECIDED;
            op = op->next;
            continue;
        case OP_MATCH: m->at = at; return PROGRAM_MATCH;
        default: __builtin_unreachable(); /* saves a comparison for each operation */
        }
        if (__builtin_expect(end < DFA_UNKNOWN, 1)) {
            if (!op->sure) be_unsure(m);
            if (op->group != 0) {
                if (!keep_span(m, op->group)) return PROGRAM_UNDECIDED;
                m->scratch->spans[op->group] = (struct regex_span){at, end};
            }
            at = end;
            op = op->next;
            continue;
        }
        if (end == DFA_UNKNOWN) return PROGRAM_UNDECIDED;
        op = backtrack(m);
        if (op == NULL) return failed(m);
        at = m->at;
    }
}

static inline enum program_status attempt(struct machine *m, uint32_t start)
{
    if (m->saved) memset(m->scratch->spans, 0xff, m->program->n_slots * sizeof(uint32_t));
    m->at = start;
    m->n_frames = m->n_trail = 0;
    m->unsure = m->saved = false;
    enum program_status status = execute(m, start);
    if (status == PROGRAM_MATCH) m->scratch->spans[0] = (struct regex_span){start, m->at};
    return status;
}

/* Bits of the places from p on where the bytes around say that a match can start. */
static inline uint32_t starts_in(const struct program *p, const char *at)
{
    const uint32_t all = (uint32_t)((1ULL << VEC_BYTES) - 1);
    uint32_t not = run_stops(&p->start[0], at);
    if (not == all) return 0;
    not |= run_stops(&p->before, at - 1);
    for (uint32_t i = 1; i < START_BYTES; i++) not |= run_stops(&p->start[i], at + i);
    return not ^all;
}

/* The next place where a match can start, as far as the bytes around it tell. `at` is not 0. */
static inline uint32_t start_near(const struct program *p, slice line, uint32_t at)
{
    while (p->many_starts && line.n >= VEC_BYTES + START_BYTES && line.n - at >= START_BYTES) {
        /* The last places are asked together with some that have been asked already. */
        uint32_t last = line.n - (VEC_BYTES + START_BYTES - 1);
        uint32_t base = at < last ? at : last;
        uint32_t can = starts_in(p, line.p + base) >> (at - base);
        if (can != 0) return at + (uint32_t)__builtin_ctz(can);
        at = base + VEC_BYTES;
    }
    return run_end(&p->not_first, line, at);
}

/* Where the next attempt can succeed, or UINT32_MAX. `at` is not 0. */
static inline uint32_t next_start(const struct program *p, slice line, uint32_t at)
{
    if (p->text_begin) return UINT32_MAX;
    for (; at <= line.n; at++) {
        if (p->line_begin && line.p[at - 1] != '\n') {
            const char *feed = memchr(line.p + at, '\n', line.n - at);
            if (feed == NULL) return UINT32_MAX;
            at = (uint32_t)(feed - line.p) + 1;
        }
        if (!p->line_begin) at = start_near(p, line, at);
        /* Inside a character nothing starts. */
        if (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80) continue;
        if (symbols_has(&p->first, symbol_at(line, at))) return at;
    }
    return UINT32_MAX;
}

static enum program_status search(const struct program *program, struct program_scratch *scratch,
                                  slice line, const struct need_literal *gate,
                                  const struct regex_span **spans, uint32_t *from)
{
    struct machine m = {.program = program, .scratch = scratch, .line = line, .saved = true};
    uint32_t start = 0;
    *spans = scratch->spans;
    if (!symbols_has(&program->first, symbol_at(line, 0))) start = next_start(program, line, 1);
    bool gated = gate != NULL;
    for (uint32_t tries = 0; start != UINT32_MAX; tries++) {
        *from = start;
        if (tries == STARTS_MAX) return PROGRAM_UNDECIDED;
        enum program_status status = attempt(&m, start);
        if (status != PROGRAM_NO_MATCH) return status;
        if (gated && find_text(line, 0, slice_make(gate->bytes, gate->n)) == FIND_NONE)
            return PROGRAM_NO_MATCH;
        gated = false;
        start = next_start(program, line, start + 1);
    }
    return PROGRAM_NO_MATCH;
}

static uint32_t find(slice line, uint32_t at, slice text)
{
    return find_text(line, at, text);
}

static bool is_ascii(slice line)
{
    uint32_t i = 0;
    if (line.n >= VEC_BYTES) {
        uint64_t high = vec_mask_high(vec_load(line.p + line.n - VEC_BYTES));
        for (; line.n - i >= VEC_BYTES; i += VEC_BYTES) high |= vec_mask_high(vec_load(line.p + i));
        return high == 0;
    }
    uint32_t high = 0;
    for (; i < line.n; i++) high |= (unsigned char)line.p[i];
    return high < 0x80;
}

#endif
