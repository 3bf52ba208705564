/*
 * fuzz_date.c - date formats, texts, event timestamps, output patterns and zone files.
 *
 * The first byte chooses; then a pattern up to a newline, then texts up to newlines. A parser
 * that remembers the last text must agree with one that does not.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/event/time_format.h"
#include "parsers/text/date_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW_NS INT64_C(1718452800000000000)

static slice line_take(slice *rest)
{
    int64_t at = slice_find_byte(*rest, '\n');
    uint32_t n = at < 0 ? rest->n : (uint32_t)at;
    slice line = slice_part(*rest, 0, n);
    *rest = slice_from(*rest, at < 0 ? n : n + 1);
    return line;
}

static void fuzz_parse(slice rest, const struct tz *zone)
{
    struct date_format_error error;
    slice pattern = line_take(&rest), locale = line_take(&rest);
    struct date_format *format = date_format_new(pattern, locale, NOW_NS, &error);
    if (format == NULL) {
        ASSERT(error.at <= pattern.n && error.expected[0] != 0);
        return;
    }
    struct date_state memory = {0};
    while (rest.n > 0) {
        slice text = line_take(&rest);
        int64_t a = 0, b = 0;
        struct date_state fresh = {0};
        bool got = date_parse(format, &memory, text, zone, NOW_NS, &a);
        bool want = date_parse(format, &fresh, text, zone, NOW_NS, &b);
        ASSERT(got == want && a == b);
    }
    date_format_free(format);
}

static void fuzz_write(slice rest, enum time_syntax syntax, const struct tz *zone)
{
    struct time_format_error error;
    int64_t ns = 0;
    if (rest.n >= 8) memcpy(&ns, rest.p, 8);
    slice pattern = slice_from(rest, 8);
    struct time_format *format = time_format_new(pattern, syntax, &error);
    if (format == NULL) {
        ASSERT(error.at <= pattern.n && error.expected[0] != 0);
        return;
    }
    char *out = malloc(time_format_bytes_max(format) + 1u);
    ASSERT(out != NULL);
    ASSERT(time_format_write(format, ns, zone, out) <= time_format_bytes_max(format));
    free(out);
    time_format_free(format);
}

/* What was read must come back from its own text. */
static void fuzz_stamp(slice text, const struct tz *zone)
{
    int64_t ns, again;
    char out[TIME_ISO_BYTES_MAX];
    struct time_iso_cache cache = {0};
    if (!iso8601_lenient_parse(text, zone, NULL, &ns)) return;
    slice written = slice_make(out, time_iso_write(ns, &cache, out));
    ASSERT(iso8601_lenient_parse(written, zone, NULL, &again) && again == ns);
}

static void fuzz_zone(slice bytes)
{
    struct tz *zone = tz_parse(SLICE("fuzz"), bytes);
    if (zone == NULL) return;
    struct tz_hint hint = {0};
    for (int64_t s = -4000000000; s < 8000000000; s += 123456789) {
        int32_t offset_s = tz_offset(zone, s, &hint);
        ASSERT(tz_offset(zone, s, NULL) == offset_s);
        struct tz_local local = tz_local(zone, s + offset_s, NULL);
        ASSERT(local.kind != TZ_LOCAL_GAP);
    }
    tz_free(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct tz *zones[4];
    if (zones[0] == NULL) {
        zones[0] = tz_utc();
        zones[1] = tz_load(SLICE("Europe/Berlin"));
        zones[2] = tz_load(SLICE("America/New_York"));
        zones[3] = tz_load(SLICE("+05:30"));
    }
    if (n == 0 || n > 1 << 16) return 0;
    slice rest = slice_make((const char *)data + 1, n - 1);
    const struct tz *zone = zones[(data[0] >> 4) % 4];
    if (zone == NULL) zone = tz_utc();
    switch (data[0] % 5) {
    case 0: fuzz_parse(rest, zone); break;
    case 1: fuzz_write(rest, TIME_JODA, zone); break;
    case 2: fuzz_write(rest, TIME_JAVA, zone); break;
    case 3: fuzz_stamp(rest, zone); break;
    default: fuzz_zone(rest); break;
    }
    return 0;
}
