/* json_oracle_test.c - random and broken texts: our decoder against simdjson, at every level. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/prng.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_index.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/utf8_scan.h"
#include "tests/unit/parsers/json/simdjson_oracle.h"

#define ROUNDS 4000

static struct prng prng;
static struct page_pool pool;
static struct arena arena;
static struct json_reader reader;

static uint32_t roll(uint32_t n)
{
    return (uint32_t)prng_below(&prng, n);
}

static void add_space(struct buf *out)
{
    for (uint32_t n = roll(8) == 0 ? roll(40) : 0; n > 0; n--)
        buf_add_byte(out, " \t\n\r"[roll(4)]);
}

static void add_string(struct buf *out)
{
    static const char *const piece[] = {"a",
                                        "key",
                                        "\\n",
                                        "\\\"",
                                        "\\\\",
                                        "\\u00e9",
                                        "\\ud83d\\ude00",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80",
                                        "{",
                                        "]",
                                        ":",
                                        ",",
                                        "0123456789abcdefghijklmnopqrstuvwxyz",
                                        "\\/",
                                        "\x7f"};
    buf_add_byte(out, '"');
    for (uint32_t n = roll(6); n > 0; n--) buf_add_cstr(out, piece[roll(ARRAY_LEN(piece))]);
    buf_add_byte(out, '"');
}

static void add_number(struct buf *out)
{
    static const char *const number[] = {"0",
                                         "-0",
                                         "1",
                                         "-17",
                                         "1.0",
                                         "0.5",
                                         "-2.25e10",
                                         "1e5",
                                         "123456789",
                                         "1234567890123456789",
                                         "18446744073709551615",
                                         "9007199254740993",
                                         "1E-7",
                                         "0.1",
                                         "3.141592653589793"};
    if (roll(2) == 0)
        buf_add_cstr(out, number[roll(ARRAY_LEN(number))]);
    else
        buf_printf(out, roll(2) ? "%d" : "%d.5", (int)roll(2000000) - 1000000);
}

static void add_json(struct buf *out, uint32_t depth)
{
    add_space(out);
    uint32_t kind = roll(depth == 0 ? 5 : 9);
    if (kind < 2) add_string(out);
    if (kind == 2) add_number(out);
    if (kind == 3) buf_add_cstr(out, roll(2) ? "true" : "false");
    if (kind == 4) buf_add_cstr(out, "null");
    if (kind >= 5) {
        bool object = kind > 6;
        uint32_t n = roll(20) == 0 ? roll(80) : roll(6);
        buf_add_byte(out, object ? '{' : '[');
        for (uint32_t i = 0; i < n; i++) {
            if (i > 0) buf_add_byte(out, ',');
            if (object) {
                add_space(out);
                if (roll(3) == 0)
                    add_string(out);
                else
                    buf_printf(out, "\"k%u\"", roll(30));
                add_space(out);
                buf_add_byte(out, ':');
            }
            add_json(out, depth - 1);
        }
        add_space(out);
        buf_add_byte(out, object ? '}' : ']');
    }
    add_space(out);
}

static void break_json(struct buf *text)
{
    static const char odd[] = "\"\\{}[]:,0-.eE+tfn \n\t\x01\x80\xff\xc3u";
    for (uint32_t n = 1 + roll(3); n > 0 && text->n > 0; n--) {
        uint32_t at = roll((uint32_t)text->n), kind = roll(4);
        if (kind == 0) text->data[at] = odd[roll(sizeof(odd) - 1)];
        if (kind == 1) text->n = at;
        if (kind == 2) memmove(text->data + at, text->data + at + 1, --text->n - at);
        if (kind == 3) {
            char c = odd[roll(sizeof(odd) - 1)];
            buf_add_byte(text, ' ');
            memmove(text->data + at + 1, text->data + at, text->n - 1 - at);
            text->data[at] = c;
        }
    }
}

static void add_hex(struct buf *out, const char *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) buf_printf(out, "%02x", (unsigned char)p[i]);
}

static void add_canonical(struct buf *out, struct value *v)
{
    bool big = v->type == VALUE_INT;
    slice raw = v->flags & VALUE_RAW ? slice_make(v->u.str, v->n) : SLICE_NONE;
    value_resolve(v, &arena);
    switch ((enum value_type)v->type) {
    case VALUE_NIL: buf_add_byte(out, 'n'); break;
    case VALUE_BOOL: buf_add_byte(out, v->u.yes ? 't' : 'f'); break;
    case VALUE_INT: buf_printf(out, "i%lld", (long long)v->u.num); break;
    case VALUE_FLOAT: buf_printf(out, "d%.17g", v->u.real); break;
    case VALUE_BIGNUM: buf_printf(out, "%c%.*s", big ? 'i' : 'd', SLICE_FMT(raw)); break;
    case VALUE_STRING:
        buf_add_byte(out, 's');
        add_hex(out, v->u.str, v->n);
        break;
    case VALUE_LIST:
        buf_add_byte(out, '[');
        for (uint32_t i = 0; i < v->n; i++) add_canonical(out, &v->u.list[i]);
        buf_add_byte(out, ']');
        break;
    case VALUE_MAP:
        buf_add_byte(out, '{');
        for (uint32_t i = 0; i < v->u.map->n; i++) {
            struct member *m = &v->u.map->at[i];
            add_hex(out, m->key, m->key_n);
            buf_add_byte(out, ':');
            add_canonical(out, &m->val);
        }
        buf_add_byte(out, '}');
        break;
    case VALUE_TIME: fail();
    }
    buf_add_byte(out, ' ');
}

/* What the encoder writes must decode to the same, after its values were resolved. */
static void check_round_trip(struct value *v, const struct buf *canonical)
{
    struct buf text = {0}, again = {0};
    struct time_iso_cache cache = {0};
    struct value copy;
    json_write_value(&text, v, &cache);
    assert_int_equal(json_decode_copy(&reader, buf_slice(&text), JSON_WHOLE, &arena, &copy),
                     text.n);
    add_canonical(&again, &copy);
    assert_slice_equal(buf_slice(&again), buf_slice(canonical));
    buf_fini(&text);
    buf_fini(&again);
}

/* Whether the oracle may have refused it for a limit that the grammar does not have. */
static bool may_differ(slice s, enum oracle_answer answer)
{
    uint32_t digits = 0;
    for (uint32_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        if (answer == ORACLE_NUMBER && digits >= 19) return true;
        if (answer == ORACLE_NUMBER && (c | 0x20) == 'e' && i + 3 < s.n) {
            uint32_t at = i + 1 + (s.p[i + 1] == '-' || s.p[i + 1] == '+');
            if (at + 2 < s.n && s.p[at + 2] >= '0' && s.p[at + 2] <= '9') return true;
        }
        if (answer == ORACLE_STRING && c == 'u' && i + 1 < s.n && (s.p[i + 1] | 0x20) == 'd')
            return true;
    }
    return answer == ORACLE_DEPTH || (s.n > 0 && s.p[0] == '\xef');
}

static uint32_t answers[ORACLE_DEPTH + 1];

static void check(const struct buf *text)
{
    struct value v;
    struct buf canonical = {0};
    char *want = NULL;
    enum oracle_answer answer = simdjson_oracle(text->data, text->n, &want);
    int64_t used = json_decode_copy(&reader, buf_slice(text), JSON_WHOLE, &arena, &v);
    answers[answer]++;
    if ((used >= 0) != (answer == ORACLE_YES) && !may_differ(buf_slice(text), answer)) {
        print_error("%s, oracle says %d:\n%.*s\n", json_status_text(used < 0 ? (int)used : 0),
                    answer, (int)text->n, text->data);
        fail();
    }
    if (used >= 0 && answer == ORACLE_YES) {
        struct buf lazy = {0};
        struct time_iso_cache cache = {0};
        json_write_value(&lazy, &v, &cache);
        add_canonical(&canonical, &v);
        assert_slice_equal(buf_slice(&canonical), slice_from_cstr(want));
        struct value again;
        assert_true(json_decode_copy(&reader, buf_slice(&lazy), JSON_WHOLE, &arena, &again) > 0);
        struct buf from_lazy = {0};
        add_canonical(&from_lazy, &again);
        assert_slice_equal(buf_slice(&from_lazy), slice_from_cstr(want));
        check_round_trip(&v, &canonical);
        buf_fini(&from_lazy);
        buf_fini(&lazy);
    }
    free(want);
    buf_fini(&canonical);
    arena_reset(&arena);
}

static void test_against_simdjson(void **state)
{
    (void)state;
    struct buf text = {0};
    page_pool_init(&pool, 1u << 30);
    arena_init(&arena, &pool);
    json_reader_init(&reader);
    for (int level = CPU_SCALAR; level <= (int)cpu_init(); level++) {
        json_index_init((enum cpu_level)level);
        utf8_scan_init((enum cpu_level)level);
        json_write_init((enum cpu_level)level);
        prng_seed(&prng, 1234);
        for (int i = 0; i < ROUNDS; i++) {
            text.n = 0;
            buf_room(&text, 1);
            add_json(&text, 5);
            check(&text);
            break_json(&text);
            check(&text);
        }
    }
    /* The generator makes enough of each kind for the comparison to mean something. */
    assert_true(answers[ORACLE_YES] > ROUNDS && answers[ORACLE_NO] > ROUNDS);
    assert_true(answers[ORACLE_NUMBER] > ROUNDS / 20 && answers[ORACLE_STRING] > ROUNDS / 20);
    buf_fini(&text);
    json_reader_fini(&reader);
    arena_fini(&arena);
    page_pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_simdjson)};
    return T_RUN(tests);
}
