/* json_decode_test.c - accepted and refused texts, lines, bounds, windows; for every CPU level. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_index.h"
#include "parsers/scan/utf8_scan.h"

static struct page_pool pool;
static struct arena arena;
static struct json_reader reader;

#define EACH_LEVEL(level)                                                                          \
    for (int level = CPU_SCALAR; level <= (int)cpu_init() && set_level(level); level++)
static bool set_level(int level)
{
    json_index_init((enum cpu_level)level);
    utf8_scan_init((enum cpu_level)level);
    arena_reset(&arena);
    return true;
}

static int setup(void **state)
{
    (void)state;
    page_pool_init(&pool, 1u << 30);
    arena_init(&arena, &pool);
    json_reader_init(&reader);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    json_reader_fini(&reader);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}

/* A copy with exactly JSON_PAD bytes behind it, full of what would go on with the text. */
static slice padded(slice s, char fill)
{
    char *copy = malloc(s.n + JSON_PAD);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    memset(copy + s.n, fill, JSON_PAD);
    return slice_make(copy, s.n);
}

static int64_t decode_status(slice s, char fill, enum json_mode mode)
{
    slice text = padded(s, fill);
    struct value v;
    int64_t used = json_decode(&reader, text, mode, &arena, &v);
    if (used < JSON_BLANK) assert_true(reader.error_at <= text.n);
    free((char *)text.p);
    return used;
}

static void expect_json(slice s, const char *want)
{
    slice text = padded(s, '7');
    struct value v;
    struct buf out = {0};
    int64_t used = json_decode(&reader, text, JSON_WHOLE, &arena, &v);
    if (used < 0) print_error("%.*s: %s\n", SLICE_FMT(s), json_status_text((int)used));
    assert_int_equal(used, s.n);
    value_json(&v, &out);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
    free((char *)text.p);
}

static const char *const good[] = {"{}",
                                   "[]",
                                   "0",
                                   "-0",
                                   "1",
                                   "-1",
                                   "12345678",
                                   "123456789",
                                   "1234567890123456",
                                   "12345678901234567",
                                   "123456789012345678901234567890",
                                   "1.0",
                                   "0.5",
                                   "-0.0",
                                   "1e5",
                                   "1E+5",
                                   "1e-5",
                                   "0e0",
                                   "1.5e300",
                                   "true",
                                   "false",
                                   "null",
                                   "\"\"",
                                   "\"a\"",
                                   "\"\\\"\"",
                                   "\"\\\\\"",
                                   "\"\\/\\b\\f\\n\\r\\t\"",
                                   "\"\\u0041\\uD83D\\uDE00\"",
                                   "\"\\ud800\"",
                                   "\"\x7f\"",
                                   "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                   "[1]",
                                   "[1,2,3]",
                                   "[[]]",
                                   "[[],[[]],{}]",
                                   "{\"a\":1}",
                                   "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":\"x\"}",
                                   "{\"\":\"\"}",
                                   "[\"a\",1,1.5,true,false,null,{},[]]",
                                   "{\"a\":\"b\\\\\",\"c\":\"\\\\\\\"\"}",
                                   "[0,10,100,-10,0.1,1e1]",
                                   "{\"a\":true,\"b\":false,\"c\":null}"};

static const char *const bad[] = {"{",
                                  "}",
                                  "[",
                                  "]",
                                  "{]",
                                  "[}",
                                  "{\"a\"",
                                  "{\"a\":",
                                  "{\"a\":1",
                                  "{\"a\":1,",
                                  "{\"a\":1,}",
                                  "{,}",
                                  "{\"a\"1}",
                                  "{\"a\"::1}",
                                  "{a:1}",
                                  "{1:1}",
                                  "{'a':1}",
                                  "{\"a\":1 \"b\":2}",
                                  "{\"a\",1}",
                                  "[1",
                                  "[1,",
                                  "[1,]",
                                  "[,1]",
                                  "[1 2]",
                                  "[1,,2]",
                                  ",",
                                  ":",
                                  "\"",
                                  "\"a",
                                  "\"a\\\"",
                                  "\"\\",
                                  "\"\\\"",
                                  "\"\\x\"",
                                  "\"\\u\"",
                                  "\"\\u12\"",
                                  "\"\\u123\"",
                                  "\"\\u123g\"",
                                  "\"\\U1234\"",
                                  "\"a\tb\"",
                                  "\"a\nb\"",
                                  "\"\x01\"",
                                  "\"\x1f\"",
                                  "01",
                                  "-01",
                                  "00",
                                  "-",
                                  "+1",
                                  ".5",
                                  "1.",
                                  "1.e5",
                                  "1e",
                                  "1e+",
                                  "1e+-5",
                                  "--1",
                                  "1-",
                                  "1a",
                                  "0x10",
                                  "1_000",
                                  "Infinity",
                                  "-Infinity",
                                  "NaN",
                                  "nan",
                                  "tru",
                                  "truee",
                                  "True",
                                  "TRUE",
                                  "fals",
                                  "falsee",
                                  "nul",
                                  "nulll",
                                  "undefined",
                                  "'a'",
                                  "\\n",
                                  "{\\\"a\\\":1}",
                                  "[1}",
                                  "{\"a\":1]",
                                  "{\"a\":[}",
                                  "12 34",
                                  "1\x0c",
                                  "[1\x1a]",
                                  "\x0b1",
                                  "{\"a\":1\x0c}",
                                  "[1\x0c,2]",
                                  "[\"a\"\x1a]",
                                  "//x\n1",
                                  "1//x",
                                  "/**/1",
                                  "{\"a\":1}//",
                                  "[1.2.3]",
                                  "[-]",
                                  "[e1]",
                                  "[1e1.5]",
                                  "{\"a\":\"b\"c}",
                                  "[\"a\"b]",
                                  "{\"a\":tru}",
                                  "{\"a\":1e}",
                                  "{\"a\"}",
                                  "{\"a\":}",
                                  "{:1}",
                                  "[:]",
                                  "{\"a\" \"b\"}",
                                  "{\"a\":\\\"b\\\"}",
                                  "*",
                                  "@",
                                  "\xef\xbb\xbf{}"};

static void test_good(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        for (uint32_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
            slice s = slice_from_cstr(good[i]);
            expect_json(s, good[i]);
            /* Behind white space of every length, so that tokens meet all block borders. */
            for (uint32_t lead = 0; lead < 130; lead++) {
                char text[256];
                memset(text, " \t\r\n"[lead & 3], sizeof(text));
                memcpy(text + lead, s.p, s.n);
                expect_json(slice_make(text, lead + s.n + (lead & 7)), good[i]);
            }
        }
        expect_json(SLICE(" { \"a\" : 1 , \"b\\u0062\" : [ 1.50 , \"x\" ] ,\n \"c\"\t:{ } } "),
                    "{\"a\":1,\"bb\":[1.50,\"x\"],\"c\":{}}");
    }
}

static void test_bad(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        for (uint32_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
            static const char fills[] = "7\"}]e,: \nl";
            for (uint32_t f = 0; f + 1 < sizeof(fills); f++) {
                char text[256];
                for (uint32_t lead = 0; lead < 70; lead += 3) {
                    memset(text, ' ', lead);
                    slice s = slice_from_cstr(bad[i]);
                    memcpy(text + lead, s.p, s.n);
                    int64_t got = decode_status(slice_make(text, lead + s.n), fills[f], JSON_WHOLE);
                    if (got >= JSON_BLANK) print_error("accepted: %s (%d)\n", bad[i], (int)got);
                    assert_true(got < JSON_BLANK);
                }
            }
        }
        assert_int_equal(decode_status(SLICE(""), '1', JSON_WHOLE), JSON_BLANK);
        assert_int_equal(decode_status(SLICE(" \t\r\n"), '1', JSON_WHOLE), JSON_BLANK);
        assert_int_equal(decode_status(slice_make("1\0", 2), '1', JSON_WHOLE), JSON_NUMBER);
        assert_int_equal(decode_status(slice_make("\0", 1), '1', JSON_WHOLE), JSON_SYNTAX);
        assert_int_equal(decode_status(slice_make("[1]\0", 4), '1', JSON_WHOLE), JSON_TRAILING);
    }
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
        uint32_t at;
    } cases[] = {{"{\"a\":01}", JSON_NUMBER, 5},
                 {"{\"a\":x}", JSON_SYNTAX, 5},
                 {"{\"a\":\"\\q\"}", JSON_STRING, 6},
                 {"{\"a\":\"\t\"}", JSON_STRING, 6},
                 {"{\"a\":1", JSON_CUT, 6},
                 {"{\"a\":\"b", JSON_CUT, 7},
                 {"\"\\", JSON_CUT, 2},
                 {"\"\\u12", JSON_CUT, 5},
                 {"\"\\u12\"", JSON_STRING, 5},
                 {"{\"a\":1} x", JSON_TRAILING, 8},
                 {"{\"a\":\"\xff\"}", JSON_UTF8, 6},
                 {"{\"\xc3\":1}", JSON_UTF8, 2},
                 {"\"\xe2\x82", JSON_UTF8, 1}};
    EACH_LEVEL(level)
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(decode_status(slice_from_cstr(cases[i].text), '"', JSON_WHOLE),
                         cases[i].status);
        assert_int_equal(reader.error_at, cases[i].at);
        assert_string_not_equal(json_status_text(cases[i].status), "ok");
    }
}

static void test_first(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        assert_int_equal(decode_status(SLICE("{\"a\":1},"), '"', JSON_FIRST), 7);
        assert_int_equal(decode_status(SLICE(" {\"a\":1} \" \\ {{"), '"', JSON_FIRST), 8);
        assert_int_equal(decode_status(SLICE("12  ]"), '3', JSON_FIRST), 2);
        assert_int_equal(decode_status(SLICE("12"), '3', JSON_FIRST), 2);
        assert_int_equal(decode_status(SLICE("\"a\"x"), '3', JSON_FIRST), 3);
        assert_int_equal(decode_status(SLICE("[]]"), '3', JSON_FIRST), 2);
        assert_int_equal(decode_status(SLICE("true,"), '3', JSON_FIRST), 4);
        assert_int_equal(decode_status(SLICE("12x"), '3', JSON_FIRST), JSON_NUMBER);
        assert_int_equal(decode_status(SLICE("{\"a\":1}\xff"), '3', JSON_FIRST), JSON_UTF8);
    }
}

static void test_flags(void **state)
{
    (void)state;
    slice text = padded(SLICE("{\"a\":\"x\",\"b\" :\"\\n\",\"\\u0063\":1,\"d\":1.0,\"e\":-7}"), 0);
    EACH_LEVEL(level)
    {
        struct value v;
        assert_true(json_decode(&reader, text, JSON_WHOLE, &arena, &v) > 0);
        struct member *m = v.u.map->at;
        assert_int_equal(v.u.map->n, 5);
        assert_true(v.u.map->cap >= 5 + 4);
        assert_int_equal(m[0].val.key_flags, KEY_WIRE | KEY_QUOTED);
        assert_int_equal(m[0].val.flags, VALUE_CLEAN);
        assert_int_equal(m[1].val.key_flags, KEY_QUOTED);
        assert_int_equal(m[1].val.flags, VALUE_ESCAPED);
        assert_int_equal(m[2].val.key_flags, 0);
        assert_slice_equal(slice_make(m[2].key, m[2].key_n), SLICE("c"));
        assert_int_equal(m[2].hash, hash_key("c", 1));
        assert_int_equal(m[3].val.type, VALUE_FLOAT);
        assert_int_equal(m[3].val.flags, VALUE_RAW);
        value_resolve(&m[4].val, &arena);
        assert_int_equal(m[4].val.type, VALUE_INT);
        assert_int_equal(m[4].val.u.num, -7);
        value_resolve(&m[1].val, &arena);
        assert_slice_equal(value_slice(&m[1].val), SLICE("\n"));
    }
    free((char *)text.p);
}

static void test_duplicates(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        expect_json(SLICE("{\"a\":1,\"b\":2,\"a\":\"x\"}"), "{\"a\":\"x\",\"b\":2}");
        expect_json(SLICE("{\"a\":[1],\"\\u0061\":{\"a\":1,\"a\":2}}"), "{\"a\":{\"a\":2}}");
        struct buf text = {0}, want = {0};
        for (int i = 0; i < 600; i++)
            buf_printf(&text, "%c\"key%d\":%d", i == 0 ? '{' : ',', i % 200, i);
        for (int i = 0; i < 200; i++)
            buf_printf(&want, "%c\"key%d\":%d", i == 0 ? '{' : ',', i, i + 400);
        buf_add_byte(&text, '}');
        buf_add_byte(&want, '}');
        expect_json(buf_slice(&text), buf_cstr(&want));
        buf_fini(&text);
        buf_fini(&want);
    }
}

static void nested(struct buf *out, uint32_t depth, const char *open, const char *middle,
                   const char *close)
{
    out->n = 0;
    for (uint32_t i = 0; i < depth; i++) buf_add_cstr(out, open);
    buf_add_cstr(out, middle);
    for (uint32_t i = 0; i < depth; i++) buf_add_cstr(out, close);
}

static void test_bounds(void **state)
{
    (void)state;
    struct buf text = {0};
    EACH_LEVEL(level)
    {
        nested(&text, JSON_DEPTH_MAX, "[", "1", "]");
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), text.n);
        nested(&text, JSON_DEPTH_MAX, "{\"a\":", "{}", "}");
        uint64_t hits = reader.limit_hits;
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), JSON_DEPTH);
        nested(&text, JSON_DEPTH_MAX + 1, "[", "", "");
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), JSON_DEPTH);
        assert_int_equal(reader.limit_hits, hits + 2);
        nested(&text, 100000, "[", "", "");
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), JSON_DEPTH);

        reader.members_max = 100;
        text.n = 0;
        for (int i = 0; i < 129; i++) buf_printf(&text, "%c\"k%d\":1", i == 0 ? '{' : ',', i);
        buf_add_cstr(&text, "}");
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), JSON_MEMBERS);
        reader.members_max = JSON_MEMBERS_MAX;
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), text.n);
        reader.fields_max = 128;
        assert_int_equal(decode_status(buf_slice(&text), ' ', JSON_WHOLE), JSON_MEMBERS);
        reader.fields_max = JSON_FIELDS_MAX;
    }
    buf_fini(&text);
}

/* Texts longer than a window, with strings, escapes and sequences across its border. */
static void test_windows(void **state)
{
    (void)state;
    struct buf text = {0};
    EACH_LEVEL(level)
    for (uint32_t shift = 0; shift < 12; shift++) {
        text.n = 0;
        buf_add_cstr(&text, "[");
        for (uint32_t i = 0; i < shift; i++) buf_add_cstr(&text, "1,");
        uint32_t i = 0;
        while (text.n < 5 * JSON_WINDOW_BYTES) {
            buf_printf(&text, "{\"k%u\":\"\xe2\x82\xac\\u20ac\\\\\\\"\",\"n\":[%u,-1.5e3,true]},",
                       i, i);
            if (++i % 97 == 0)
                for (int j = 0; j < 9000; j++) buf_add_cstr(&text, j == 0 ? "\"\\\\" : "ab");
            if (i % 97 == 0) buf_add_cstr(&text, "\",");
        }
        buf_add_cstr(&text, "null]");
        slice whole = padded(buf_slice(&text), '"');
        buf_cstr(&text);
        expect_json(whole, text.data);
        assert_int_equal(decode_status(slice_make(whole.p, whole.n - 1), ']', JSON_WHOLE),
                         JSON_CUT);
        char *late = (char *)whole.p + 3 * JSON_WINDOW_BYTES + shift;
        while (*late != '\xe2') late++;
        late[1] = 'x';
        assert_int_equal(decode_status(whole, ']', JSON_WHOLE), JSON_UTF8);
        free((char *)whole.p);
        arena_reset(&arena);
    }
    buf_fini(&text);
}

static void check_lines(const char *lines, const char *want, enum json_mode mode)
{
    slice text = padded(slice_from_cstr(lines), '"');
    struct buf out = {0};
    struct json_line line;
    uint32_t bytes = 0;
    json_lines_begin(&reader, text, mode, &arena);
    while (json_lines_next(&reader, &line)) {
        assert_ptr_equal(line.text.p, text.p + bytes);
        bytes += line.text.n + 1;
        if (line.status == JSON_OK) {
            value_json(&line.value, &out);
        } else {
            assert_true(line.error_at <= line.text.n);
            buf_printf(&out, "%d", line.status);
        }
        buf_add_byte(&out, ' ');
    }
    assert_true(bytes == text.n || bytes == text.n + 1);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
    free((char *)text.p);
}

static void test_lines(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        check_lines("", "", JSON_FIRST);
        check_lines("\n", "-1 ", JSON_FIRST);
        check_lines("{\"a\":1}\n[2]\n3\n\n \r\n{}", "{\"a\":1} [2] 3 -1 -1 {} ", JSON_FIRST);
        check_lines("{\"a\":1}\r\n{\"a\":1}\n", "{\"a\":1} {\"a\":1} ", JSON_FIRST);
        check_lines("{\"a\":\"\n{\"b\":1}\n", "-2 {\"b\":1} ", JSON_FIRST);
        check_lines("{\"a\":\n1}\n{\"b\":1}\n", "-2 1 {\"b\":1} ", JSON_FIRST);
        check_lines("{\"a\":1}\"\n{\"b\":1}\n\"\\\n1\n", "{\"a\":1} {\"b\":1} -2 1 ", JSON_FIRST);
        check_lines("{\"a\":1},x\n2", "-9 2 ", JSON_WHOLE);
        check_lines("{\"a\":1},x\n2", "{\"a\":1} 2 ", JSON_FIRST);
        check_lines("x\n\xff\n{\"a\":\"\xc3\"}\n{\"a\":\"\xc3\xa9\"}\n\"\xe2\n\x82\"\n1",
                    "-3 -6 -6 {\"a\":\"\xc3\xa9\"} -6 -6 1 ", JSON_FIRST);
        check_lines("\\\n\"a\"\n1\\\n2", "-3 \"a\" -4 2 ", JSON_FIRST);
    }
}

static const struct {
    const char *open, *close;
} shape_values[] = {{"", ""},       {"\"", "\""}, {"{\"a\":\"", "\",\"b\":{\"c\":1,\"d\":\"e\"}}"},
                    {"[", "]"},     {"{", "}"},   {"{\"a\":{\"b\":{\"c\":", "}},\"d\":null}"},
                    {" \"", "\" "}, {"-", ".5"}};

/* Members of lines that are mostly alike: kinds of values and their keys differ now and then. */
static void add_shape_line(struct prng *r, uint32_t base, struct buf *text)
{
    uint32_t n = prng_below(r, 3) == 0 ? (uint32_t)prng_below(r, base + 3) : base;
    buf_add_byte(text, '{');
    for (uint32_t i = 0; i < n; i++) {
        uint32_t name = prng_below(r, 20) == 0 ? (uint32_t)prng_below(r, base) : i;
        uint32_t kind = prng_below(r, 20) == 0 ? (uint32_t)prng_below(r, 8) : i % 8;
        if (kind == 4 && prng_below(r, 2) == 0) kind = 2;
        buf_printf(text, "%s\"%s%u\":%s", i == 0 ? "" : ",",
                   name % 7 == 3 ? "a_key_of_more_than_32_bytes_in_all_" : "k", name,
                   shape_values[kind].open);
        if (kind != 4) buf_printf(text, "%u", i);
        buf_add_cstr(text, shape_values[kind].close);
    }
    buf_add_cstr(text, "}\n");
}

/* Events that share their keys with the one before, up to a point: the answer is that of a
 * reader that never saw another event. */
static void test_shapes(void **state)
{
    (void)state;
    struct buf text = {0}, got = {0}, want = {0};
    struct prng prng;
    prng_seed(&prng, 9);
    EACH_LEVEL(level)
    for (uint32_t round = 0; round < 60; round++) {
        text.n = got.n = want.n = 0;
        uint32_t base = 1 + (uint32_t)prng_below(&prng, round % 4 == 0 ? 90 : 20);
        for (int line = 0; line < 12; line++) add_shape_line(&prng, base, &text);
        slice lines = padded(buf_slice(&text), '"');
        struct json_line line;
        json_lines_begin(&reader, lines, JSON_WHOLE, &arena);
        while (json_lines_next(&reader, &line)) {
            struct json_reader fresh;
            struct value v;
            json_reader_init(&fresh);
            assert_int_equal(line.status, JSON_OK);
            assert_true(json_decode_copy(&fresh, line.text, JSON_WHOLE, &arena, &v) > 0);
            value_json(&line.value, &got);
            value_json(&v, &want);
            for (uint32_t i = 0; i < v.u.map->n; i++) {
                struct member *m = &v.u.map->at[i];
                assert_ptr_equal(map_find(line.value.u.map, slice_make(m->key, m->key_n), m->hash),
                                 &line.value.u.map->at[i]);
            }
            json_reader_fini(&fresh);
        }
        assert_slice_equal(buf_slice(&got), buf_slice(&want));
        free((char *)lines.p);
        arena_reset(&arena);
    }
    buf_fini(&text);
    buf_fini(&got);
    buf_fini(&want);
}

/* Whatever bytes the lines hold, each gives what it gives alone, at every level. */
static void test_lines_random(void **state)
{
    (void)state;
    static const char *const piece[] = {"{",           "}",        "[",    "]",
                                        ":",           ",",        "\"",   "\\",
                                        "\\\"",        "\n",       "\n",   "\"a\":1,",
                                        "\"b\":\"c\"", "12",       "true", " ",
                                        "\t",          "\xc3\xa9", "\xff", "{\"a\":\"b\"}",
                                        "\"\\u00e9\"", "\x01",     "null", "-1.5"};
    struct prng prng;
    prng_seed(&prng, 3);
    struct buf text = {0};
    struct json_reader alone;
    json_reader_init(&alone);
    EACH_LEVEL(level)
    for (int round = 0; round < 300; round++) {
        text.n = 0;
        uint64_t n = prng_below(&prng, round % 30 == 0 ? 20000 : 300);
        for (uint64_t i = 0; i < n; i++)
            buf_add_cstr(&text, piece[prng_below(&prng, sizeof(piece) / sizeof(*piece))]);
        slice lines = padded(buf_slice(&text), '"');
        struct json_line line;
        json_lines_begin(&reader, lines, JSON_WHOLE, &arena);
        while (json_lines_next(&reader, &line)) {
            struct value v;
            int64_t want = json_decode_copy(&alone, line.text, JSON_WHOLE, &arena, &v);
            if (want >= 0) want = JSON_OK;
            assert_int_equal(line.status, want);
            if (want == JSON_OK) assert_true(value_equal(&line.value, &v, &arena));
        }
        free((char *)lines.p);
        arena_reset(&arena);
    }
    json_reader_fini(&alone);
    buf_fini(&text);
}

/* Every level gives the index of the scalar truth, for any bytes and any window cuts. */
static void test_index_equal(void **state)
{
    (void)state;
    static const char alphabet[] = "\"\"\\\\\\{}[]:,  \n\t\r\x01\x0c\x1a"
                                   "019aetf-.\x80\xc3\xff";
    enum { CAP = 1000 };
    static uint8_t token[2][CAP + 128];
    static uint32_t position[2][CAP + 128];
    struct prng prng;
    prng_seed(&prng, 5);
    for (int level = CPU_SSE42; level <= (int)cpu_init(); level++)
        for (int round = 0; round < 3000; round++) {
            char text[CAP + JSON_PAD];
            for (uint32_t i = 0; i < sizeof(text); i++)
                text[i] = alphabet[prng_below(&prng, sizeof(alphabet) - 1 - round % 8)];
            uint32_t n = (uint32_t)prng_below(&prng, CAP), reached[2][32], calls[2] = {0};
            struct json_scan end[2];
            for (int which = 0; which < 2; which++) {
                json_index_init(which == 0 ? CPU_SCALAR : (enum cpu_level)level);
                struct json_index index = {token[which], position[which], 0};
                end[which] = (struct json_scan){0};
                for (uint32_t at = 0; at < n && calls[which] < 32;) {
                    uint32_t to = at + 192 < n ? at + 192 : n;
                    at = json_index(text, at, to, round & 1, &end[which], &index);
                    reached[which][calls[which]++] = at;
                }
                token[which][index.n] = 0;
                position[which][index.n] = UINT32_MAX;
            }
            assert_int_equal(calls[0], calls[1]);
            assert_memory_equal(reached[0], reached[1], calls[0] * sizeof(uint32_t));
            assert_memory_equal(&end[0].in_string, &end[1].in_string, 3 * sizeof(uint64_t));
            assert_int_equal(end[0].high != 0, end[1].high != 0);
            for (uint32_t i = 0;; i++) {
                assert_int_equal(token[0][i], token[1][i]);
                assert_int_equal(position[0][i], position[1][i]);
                if (position[0][i] == UINT32_MAX) break;
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_status), cmocka_unit_test(test_first),
        cmocka_unit_test(test_flags),  cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_bounds), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_lines),  cmocka_unit_test(test_lines_random),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_index_equal)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
