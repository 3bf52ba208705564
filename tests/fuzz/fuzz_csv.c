/*
 * fuzz_csv.c - the first bytes choose separator and quote, the rest is text: fields lie inside of
 * it or are shorter copies, rows follow each other to its end, and dates never go wrong.
 */
#include <stdint.h>

#include "engine/base/assert.h"
#include "parsers/text/csv.h"
#include "parsers/text/csv_date.h"
#include "parsers/text/ruby_number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4 || n > 1u << 20) return 0;
    struct csv_format format;
    slice separator = slice_make((const char *)data + 1, 1 + data[0] % 2u);
    slice quote = slice_make((const char *)data + 3, 1);
    if (data[0] & 4) quote = SLICE_NONE;
    if (csv_format_init(&format, separator, quote) != ERR_OK) return 0;
    slice text = slice_from(slice_make((const char *)data, n), 4);
    struct page_pool pool;
    struct arena arena;
    struct csv_row row = {0};
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    while (csv_row_read(&format, text, &arena, &row) == CSV_ROW) {
        ASSERT(row.used > 0 && row.used <= text.n);
        uint64_t total = 0;
        for (uint32_t i = 0; i < row.n; i++) {
            struct value val;
            int64_t out;
            double real;
            total += row.at[i].text.n;
            ASSERT(!row.at[i].nil || row.at[i].text.n == 0);
            csv_date_parse(row.at[i].text, &out);
            csv_date_time_parse(row.at[i].text, &out);
            ruby_kernel_integer(row.at[i].text, &arena, &val);
            ruby_float_parse(row.at[i].text, &arena, &real);
        }
        ASSERT(total <= row.used);
        text = slice_from(text, row.used);
    }
    csv_row_fini(&row);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return 0;
}
