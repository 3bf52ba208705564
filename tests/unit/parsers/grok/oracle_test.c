/*
 * oracle_test.c - random expressions on random lines: PCRE2 code, programs and Oniguruma agree on
 * whether, where and what every group captured. SPATE_GROK_ROUNDS and SPATE_GROK_SEED change the
 * amount and the choice.
 */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/prng.h"
#include "parsers/grok/grok.h"
#include "parsers/grok/patterns.h"
#include "parsers/grok/program.h"
#include "tests/unit/parsers/grok/dictionary.h"
#include "tests/unit/parsers/grok/oracle.h"

static struct prng rng;

static uint32_t below(uint32_t n)
{
    return (uint32_t)prng_below(&rng, n);
}

static const char *pick(const char *const *list, uint32_t n)
{
    return list[below(n)];
}

/* ---- expressions --------------------------------------------------------------------------- */

static bool wide; /* characters above ASCII too */
static uint32_t n_names;

static void add_atom(struct buf *out, int depth);
static void add_alternatives(struct buf *out, int depth);

/* PCRE2 and Oniguruma differ in what a group holds after counted rounds that matched nothing. */
static void add_quantifier(struct buf *out, bool names)
{
    static const char *const list[] = {"*",  "+",   "?",     "*?",    "+?",     "??",   "*+",  "++",
                                       "?+", "{2}", "{1,2}", "{0,2}", "{1,3}?", "{2,}", "{,2}"};
    if (below(3) == 0) buf_add_cstr(out, pick(list, names ? 9 : ARRAY_LEN(list)));
}

static void add_simple(struct buf *out)
{
    static const char *const ascii[] = {
        "a",      "b",         "c",           "-",           " ",       "1",     "\\.",
        ".",      "ab",        "bc ",         "\\d",         "\\w",     "\\s",   "\\S",
        "\\D",    "\\W",       "\\h",         "[ab]",        "[^a]",    "[^ ]",  "[a-c]",
        "[\\w-]", "[^\\d\\s]", "[[:alpha:]]", "[a-c&&[^b]]", "[[ab]1]", "\\x61", "[^a-b\\n]",
        "(?i:a)", "(?i:Bc)",   "[[:digit:].]"};
    static const char *const more[] = {"\xc3\xa4", "[\xc3\xa4 a]", "[^\xc3\xa4]", "\xe6\x9d\xb1"};
    if (wide && below(5) == 0)
        buf_add_cstr(out, pick(more, ARRAY_LEN(more)));
    else
        buf_add_cstr(out, pick(ascii, ARRAY_LEN(ascii)));
}

/* Without \\z, \\Z and \\B, where Oniguruma 6.9.8 finds (?<!b)\\z in "ab" and no \\B.+ in "a-- ".
 */
static void add_assertion(struct buf *out)
{
    static const char *const list[] = {"^",       "$",        "\\A",         "(?=a)",     "(?!b)",
                                       "(?<=a)",  "(?<!b)",   "(?<![0-9.])", "(?![0-9])", "(?=ab)",
                                       "(?<!ab)", "(?<=^|b)", "(?<!ab|c)",   "\\b\\w"};
    buf_add_cstr(out, pick(list, ARRAY_LEN(list) - (wide ? 1 : 0)));
}

static void add_group(struct buf *out, int depth)
{
    static const char *const open[] = {"(?:", "(?:", "(?>", "(?:"};
    bool named = below(3) == 0;
    if (named)
        buf_printf(out, "(?<g%u>", n_names++);
    else
        buf_add_cstr(out, pick(open, ARRAY_LEN(open)));
    add_alternatives(out, depth - 1);
    buf_add_byte(out, ')');
}

static void add_atom(struct buf *out, int depth)
{
    uint32_t names = n_names;
    if (depth > 0 && below(3) == 0) {
        add_group(out, depth);
    } else if (below(8) == 0) {
        add_assertion(out);
        return;
    } else {
        add_simple(out);
        /* A quantifier would bind to the last character of "ab" alone, as it should. */
    }
    add_quantifier(out, n_names > names);
}

static void add_alternatives(struct buf *out, int depth)
{
    uint32_t branches = below(3) == 0 ? 2 + below(2) : 1;
    for (uint32_t i = 0; i < branches; i++) {
        if (i > 0) buf_add_byte(out, '|');
        for (uint32_t n = 1 + below(4); n > 0; n--) add_atom(out, depth);
    }
}

static void add_line(struct buf *out)
{
    static const char *const ascii[] = {"a", "a", "b", "b", "c",  "ab",  " ",
                                        "-", "1", "2", ".", "\n", "abc", "B"};
    static const char *const more[] = {"\xc3\xa4", "\xe6\x9d\xb1", "\xc3\x84"};
    for (uint32_t n = below(14); n > 0; n--)
        buf_add_cstr(out, wide && below(5) == 0 ? pick(more, 3) : pick(ascii, ARRAY_LEN(ascii)));
}

/* ---- comparison ---------------------------------------------------------------------------- */

struct subject {
    slice pattern;
    struct regex *regex;
    struct regex_scratch *scratch;
    struct program *program;
    struct program_scratch *program_scratch;
    struct oracle oracle;
};

static uint64_t decided, undecided, matched;

static void differ(const struct subject *s, slice line, const char *engine, const char *what)
{
    struct buf text = {0};
    buf_add_json(&text, s->pattern);
    buf_add_cstr(&text, " on ");
    buf_add_json(&text, line);
    if (s->program != NULL) program_explain(s->program, &text);
    print_error("%s: %s differs for %s\n", engine, what, buf_cstr(&text));
    buf_fini(&text);
    fail();
}

static void compare_spans(const struct subject *s, slice line, const char *engine,
                          const struct regex_span *spans)
{
    const OnigRegion *region = s->oracle.region;
    for (uint32_t i = 0; i <= regex_groups(s->regex); i++) {
        /* Oniguruma numbers only named groups when there are names, as the parser here does. */
        bool unset = region->beg[i] < 0;
        bool same = unset ? spans[i].from == REGEX_UNSET
                          : spans[i].from == (uint32_t)region->beg[i] &&
                                spans[i].to == (uint32_t)region->end[i];
        char what[120];
        snprintf(what, sizeof(what), "group %u (%d..%d, here %d..%d)", i, region->beg[i],
                 region->end[i], (int)spans[i].from, (int)spans[i].to);
        if (!same) differ(s, line, engine, what);
    }
}

static void compare(struct subject *s, slice line)
{
    int want = oracle_search(&s->oracle, line);
    if (want < 0) return;
    matched += want == 1;
    const struct regex_span *spans;
    enum regex_status status = regex_search(s->regex, s->scratch, line, 0, &spans);
    if (status == REGEX_LIMIT) return;
    if ((status == REGEX_MATCH) != (want == 1)) differ(s, line, "PCRE2", "match");
    if (want == 1) compare_spans(s, line, "PCRE2", spans);
    bool ascii = true;
    for (uint32_t i = 0; i < line.n; i++) ascii &= (unsigned char)line.p[i] < 0x80;
    if (s->program == NULL || (!ascii && !program_takes_utf8(s->program))) return;
    uint32_t from;
    enum program_status got =
        program_run(s->program, s->program_scratch, line, NULL, &spans, &from);
    if (got == PROGRAM_UNDECIDED) {
        undecided++;
        status = regex_search(s->regex, s->scratch, line, from, &spans);
        got = status == REGEX_MATCH ? PROGRAM_MATCH : PROGRAM_NO_MATCH;
    }
    decided++;
    if ((got == PROGRAM_MATCH) != (want == 1)) differ(s, line, "program", "match");
    if (want == 1) compare_spans(s, line, "program", spans);
}

static bool nullable(const struct regex_node *node)
{
    switch (node->kind) {
    case NODE_LITERAL: return node->text.n == 0;
    case NODE_SET: return false;
    case NODE_REPEAT: return node->min == 0 || nullable(node->child);
    case NODE_GROUP:
    case NODE_ATOMIC: return nullable(node->child);
    case NODE_SEQUENCE:
        for (const struct regex_node *at = node->child; at != NULL; at = at->next)
            if (!nullable(at)) return false;
        return true;
    case NODE_ALTERNATE:
        for (const struct regex_node *at = node->child; at != NULL; at = at->next)
            if (nullable(at)) return true;
        return false;
    default: return true;
    }
}

/* Repeats of what may be empty: Oniguruma leaves the loop at the first empty round, PCRE2 only an
 * endless one, and neither is more right. */
static bool repeats_nothing(const struct regex_node *node)
{
    for (; node != NULL; node = node->next) {
        if (node->kind == NODE_REPEAT && node->max > 1 && nullable(node->child)) return true;
        if (repeats_nothing(node->child)) return true;
    }
    return false;
}

static bool subject_init(struct subject *s, slice pattern)
{
    struct grok_error error;
    struct buf why = {0};
    *s = (struct subject){.pattern = pattern};
    if (!oracle_init(&s->oracle, pattern, true)) return false;
    s->regex = regex_new(pattern, REGEX_DOT_ALL, &error);
    if (s->regex == NULL) print_error("%.*s is refused: %s\n", SLICE_FMT(pattern), error.text);
    assert_non_null(s->regex);
    if (repeats_nothing(regex_get_tree(s->regex)->root)) {
        regex_free(s->regex);
        oracle_fini(&s->oracle);
        return false;
    }
    s->scratch = regex_scratch_new();
    s->program = program_new(regex_get_tree(s->regex), &why);
    if (s->program == NULL && getenv("SPATE_GROK_WHY") != NULL)
        print_message("no program for %s: %s\n", "this", buf_cstr(&why));
    s->program_scratch = program_scratch_new();
    buf_fini(&why);
    return true;
}

static void subject_fini(struct subject *s)
{
    regex_free(s->regex);
    regex_scratch_free(s->scratch);
    program_free(s->program);
    program_scratch_free(s->program_scratch);
    oracle_fini(&s->oracle);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void random_patterns(bool above_ascii, uint64_t seed)
{
    prng_seed(&rng, number_from("SPATE_GROK_SEED", seed));
    wide = above_ascii;
    uint64_t rounds = number_from("SPATE_GROK_ROUNDS", 1500);
    uint32_t tried = 0, programs = 0;
    decided = undecided = matched = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        struct buf pattern = {0};
        n_names = 0;
        add_alternatives(&pattern, 3);
        struct subject s;
        if (subject_init(&s, buf_slice(&pattern))) {
            tried++;
            programs += s.program != NULL;
            for (int k = 0; k < 40; k++) {
                struct buf line = {0};
                add_line(&line);
                slice text = buf_slice(&line);
                compare(&s, text.n == 0 ? SLICE("") : text);
                buf_fini(&line);
            }
            subject_fini(&s);
        }
        buf_fini(&pattern);
    }
    print_message("%u of %u expressions, %u programs, %u decided (%u by PCRE2), %u matches\n",
                  tried, (unsigned)rounds, programs, (unsigned)decided, (unsigned)undecided,
                  (unsigned)matched);
    assert_true(tried > rounds / 3);
    assert_true(programs > tried / 4);
}

static void test_random_ascii(void **state)
{
    (void)state;
    random_patterns(false, 1);
}

static void test_random_utf8(void **state)
{
    (void)state;
    random_patterns(true, 2);
}

/* ---- library patterns on lines that nearly match ------------------------------------------- */

static const char *const seeds[] = {
    ("127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a.gif?x=1 HTTP/1.0\" 200 2326 "
     "\"http://www.example.com/\" \"Mozilla/4.08 (\\\"q\\\")\""),
    "2001:db8::1 a b [1/May/99:03:05:06.5 +0100] \"POST x y z\" 404 - \"-\" 'x'",
    "Mar  9 04:05:06 web-1.example sshd[42]: hi there",
    "2024-05-06T07:08:09.123Z INFO 1.2.3.4 -> 5.6.7.890 took 3.5ms",
    "host.example. ERROR fe80::1%eth0 GET /var/log/x_y-1.log -1.5 +7 .5",
};

static void test_library(void **state)
{
    (void)state;
    static const char *const list[] = {"%{COMBINEDAPACHELOG}",
                                       "%{COMMONAPACHELOG}",
                                       "%{SYSLOGBASE} %{GREEDYDATA:m}",
                                       "^%{TIMESTAMP_ISO8601:t} %{LOGLEVEL:l} %{IP:a} -> %{IP:b}",
                                       "%{IPORHOST:h}",
                                       "%{IP:i}",
                                       "%{NUMBER:n}",
                                       "%{BASE10NUM:n} %{WORD:w}",
                                       "%{DATA:a} %{WORD:b}: %{GREEDYDATA:c}",
                                       "%{QS:q}",
                                       "(?<x>%{HTTPDATE})",
                                       "%{UNIXPATH:p}",
                                       "%{HOSTNAME:h} %{LOGLEVEL:l}",
                                       "^%{NOTSPACE:a}\\s+%{GREEDYDATA:b} - %{DATA:c}$",
                                       "%{GREEDYDATA:a} %{INT:b}",
                                       "%{DATA:a} - %{DATA:b} \\[%{DATA:c}\\]",
                                       "%{WORD:a}=%{DATA:b};",
                                       "%{POSINT:p}",
                                       "(?:%{DATA:k}: )?%{GREEDYDATA:v}",
                                       "^(?:%{IP:ip}|%{HOSTNAME:name}) %{WORD:w}?",
                                       "%{MONTH:m} +%{MONTHDAY:d} (?:%{YEAR:y} )?%{TIME:t}"};
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_add_text(dict, slice_from_cstr(test_dictionary));
    prng_seed(&rng, 3);
    decided = undecided = matched = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(list); i++) {
        struct buf pattern = {0};
        struct grok_error error;
        assert_int_equal(grok_expand(dict, slice_from_cstr(list[i]), true, &pattern, &error), 0);
        struct subject s;
        assert_true(subject_init(&s, buf_slice(&pattern)));
        if (s.program == NULL) print_message("no program for %s\n", list[i]);
        for (int k = 0; k < 400; k++) {
            char line[400];
            slice seed = slice_from_cstr(pick(seeds, ARRAY_LEN(seeds)));
            memcpy(line, seed.p, seed.n);
            for (uint32_t cuts = k < 20 ? 0 : below(4); cuts > 0; cuts--)
                line[below(seed.n)] = " .:-[]\"'0a9/%\\\n+"[below(16)];
            uint32_t start = below(6) == 0 ? below(seed.n) : 0;
            uint32_t n = below(6) == 0 ? below(seed.n - start) : seed.n - start;
            compare(&s, slice_make(line + start, n));
        }
        subject_fini(&s);
        buf_fini(&pattern);
    }
    print_message("%u decided (%u by PCRE2), %u matches\n", (unsigned)decided, (unsigned)undecided,
                  (unsigned)matched);
    grok_dict_free(dict);
}

static bool lookup(void *library, slice name, slice *pattern)
{
    const char *text = grok_pattern_find(*(enum grok_library *)library, name);
    *pattern = slice_from_cstr(text);
    return text != NULL;
}

/* ---- what shortcuts recognize, and parts longer than a relaxed table knows ------------------- */

static void add_number(struct buf *out, uint32_t low, uint32_t high, int width)
{
    uint32_t n = low + below(high - low + 1);
    if (below(12) == 0) n = below(2) ? high + 1 : low == 0 ? 0 : low - 1;
    if (below(25) == 0) width = width == 2 ? 1 : 2;
    buf_printf(out, "%0*u", width, n);
}

static void add_quad(struct buf *out)
{
    for (int i = 0; i < 4; i++) {
        if (i > 0) buf_add_byte(out, below(40) == 0 ? ':' : '.');
        add_number(out, 0, below(2) ? 255 : 99, below(15) == 0 ? 3 : 1);
    }
}

static void add_clock(struct buf *out)
{
    for (int i = 0; i < 3; i++) {
        if (i > 0) buf_add_byte(out, below(40) == 0 ? '.' : ':');
        add_number(out, 0, i == 0 ? 23 : 59, 2);
    }
}

static void add_stamp(struct buf *out)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
                                         "Aug", "Sep", "Oct", "Nov", "Dec", "Juk", "oct"};
    static const char *const zones[] = {"Z", "+0200", "-07:00", ",5", ".123Z", ".123456Z", "", ""};
    uint32_t kind = below(3);
    if (kind == 0) {
        add_number(out, 1, 31, 2);
        buf_printf(out, "/%s/%u:", pick(months, ARRAY_LEN(months)), 1990 + below(60));
        add_clock(out);
        buf_printf(out, " %s", below(9) ? "+0200" : pick(zones, ARRAY_LEN(zones)));
        return;
    }
    if (kind == 1) {
        buf_printf(out, "%s ", pick(months, ARRAY_LEN(months)));
        if (below(2))
            buf_printf(out, " %u ", below(11));
        else
            add_number(out, 1, 31, 2), buf_add_byte(out, ' ');
        add_clock(out);
        return;
    }
    buf_printf(out, "%u-", below(20) ? 2024 : below(999));
    add_number(out, 1, 12, 2);
    buf_add_byte(out, '-');
    add_number(out, 1, 31, 2);
    buf_add_byte(out, " T"[below(2)]);
    add_clock(out);
    buf_add_cstr(out, pick(zones, ARRAY_LEN(zones)));
}

static void add_name(struct buf *out)
{
    static const char bytes[] = "abcdefxyzABZ0123456789_-";
    for (uint32_t parts = 1 + below(3); parts > 0; parts--) {
        for (uint32_t n = 1 + below(below(3) ? 12 : 70); n > 0; n--)
            buf_add_byte(out, bytes[below(sizeof(bytes) - 1)]);
        if (parts > 1) buf_add_byte(out, "..@@:- "[below(7)]);
    }
}

static void add_quoted(struct buf *out)
{
    buf_add_byte(out, '"');
    for (uint32_t n = below(30); n > 0; n--)
        buf_add_byte(out, "abc de\"\\\n/"[below(20) ? below(6) : below(10)]);
    buf_add_byte(out, '"');
}

static void add_item(struct buf *out)
{
    switch (below(6)) {
    case 0: add_quad(out); break;
    case 1: add_stamp(out); break;
    case 2: add_name(out); break;
    case 3: add_quoted(out); break;
    case 4: buf_printf(out, "%s%u", below(4) ? "" : "-", below(100000)); break;
    default: buf_printf(out, "%u.%u", below(1000), below(1000));
    }
}

/* Two fields of a line, one of which a pattern looks for behind what may come before it. */
static void test_shortcuts(void **state)
{
    (void)state;
    static const char *const list[] = {
        "HTTPDUSER", "IPORHOST",          "IP",     "HTTPDATE",     "USER", "SYSLOGTIMESTAMP",
        "NUMBER",    "TIMESTAMP_ISO8601", "QS",     "EMAILADDRESS", "INT",  "HOSTNAME",
        "WORD",      "URIHOST",           "POSINT", "SYSLOGBASE"};
    static const char *const forms[][2] = {{"%{", ":x}"},
                                           {"^%{", ":x}"},
                                           {"^%{", ":x} "},
                                           {"%{", ":x} (?<y>.)"},
                                           {"^(?:-|%{", ":x}) (?<y>.*)$"},
                                           {"\\[%{", ":x}\\]"}};
    static const char *const between[] = {" ", " ", " ", "", "[", "] ", ":", "\n", ","};
    decided = undecided = matched = 0;
    prng_seed(&rng, number_from("SPATE_GROK_SEED", 6));
    for (uint32_t i = 0; i < 2 * ARRAY_LEN(list) * ARRAY_LEN(forms); i++) {
        enum grok_library library = i % 2 ? GROK_ECS_V1 : GROK_LEGACY;
        struct grok_dict *dict = grok_dict_new(NULL);
        struct buf pattern = {0};
        struct grok_error error;
        struct subject s;
        char text[120];
        grok_dict_lookup(dict, lookup, &library);
        const char *const *form = forms[i / 2 % ARRAY_LEN(forms)];
        snprintf(text, sizeof(text), "%s%s%s", form[0], list[i / 2 / ARRAY_LEN(forms)], form[1]);
        assert_int_equal(grok_expand(dict, slice_from_cstr(text), true, &pattern, &error), ERR_OK);
        bool ok = subject_init(&s, buf_slice(&pattern));
        assert_true(ok);
        assert_non_null(s.program);
        for (uint64_t k = number_from("SPATE_GROK_LINES", 120); k > 0; k--) {
            struct buf line = {0};
            if (below(3) == 0) buf_add_cstr(&line, pick(between, ARRAY_LEN(between)));
            for (uint32_t n = 1 + below(2); n > 0; n--) {
                add_item(&line);
                buf_add_cstr(&line, pick(between, ARRAY_LEN(between)));
            }
            if (below(2)) buf_add_cstr(&line, "the end of a line that is long enough");
            compare(&s, buf_slice(&line));
            buf_fini(&line);
        }
        subject_fini(&s);
        buf_fini(&pattern);
        grok_dict_free(dict);
    }
    print_message("%u decided (%u by PCRE2), %u matches\n", (unsigned)decided, (unsigned)undecided,
                  (unsigned)matched);
    assert_true(undecided < decided / 5);
}

/* Every pattern that comes with spate, over lines that nearly match. */
static void whole_library(enum grok_library library, const struct grok_pattern *list, uint32_t n)
{
    struct grok_dict *dict = grok_dict_new(NULL);
    grok_dict_lookup(dict, lookup, &library);
    prng_seed(&rng, 4);
    uint32_t programs = 0, skipped = 0;
    decided = undecided = matched = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct buf pattern = {0};
        struct grok_error error;
        char reference[120];
        snprintf(reference, sizeof(reference), "%%{%s:x}", list[i].name);
        err e = grok_expand(dict, slice_from_cstr(reference), true, &pattern, &error);
        assert_int_equal(e, ERR_OK);
        struct regex *compiled = regex_new(buf_slice(&pattern), REGEX_DOT_ALL, &error);
        if (compiled == NULL) print_error("%s: %s\n", list[i].name, error.text);
        assert_non_null(compiled);
        regex_free(compiled);
        struct subject s;
        if (subject_init(&s, buf_slice(&pattern))) {
            programs += s.program != NULL;
            for (int k = 0; k < 40; k++) {
                char line[400];
                slice seed = slice_from_cstr(pick(seeds, ARRAY_LEN(seeds)));
                memcpy(line, seed.p, seed.n);
                for (uint32_t cuts = below(3); cuts > 0; cuts--)
                    line[below(seed.n)] = " .:-[]\"'0a9/%\\\n+"[below(16)];
                uint32_t start = below(2) == 0 ? below(seed.n) : 0;
                compare(&s, slice_make(line + start, seed.n - start));
            }
            subject_fini(&s);
        } else {
            skipped++; /* a name or class that Oniguruma refuses and Joni does not */
        }
        buf_fini(&pattern);
    }
    print_message("%u of %u have programs; %u decided (%u by PCRE2), %u matches\n", programs, n,
                  (unsigned)decided, (unsigned)undecided, (unsigned)matched);
    assert_true(programs > n / 2);
    assert_true(skipped < n / 20);
    grok_dict_free(dict);
}

static void test_legacy(void **state)
{
    (void)state;
    whole_library(GROK_LEGACY, grok_patterns_legacy, grok_patterns_legacy_n);
}

static void test_ecs_v1(void **state)
{
    (void)state;
    whole_library(GROK_ECS_V1, grok_patterns_ecs_v1, grok_patterns_ecs_v1_n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_ascii), cmocka_unit_test(test_random_utf8),
        cmocka_unit_test(test_library),      cmocka_unit_test(test_legacy),
        cmocka_unit_test(test_ecs_v1),       cmocka_unit_test(test_shortcuts),
    };
    /* Each level has its own code. */
    int failed = 0;
    for (enum cpu_level level = CPU_SSE42; level <= cpu_init() && level <= CPU_AVX2; level++) {
        grok_init(level);
        failed += T_RUN(tests);
    }
    return failed;
}
