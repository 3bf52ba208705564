/*
 * syslog_3164_test.c - the hand-written parser against a regex of the same language.
 *
 * The regex below is put together from the facts the parser was written from and run by
 * Oniguruma, the engine Ruby's descends from, over shaped, mutated and random lines.
 */
#include "parsers/wire/syslog.h"

#include <oniguruma.h>
#include <stdlib.h>

#include "engine/base/prng.h"
#include "tests/unit/t.h"

#define V4_OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define V4_IN_V6 V4_OCTET "(?:\\." V4_OCTET "){3}"
#define H16 "[0-9A-Fa-f]{1,4}"
#define V6                                                                                         \
    "(?:(?:(?:" H16 ":){7}(?:" H16 "|:))"                                                          \
    "|(?:(?:" H16 ":){6}(?::" H16 "|" V4_IN_V6 "|:))"                                              \
    "|(?:(?:" H16 ":){5}(?:(?::" H16 "){1,2}|:" V4_IN_V6 "|:))"                                    \
    "|(?:(?:" H16 ":){4}(?:(?::" H16 "){1,3}|(?::" H16 ")?:" V4_IN_V6 "|:))"                       \
    "|(?:(?:" H16 ":){3}(?:(?::" H16 "){1,4}|(?::" H16 "){0,2}:" V4_IN_V6 "|:))"                   \
    "|(?:(?:" H16 ":){2}(?:(?::" H16 "){1,5}|(?::" H16 "){0,3}:" V4_IN_V6 "|:))"                   \
    "|(?:(?:" H16 ":){1}(?:(?::" H16 "){1,6}|(?::" H16 "){0,4}:" V4_IN_V6 "|:))"                   \
    "|(?::(?:(?::" H16 "){1,7}|(?::" H16 "){0,5}:" V4_IN_V6 "|:)))(?:%.+)?"
#define OCTET "(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])"
#define V4 "(?<![0-9])" OCTET "\\." OCTET "\\." OCTET "\\." OCTET "(?![0-9])"
#define LABEL "[0-9A-Za-z][0-9A-Za-z-]{0,62}"
#define HOST "(?:" V6 "|" V4 "|\\b" LABEL "(?:\\." LABEL ")*(?:\\.?|\\b))"
#define DAY "(?:0[1-9]|[12][0-9]|3[01]|[1-9])"
#define HOUR "(?:2[0-3]|[01]?[0-9])"
#define MINUTE "[0-5][0-9]"
#define SECOND "(?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)"
#define MONTH                                                                                      \
    "\\b(?:[Jj]an(?:uary|uar)?|[Ff]eb(?:ruary|ruar)?|[Mm](?:a|\xc3\xa4)?r(?:ch|z)?"                \
    "|[Aa]pr(?:il)?|[Mm]a(?:y|i)?|[Jj]un(?:e|i)?|[Jj]ul(?:y|i)?|[Aa]ug(?:ust)?"                    \
    "|[Ss]ep(?:tember)?|[Oo](?:c|k)?t(?:ober)?|[Nn]ov(?:ember)?|[Dd]e(?:c|z)(?:ember)?)\\b"
#define BSD_TIME "(?<bsd>" MONTH " +" DAY " " HOUR ":" MINUTE ":" SECOND "(?![0-9]))"
#define ISO_TIME                                                                                   \
    "(?<iso>(?>[0-9][0-9]){1,2}-(?:0?[1-9]|1[0-2])-" DAY "[T ]" HOUR ":?" MINUTE "(?::?" SECOND    \
    ")?(?:Z|[+-]" HOUR ":?" MINUTE ")?)"
#define FACILITY "<(?<fac>\\b[0-9]+\\b).(?<facpri>\\b[0-9]+\\b)>"
#define PROGRAM "(?<prog>[\\x21-\\x5a\\x5c\\x5e-\\x7e]+)(?:\\[(?<pid>\\b[1-9][0-9]*\\b)\\])?"
#define START "<(?<pri>\\b[1-9][0-9]*\\b)>(?:" BSD_TIME "|" ISO_TIME ")"
#define LEGACY START " (?:" FACILITY " )?(?<host>" HOST ")+(?: " PROGRAM ":|) (?<message>.*)"
#define ECS START "(?: " FACILITY ")?(?: (?<host>" HOST "))?(?: " PROGRAM ":)? (?<message>.*)"

static regex_t *regexes[2];
static OnigRegion *region;

static regex_t *compile(const char *pattern)
{
    regex_t *regex = NULL;
    OnigErrorInfo info;
    const OnigUChar *p = (const OnigUChar *)pattern;
    int r = onig_new(&regex, p, p + strlen(pattern), ONIG_OPTION_MULTILINE, ONIG_ENCODING_UTF8,
                     ONIG_SYNTAX_RUBY, &info);
    if (r != ONIG_NORMAL) {
        OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN];
        onig_error_code_to_str(text, r, &info);
        fail_msg("regex: %s", (const char *)text);
    }
    return regex;
}

static int setup(void **state)
{
    (void)state;
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    regexes[SYSLOG_LEGACY] = compile(LEGACY);
    regexes[SYSLOG_ECS] = compile(ECS);
    region = onig_region_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    onig_region_free(region, 1);
    onig_free(regexes[0]);
    onig_free(regexes[1]);
    onig_end();
    return 0;
}

static slice group(slice text, regex_t *regex, const char *name)
{
    const OnigUChar *p = (const OnigUChar *)name;
    int *numbers;
    int n = onig_name_to_group_numbers(regex, p, p + strlen(name), &numbers);
    assert_int_equal(n, 1);
    int from = region->beg[numbers[0]];
    if (from < 0) return SLICE_NONE;
    return slice_make(text.p + from, (size_t)(region->end[numbers[0]] - from));
}

static void field_same(const char *name, slice text, slice got, slice want)
{
    if (got.p == want.p && got.n == want.n) return;
    fail_msg("%s: got \"%.*s\" want \"%.*s\" in \"%.*s\"", name, SLICE_FMT(got), SLICE_FMT(want),
             SLICE_FMT(text));
}

static bool compare(slice text, enum syslog_dialect dialect)
{
    regex_t *regex = regexes[dialect];
    const OnigUChar *p = (const OnigUChar *)text.p;
    int at = onig_search(regex, p, p + text.n, p, p + text.n, region, ONIG_OPTION_NONE);
    struct syslog_fields f;
    bool ok = syslog_3164_parse(text, dialect, &f);
    if (ok != (at >= 0))
        fail_msg("dialect %d: %s, the regex %s: \"%.*s\"", (int)dialect, ok ? "parsed" : "refused",
                 at >= 0 ? "matches" : "does not", SLICE_FMT(text));
    if (!ok) return false;
    slice iso = group(text, regex, "iso");
    slice bsd = group(text, regex, "bsd");
    field_same("priority", text, f.priority_text, group(text, regex, "pri"));
    field_same("timestamp", text, f.timestamp, iso.p != NULL ? iso : bsd);
    field_same("timestamp8601", text, f.timestamp8601, iso);
    assert_int_equal(f.iso8601, iso.p != NULL);
    field_same("facility", text, f.facility, group(text, regex, "fac"));
    field_same("facility priority", text, f.facility_priority, group(text, regex, "facpri"));
    field_same("logsource", text, f.logsource, group(text, regex, "host"));
    field_same("program", text, f.program, group(text, regex, "prog"));
    field_same("pid", text, f.pid, group(text, regex, "pid"));
    field_same("message", text, f.message, group(text, regex, "message"));
    return true;
}

/* Compared from a heap copy of the exact size, so that the sanitizer sees overreads. */
static bool both(slice text)
{
    char *copy = malloc(text.n + (text.n == 0));
    assert_non_null(copy);
    if (text.n > 0) memcpy(copy, text.p, text.n);
    slice exact = slice_make(copy, text.n);
    bool legacy = compare(exact, SYSLOG_LEGACY);
    bool ecs = compare(exact, SYSLOG_ECS);
    free(copy);
    return legacy || ecs;
}

static void known_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *logsource, *program, *pid, *message;
    } cases[] = {
        {"<34>Mar  5 06:07:08 gw1 su[77]: bad su", "gw1", "su", "77", "bad su"},
        {"<191>Mar 15 06:07:08 gw1 app[1]: debug\n", "gw1", "app", "1", "debug\n"},
        {"<22>Mar 15 06:07:08 gw1 postfix/smtpd[12]: connect\n", "gw1", "postfix/smtpd", "12",
         "connect\n"},
        {"<13>Mar 15 06:07:08 10.0.0.9 app: x\n", "10.0.0.9", "app", NULL, "x\n"},
        {"<34>Mar  5 06:07:08 gw1 a: x\n<34>Mar  5 06:07:09 gw1 b: y\n", "gw1", "a", NULL,
         "x\n<34>Mar  5 06:07:09 gw1 b: y\n"},
        {"<13>2024-03-05T06:07:08.003Z gw1 app: iso", "gw1", "app", NULL, "iso"},
        {"<13>Mar 15 06:07:08 fe80::1%eth0 app: zone swallows all",
         "fe80::1%eth0 app: zone swallows", NULL, NULL, "all"},
        {"<13>Mar 15 06:07:08 gw1 no program here", "gw1", NULL, NULL, "no program here"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        slice line = slice_from_cstr(cases[i].line);
        struct syslog_fields f;
        assert_true(syslog_3164_parse(line, SYSLOG_LEGACY, &f));
        assert_slice_equal(f.logsource, slice_from_cstr(cases[i].logsource));
        assert_slice_equal(f.program, slice_from_cstr(cases[i].program));
        assert_slice_equal(f.pid, slice_from_cstr(cases[i].pid));
        assert_slice_equal(f.message, slice_from_cstr(cases[i].message));
        both(line);
    }
}

static void refused_lines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "<0>Mar 15 06:07:08 gw1 kernel: panic\n",
        "Mar 15 06:07:08 gw1 app: x\n",
        "\n",
        "",
        "hello world\n",
        "<165>1 2024-03-05T06:07:08.003Z gw1 app 77 ID47 - hello\n",
        "<13>Mar 15 2024 06:07:08 gw1 app: x",
        "<13>Mar 15 06:07:08",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct syslog_fields f;
        assert_false(syslog_3164_parse(slice_from_cstr(lines[i]), SYSLOG_LEGACY, &f));
        assert_false(syslog_3164_parse(slice_from_cstr(lines[i]), SYSLOG_ECS, &f));
        both(slice_from_cstr(lines[i]));
    }
    struct syslog_fields f;
    slice no_host = SLICE("<13>Mar 15 06:07:08 app: x");
    assert_false(syslog_3164_parse(no_host, SYSLOG_LEGACY, &f));
    assert_true(syslog_3164_parse(no_host, SYSLOG_ECS, &f));
    assert_slice_equal(f.program, SLICE("app"));
    assert_true(syslog_3164_parse(SLICE("<999>Mar 15 06:07:08 gw1 app: x"), SYSLOG_LEGACY, &f));
    assert_int_equal(f.priority, 999);
    assert_true(syslog_3164_parse(SLICE("<99999999999>Mar 15 06:07:08 h m"), SYSLOG_LEGACY, &f));
    assert_int_equal(f.priority, UINT32_MAX);
}

/* ---- generated lines ---- */

static const char *pick(struct prng *r, const char *const *from, size_t n)
{
    return from[prng_below(r, (uint32_t)n)];
}
#define PICK(r, list) pick((r), (list), sizeof(list) / sizeof((list)[0]))

static const char *const times[] = {
    "Mar 15 06:07:08",
    "Mar  5 06:07:08",
    "Mar 05 6:07:08",
    "Jan 1 23:59:60",
    "Oktober 31 0:00:00",
    "M\xc3\xa4rz 3 24:00:00",
    "m\xc3\xa4r   9 12:13:14.567",
    "Ot 12 11:12:1",
    "dezember 10 10:10:10,5",
    "Mar 0 01:02:03",
    "Mar 32 01:02:03",
    "Mai 3 01:02:03:44",
    "Mars 3 01:02:03",
    "Dec 30 23:59:59",
    "2024-03-05T06:07:08.003Z",
    "2024-03-05 06:07:08",
    "24-3-5T0607",
    "24-3-5T607Z",
    "2024-12-31T23:59:59+01:00",
    "2024-12-31T23:59:59-0100",
    "2024-12-31T1:2345.5+123",
    "202-12-31T01:02:03",
    "2024-13-01T01:02:03",
    "2024-1-1T11223",
    "2024-1-1T1122:33,4Z",
    "2024-1-1 112",
    "20240-1-1T11:22",
    "2024-01-09T2:34:56+1:00",
    "MAR 1 01:02:03",
};
static const char *const hosts[] = {
    "gw1",
    "10.0.0.9",
    "10.0.0.256",
    "host.example.com",
    "host.example.com.",
    "a..b",
    "-a",
    "a-",
    "a_b",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:10.0.0.1",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "1::2::3",
    "abcd:",
    "cafe",
    "1.2.3.4.5",
    "1.2.3.4-x",
    "1.2.3.4:5",
    "::1.2.3.4.5",
    "1:2:3:4:5:6:7:8abc",
    "1:2:3:4:5:6:7:8-x.y",
    "a.1:2",
    "x1::2",
    "::",
    ":",
    "%",
    "::%",
    "::1%",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:1.2.3.256",
    "12345::",
    "0::0:0.0.0.0%a b",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbb",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbb-.c.-d",
    "h\xc3\xb6st",
    "<3.4>",
    "<3.4> gw",
    "<34> gw",
    "<3>4> gw",
    "<3_4> g",
    "",
    " ",
};
static const char *const programs[] = {
    " su[77]:",
    " su:",
    " su[07]:",
    " su[7]",
    " su",
    ":",
    " :",
    " ::",
    " a:b:",
    " [1]:",
    " x[]:",
    " x[12]]:",
    " x[12]:y",
    " CRON[1]: ",
    " \xc3\xa4:",
    " a\x7f:",
    " <1.2>:",
    " a:  b:",
    "",
    " postfix/smtpd[12345678901234567890]:",
    " very-long-program-name-indeed-it-is:",
};
static const char *const messages[] = {
    " hello",
    " ",
    "",
    " x\ny\n",
    " a: b",
    "  two",
    "\n",
    " <13>Mar 15 06:07:08 gw1 in: side",
    " gr\xc3\xbc\xc3\x9f \xe2\x98\x83",
    " a longer message of the kind one sees all day long",
};
static const char *const starts[] = {
    "<13>",
    "<0>",
    "<013>",
    "<191>",
    "<>",
    "<1",
    "13>",
    "",
    "x<13>",
    "<<13>",
    "<13>>",
    "<13><14>",
    "<13>Mar 15 <14>",
    "\xe2\x98\x83<7>",
};

static uint32_t shaped_line(struct prng *r, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s%s%s%s%s%s", prng_below(r, 4) ? "<13>" : PICK(r, starts),
                     prng_below(r, 3) ? times[prng_below(r, 2)] : PICK(r, times),
                     prng_below(r, 8) ? " " : "", prng_below(r, 3) ? PICK(r, hosts) : "gw1",
                     PICK(r, programs), PICK(r, messages));
    return (uint32_t)n;
}

static void mutate(struct prng *r, char *line, uint32_t *n)
{
    static const char bytes[] = "<>[]:.-%  \n19afzG_:::..\"/";
    for (uint32_t k = prng_below(r, 4); k > 0 && *n > 0; k--) {
        uint32_t i = prng_below(r, *n);
        char c = bytes[prng_below(r, sizeof(bytes) - 1)];
        /* Oniguruma wants valid UTF-8: never touch a multi-byte character. */
        if (line[i] < 0) continue;
        switch (prng_below(r, 3)) {
        case 0: line[i] = c; break;
        case 1:
            memmove(line + i + 1, line + i, *n - i);
            line[i] = c;
            (*n)++;
            break;
        default: memmove(line + i, line + i + 1, *n - i - 1); (*n)--;
        }
    }
}

static void generated_lines_agree(void **state)
{
    (void)state;
    struct prng r;
    prng_seed(&r, 20240315);
    uint32_t matched = 0;
    for (int i = 0; i < 60000; i++) {
        char line[1024];
        uint32_t n = shaped_line(&r, line, sizeof(line) - 16);
        if (i % 2) mutate(&r, line, &n);
        if (i % 5 == 0) n = prng_below(&r, n + 1);
        while (n > 0 && i % 5 == 0 && n < sizeof(line) && (line[n] & 0xc0) == 0x80) n--;
        matched += both(slice_make(line, n));
    }
    assert_in_range(matched, 15000, 59000);
}

static void random_hosts_agree(void **state)
{
    (void)state;
    static const char *const atoms[] = {
        ":", "::",      "1",   "12", "123", "255", "256",   ".",  "-",  "a",  "ffff", "fffff",
        "g", "1.2.3.4", "10:", "%",  "%e ", " ",   "beef:", ":7", "x1", "1x", "0",    "00"};
    struct prng r;
    prng_seed(&r, 7);
    uint32_t matched = 0;
    for (int i = 0; i < 60000; i++) {
        char line[256] = "<13>Mar 15 06:07:08 ";
        size_t n = strlen(line);
        for (uint32_t k = 1 + prng_below(&r, 14); k > 0; k--) {
            const char *atom = PICK(&r, atoms);
            memcpy(line + n, atom, strlen(atom));
            n += strlen(atom);
        }
        n += (size_t)snprintf(line + n, sizeof(line) - n, " m: x");
        matched += both(slice_make(line, n));
    }
    assert_in_range(matched, 5000, 60000);
}

/* A host glued from more bytes than the bound is refused; a plain name of any length is not. */
static void long_hosts(void **state)
{
    (void)state;
    static char line[SYSLOG_HOST_MAX * 3];
    size_t n = (size_t)snprintf(line, sizeof(line), "<13>Mar 15 06:07:08 ");
    while (n < SYSLOG_HOST_MAX * 2) line[n] = n % 9 ? 'a' : '.', n++;
    memcpy(line + n, " p: m", 5);
    struct syslog_fields f;
    assert_true(syslog_3164_parse(slice_make(line, n + 5), SYSLOG_LEGACY, &f));
    assert_slice_equal(f.program, SLICE("p"));
    n = 20;
    while (n < SYSLOG_HOST_MAX * 2) line[n++] = ':';
    memcpy(line + n, " p: m", 5);
    assert_false(syslog_3164_parse(slice_make(line, n + 5), SYSLOG_LEGACY, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_lines),
        cmocka_unit_test(refused_lines),
        cmocka_unit_test(generated_lines_agree),
        cmocka_unit_test(random_hosts_agree),
        cmocka_unit_test(long_hosts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
