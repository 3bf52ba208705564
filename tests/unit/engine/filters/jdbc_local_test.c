/* jdbc_local_test.c - types, images that are full, rows that are kept, readers side by side. */
#include "tests/unit/t.h"

#include "engine/base/clock.h"
#include "engine/filters/jdbc_local.h"

static char error[LOCAL_ERROR_BYTES];

static void type_is(const char *text, enum local_kind kind, uint32_t padded_n,
                    const char *constraint)
{
    struct local_column c = {0};
    if (!local_type_read(slice_from_cstr(text), &c, error)) fail_msg("%s: %s", text, error);
    assert_int_equal(c.kind, kind);
    assert_int_equal(c.padded_n, padded_n);
    if (constraint == NULL)
        assert_null(c.constraint);
    else
        assert_string_equal(c.constraint, constraint);
}

static void type_is_not(const char *text)
{
    struct local_column c = {0};
    if (local_type_read(slice_from_cstr(text), &c, error)) fail_msg("%s is taken", text);
}

static void test_types(void **state)
{
    (void)state;
    type_is("SMALLINT", LOCAL_INT, 0, NULL);
    type_is(" int ", LOCAL_INT, 0, NULL);
    type_is("integer NOT  NULL", LOCAL_INT, 0, "not null");
    type_is("bigint primary key", LOCAL_INT, 0, "primary key");
    type_is("float", LOCAL_FLOAT, 0, NULL);
    type_is("float(53)", LOCAL_FLOAT, 0, NULL);
    type_is("Double\tPrecision", LOCAL_FLOAT, 0, NULL);
    type_is("numeric", LOCAL_DECIMAL, 0, NULL);
    type_is("dec ( 10 , 2 ) unique", LOCAL_DECIMAL, 0, "unique");
    type_is("time", LOCAL_TIME, 0, NULL);
    type_is("timestamp", LOCAL_TIMESTAMP, 0, NULL);
    type_is("char", LOCAL_TEXT, 1, NULL);
    type_is("CHARACTER(7)not null", LOCAL_TEXT, 7, "not null");
    type_is("character varying(7)", LOCAL_TEXT, 0, NULL);
    type_is("char varying (7)", LOCAL_TEXT, 0, NULL);
    type_is("clob(2G)", LOCAL_TEXT, 0, NULL);
    type_is("character large object (1 M)", LOCAL_TEXT, 0, NULL);
    static const char *const wrong[] = {"",
                                        "text",
                                        "integers",
                                        "int(1)",
                                        "varchar(",
                                        "varchar()",
                                        "varchar(1,",
                                        "varchar(1",
                                        "varchar(1,2)",
                                        "char(255)",
                                        "dec(1,2,3)",
                                        "xml",
                                        "blob",
                                        "nvarchar(1)",
                                        "int default 5",
                                        "char for bit data",
                                        "long varchar for bit data",
                                        "varchar(99999999999)",
                                        "double precisely",
                                        "time stamp"};
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) type_is_not(wrong[i]);
    char longest[5000];
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, "int", 3);
    longest[4999] = 0;
    type_is(longest, LOCAL_INT, 0, NULL);
    memset(longest, 'x', 4999);
    type_is_not(longest);
    type_is_not("int \xff\xfe");
}

/* ---- a table ----------------------------------------------------------------------------------
 */

static struct local_column columns[] = {{.name = {"n", 1}, .kind = LOCAL_INT},
                                        {.name = {"s", 1}, .kind = LOCAL_TEXT}};
static uint32_t indexed[] = {0};
static struct local_table table = {
    .name = {"t", 1}, .column = columns, .n = 2, .index = indexed, .index_n = 1};
static struct local_schema schema = {.table = &table, .n = 1, .pages_max = 100};

static bool add(struct local_build *b, int64_t n, slice text)
{
    struct sql_cell cell[] = {{.type = SQL_CELL_INT, .num = n},
                              {.type = SQL_CELL_TEXT, .text = text}};
    return local_row_add(b, cell, error);
}

static struct local_build *build(void)
{
    struct local_build *b = local_build_new(&schema, error);
    assert_non_null(b);
    return b;
}

static struct local_image *finish(struct local_build *b)
{
    struct local_image *image = local_build_finish(b, error);
    assert_non_null(image);
    return image;
}

/* The rows of "select s from t where n = ?", joined. */
static void rows_are(const struct local_image *image, int64_t n, const char *want)
{
    struct heap heap = HEAP_INIT;
    struct page_pool pool;
    struct arena arena;
    struct local_query q;
    struct value param = value_int(n), rows;
    struct key key = key_borrow(SLICE("s"));
    struct buf got = {0};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    assert_true(local_query_read(&q, SLICE("select S from T where n = ?"), image, &heap, error));
    assert_int_equal(q.param_n, 1);
    assert_int_equal(q.column_n, 1);
    assert_slice_equal(q.column[0].name, SLICE("s"));
    struct local_reader *r = local_reader_new(image, &q, 1, tz_utc(), error);
    struct local_reader *other = local_reader_new(image, &q, 1, tz_utc(), error);
    assert_non_null(r);
    assert_non_null(other);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(local_look_up(i == 1 ? other : r, 0, &param, &key, &arena, &rows, error));
        got.n = 0;
        for (uint32_t k = 0; k < rows.n; k++)
            buf_add_slice(&got, value_slice(&rows.u.list[k].u.map->at[0].val));
        assert_slice_equal(buf_slice(&got), slice_from_cstr(want));
    }
    local_reader_free(r);
    local_reader_free(other);
    buf_fini(&got);
    arena_fini(&arena);
    page_pool_fini(&pool);
    heap_fini(&heap);
}

static void test_images(void **state)
{
    (void)state;
    struct local_build *b = build();
    assert_true(local_rows_begin(b, &table, error));
    assert_true(add(b, 1, SLICE("a")));
    assert_true(add(b, 1, SLICE("b")));
    assert_true(add(b, 2, SLICE("c")));
    assert_true(local_rows_end(b, error));
    struct local_image *first = finish(b);
    rows_are(first, 1, "ab");
    /* What is given up half way leaves nothing; what is kept is there, index included. */
    b = build();
    assert_true(local_rows_begin(b, &table, error));
    assert_true(add(b, 3, SLICE("x")));
    local_rows_cancel(b);
    assert_true(local_rows_keep(b, &table, first, error));
    struct local_image *second = finish(b);
    local_image_free(first);
    rows_are(second, 1, "ab");
    rows_are(second, 2, "c");
    rows_are(second, 3, "");
    local_image_free(second);
}

static void test_a_full_image(void **state)
{
    char text[3000];
    (void)state;
    memset(text, 'x', sizeof(text));
    struct local_build *b = build();
    assert_true(local_rows_begin(b, &table, error));
    uint32_t n = 0;
    while (n < 1000 && add(b, n, slice_make(text, sizeof(text)))) n++;
    assert_true(n > 50 && n < 100);
    assert_non_null(strstr(error, "no room for row"));
    local_rows_cancel(b);
    assert_true(local_rows_begin(b, &table, error));
    assert_true(add(b, 5, SLICE("small")));
    assert_true(local_rows_end(b, error));
    struct local_image *image = finish(b);
    rows_are(image, 5, "small");
    local_image_free(image);
}

static void test_values_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        enum local_kind kind;
        const char *text;
        bool fits;
    } cases[] = {
        {LOCAL_INT, "12x", false},
        {LOCAL_INT, "1.5", false},
        {LOCAL_INT, "+1.000", true},
        {LOCAL_INT, "", false},
        {LOCAL_INT, "9223372036854775807", true},
        {LOCAL_INT, "9223372036854775808", false},
        {LOCAL_FLOAT, "1e300", true},
        {LOCAL_FLOAT, "one", false},
        {LOCAL_BOOL, "yes", false},
        {LOCAL_BOOL, " F ", true},
        {LOCAL_DATE, "2024-1-1", false},
        {LOCAL_DATE, "2024-01-01", true},
        {LOCAL_DATE, "2024-01-01 00:00:00", true},
        {LOCAL_DATE, "2024-01-01x", false},
        {LOCAL_TIME, "10:11", false},
        {LOCAL_TIME, "10:11:12", true},
        {LOCAL_TIMESTAMP, "10:11:12", false},
        {LOCAL_TIMESTAMP, "2024-01-01", true},
        {LOCAL_TIMESTAMP, "2024-01-01 10:11:12.000", true},
        {LOCAL_TIMESTAMP, "2024-01-01 10:1", false},
        {LOCAL_TIMESTAMP, "", false},
    };
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct local_column one = {.name = SLICE("c"), .kind = cases[i].kind};
        struct local_table of_one = {.name = SLICE("t"), .column = &one, .n = 1};
        struct local_schema small = {.table = &of_one, .n = 1, .pages_max = 100};
        struct sql_cell cell = {.type = SQL_CELL_TEXT, .text = slice_from_cstr(cases[i].text)};
        struct local_build *b = local_build_new(&small, error);
        assert_true(local_rows_begin(b, &of_one, error));
        if (local_row_add(b, &cell, error) != cases[i].fits) fail_msg("%s", cases[i].text);
        local_rows_cancel(b);
        local_build_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_a_full_image),
        cmocka_unit_test(test_values_that_do_not_fit),
    };
    return T_RUN(tests);
}
