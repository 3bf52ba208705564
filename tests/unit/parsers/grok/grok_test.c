/* grok_test.c - dictionaries, expansion, captures, errors, selection. */
#include "tests/unit/t.h"

#include <stdlib.h>
#include <unistd.h>

#include "parsers/grok/grok.h"
#include "tests/unit/parsers/grok/dictionary.h"

static struct grok_dict *dict;

static int setup(void **state)
{
    (void)state;
    dict = grok_dict_new(NULL);
    grok_dict_add_text(dict, slice_from_cstr(test_dictionary));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    grok_dict_free(dict);
    return 0;
}

/* "field=value" of every capture, ';' between, '!' for nil, i: and f: for coercions. */
static void render(const struct grok_set *set, const struct grok_result *r, struct buf *out)
{
    uint32_t n;
    const struct grok_capture *captures = grok_set_captures(set, r->winner, &n);
    assert_int_equal(n, r->n);
    for (uint32_t i = 0; i < n; i++) {
        static const char *const coerce[] = {"", "i:", "f:"};
        buf_printf(out, "%s%s%.*s=", i > 0 ? ";" : "", coerce[captures[i].coerce],
                   SLICE_FMT(captures[i].field));
        if (r->values[i].p == NULL)
            buf_add_byte(out, '!');
        else
            buf_add_slice(out, r->values[i]);
    }
}

/* Every engine must agree; `want` NULL means no match. */
static void check(const char *pattern, const char *line, const char *want)
{
    slice text = slice_from_cstr(pattern);
    for (int engine = 0; engine < 2; engine++) {
        struct grok_error error;
        struct grok_options options = {.no_program = engine == 0, .program_after = 1};
        struct grok_set *set = grok_set_new(&text, 1, dict, &options, &error);
        if (set == NULL) print_error("%s: %s at %u\n", pattern, error.text, error.at);
        assert_non_null(set);
        struct grok_scratch *scratch = grok_scratch_new(set);
        struct grok_result r;
        struct buf got = {0};
        enum grok_status status = grok_match(set, scratch, slice_from_cstr(line), 0, &r);
        if (status == GROK_MATCH) render(set, &r, &got);
        if ((status == GROK_MATCH) != (want != NULL) ||
            (want != NULL && strcmp(buf_cstr(&got), want) != 0)) {
            struct buf why = {0};
            grok_set_explain(set, &why);
            print_error("engine %d: %s on \"%s\"\n got %s\nwant %s\n%s", engine, pattern, line,
                        status == GROK_MATCH ? buf_cstr(&got) : "no match",
                        want == NULL ? "no match" : want, buf_cstr(&why));
            fail();
        }
        buf_fini(&got);
        grok_scratch_free(scratch);
        grok_set_free(set);
    }
}

static void refuses(const char *pattern, uint32_t at, const char *part)
{
    slice text = slice_from_cstr(pattern);
    struct grok_error error;
    struct grok_set *set = grok_set_new(&text, 1, dict, NULL, &error);
    assert_null(set);
    if (strstr(error.text, part) == NULL || error.at != at)
        print_error("%s: \"%s\" at %u\n", pattern, error.text, error.at);
    assert_non_null(strstr(error.text, part));
    assert_int_equal(error.at, at);
}

static void test_captures(void **state)
{
    (void)state;
    check("%{WORD:w}", "abc def", "w=abc");
    check("%{WORD}", "abc", "");
    check("%{INT:n:int},%{NUMBER:f:float}", "1,2.5", "i:n=1;f:f=2.5");
    check("%{INT:n:int},%{INT:n:int}", "1,2", "i:n=1;n=2");
    check("%{INT:n:int},%{NUMBER:n:int}", "1,2", "i:n=1;i:n=2");
    check("%{INT:n},%{WORD:w},%{INT:n}", "1,a,2", "n=1;n=2;w=a");
    check("(?:%{WORD:a}|%{INT:b})", "foo", "a=foo;b=!");
    check("(?:a=%{INT:n}|b=%{INT:n})", "b=2", "n=!;n=2");
    check("%{WORD:[a][b]} (?<[x][y]>.)", "k v", "[a][b]=k;[x][y]=v");
    check("(?<x>ab|abc)", "abc", "x=ab");
    check("(\\w+) (?<x>\\w+)", "a b", "x=b");
    check("^%{DATA:a} %{GREEDYDATA:b}$", "one two three", "a=one;b=two three");
    check("^%{WORD:a} %{GREEDYDATA:b}", "foo bar\nbaz", "a=foo;b=bar\nbaz");
    check("\\A%{WORD:a}\\Z", "one\n", "a=one");
    check("(?<q>['\\x22])(?<body>.*?)\\k<q>", "say 'hi \"x\"' end", "q=';body=hi \"x\"");
    check("name=%{DATA:n};city=%{GREEDYDATA:c}", "name=\xc3\x85sa;city=\xe6\x9d\xb1",
          "n=\xc3\x85sa;c=\xe6\x9d\xb1");
    check("(?<up>\\p{Lu}+)(?<low>\\p{Ll}+)",
          "xx \xc3\x84\xc3\x96"
          "abc",
          "up=\xc3\x84\xc3\x96;low=abc");
    check("(?<a>[[:upper:]]+)(?<d>[[:digit:]]+)(?<p>[[:punct:]])", "ab XY12!", "a=XY;d=12;p=!");
    check("^(?:a?){20}%{INT:n}$", "aaaaaaaaaa5", "n=5");
    check("^(?>a+)ab", "aaab", NULL);
    check("^(?<x>a++)b", "aaab", "x=aaa");
    check("(?i:err)or %{WORD:w}", "ERRor a", "w=a");
    check("(?i:err)or %{WORD:w}", "ERROR a", NULL);
    check("(?<w>\\b(?!GET)[A-Z]+\\b)", "GET POST", "w=POST");
    check("%{BASE10NUM:n}", "v1.2.3", "n=1.2");
    check("%{BASE10NUM:n}", "abc-5", "n=-5");
    check("%{UNIXPATH:p}", "open /var/log/a_b-1.log", "p=/var/log/a_b-1.log");
    check("^%{HOSTNAME:h}$", "x.y.", "h=x.y.");
    check("^%{HOSTNAME:h}$", "-bad.example", NULL);
    check("%{IP:i}", "from ::1 ok", "i=::1");
    check("%{IP:i}", "from 8.8.4.4 ok", "i=8.8.4.4");
    check("^%{TIMESTAMP_ISO8601:t}$", "2024-05-06T07:08:09.123Z", "t=2024-05-06T07:08:09.123Z");
    check("", "anything", "");
    check("%{WORD:a-b} %{WORD:c.d}", "1 2", "a-b=1;c.d=2");
    check("%{WORD:a}", "", NULL);
}

static void test_apache(void **state)
{
    (void)state;
    check("%{COMBINEDAPACHELOG}",
          "127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] \"GET /a.gif?x=1 HTTP/1.0\" 200 2326 "
          "\"http://www.example.com/start.html\" \"Mozilla/4.08 [en] (\\\"quoted\\\")\"",
          "clientip=127.0.0.1;ident=-;auth=frank;timestamp=10/Oct/2000:13:55:36 -0700;verb=GET;"
          "request=/a.gif?x=1;httpversion=1.0;rawrequest=!;response=200;bytes=2326;"
          "referrer=\"http://www.example.com/start.html\";"
          "agent=\"Mozilla/4.08 [en] (\\\"quoted\\\")\"");
    check("%{SYSLOGBASE} %{GREEDYDATA:m}", "Mar  9 04:05:06 web-1.example sshd[42]: hi there",
          "timestamp=Mar  9 04:05:06;logsource=web-1.example;program=sshd;pid=42;m=hi there");
    check("%{SYSLOGBASE} %{GREEDYDATA:m}", "Mar 19 04:05:06 10.1.2.3 cron: x",
          "timestamp=Mar 19 04:05:06;logsource=10.1.2.3;program=cron;pid=!;m=x");
}

static void test_inline_definition(void **state)
{
    (void)state;
    check("%{FOO:x=[a-c]+} %{FOO:y}", "abc cab", "x=abc;y=cab");
    check("%{FOO:x=\\d{2}}", "1234", "x=12");
    slice text;
    assert_false(grok_dict_get(dict, SLICE("FOO"), &text));
}

static void test_errors(void **state)
{
    (void)state;
    refuses("a %{FOO}", 2, "pattern %{FOO} not defined");
    refuses("%{FOO:x:int}", 0, "pattern %{FOO:x:int} not defined");
    refuses("%{LOOP}", 0, "refers to itself");
    refuses("ab(c", 2, "expected )");
    refuses("ab)", 2, "expected no )");
    refuses("[a", 0, "expected ]");
    refuses("a|*", 2, "something to repeat");
    refuses("\\p{Nope}", 0, "property");
    refuses("(?<n>a)\\1", 7, "numbers do not work");
    refuses("\\k<x>", 0, "no group is named <x>");
    refuses("a{3,2}", 1, "low <= high");
    refuses("[b-a]", 1, "low <= high");
    refuses("(?<1a>b)", 3, "starts with a letter");
    refuses("\xff", 0, "UTF-8");
}

static void test_layers(void **state)
{
    (void)state;
    struct grok_dict *own = grok_dict_new(dict);
    grok_dict_set(own, SLICE("WORD"), SLICE("[a-z-]+"));
    slice text = SLICE("%{WORD:w}");
    struct grok_error error;
    struct grok_set *set = grok_set_new(&text, 1, own, NULL, &error);
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result r;
    assert_int_equal(grok_match(set, scratch, SLICE("abc-def"), 0, &r), GROK_MATCH);
    assert_slice_equal(r.values[0], SLICE("abc-def"));
    grok_scratch_free(scratch);
    grok_set_free(set);
    grok_dict_free(own);
}

static void test_capture_all(void **state)
{
    (void)state;
    slice text = SLICE("%{WORD} %{INT:n}");
    struct grok_options options = {.capture_all = true};
    struct grok_error error;
    struct grok_set *set = grok_set_new(&text, 1, dict, &options, &error);
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result r;
    struct buf got = {0};
    assert_int_equal(grok_match(set, scratch, SLICE("abc 5"), 0, &r), GROK_MATCH);
    render(set, &r, &got);
    assert_string_equal(buf_cstr(&got), "WORD=abc;n=5");
    buf_fini(&got);
    grok_scratch_free(scratch);
    grok_set_free(set);
}

/* Many patterns: the first in order wins, whatever selection does. */
static void test_selection(void **state)
{
    (void)state;
    enum { N = 200 };
    char texts[N][64];
    slice list[N];
    for (int i = 0; i < N; i++) {
        snprintf(texts[i], sizeof(texts[i]),
                 i % 20 == 7 ? "^%%{INT:a}[%c]%%{INT:b}$" : "code%d: %%{GREEDYDATA:m}",
                 i % 20 == 7 ? 'a' + i / 20 : i);
        if (i % 40 == 19) snprintf(texts[i], sizeof(texts[i]), "^\\S+\\s\\w+\\s[%d-9]+$", i / 40);
        list[i] = slice_from_cstr(texts[i]);
    }
    char folder[] = "/tmp/spate_grok_XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (int round = 0; round < 3; round++) {
        struct grok_options options = {.cache_dir = round < 2 ? folder : NULL};
        struct grok_options plain = {.no_selection = true, .no_program = true};
        struct grok_error error;
        struct grok_set *a = grok_set_new(list, N, dict, &options, &error);
        struct grok_set *b = grok_set_new(list, N, dict, &plain, &error);
        struct grok_scratch *sa = grok_scratch_new(a), *sb = grok_scratch_new(b);
        for (int i = 0; i < 600; i++) {
            char line[80];
            if (i % 3 == 0)
                snprintf(line, sizeof(line), "x code%d: hi", i % 230);
            else if (i % 3 == 1)
                snprintf(line, sizeof(line), "12%c34", 'a' + i % 13);
            else
                snprintf(line, sizeof(line), "ab cd %d%s", i, i % 2 ? "" : "\xc3\xa4");
            struct grok_result ra, rb;
            enum grok_status got = grok_match(a, sa, slice_from_cstr(line), 0, &ra);
            assert_int_equal(got, grok_match(b, sb, slice_from_cstr(line), 0, &rb));
            if (got == GROK_MATCH) assert_int_equal(ra.winner, rb.winner);
        }
        grok_scratch_free(sa);
        grok_scratch_free(sb);
        grok_set_free(a);
        grok_set_free(b);
    }
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void test_break_on_match_false(void **state)
{
    (void)state;
    slice list[] = {SLICE("%{WORD:a}"), SLICE("zzz"), SLICE("%{INT:b}")};
    struct grok_error error;
    struct grok_set *set = grok_set_new(list, 3, dict, NULL, &error);
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result r;
    assert_int_equal(grok_match(set, scratch, SLICE("x 5"), 0, &r), GROK_MATCH);
    assert_int_equal(r.winner, 0);
    assert_int_equal(grok_match(set, scratch, SLICE("x 5"), 1, &r), GROK_MATCH);
    assert_int_equal(r.winner, 2);
    assert_int_equal(grok_match(set, scratch, SLICE("x 5"), 3, &r), GROK_NO_MATCH);
    grok_scratch_free(scratch);
    grok_set_free(set);
}

static void test_limit(void **state)
{
    (void)state;
    slice evil = SLICE("^(?:(?:a+)+b?)+(?=.*x)$");
    struct grok_options options = {.match_limit = 1000};
    struct grok_error error;
    struct grok_set *set = grok_set_new(&evil, 1, dict, &options, &error);
    assert_non_null(set);
    struct grok_scratch *scratch = grok_scratch_new(set);
    struct grok_result r;
    assert_int_equal(grok_match(set, scratch, SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), 0, &r),
                     GROK_LIMIT);
    assert_int_equal(r.limited, 1);
    grok_scratch_free(scratch);
    grok_set_free(set);
}

/* Going back over a long line takes more steps than a search may have, but not more than its length
 * allows; what would take for ever still ends. */
static void test_limit_of_long_lines(void **state)
{
    (void)state;
    static const char *const patterns[] = {"%{GREEDYDATA:a} (?<w>\\w+)=(?<k>\\w+)",
                                           "x: %{GREEDYDATA:a} (?<w>\\w+)=(?<k>\\w+) \\S",
                                           "(?:(?:\\w+\\s?)+b?)+=$"};
    struct buf line = {0};
    buf_add_cstr(&line, "\xc3\xa4x: start key=val");
    for (int i = 0; i < 100000; i++) buf_add_cstr(&line, " word");
    for (uint32_t i = 0; i < 3; i++) {
        slice pattern = slice_from_cstr(patterns[i]);
        struct grok_error error;
        struct grok_options options = {0};
        struct grok_set *set = grok_set_new(&pattern, 1, dict, &options, &error);
        assert_non_null(set);
        struct grok_scratch *scratch = grok_scratch_new(set);
        struct grok_result r;
        enum grok_status status = grok_match(set, scratch, buf_slice(&line), 0, &r);
        assert_int_equal(status, i < 2 ? GROK_MATCH : GROK_LIMIT);
        if (i < 2) assert_memory_equal(r.values[2].p, "val", 3);
        grok_scratch_free(scratch);
        grok_set_free(set);
    }
    buf_fini(&line);
}

static void test_bad_bytes(void **state)
{
    (void)state;
    check("a%{DATA:d}z", "a\xff\xfe z", NULL);
    check("%{WORD:w}$", "\xff\xfe word", "w=word");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_apache),
        cmocka_unit_test(test_inline_definition),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_capture_all),
        cmocka_unit_test(test_selection),
        cmocka_unit_test(test_break_on_match_false),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_of_long_lines),
        cmocka_unit_test(test_bad_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
