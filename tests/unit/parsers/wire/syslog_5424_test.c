/*
 * syslog_5424_test.c - RFC 5424 messages, its examples and its breaches; labels; detection.
 */
#include "parsers/wire/syslog.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "tests/unit/t.h"

static void rfc_examples(void **state)
{
    (void)state;
    struct syslog_5424 m;
    slice text = SLICE("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
                       "\xef\xbb\xbf'su root' failed for lonvick on /dev/pts/8");
    assert_true(syslog_5424_parse(text, &m));
    assert_int_equal(m.priority, 34);
    assert_int_equal(m.version, 1);
    assert_slice_equal(m.timestamp, SLICE("2003-10-11T22:14:15.003Z"));
    assert_slice_equal(m.hostname, SLICE("mymachine.example.com"));
    assert_slice_equal(m.app_name, SLICE("su"));
    assert_null(m.procid.p);
    assert_slice_equal(m.msgid, SLICE("ID47"));
    assert_null(m.structured_data.p);
    assert_true(m.bom);
    assert_slice_equal(m.message, SLICE("'su root' failed for lonvick on /dev/pts/8"));

    assert_true(syslog_5424_parse(SLICE("<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 "
                                        "[exampleSDID@32473 iut=\"3\" eventSource=\"App\"]"
                                        "[examplePriority@32473 class=\"high\"]"),
                                  &m));
    assert_slice_equal(m.structured_data, SLICE("[exampleSDID@32473 iut=\"3\" eventSource=\"App\"]"
                                                "[examplePriority@32473 class=\"high\"]"));
    assert_null(m.message.p);
    assert_true(syslog_5424_parse(SLICE("<0>1 - - - - - -"), &m));
    assert_null(m.timestamp.p);
    assert_true(syslog_5424_parse(SLICE("<0>1 - - - - - - "), &m));
    assert_non_null(m.message.p);
    assert_int_equal(m.message.n, 0);
    /* The second element begins the message when a space precedes it. */
    assert_true(syslog_5424_parse(SLICE("<1>1 - - - - - [a b=\"c\"] [d]"), &m));
    assert_slice_equal(m.message, SLICE("[d]"));
}

static void lenient(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<999>1 - - - - - -",
        "<013>1  -  - -   - - - x",
        "<1>1 2003-10-11T22:14:15+0100 - - - - -",
        "<1>1 2003-10-11T22:14:15,123456789-01:00 - - - - -",
        "<1>1 - - - - ID47",
        "<1>1 - h\xc3\xb6st - - - [x y=\"\\q\"] m",
        "<1>1 - - - - - [x ]",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct syslog_5424 m;
        if (!syslog_5424_parse(slice_from_cstr(texts[i]), &m))
            fail_msg("%s: %s", texts[i], syslog_5424_fault_text(m.fault));
    }
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum syslog_5424_fault fault;
        uint32_t at;
    } cases[] = {
        {"", SYSLOG_5424_PRIORITY, 0},
        {"34>1 - - - - - -", SYSLOG_5424_PRIORITY, 0},
        {"<>1 - - - - - -", SYSLOG_5424_PRIORITY, 0},
        {"<1234567890>1 - - - - - -", SYSLOG_5424_PRIORITY, 0},
        {"<1>2 - - - - - -", SYSLOG_5424_VERSION, 3},
        {"<1>Mar 15 06:07:08 h p: m", SYSLOG_5424_VERSION, 3},
        {"<1>1", SYSLOG_5424_VERSION, 3},
        {"<1>1 2003-13-11T22:14:15Z - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 2003-02-30T22:14:15Z - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 2003-10-11T24:14:15Z - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 2003-10-11T22:14:60Z - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 2003-10-11T22:14:15 - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 2003-10-11T22:14:15.Z - - - - -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 -", SYSLOG_5424_TIMESTAMP, 5},
        {"<1>1 - h", SYSLOG_5424_HOSTNAME, 7},
        {"<1>1 - - a", SYSLOG_5424_APP_NAME, 9},
        {"<1>1 - - - p", SYSLOG_5424_PROCID, 11},
        {"<1>1 - - - - ", SYSLOG_5424_MSGID, 13},
        {"<1>1 - - - - - x", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - -x", SYSLOG_5424_STRUCTURED_DATA, 16},
        {"<1>1 - - - - - [", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - [a b]", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - [a b=\"]\"]", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - [a b=\"c]", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - [a b=\"c\\", SYSLOG_5424_STRUCTURED_DATA, 15},
        {"<1>1 - - - - - [a b=\"c\"]m", SYSLOG_5424_STRUCTURED_DATA, 24},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct syslog_5424 m;
        if (syslog_5424_parse(slice_from_cstr(cases[i].text), &m)) fail_msg("%s", cases[i].text);
        if (m.fault != cases[i].fault || m.fault_at != cases[i].at)
            fail_msg("%s: %s at %u", cases[i].text, syslog_5424_fault_text(m.fault), m.fault_at);
    }
}

/* Another space between the fields is forgiven, and keeps the parser from its short way through a
 * plain header: both ways must say the same. */
static void ways_agree(void **state)
{
    (void)state;
    static const char *const times[] = {"2003-10-11T22:14:15Z",
                                        "2003-10-11T22:14:15.003Z",
                                        "2003-10-11T22:14:15,123456789+01:00",
                                        "2003-10-11T22:14:15.1-0330",
                                        "2003-10-11T22:14:15.1234567890Z",
                                        "2003-10-11T22:14:60Z",
                                        "2003-02-30T22:14:15Z",
                                        "2003-10-11T22:14:15.Z",
                                        "2003-10-11T22:14:15",
                                        "-"};
    static const char *const fields[] = {"web-01.example.com app 77 ID47", "- - - -", "h a 1 -",
                                         "-- app - i"};
    static const char *const rests[] = {"- message", "[a b=\"c\"] \xef\xbb\xbfmessage", "[a]",
                                        "[a b]", "-x"};
    for (uint32_t i = 0; i < ARRAY_LEN(times) * ARRAY_LEN(fields) * ARRAY_LEN(rests); i++) {
        const char *time = times[i % ARRAY_LEN(times)];
        const char *field = fields[i / ARRAY_LEN(times) % ARRAY_LEN(fields)];
        const char *rest = rests[i / ARRAY_LEN(times) / ARRAY_LEN(fields)];
        char one[512], two[512];
        snprintf(one, sizeof(one), "<165>1 %s %s %s%*s", time, field, rest, 80, "");
        snprintf(two, sizeof(two), "<165>1  %s %s %s%*s", time, field, rest, 80, "");
        struct syslog_5424 a, b;
        bool good = syslog_5424_parse(slice_from_cstr(one), &a);
        assert_int_equal(good, syslog_5424_parse(slice_from_cstr(two), &b));
        assert_int_equal(a.fault, b.fault);
        if (!good) continue;
        assert_int_equal(a.priority, b.priority);
        assert_int_equal(a.bom, b.bom);
        assert_slice_equal(a.timestamp, b.timestamp);
        assert_slice_equal(a.hostname, b.hostname);
        assert_slice_equal(a.app_name, b.app_name);
        assert_slice_equal(a.procid, b.procid);
        assert_slice_equal(a.msgid, b.msgid);
        assert_slice_equal(a.structured_data, b.structured_data);
        assert_slice_equal(a.message, b.message);
    }
}

/* Every prefix of a message is parsed from memory of its exact size. */
static void prefixes_do_not_overread(void **state)
{
    (void)state;
    slice text =
        SLICE("<165>1 2003-10-11T22:14:15.003+01:00 h app 77 ID [a b=\"\\\"\\\\\\]\"][c] m");
    for (uint32_t n = 0; n <= text.n; n++) {
        char *copy = malloc(n + (n == 0));
        assert_non_null(copy);
        memcpy(copy, text.p, n);
        struct syslog_5424 m;
        bool ok = syslog_5424_parse(slice_make(copy, n), &m);
        struct syslog_sd at = syslog_sd_start(m.structured_data);
        while (ok && syslog_sd_next(&at)) assert_true(at.element.n > 0);
        syslog_detect(slice_make(copy, n));
        free(copy);
    }
}

static void structured_data(void **state)
{
    (void)state;
    struct syslog_5424 m;
    assert_true(syslog_5424_parse(
        SLICE("<1>1 - - - - - [a@1 x=\"1\" y=\"q\\\"\\\\\\]\\n\"][empty][b z=\"\"] m"), &m));
    struct syslog_sd at = syslog_sd_start(m.structured_data);
    assert_true(syslog_sd_next(&at));
    assert_slice_equal(at.element, SLICE("a@1"));
    assert_slice_equal(at.name, SLICE("x"));
    assert_slice_equal(at.value, SLICE("1"));
    assert_false(at.escaped);
    assert_true(syslog_sd_next(&at));
    assert_slice_equal(at.element, SLICE("a@1"));
    assert_slice_equal(at.name, SLICE("y"));
    assert_true(at.escaped);
    char out[32];
    assert_slice_equal(slice_make(out, syslog_sd_unescape(at.value, out)), SLICE("q\"\\]\\n"));
    assert_true(syslog_sd_next(&at));
    assert_slice_equal(at.element, SLICE("empty"));
    assert_null(at.name.p);
    assert_true(syslog_sd_next(&at));
    assert_slice_equal(at.element, SLICE("b"));
    assert_slice_equal(at.name, SLICE("z"));
    assert_int_equal(at.value.n, 0);
    assert_false(syslog_sd_next(&at));
    at = syslog_sd_start(SLICE_NONE);
    assert_false(syslog_sd_next(&at));
}

static void detection(void **state)
{
    (void)state;
    assert_int_equal(syslog_detect(SLICE("<1>1 - - - - - -")), SYSLOG_KIND_5424);
    assert_int_equal(syslog_detect(SLICE("<1>1 2003-10-11T22:14:15Z h")), SYSLOG_KIND_5424);
    assert_int_equal(syslog_detect(SLICE("<1>Mar 15 06:07:08 h p: m")), SYSLOG_KIND_3164);
    assert_int_equal(syslog_detect(SLICE("<1>2003-10-11T22:14:15Z h p: m")), SYSLOG_KIND_3164);
    assert_int_equal(syslog_detect(SLICE("<1>1 hello")), SYSLOG_KIND_3164);
    assert_int_equal(syslog_detect(SLICE("<1>")), SYSLOG_KIND_3164);
    assert_int_equal(syslog_detect(SLICE("<1")), SYSLOG_KIND_NONE);
    assert_int_equal(syslog_detect(SLICE("hello")), SYSLOG_KIND_NONE);
    assert_int_equal(syslog_detect(SLICE("")), SYSLOG_KIND_NONE);
}

static void labels(void **state)
{
    (void)state;
    assert_slice_equal(syslog_input_facility(1), SLICE("user-level"));
    assert_slice_equal(syslog_input_facility(3), SLICE("system"));
    assert_slice_equal(syslog_pri_facility(3), SLICE("daemon"));
    assert_slice_equal(syslog_pri_facility(4), SLICE("security/authorization"));
    assert_slice_equal(syslog_input_facility(23), SLICE("local7"));
    assert_null(syslog_input_facility(24).p);
    assert_null(syslog_pri_facility(124).p);
    assert_slice_equal(syslog_input_severity(2), SLICE("Critical"));
    assert_slice_equal(syslog_pri_severity(6), SLICE("informational"));
    assert_null(syslog_input_severity(8).p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_examples),
        cmocka_unit_test(lenient),
        cmocka_unit_test(faults),
        cmocka_unit_test(ways_agree),
        cmocka_unit_test(prefixes_do_not_overread),
        cmocka_unit_test(structured_data),
        cmocka_unit_test(detection),
        cmocka_unit_test(labels),
    };
    return T_RUN(tests);
}
