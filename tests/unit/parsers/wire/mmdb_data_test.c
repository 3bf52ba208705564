/* mmdb_data_test.c - values of the format's every kind, and broken ones. */
#include "tests/unit/t.h"

#include <stdlib.h>

#include "engine/base/prng.h"
#include "parsers/wire/mmdb_data.h"

/* {"a": "xy", "list": [1, 70000, {"b": true}], "p" (by pointer to "a"'s key): -2, "d": 0.5} and
 * scalars behind it. */
static const unsigned char sample[] = {
    0xe4,                                                 /* map of 4 */
    0x41, 'a',  0x42, 'x',  'y',                          /* a: at 1 */
    0x44, 'l',  'i',  's',  't',  0x03, 0x04,             /* list: array of 3 */
    0xa1, 0x01, 0xc3, 0x01, 0x11, 0x70,                   /* uint16 1, uint32 70000 */
    0xe1, 0x41, 'b',  0x01, 0x07,                         /* {"b": true} */
    0x41, 'p',  0x20, 0x03,                               /* p: pointer to "xy" */
    0x41, 'd',  0x68, 0x3f, 0xe0, 0,    0,    0, 0, 0, 0, /* d: 0.5 */
    0x04, 0x01, 0xff, 0xff, 0xff, 0xfe,                   /* int32 -2 */
    0x04, 0x08, 0x3f, 0x80, 0x00, 0x00,                   /* float 1.0 */
};

static slice sample_copy(void)
{
    char *copy = malloc(sizeof(sample));
    assert_non_null(copy);
    memcpy(copy, sample, sizeof(sample));
    return slice_make(copy, sizeof(sample));
}

static void test_values(void **state)
{
    (void)state;
    slice data = sample_copy();
    struct mmdb_item root, item, last;
    uint32_t at = 0;
    assert_true(mmdb_item_read(data, 0, &root));
    assert_int_equal(root.type, MMDB_MAP);
    assert_true(mmdb_item_member(data, &root, SLICE("a"), &item));
    assert_slice_equal(mmdb_item_text(data, &item), SLICE("xy"));
    assert_true(mmdb_item_member(data, &root, SLICE("p"), &item));
    assert_slice_equal(mmdb_item_text(data, &item), SLICE("xy"));
    assert_true(item.pointed);
    assert_true(mmdb_item_member(data, &root, SLICE("list"), &item));
    assert_true(mmdb_item_last(data, &item, &last));
    assert_true(mmdb_item_member(data, &last, SLICE("b"), &item));
    assert_int_equal(item.type, MMDB_BOOLEAN);
    assert_int_equal(item.size, 1);
    assert_true(mmdb_item_member(data, &root, SLICE("d"), &item));
    assert_true(mmdb_item_real(data, &item) == 0.5);
    assert_false(mmdb_item_member(data, &root, SLICE("e"), &item));
    assert_false(mmdb_item_member(data, &item, SLICE("a"), &item));
    assert_true(mmdb_item_skip(data, &at));
    assert_true(mmdb_item_read(data, at, &item));
    assert_int_equal(item.type, MMDB_INT32);
    assert_int_equal((int32_t)mmdb_item_uint(data, &item), -2);
    assert_true(mmdb_item_read(data, item.behind, &item));
    assert_true(mmdb_item_real(data, &item) == 1.0);
    assert_int_equal(item.behind, sizeof(sample));
    assert_false(mmdb_item_read(data, item.behind, &item));
    free((char *)(uintptr_t)data.p);
}

static void touch(slice data, const struct mmdb_item *item, uint32_t *sum)
{
    if (item->type == MMDB_TEXT)
        for (uint32_t i = 0; i < item->size; i++) *sum += (uint8_t)mmdb_item_text(data, item).p[i];
    else if (item->type != MMDB_MAP && item->type != MMDB_ARRAY && item->type != MMDB_BOOLEAN)
        *sum += (uint32_t)mmdb_item_uint(data, item) + (mmdb_item_real(data, item) > 1);
}

/* Bytes changed and cut off: nothing outside is read. */
static void test_broken(void **state)
{
    (void)state;
    struct prng r;
    uint32_t sum = 0;
    prng_seed(&r, 3);
    for (int round = 0; round < 20000; round++) {
        uint32_t n = (uint32_t)prng_below(&r, sizeof(sample) + 1), at = 0;
        char *copy = malloc(n + (n == 0));
        assert_non_null(copy);
        memcpy(copy, sample, n);
        for (uint64_t i = prng_below(&r, 4); i > 0 && n > 0; i--)
            copy[prng_below(&r, n)] = (char)prng_next(&r);
        slice data = slice_make(copy, n);
        struct mmdb_item root, item;
        if (mmdb_item_read(data, 0, &root)) {
            if (mmdb_item_member(data, &root, SLICE("d"), &item)) touch(data, &item, &sum);
            if (mmdb_item_member(data, &root, SLICE("list"), &item) &&
                mmdb_item_last(data, &item, &item))
                touch(data, &item, &sum);
        }
        while (at < n && mmdb_item_read(data, at, &item) && mmdb_item_skip(data, &at))
            touch(data, &item, &sum);
        free(copy);
    }
    assert_true(sum > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
