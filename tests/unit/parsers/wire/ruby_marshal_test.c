/* ruby_marshal_test.c - what Ruby 3.1 writes, read and written again; and cut, and mangled. */
#include "parsers/wire/ruby_marshal.h"

#include <stdlib.h>

#include "tests/unit/rig.h"

/* A literal as an initializer, NULs included. */
#define BYTES(lit)                                                                                 \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }

static slice json_of(struct bench_batch *t, slice in, err want)
{
    struct value v;
    struct buf text = {0};
    assert_int_equal(marshal_read(in, &t->b.arena, &v), want);
    if (want != ERR_OK) return SLICE_NONE;
    value_json(&v, &text);
    slice out = arena_copy(&t->b.arena, buf_slice(&text));
    buf_fini(&text);
    return out;
}

static const slice numbers = BYTES(
    "\x04\x08\x5b\x1c\x69\x06\x69\xfa\x69\x00\x69\x7f\x69\x01\x7b\x69\x80\x69\xff\x84\x69\x01\xff"
    "\x69\x02\x00\x01\x69\xff\x00\x69\xfe\xff\xfe\x69\x02\xff\xff\x69\x04\xff\xff\xff\x3f\x6c\x2b"
    "\x07\x00\x00\x00\x40\x69\xfc\x00\x00\x00\xc0\x6c\x2d\x07\x01\x00\x00\x40\x6c\x2b\x09\x00\x00"
    "\x00\x00\x00\x00\x00\x40\x30\x54\x46\x66\x08\x31\x2e\x35\x66\x0a\x2d\x30\x2e\x32\x35\x22\x06"
    "\x61");
static const slice links =
    BYTES("\x04\x08\x7b\x07\x49\x22\x06\x61\x06\x3a\x06\x45\x54\x49\x22\x06\x62\x06\x3b\x00\x54\x3a"
          "\x06\x63\x5b\x08\x49\x22\x06\x78\x06\x3b\x00\x54\x40\x09\x3b\x06");

static void test_read(void **state)
{
    struct bench_batch t;
    (void)state;
    bench_batch_init(&t);
    assert_slice_equal(json_of(&t, numbers, ERR_OK),
                       SLICE("[1,-1,0,122,123,-123,-124,255,256,-256,-257,65535,1073741823,"
                             "1073741824,-1073741824,-1073741825,4611686018427387904,null,true,"
                             "false,1.5,-0.25,\"a\"]"));
    assert_slice_equal(json_of(&t, links, ERR_OK),
                       SLICE("{\"a\":\"b\",\"c\":[\"x\",\"x\",\"c\"]}"));
    assert_slice_equal(json_of(&t, SLICE("\x04\x08\x22\x06\xff"), ERR_OK),
                       SLICE("\"\xef\xbf\xbd\""));
    /* 2**80 */
    assert_slice_equal(json_of(&t,
                               SLICE("\x04\x08\x6c\x2b\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                                     "\x01\x00"),
                               ERR_OK),
                       SLICE("1.2089258196146292e+24"));
    bench_batch_fini(&t);
}

static void test_refused(void **state)
{
    struct bench_batch t;
    char deep[300] = "\x04\x08";
    (void)state;
    bench_batch_init(&t);
    json_of(&t, SLICE("\x04\x08o:\x0bObject\x00"), ERR_UNSUPPORTED);
    json_of(&t, SLICE("\x04\x08\x5b\x06\x40\x00"), ERR_UNSUPPORTED); /* a list in itself */
    json_of(&t, SLICE("\x04\x09\x30"), ERR_FRAME);
    json_of(&t, SLICE("\x04\x08\x40\x06"), ERR_FRAME);                 /* a link to nothing */
    json_of(&t, SLICE("\x04\x08\x5b\x04\xff\xff\xff\x3f"), ERR_FRAME); /* more than there is */
    for (uint32_t i = 0; i < 149; i++) memcpy(deep + 2 + i * 2, "[\x06", 2);
    json_of(&t, slice_make(deep, sizeof(deep)), ERR_LIMIT);
    bench_batch_fini(&t);
}

static void test_cut_everywhere(void **state)
{
    const slice all[] = {numbers, links};
    (void)state;
    for (uint32_t k = 0; k < 2; k++)
        for (uint32_t n = 0; n < all[k].n; n++) {
            struct bench_batch t;
            bench_batch_init(&t);
            /* A copy of that size: reading on would be seen. */
            char *copy = malloc(n + 1);
            memcpy(copy, all[k].p, n);
            json_of(&t, slice_make(copy, n), ERR_FRAME);
            free(copy);
            bench_batch_fini(&t);
        }
}

static void test_write(void **state)
{
    struct bench_batch t;
    struct value v;
    struct buf out = {0};
    (void)state;
    bench_batch_init(&t);
    assert_int_equal(marshal_read(numbers, &t.b.arena, &v), ERR_OK);
    marshal_write(&v, &t.b.arena, &out);
    /* The last string had no encoding; ours have one, and so need five bytes more and the rest. */
    assert_slice_equal(slice_part(buf_slice(&out), 0, numbers.n - 3),
                       slice_part(numbers, 0, numbers.n - 3));
    struct value again;
    assert_int_equal(marshal_read(buf_slice(&out), &t.b.arena, &again), ERR_OK);
    assert_true(value_equal(&v, &again, &t.b.arena));
    out.n = 0;
    assert_int_equal(marshal_read(links, &t.b.arena, &v), ERR_OK);
    marshal_write(&v, &t.b.arena, &out);
    assert_int_equal(marshal_read(buf_slice(&out), &t.b.arena, &again), ERR_OK);
    assert_true(value_equal(&v, &again, &t.b.arena));
    buf_fini(&out);
    bench_batch_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut_everywhere),
        cmocka_unit_test(test_write),
    };
    return T_RUN(tests);
}
