/* run.c - executes the operations of a program over a line. */
#include "parsers/grok/ops.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/grok/find.h"

#define FRAMES_MAX 256u
#define TRAIL_MAX 1024u
/* Work of one search before PCRE2, with its own limit, takes over. */
#define STEPS_MAX 20000u
#define STARTS_MAX 1024u
#define STEP_BYTES 256u /* a step may look at all of a line, so long lines have fewer */

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
static inline uint32_t run(const struct op *op, slice line, uint32_t at)
{
    if (op->first == op->run) { /* the usual case */
        uint32_t end = run_end(op->run, line, at);
        if (end - at < op->min) return UINT32_MAX;
        at = end;
    } else {
        if (op->min > 0) {
            if (at >= line.n || !op->first->has[(unsigned char)line.p[at]]) return UINT32_MAX;
            at++;
            while (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80) at++;
        }
        at = run_end(op->run, line, at);
    }
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

/* State of one attempt. */
struct machine {
    const struct program *program;
    struct program_scratch *scratch;
    slice line;
    uint32_t at, pc; /* of the choice that is gone back to */
    uint32_t n_frames, n_trail;
    uint32_t steps; /* of the whole search */
    bool unsure;    /* some part could have ended elsewhere: failing proves nothing */
    bool saved;     /* some slot is set */
};

static bool save_trail(struct machine *m, uint32_t slot)
{
    const uint32_t *slots = &m->scratch->spans[0].from;
    if (m->n_trail == TRAIL_MAX) return false;
    m->scratch->trail[m->n_trail].slot = slot;
    m->scratch->trail[m->n_trail++].value = slots[slot];
    return true;
}

static inline bool save(struct machine *m, uint32_t slot, uint32_t at)
{
    if (m->n_frames > 0 && !save_trail(m, slot)) return false;
    (&m->scratch->spans[0].from)[slot] = at;
    m->saved = true;
    return true;
}

static inline bool save_group(struct machine *m, uint32_t group, uint32_t at, uint32_t end)
{
    if (m->n_frames > 0 && (!save_trail(m, 2 * group) || !save_trail(m, 2 * group + 1)))
        return false;
    m->scratch->spans[group] = (struct regex_span){at, end};
    m->saved = true;
    return true;
}

/* The first viable branch of the choice at m->pc, the rest remembered; NULL: they are too many. */
static inline const struct op *choose(struct machine *m, uint32_t viable)
{
    const struct op *ops = m->program->op;
    uint32_t rest = viable & (viable - 1);
    if (rest != 0) {
        if (m->n_frames == FRAMES_MAX) return NULL;
        m->scratch->frame[m->n_frames++] = (struct frame){m->pc, m->at, rest, m->n_trail};
    }
    return &ops[ops[m->pc].choice->target[__builtin_ctz(viable)]];
}

/* Back to the last choice; NULL when there is none, or the search takes too long. */
static const struct op *backtrack(struct machine *m)
{
    m->steps += 1 + (m->line.n - m->at) / STEP_BYTES;
    if (m->n_frames == 0 || m->steps > STEPS_MAX) return NULL;
    struct frame frame = m->scratch->frame[--m->n_frames];
    uint32_t *slots = &m->scratch->spans[0].from;
    while (m->n_trail > frame.trail) {
        m->n_trail--;
        slots[m->scratch->trail[m->n_trail].slot] = m->scratch->trail[m->n_trail].value;
    }
    m->at = frame.at;
    m->pc = frame.op;
    return choose(m, frame.viable);
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

/* End of a part that takes bytes, UINT32_MAX when it fails, or DFA_UNKNOWN. */
static inline uint32_t span_end(const struct op *op, slice line, uint32_t at)
{
    switch ((enum op_code)op->code) {
    case OP_RUN: return run(op, line, at);
    case OP_FIND: return find_text(line, at, op->text);
    case OP_LAST: return run_last(op, line, at);
    case OP_REST: return line.n;
    default: return dfa_run(op->dfa, line, at);
    }
}

/* The operations that take no bytes. Returns the next one; NULL: failed, *lost: cannot go on. */
static inline const struct op *control(struct machine *m, const struct op *op, uint32_t at,
                                       bool *lost)
{
    const struct op *ops = m->program->op;
    uint32_t viable;
    enum verdict verdict;
    switch ((enum op_code)op->code) {
    case OP_SAVE: *lost = !save(m, op->arg, at); return op + 1;
    case OP_JUMP:
        *lost = op->target <= (uint32_t)(op - ops) && ++m->steps > STEPS_MAX;
        return &ops[op->target];
    case OP_TEST:
        verdict = test(op, m->line, at);
        *lost = verdict == UNKNOWN;
        return verdict == FAILS ? NULL : op + 1;
    default:
        viable = op->choice->viable[symbol_at(m->line, at)];
        if (viable == 0) return NULL;
        m->at = at;
        m->pc = (uint32_t)(op - ops);
        op = choose(m, viable);
        *lost = op == NULL;
        return op;
    }
}

/* From the first operation on; m->at is the end when it has matched. */
static enum program_status execute(struct machine *m, uint32_t at)
{
    const struct op *op = m->program->op, *next;
    const slice line = m->line;
    bool lost = false;
    for (;;) {
        if (op->code == OP_BYTE) {
            next = at < line.n && (unsigned char)line.p[at] == op->arg ? op + 1 : NULL;
            at++;
        } else if (op->code == OP_STRING) {
            next = is_text(op, line, at) ? op + 1 : NULL;
            at += op->text.n;
        } else if (op->code <= OP_DFA) {
            uint32_t end = span_end(op, line, at);
            next = end < DFA_UNKNOWN ? op + 1 : NULL;
            if (next != NULL) {
                if (!op->sure) be_unsure(m);
                if (op->group != 0 && !save_group(m, op->group, at, end)) return PROGRAM_UNDECIDED;
            } else if (end == DFA_UNKNOWN) {
                return PROGRAM_UNDECIDED;
            }
            at = end;
        } else if (op->code == OP_MATCH) {
            m->at = at;
            return PROGRAM_MATCH;
        } else {
            next = control(m, op, at, &lost);
            if (lost) return PROGRAM_UNDECIDED;
        }
        if (__builtin_expect(next == NULL, 0)) {
            next = backtrack(m);
            if (next == NULL) return failed(m);
            at = m->at;
        }
        op = next;
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

/* Where the next attempt can succeed, or UINT32_MAX. `at` is not 0. */
static uint32_t next_start(const struct program *p, slice line, uint32_t at)
{
    if (p->text_begin) return UINT32_MAX;
    for (; at <= line.n; at++) {
        if (p->line_begin && line.p[at - 1] != '\n') {
            const char *feed = memchr(line.p + at, '\n', line.n - at);
            if (feed == NULL) return UINT32_MAX;
            at = (uint32_t)(feed - line.p) + 1;
        }
        if (!p->line_begin) at = run_end(&p->not_first, line, at);
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
