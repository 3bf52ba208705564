/* code.c - PCRE2 with JIT behind regex.h. */
#include "parsers/grok/code.h"

#include <pthread.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/utf8.h"
#include "parsers/grok/program.h"

#define JIT_STACK_BYTES_MIN (32u * 1024)
#define JIT_STACK_BYTES_MAX (4u * 1024 * 1024)
/* Memory of the interpreter, where JIT cannot run, in KiB. */
#define HEAP_KB_MAX 16384u
/*
 * The match limit counts backtracks of one attempt, not attempts that each read a long run to its
 * end. So a longer subject is searched some starts at a time, as many as may read STRIDE_BYTES,
 * and given up when that has taken too much processor time.
 */
#define SUBJECT_LONG_BYTES 1024u
#define STRIDE_BYTES (1024u * 1024)
#define STRIDE_STARTS_MIN 16u
#define STRIDE_STARTS_MAX 256u
#define SEARCH_NS_MAX (20 * NS_PER_MS) /* of up to SEARCH_BYTES, with the usual match limit */
#define SEARCH_BYTES 65536u
/*
 * One attempt may have to go back over all of the subject, a few steps for each byte: that is no
 * catastrophe, so subjects above LIMIT_BYTES get as much more as they are longer.
 */
#define LIMIT_BYTES 4096u
#define LIMIT_MAX 10000000u

struct regex {
    struct regex_tree *tree;
    uint32_t match_limit;
    bool at_search_begin;           /* has \G: no search may be split */
    pcre2_code *code[ENCODINGS];    /* published by code_ready */
    unsigned char ready[ENCODINGS]; /* 0: not yet; 1: usable; 2: PCRE2 refused it */
};

struct regex_scratch {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    uint32_t match_limit;
    struct regex_span spans[REGEX_GROUPS_MAX + 1];
};

/* Rule zero: a mutex below rung 9, because it is taken only when code is built, once per regex
 * and encoding in the life of the process. */
static pthread_mutex_t lazy_mutex = PTHREAD_MUTEX_INITIALIZER;

void lazy_lock(void)
{
    pthread_mutex_lock(&lazy_mutex);
}

void lazy_unlock(void)
{
    pthread_mutex_unlock(&lazy_mutex);
}

enum encoding encoding_of(slice subject)
{
    if (line_is_ascii(subject)) return ENCODING_ASCII;
    return utf8_valid(subject) ? ENCODING_UTF8 : ENCODING_INVALID;
}

/* Offsets of PCRE2 errors belong to the translated text, so only its message is passed on. */
static pcre2_code *compile(const struct regex_tree *tree, enum encoding encoding,
                           struct grok_error *error)
{
    struct buf text = {0};
    regex_translate(tree, encoding != ENCODING_ASCII, &text);
    /* Two optimizations of PCRE2 10.42 are wrong, as the tests against Oniguruma show: auto-possess
     * before (?:-){0,1}+, and start optimization both in the JIT ("early fail": it finds no
     * ([^ ]c|b)[^ ]*[a-c]{2,} in "abcb-") and in the study (no (?=ab)-?a in "ab"). Selection, gates
     * and programs do what they were good for. */
    uint32_t options = PCRE2_MULTILINE | PCRE2_DOTALL | PCRE2_NO_AUTO_POSSESS |
                       PCRE2_NO_START_OPTIMIZE | PCRE2_USE_OFFSET_LIMIT;
    if (encoding != ENCODING_ASCII) options |= PCRE2_UTF;
    if (encoding == ENCODING_INVALID) options |= PCRE2_MATCH_INVALID_UTF;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    ASSERT(context != NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(context, PCRE2_BSR_UNICODE);
    int code_error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(text.n == 0 ? "" : text.data), text.n, options,
                                     &code_error, &at, context);
    pcre2_compile_context_free(context);
    buf_fini(&text);
    if (code == NULL && error != NULL) {
        error->at = 0;
        pcre2_get_error_message(code_error, (PCRE2_UCHAR *)error->text, sizeof(error->text));
    }
    return code;
}

struct regex *regex_new(slice pattern, uint32_t flags, struct grok_error *error)
{
    struct regex_tree *tree = regex_parse(pattern, flags, error);
    if (tree == NULL) return NULL;
    pcre2_code *code = compile(tree, ENCODING_ASCII, error);
    if (code == NULL) return regex_tree_free(tree), NULL;
    struct regex *regex = calloc(1, sizeof(*regex));
    ASSERT(regex != NULL);
    regex->tree = tree;
    regex->match_limit = REGEX_MATCH_LIMIT;
    regex->at_search_begin = slice_find(pattern, SLICE("\\G")) >= 0;
    regex->code[ENCODING_ASCII] = code;
    return regex;
}

void regex_free(struct regex *regex)
{
    if (regex == NULL) return;
    for (uint32_t i = 0; i < ENCODINGS; i++) pcre2_code_free(regex->code[i]);
    regex_tree_free(regex->tree);
    free(regex);
}

uint32_t regex_groups(const struct regex *regex)
{
    return regex->tree->n_groups;
}

bool regex_has_names(const struct regex *regex)
{
    return regex->tree->has_names;
}

uint32_t regex_group_by_name(const struct regex *regex, slice name)
{
    for (uint32_t i = regex->tree->n_groups; i >= 1; i--)
        if (slice_equal(regex->tree->groups[i].name, name)) return i;
    return 0;
}

const struct regex_tree *regex_get_tree(const struct regex *regex)
{
    return regex->tree;
}

void regex_set_match_limit(struct regex *regex, uint32_t match_limit)
{
    regex->match_limit = match_limit;
}

struct regex_scratch *regex_scratch_new(void)
{
    struct regex_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(scratch != NULL);
    scratch->data = pcre2_match_data_create(REGEX_GROUPS_MAX + 1, NULL);
    scratch->context = pcre2_match_context_create(NULL);
    scratch->stack = pcre2_jit_stack_create(JIT_STACK_BYTES_MIN, JIT_STACK_BYTES_MAX, NULL);
    ASSERT(scratch->data != NULL);
    ASSERT(scratch->context != NULL);
    if (scratch->stack != NULL) pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
    pcre2_set_heap_limit(scratch->context, HEAP_KB_MAX);
    return scratch;
}

void regex_scratch_free(struct regex_scratch *scratch)
{
    if (scratch == NULL) return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    free(scratch);
}

/* Rule zero: atomics outside the listed files. The release store of `ready` publishes the code
 * to the acquire load in code_get; both are off the path once JIT has run. */
static __attribute__((noinline, cold)) void code_build(struct regex *regex, enum encoding encoding)
{
    lazy_lock();
    if (regex->ready[encoding] == 0) {
        pcre2_code *code = regex->code[encoding];
        if (code == NULL) code = compile(regex->tree, encoding, NULL);
        /* A failure only means that the interpreter runs, which is slower and as right. */
        if (code != NULL) pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
        regex->code[encoding] = code;
        __atomic_store_n(&regex->ready[encoding], code == NULL ? 2 : 1, __ATOMIC_RELEASE);
    }
    lazy_unlock();
}

static const pcre2_code *code_get(const struct regex *regex, enum encoding encoding)
{
    if (__atomic_load_n(&regex->ready[encoding], __ATOMIC_ACQUIRE) == 0)
        code_build((struct regex *)(uintptr_t)regex, encoding);
    return regex->ready[encoding] == 1 ? regex->code[encoding] : NULL;
}

static void copy_spans(struct regex_scratch *scratch, int filled, uint32_t groups)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(scratch->data);
    for (uint32_t i = 0; i <= groups; i++) {
        bool set = (int)i < filled && at[2 * i] != PCRE2_UNSET;
        scratch->spans[i].from = set ? (uint32_t)at[2 * i] : REGEX_UNSET;
        scratch->spans[i].to = set ? (uint32_t)at[2 * i + 1] : REGEX_UNSET;
    }
}

static int search(const pcre2_code *code, struct regex_scratch *scratch, slice subject,
                  uint32_t from, enum encoding encoding)
{
    uint32_t options = encoding == ENCODING_INVALID ? 0 : PCRE2_NO_UTF_CHECK;
    return pcre2_match(code, (PCRE2_SPTR)subject.p, subject.n, from, options, scratch->data,
                       scratch->context);
}

/* Processor time that one search may take. */
static int64_t search_ns_max(const struct regex *regex, slice subject)
{
    double share = (double)regex->match_limit / REGEX_MATCH_LIMIT;
    if (subject.n > SEARCH_BYTES) share *= (double)subject.n / SEARCH_BYTES;
    return (int64_t)(share * (double)SEARCH_NS_MAX);
}

static uint32_t limit_for(const struct regex *regex, slice subject)
{
    uint64_t limit = (uint64_t)regex->match_limit * subject.n / LIMIT_BYTES;
    if (limit > LIMIT_MAX) limit = LIMIT_MAX;
    return limit < regex->match_limit ? regex->match_limit : (uint32_t)limit;
}

/* The starts from..last one by one, each with the limit of the subject's length; `ends` is the
 * processor time at which it is given up. */
static int search_each(const struct regex *regex, const pcre2_code *code,
                       struct regex_scratch *scratch, slice subject, uint32_t from, uint32_t last,
                       enum encoding encoding, int64_t ends)
{
    uint32_t limit = limit_for(regex, subject);
    if (limit == regex->match_limit) return PCRE2_ERROR_MATCHLIMIT;
    pcre2_set_match_limit(scratch->context, limit);
    int rc = PCRE2_ERROR_NOMATCH;
    for (uint32_t at = from; at <= last && rc == PCRE2_ERROR_NOMATCH; at++) {
        if (at < subject.n && ((unsigned char)subject.p[at] & 0xc0) == 0x80) continue;
        pcre2_set_offset_limit(scratch->context, at);
        rc = search(code, scratch, subject, at, encoding);
        if (rc == PCRE2_ERROR_NOMATCH && clock_thread_cpu_ns() > ends) rc = PCRE2_ERROR_MATCHLIMIT;
    }
    pcre2_set_match_limit(scratch->context, regex->match_limit);
    return rc;
}

/* Like search, in strides. */
static int search_long(const struct regex *regex, const pcre2_code *code,
                       struct regex_scratch *scratch, slice subject, uint32_t from,
                       enum encoding encoding)
{
    uint32_t starts = STRIDE_BYTES / subject.n;
    if (starts < STRIDE_STARTS_MIN) starts = STRIDE_STARTS_MIN;
    if (starts > STRIDE_STARTS_MAX) starts = STRIDE_STARTS_MAX;
    int64_t begin = clock_thread_cpu_ns(), most = search_ns_max(regex, subject);
    for (;;) {
        uint32_t last = subject.n - from <= starts ? subject.n : from + starts;
        /* Not within a character. */
        while (last < subject.n && ((unsigned char)subject.p[last] & 0xc0) == 0x80) last++;
        pcre2_set_offset_limit(scratch->context, last);
        int rc = search(code, scratch, subject, from, encoding);
        if (rc == PCRE2_ERROR_MATCHLIMIT)
            rc = search_each(regex, code, scratch, subject, from, last, encoding, begin + most);
        if (rc == PCRE2_ERROR_NOMATCH && last < subject.n && clock_thread_cpu_ns() - begin > most)
            rc = PCRE2_ERROR_MATCHLIMIT;
        if (rc != PCRE2_ERROR_NOMATCH || last == subject.n) {
            pcre2_set_offset_limit(scratch->context, PCRE2_UNSET);
            return rc;
        }
        from = last;
    }
}

enum regex_status regex_run(const struct regex *regex, struct regex_scratch *scratch, slice subject,
                            uint32_t from, enum encoding encoding, const struct regex_span **spans)
{
    const pcre2_code *code = code_get(regex, encoding);
    if (code == NULL || from > subject.n) return code == NULL ? REGEX_LIMIT : REGEX_NO_MATCH;
    if (scratch->match_limit != regex->match_limit) {
        scratch->match_limit = regex->match_limit;
        pcre2_set_match_limit(scratch->context, regex->match_limit);
    }
    if (subject.p == NULL) subject = SLICE("");
    bool strides = subject.n > SUBJECT_LONG_BYTES && !regex->at_search_begin;
    int rc = strides ? search_long(regex, code, scratch, subject, from, encoding)
                     : search(code, scratch, subject, from, encoding);
    if (rc == PCRE2_ERROR_NOMATCH) return REGEX_NO_MATCH;
    if (rc < 0) return REGEX_LIMIT;
    if (spans == NULL) return REGEX_MATCH;
    copy_spans(scratch, rc, regex->tree->n_groups);
    *spans = scratch->spans;
    return REGEX_MATCH;
}

enum regex_status regex_search(const struct regex *regex, struct regex_scratch *scratch,
                               slice subject, uint32_t from, const struct regex_span **spans)
{
    return regex_run(regex, scratch, subject, from, encoding_of(subject), spans);
}
