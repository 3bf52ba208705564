/* csv_convert.c - Ruby's CSV converters, and the booleans of Logstash. */
#include "engine/plan/csv_convert.h"

#include "parsers/text/csv_date.h"
#include "parsers/text/ruby_number.h"
#include "parsers/text/unicode_case.h"

static const char *const names[] = {"integer", "float", "date", "date_time", "boolean", NULL};

enum csv_type csv_type_of(struct config_hash convert, slice column)
{
    const struct config_value *to = config_hash_get(convert, column);
    for (uint32_t i = 0; to != NULL && names[i] != NULL; i++)
        if (slice_equal(to->text, slice_from_cstr(names[i]))) return (enum csv_type)i;
    return CSV_TEXT;
}

err csv_format_compile(struct csv_format *format, slice separator, slice *quote_char,
                       struct compiler *c)
{
    /* The two spellings of a zero byte: nothing is quoted, unless by NULs. */
    if (slice_equal(*quote_char, SLICE("\\x00"))) *quote_char = SLICE("\0");
    if (csv_format_init(format, separator, *quote_char) == ERR_OK) return ERR_OK;
    bool empty = separator.n == 0;
    compile_error(c, empty ? "separator" : "quote_char", NULL,
                  empty ? "the separator is empty" : "quote_char must be a single character");
    return ERR_CONFIG;
}

err csv_types_check(struct config_hash convert, struct compiler *c)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < convert.n; i++) {
        slice to = convert.at[i].val.text;
        bool known = false;
        for (uint32_t k = 0; names[k] != NULL; k++)
            known = known || slice_equal(to, slice_from_cstr(names[k]));
        if (known) continue;
        diag_error(c->diag, convert.at[i].val.pos, "integer, float, date, date_time or boolean",
                   "Invalid conversion types: %.*s", SLICE_FMT(to));
        result = ERR_CONFIG;
    }
    return result;
}

/* Text that is neither comes out stripped and in lower case, as the plugin has it. */
static struct value converted_boolean(slice text, struct arena *arena)
{
    slice word = slice_trim(text);
    char *out = arena_alloc(arena, UNICODE_CASE_BYTES_MAX((size_t)word.n) + 1, 1);
    word = slice_make(out, unicode_case_write(word, CASE_LOWER, out));
    if (slice_equal(word, SLICE("true"))) return value_bool(true);
    if (slice_equal(word, SLICE("false"))) return value_bool(false);
    return value_string(word);
}

struct value csv_converted(enum csv_type to, slice text, const struct tz *zone, struct arena *arena)
{
    struct value val = value_string(text);
    int64_t days, ns;
    double real;
    switch (to) {
    case CSV_INTEGER: ruby_kernel_integer(text, arena, &val); break;
    case CSV_FLOAT:
        if (ruby_float_parse(text, arena, &real)) val = value_float(real);
        break;
    case CSV_DATE:
        if (csv_date_parse(text, &days) && days > -100000 && days < 100000) {
            int64_t local_s = days * 86400;
            int64_t utc_s = local_s - tz_local(zone, local_s, NULL).offset_s;
            val = value_time(utc_s * INT64_C(1000000000));
        }
        break;
    case CSV_DATE_TIME:
        if (csv_date_time_parse(text, &ns)) val = value_time(ns);
        break;
    case CSV_BOOLEAN: val = converted_boolean(text, arena); break;
    case CSV_TEXT: break;
    }
    return val;
}
