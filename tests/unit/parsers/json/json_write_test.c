/* json_write_test.c - the encoder against a naive one, at every length, for every CPU level. */
#include "tests/unit/t.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/prng.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"

static struct page_pool pool, key_pool;
static struct arena keys;
static struct batch batch;
static struct time_iso_cache cache;

#define EACH_LEVEL(level)                                                                          \
    for (int level = CPU_SCALAR; level <= (int)cpu_init() && set_level(level); level++)
static bool set_level(int level)
{
    json_write_init((enum cpu_level)level);
    batch_reset(&batch);
    return true;
}

static int setup(void **state)
{
    (void)state;
    page_pool_init(&pool, 1u << 30);
    batch_init(&batch, &pool);
    batch.now_ns = 1709618767000000000;
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    batch_fini(&batch);
    page_pool_fini(&pool);
    return 0;
}

static void naive_string(struct buf *out, slice s)
{
    static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";
    buf_add_byte(out, '"');
    for (uint32_t i = 0; i < s.n; i++) {
        const char *name = NULL;
        for (uint32_t k = 0; k + 1 < sizeof(named); k += 2)
            if (named[k] == s.p[i]) name = &named[k + 1];
        if (name != NULL)
            buf_printf(out, "\\%c", *name);
        else if ((unsigned char)s.p[i] < 0x20)
            buf_printf(out, "\\u%04x", (unsigned)s.p[i]);
        else
            buf_add_byte(out, s.p[i]);
    }
    buf_add_byte(out, '"');
}

/* Exact allocations on both sides: neither strings nor output are padded by luck. */
static void check_string(slice s)
{
    struct buf want = {0}, got = {0};
    char *copy = malloc(s.n == 0 ? 1 : s.n);
    if (s.n > 0) memcpy(copy, s.p, s.n);
    naive_string(&want, s);
    json_write_string(&got, slice_make(copy, s.n));
    assert_slice_equal(buf_slice(&got), buf_slice(&want));
    free(copy);
    buf_fini(&got);
    buf_fini(&want);
}

static void test_strings(void **state)
{
    (void)state;
    static char text[700];
    struct prng prng;
    prng_seed(&prng, 11);
    EACH_LEVEL(level)
    for (uint32_t density = 1; density <= 1024; density *= 4)
        for (uint32_t n = 0; n < sizeof(text); n += n < 140 ? 1 : 37) {
            for (uint32_t i = 0; i < n; i++)
                text[i] = prng_below(&prng, density) == 0 ? "\"\\\n\r\t\b\f\x01\x1f\x7f"[i % 10]
                                                          : (char)('a' + i % 26);
            check_string(slice_make(text, n));
        }
}

static void put(struct event *ev, const char *name, struct value v)
{
    struct key key = key_make(&batch.arena, slice_from_cstr(name));
    if (strchr(name, 'b') != NULL) key.flags &= KEY_QUOTED;
    map_put(&ev->data, &batch.arena, key, v);
}

static void expect_event(const struct event *ev, const char *want)
{
    struct buf out = {0};
    json_write_event(&out, ev, &cache);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
    json_write_event_scrubbed(&out, ev, &cache);
    assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
    buf_fini(&out);
}

static void test_values(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        struct event *ev = batch_add(&batch);
        expect_event(ev, "{\"@timestamp\":\"2024-03-05T06:06:07.000Z\"}");
        put(ev, "a", value_int(INT64_MIN));
        put(ev, "b", value_float(0.1));
        put(ev, "c", value_float(NAN));
        put(ev, "d", value_bool(true));
        put(ev, "eb", value_bool(false));
        put(ev, "f", value_nil());
        put(ev, "g", value_time(batch.now_ns + 1234567));
        put(ev, "h\"b", value_string(SLICE("\xc3\xa9\"")));
        struct value big = value_clean(SLICE("123456789012345678901234567890"));
        big.type = VALUE_BIGNUM;
        put(ev, "i", big);
        struct value escaped = value_clean(SLICE("x\\n\\u00e9"));
        escaped.flags = VALUE_ESCAPED;
        put(ev, "j", escaped);
        struct map *map = map_new(&batch.arena);
        struct value items[3] = {value_int(1), value_map(map), value_list(NULL, 0)};
        put(ev, "k", value_list(items, 3));
        map_put(map, &batch.arena, key_borrow(SLICE("x\ny")), value_string(SLICE("")));
        map_put(map, &batch.arena, key_make(&batch.arena, SLICE("z")), value_clean(SLICE("q")));
        static const char want[] =
            "{\"@timestamp\":\"2024-03-05T06:06:07.000Z\",\"a\":-9223372036854775808,\"b\":0.1,"
            "\"c\":\"NaN\",\"d\":true,\"eb\":false,\"f\":null,\"g\":\"2024-03-05T06:06:07."
            "001234567Z\","
            "\"h\\\"b\":\"\xc3\xa9\\\"\",\"i\":123456789012345678901234567890,"
            "\"j\":\"x\\n\\u00e9\",\"k\":[1,{\"x\\ny\":\"\",\"z\":\"q\"},[]]}";
        struct buf out = {0};
        json_write_event(&out, ev, &cache);
        assert_slice_equal(buf_slice(&out), slice_from_cstr(want));
        buf_fini(&out);
        ev->time = value_nil();
        ev->data.n = 1;
        expect_event(ev, "{\"a\":-9223372036854775808}");
        ev->data.n = 0;
        expect_event(ev, "{}");
    }
}

static void test_scrubbed(void **state)
{
    (void)state;
    set_level(CPU_SCALAR);
    struct event *ev = batch_add(&batch);
    ev->time = value_nil();
    map_put(&ev->data, &batch.arena, key_borrow(SLICE("k\xff")),
            value_string(SLICE("a\xc3z\xe2\x82")));
    struct buf out = {0};
    json_write_event_scrubbed(&out, ev, &cache);
    assert_slice_equal(buf_slice(&out), SLICE("{\"k\xef\xbf\xbd\":\"a\xef\xbf\xbdz\xef\xbf\xbd"
                                              "\xef\xbf\xbd\"}"));
    buf_fini(&out);
}

/* Decoded members are copied in runs; every change to one must show, and only that. */
static void test_runs(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":\"x\",\"b\":12,\"c\":\"\\n\",\"d\":true,\"e\" :\"y\",\"f\":\"z\",\"g\":[\"1\",2],"
        "\"h\":{\"a\":\"x\",\"b\":1.50},\"i\":\"" /* 70 bytes */
        "0123456789012345678901234567890123456789012345678901234567890123456789\",\"j\":null}";
    struct json_reader reader;
    json_reader_init(&reader);
    EACH_LEVEL(level)
    for (uint32_t change = 0; change < 11; change++)
        for (uint32_t kind = 0; kind < 4; kind++) {
            struct event *ev = batch_add(&batch);
            struct value v;
            assert_true(
                json_decode_copy(&reader, slice_from_cstr(text), JSON_WHOLE, &batch.arena, &v) > 0);
            ev->data = *v.u.map;
            ev->time = value_nil();
            if (change < ev->data.n) {
                struct member *m = &ev->data.at[change];
                struct key key = {slice_make(m->key, m->key_n), m->hash, 0};
                struct value to = value_string(SLICE("new\""));
                if (kind == 0) map_remove_at(&ev->data, change);
                if (kind == 1) map_put(&ev->data, &batch.arena, key, to);
                if (kind == 2) value_resolve(&m->val, &batch.arena);
                if (kind == 3) m->val.n -= m->val.type == VALUE_STRING;
            }
            struct value whole = value_map(&ev->data);
            struct buf want = {0}, got = {0};
            value_json(&whole, &want);
            json_write_event(&got, ev, &cache);
            if (kind == 2 && change == 2) /* the two encoders escape \n in different ways */
                assert_true(slice_find(buf_slice(&got), SLICE("\"c\":\"\\n\",\"d\":true")) > 0);
            else
                assert_slice_equal(buf_slice(&got), buf_slice(&want));
            buf_fini(&want);
            buf_fini(&got);
        }
    json_reader_fini(&reader);
}

static void test_events(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    {
        for (int i = 0; i < 3; i++) {
            struct event *ev = batch_add(&batch);
            ev->time = value_nil();
            put(ev, "n", value_int(i));
        }
        uint32_t at[] = {0, 2};
        struct sel sel = {.at = at, .n = 2};
        struct buf out = {0};
        json_write_events(&out, &batch, &sel, SLICE("{\"index\":{}}\n"), SLICE("\n"), &cache);
        json_write_events(&out, &batch, &sel, SLICE_NONE, SLICE_NONE, &cache);
        struct value v = value_time(0);
        json_write_value(&out, &v, &cache);
        assert_slice_equal(buf_slice(&out),
                           SLICE("{\"index\":{}}\n{\"n\":0}\n{\"index\":{}}\n{\"n\":2}\n"
                                 "{\"n\":0}{\"n\":2}\"1970-01-01T00:00:00.000Z\""));
        buf_fini(&out);
    }
}

/* Maps within maps within lists, with empty ones, at every room that the buffer may have left. */
static void add_nested(struct map *map, uint32_t depth, const char *name)
{
    struct key key = key_make(&batch.arena, slice_from_cstr(name));
    struct map *below = map_new(&batch.arena);
    map_put(map, &batch.arena, key_make(&batch.arena, SLICE("t")),
            value_string(SLICE("a \"text\"\n")));
    map_put(map, &batch.arena, key, value_map(below));
    map_put(map, &batch.arena, key_make(&batch.arena, SLICE("z")), value_int(depth));
    if (depth > 0) add_nested(below, depth - 1, name);
    if (depth == 2)
        map_put(map, &batch.arena, key, value_share(value_map(below), true, &batch.arena));
    if (depth == 5)
        map_put(map, &batch.arena, key, value_share(value_map(below), false, &batch.arena));
}

static void test_nesting(void **state)
{
    (void)state;
    EACH_LEVEL(level)
    for (uint32_t depth = 0; depth < 24; depth++) {
        struct event *ev = batch_add(&batch);
        struct value *item = arena_alloc(&batch.arena, sizeof(*item), 16);
        struct map *inside = map_new(&batch.arena);
        add_nested(inside, depth, "in a list");
        *item = value_map(inside);
        add_nested(&ev->data, depth,
                   "a key of more than sixty-one bytes, which is not laid out!!!!");
        put(ev, "list", value_list(item, 1));
        struct buf want = {0}, got = {0};
        json_write_event_scrubbed(&want, ev, &cache);
        for (uint32_t used = 0; used < 300; used += 7) {
            got.n = 0;
            buf_room(&got, used);
            got.n = used;
            json_write_event(&got, ev, &cache);
            assert_slice_equal(slice_make(got.data + used, got.n - used), buf_slice(&want));
            buf_fini(&got);
        }
        buf_fini(&want);
    }
}

static struct value any_value(struct prng *prng, uint32_t depth);

static struct map *any_map(struct prng *prng, uint32_t depth)
{
    static struct key known[24];
    static char names[24][80];
    struct map *map = map_new(&batch.arena);
    uint32_t n = (uint32_t)prng_below(prng, depth == 0 ? 8 : 4);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = (uint32_t)prng_below(prng, ARRAY_LEN(known));
        if (known[k].name.p == NULL) {
            memset(names[k], 'k', k * 3);
            snprintf(names[k] + k * 3, 8, k % 5 == 4 ? "\"%u" : "%u", k);
            known[k] = key_make(&keys, slice_from_cstr(names[k]));
            if (k > 0) known[k].flags |= KEY_STATIC;
        }
        map_put(map, &batch.arena, known[k], any_value(prng, depth + 1));
    }
    return map;
}

static struct value any_value(struct prng *prng, uint32_t depth)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "line\n",
                                        "\"quoted\"",
                                        "a text of forty bytes and a few more",
                                        "\"GET /a HTTP/1.1\" 200 17 \"https://example.net/\" and "
                                        "more, so that the same is not escaped twice\n"};
    slice text = slice_from_cstr(texts[prng_below(prng, ARRAY_LEN(texts))]);
    if (prng_below(prng, 4) == 0) text.n -= (uint32_t)prng_below(prng, text.n + 1);
    switch (prng_below(prng, 9)) {
    case 0: return value_int((int64_t)prng_below(prng, 100000));
    case 1: return value_bool(prng_below(prng, 2) == 0);
    case 2: return value_clean(SLICE("clean"));
    case 3: return (struct value){.type = VALUE_INT, .flags = VALUE_RAW, .n = 3, .u.str = "123"};
    case 4:
    case 5:
        if (depth > 10) return value_nil();
        struct value map = value_map(any_map(prng, depth));
        return prng_below(prng, 3) == 0 ? value_share(map, prng_below(prng, 2) == 0, &batch.arena)
                                        : map;
    default: return value_string(text);
    }
}

/* Events of few and of many layouts, learned and forgotten, are written as they are without. */
static void test_layouts(void **state)
{
    (void)state;
    struct prng prng;
    prng_seed(&prng, 5);
    page_pool_init(&key_pool, SIZE_MAX);
    arena_init(&keys, &key_pool);
    EACH_LEVEL(level)
    {
        struct json_layouts *layouts = json_layouts_new();
        struct map *usual[6];
        uint32_t hits = 0;
        for (uint32_t i = 0; i < 6000; i++) {
            uint32_t which = i % 6;
            if (i % 600 < 6) usual[which] = any_map(&prng, 0);
            struct event *ev = batch_add(&batch);
            ev->data = i % 7 == 0 ? *any_map(&prng, 0) : *usual[which];
            if (i % 50 == 0) ev->time = value_nil();
            struct buf want = {0}, got = {0};
            buf_add_cstr(&got, "before");
            json_write_event(&want, ev, &cache);
            ev->shape = (uint16_t)prng_below(&prng, 4); /* guesses may be wrong */
            const struct json_layout *guess = layouts->at, *at;
            at = &guess[layouts->guess[ev->shape]];
            uint32_t before = at->hits;
            json_write_laid_out(&got, ev, &cache, layouts);
            at = &guess[layouts->guess[ev->shape]];
            hits += at->hits != before;
            assert_slice_equal(slice_from(buf_slice(&got), 6), buf_slice(&want));
            buf_fini(&want);
            buf_fini(&got);
            if (batch.n > 1000) batch.n = 0;
        }
        assert_true(hits > 1500);
        free(layouts);
    }
    arena_fini(&keys);
    page_pool_fini(&key_pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_scrubbed), cmocka_unit_test(test_runs),
        cmocka_unit_test(test_events),   cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_layouts)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
