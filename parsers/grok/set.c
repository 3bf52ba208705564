/* set.c - a match list: patterns in order, selection, extraction. */
#include "parsers/grok/grok.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/grok/code.h"
#include "parsers/grok/literal.h"
#include "parsers/grok/program.h"
#include "parsers/grok/select.h"

/* A program costs milliseconds to build, so a pattern earns it. */
#define PROGRAM_AFTER_LINES 32u

enum program_state { PROGRAM_NOT_BUILT, PROGRAM_BUILT, PROGRAM_REFUSED };

struct pattern {
    struct regex *regex;
    struct grok_capture *captures;
    uint32_t *groups; /* of captures[i] */
    uint32_t n_captures;
    struct need_literal gate; /* n == 0: none */
    struct program *program;
    unsigned char state; /* enum program_state, published after program */
};

struct grok_set {
    struct pattern *pattern;
    struct selector *selector;
    struct grok_options options;
    uint32_t n, captures_max;
};

struct grok_scratch {
    struct regex_scratch *regex;
    struct program_scratch *program;
    struct selector_scratch *selector;
    uint64_t *candidates;
    uint32_t *tries; /* per pattern, until its program is wanted */
    slice *values;
    bool first_won;  /* the last line matched pattern 0 */
    bool gate_first; /* the last line did not match */
};

static void *new_array(size_t n, size_t bytes)
{
    void *at = calloc(n == 0 ? 1 : n, bytes);
    ASSERT(at != NULL);
    return at;
}

/* ---- captures ------------------------------------------------------------------------------ */

/* Part `index` of a name split at ':'; p == NULL when there are fewer. */
static slice name_part(slice name, uint32_t index)
{
    for (; index > 0; index--) {
        int64_t colon = slice_find_byte(name, ':');
        if (colon < 0) return SLICE_NONE;
        name = slice_from(name, (uint32_t)colon + 1);
    }
    int64_t colon = slice_find_byte(name, ':');
    return colon < 0 ? name : slice_part(name, 0, (uint32_t)colon);
}

static enum grok_coerce coercion(slice type)
{
    if (slice_equal(type, SLICE("int"))) return GROK_INT;
    return slice_equal(type, SLICE("float")) ? GROK_FLOAT : GROK_STRING;
}

/* Logstash yields by group name in order of first appearance, then by index, and forgets the
 * coercion after the first group of a name. */
static void list_captures(struct pattern *pattern)
{
    const struct regex_tree *tree = regex_get_tree(pattern->regex);
    pattern->captures = new_array(tree->n_groups, sizeof(*pattern->captures));
    pattern->groups = new_array(tree->n_groups, sizeof(*pattern->groups));
    for (uint32_t i = 1; i <= tree->n_groups; i++) {
        slice name = tree->groups[i].name;
        if (name.n == 0) continue;
        bool seen = false;
        for (uint32_t k = 1; k < i && !seen; k++) seen = slice_equal(tree->groups[k].name, name);
        for (uint32_t k = i; k <= tree->n_groups && !seen; k++) {
            if (!slice_equal(tree->groups[k].name, name)) continue;
            slice field = name_part(name, 1);
            struct grok_capture *capture = &pattern->captures[pattern->n_captures];
            pattern->groups[pattern->n_captures++] = k;
            capture->field = field.p == NULL ? name_part(name, 0) : field;
            capture->coerce = k == i ? coercion(name_part(name, 2)) : GROK_STRING;
        }
    }
}

/* ---- making -------------------------------------------------------------------------------- */

static bool pattern_init(struct pattern *pattern, slice text, const struct grok_dict *dict,
                         const struct grok_options *options, struct grok_error *error)
{
    struct buf expanded = {0};
    bool ok = grok_expand(dict, text, !options->capture_all, &expanded, error) == ERR_OK;
    if (ok) {
        slice whole = buf_slice(&expanded);
        pattern->regex = regex_new(whole.p == NULL ? SLICE("") : whole, REGEX_DOT_ALL, error);
        ok = pattern->regex != NULL;
    }
    buf_fini(&expanded);
    if (!ok) return false;
    if (options->match_limit > 0) regex_set_match_limit(pattern->regex, options->match_limit);
    list_captures(pattern);
    struct need *need = new_array(1, sizeof(*need));
    literal_need(regex_get_tree(pattern->regex), need);
    if (need->n == 1 && !need->literal[0].no_case) pattern->gate = need->literal[0];
    free(need);
    return true;
}

static struct selector *make_selector(const struct grok_set *set)
{
    struct regex **list = new_array(set->n, sizeof(*list));
    for (uint32_t i = 0; i < set->n; i++) list[i] = set->pattern[i].regex;
    struct selector *selector = select_new(list, set->n, set->options.cache_dir);
    free(list);
    return selector;
}

struct grok_set *grok_set_new(const slice *patterns, uint32_t n, const struct grok_dict *dict,
                              const struct grok_options *options, struct grok_error *error)
{
    *error = (struct grok_error){0};
    if (n > GROK_PATTERNS_MAX) {
        slice_cstr(SLICE("too many patterns in one match list"), error->text, sizeof(error->text));
        return NULL;
    }
    struct grok_set *set = new_array(1, sizeof(*set));
    set->pattern = new_array(n, sizeof(*set->pattern));
    if (options != NULL) set->options = *options;
    if (set->options.program_after == 0) set->options.program_after = PROGRAM_AFTER_LINES;
    set->n = n;
    for (uint32_t i = 0; i < n; i++) {
        error->pattern = i;
        if (!pattern_init(&set->pattern[i], patterns[i], dict, &set->options, error)) {
            grok_set_free(set);
            return NULL;
        }
        if (set->pattern[i].n_captures > set->captures_max)
            set->captures_max = set->pattern[i].n_captures;
    }
    set->selector = make_selector(set);
    set->options.cache_dir = NULL; /* borrowed until here only */
    return set;
}

void grok_set_free(struct grok_set *set)
{
    if (set == NULL) return;
    for (uint32_t i = 0; i < set->n; i++) {
        regex_free(set->pattern[i].regex);
        program_free(set->pattern[i].program);
        free(set->pattern[i].captures);
        free(set->pattern[i].groups);
    }
    select_free(set->selector);
    free(set->pattern);
    free(set);
}

uint32_t grok_set_size(const struct grok_set *set)
{
    return set->n;
}

const struct grok_capture *grok_set_captures(const struct grok_set *set, uint32_t pattern,
                                             uint32_t *n)
{
    ASSERT(pattern < set->n);
    *n = set->pattern[pattern].n_captures;
    return set->pattern[pattern].captures;
}

struct grok_scratch *grok_scratch_new(const struct grok_set *set)
{
    struct grok_scratch *scratch = new_array(1, sizeof(*scratch));
    scratch->regex = regex_scratch_new();
    scratch->program = program_scratch_new();
    scratch->selector = select_scratch_new(set->selector);
    scratch->candidates = new_array((set->n + 63) / 64, sizeof(uint64_t));
    scratch->tries = new_array(set->n, sizeof(uint32_t));
    scratch->values = new_array(set->captures_max, sizeof(slice));
    return scratch;
}

void grok_scratch_free(struct grok_scratch *scratch)
{
    if (scratch == NULL) return;
    regex_scratch_free(scratch->regex);
    program_scratch_free(scratch->program);
    select_scratch_free(scratch->selector);
    free(scratch->candidates);
    free(scratch->tries);
    free(scratch->values);
    free(scratch);
}

/* ---- matching ------------------------------------------------------------------------------ */

/* Rule zero: an atomic outside the listed files. The release store here pairs with the acquire
 * load in program_of; several shards may want the program at once, one builds it. */
static __attribute__((noinline, cold)) void build_program(struct pattern *pattern, struct buf *why)
{
    lazy_lock();
    if (pattern->state == PROGRAM_NOT_BUILT) {
        pattern->program = program_new(regex_get_tree(pattern->regex), why);
        unsigned char state = pattern->program == NULL ? PROGRAM_REFUSED : PROGRAM_BUILT;
        __atomic_store_n(&pattern->state, state, __ATOMIC_RELEASE);
    }
    lazy_unlock();
}

static const struct program *program_of(const struct grok_set *set, struct grok_scratch *scratch,
                                        uint32_t index)
{
    const struct pattern *pattern = &set->pattern[index];
    unsigned char state = __atomic_load_n(&pattern->state, __ATOMIC_ACQUIRE);
    if (__builtin_expect(state == PROGRAM_BUILT, 1)) return pattern->program;
    if (state == PROGRAM_REFUSED || set->options.no_program) return NULL;
    if (++scratch->tries[index] < set->options.program_after) return NULL;
    struct buf why = {0};
    build_program(&set->pattern[index], &why);
    buf_fini(&why);
    return pattern->program;
}

static enum regex_status try_pattern(const struct grok_set *set, struct grok_scratch *scratch,
                                     uint32_t index, slice line, enum encoding encoding,
                                     const struct regex_span **spans)
{
    const struct pattern *pattern = &set->pattern[index];
    const struct program *program = program_of(set, scratch, index);
    const struct need_literal *gate = set->n == 1 && pattern->gate.n > 0 ? &pattern->gate : NULL;
    uint32_t from = 0;
    bool runs = program != NULL && (encoding == ENCODING_ASCII ||
                                    (encoding == ENCODING_UTF8 && program_takes_utf8(program)));
    /* Lines of another kind come in series, so after one the literal is looked for at once. */
    if (gate != NULL && (scratch->gate_first || !runs)) {
        if (!program_gate_open(gate, line)) return REGEX_NO_MATCH;
        gate = NULL;
    }
    if (runs) {
        enum program_status status =
            program_run(program, scratch->program, line, gate, spans, &from);
        scratch->gate_first = status == PROGRAM_NO_MATCH;
        if (status == PROGRAM_MATCH) return REGEX_MATCH;
        if (status == PROGRAM_NO_MATCH) return REGEX_NO_MATCH;
    }
    if (gate != NULL && !program_gate_open(gate, line)) return REGEX_NO_MATCH;
    return regex_run(pattern->regex, scratch->regex, line, from, encoding, spans);
}

static void fill(const struct grok_set *set, struct grok_scratch *scratch, uint32_t index,
                 slice line, const struct regex_span *spans, struct grok_result *result)
{
    const struct pattern *pattern = &set->pattern[index];
    const uint32_t *group = pattern->groups;
    slice *value = scratch->values, *end = value + pattern->n_captures;
    for (; value < end; value++, group++) {
        struct regex_span span = spans[*group];
        /* A group that took no part has the same in `to`, so the length is 0. */
        value->p = span.from != REGEX_UNSET ? line.p + span.from : NULL;
        value->n = span.to - span.from;
    }
    result->winner = index;
    result->n = pattern->n_captures;
    result->values = scratch->values;
    result->whole = slice_make(line.p + spans[0].from, spans[0].to - spans[0].from);
    scratch->first_won = index == 0;
}

/* One candidate; true ends the search. */
static bool attempt(const struct grok_set *set, struct grok_scratch *scratch, uint32_t index,
                    slice line, enum encoding encoding, struct grok_result *result)
{
    const struct regex_span *spans;
    enum regex_status status = try_pattern(set, scratch, index, line, encoding, &spans);
    if (status == REGEX_LIMIT) result->limited++;
    if (status != REGEX_MATCH) return false;
    fill(set, scratch, index, line, spans, result);
    return true;
}

static enum grok_status nothing(struct grok_scratch *scratch, const struct grok_result *result)
{
    scratch->first_won = false;
    return result->limited > 0 ? GROK_LIMIT : GROK_NO_MATCH;
}

enum grok_status grok_match(const struct grok_set *set, struct grok_scratch *scratch, slice line,
                            uint32_t first, struct grok_result *result)
{
    if (line.p == NULL) line = SLICE("");
    enum encoding encoding = encoding_of(line);
    result->n = 0;
    result->limited = 0;
    bool select = set->n > 1 && !set->options.no_selection;
    /* The scan is saved while the first pattern keeps winning. */
    if (select && first == 0 && scratch->first_won) {
        if (attempt(set, scratch, 0, line, encoding, result)) return GROK_MATCH;
        first = 1;
    }
    if (!select) {
        for (uint32_t i = first; i < set->n; i++)
            if (attempt(set, scratch, i, line, encoding, result)) return GROK_MATCH;
        return nothing(scratch, result);
    }
    select_run(set->selector, scratch->selector, line, encoding, scratch->candidates);
    for (uint32_t word = first / 64; word < (set->n + 63) / 64; word++) {
        uint64_t bits = scratch->candidates[word];
        if (word == first / 64) bits &= ~0ULL << (first % 64);
        for (; bits != 0; bits &= bits - 1) {
            uint32_t index = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (attempt(set, scratch, index, line, encoding, result)) return GROK_MATCH;
        }
    }
    return nothing(scratch, result);
}

void grok_set_explain(const struct grok_set *set, struct buf *out)
{
    for (uint32_t i = 0; i < set->n; i++) {
        struct pattern *pattern = &set->pattern[i];
        struct buf why = {0};
        buf_printf(out, "pattern %u: %u captures; ", i, pattern->n_captures);
        select_explain(set->selector, i, out);
        if (!set->options.no_program) build_program(pattern, &why);
        /* Refused earlier: ask again for the reason. */
        if (pattern->state == PROGRAM_REFUSED && why.n == 0)
            program_free(program_new(regex_get_tree(pattern->regex), &why));
        if (pattern->program != NULL)
            program_explain(pattern->program, out);
        else
            buf_printf(out, "\n  PCRE2 only: %.*s\n", (int)why.n, why.n == 0 ? "" : why.data);
        buf_fini(&why);
    }
}
