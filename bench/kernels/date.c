/*
 * date.c - ns a call of date parsing and timestamp writing, with and without a repeated day.
 *
 * Prints one line a case: the best of several rounds over 4096 texts a minute's step apart.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/event/time_format.h"
#include "parsers/text/date_parse.h"

#define TEXTS 4096u
#define ROUNDS 200
#define START_NS INT64_C(1718452800123000000)

static struct buf texts;
static slice text_at[TEXTS];

/* step_ns between texts: small ones share their day, a day's step never does. */
static void texts_make(const char *pattern, int64_t step_ns, const struct tz *zone)
{
    struct time_format_error error;
    struct time_format *format = time_format_new(slice_from_cstr(pattern), TIME_JODA, &error);
    ASSERT(format != NULL);
    uint32_t begin[TEXTS + 1];
    texts.n = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        begin[i] = (uint32_t)texts.n;
        time_format_add(format, START_NS + i * step_ns, zone, &texts);
    }
    begin[TEXTS] = (uint32_t)texts.n;
    for (uint32_t i = 0; i < TEXTS; i++)
        text_at[i] = slice_make(texts.data + begin[i], begin[i + 1] - begin[i]);
    time_format_free(format);
}

static void bench_parse(const char *name, const char *pattern, const char *written, int64_t step_ns,
                        const char *zone_name)
{
    struct date_format_error error;
    const struct tz *zone = tz_load(slice_from_cstr(zone_name));
    struct date_format *format =
        date_format_new(slice_from_cstr(pattern), SLICE_NONE, START_NS, &error);
    ASSERT(zone != NULL && format != NULL);
    texts_make(written, step_ns, zone);
    struct date_state state = {0};
    int64_t best_ns = INT64_MAX, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < TEXTS; i++) {
            int64_t ns = 0;
            ASSERT(date_parse(format, &state, text_at[i], zone, START_NS, &ns));
            sum += ns;
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    printf("%-44s %7.1f ns   (%llx)\n", name, (double)best_ns / TEXTS, (unsigned long long)sum);
    date_format_free(format);
}

static void bench_iso(const char *name, int64_t step_ns)
{
    struct time_iso_cache cache = {0};
    char out[TIME_ISO_BYTES_MAX];
    int64_t best_ns = INT64_MAX, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < TEXTS; i++) {
            sum += time_iso_write(START_NS + i * step_ns, &cache, out);
            sum += out[22];
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    printf("%-44s %7.1f ns   (%llx)\n", name, (double)best_ns / TEXTS, (unsigned long long)sum);
}

static void bench_format(const char *pattern)
{
    struct time_format_error error;
    struct time_format *format = time_format_new(slice_from_cstr(pattern), TIME_JODA, &error);
    char out[512];
    int64_t best_ns = INT64_MAX, sum = 0;
    ASSERT(format != NULL && time_format_bytes_max(format) <= sizeof(out));
    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = clock_mono_ns();
        for (uint32_t i = 0; i < TEXTS; i++) {
            sum += time_format_write(format, START_NS + i * NS_PER_SEC, tz_utc(), out);
            sum += out[0];
        }
        int64_t took_ns = clock_mono_ns() - begin_ns;
        if (took_ns < best_ns) best_ns = took_ns;
    }
    printf("write %-38s %7.1f ns   (%llx)\n", pattern, (double)best_ns / TEXTS,
           (unsigned long long)sum);
    time_format_free(format);
}

int main(void)
{
    const int64_t second = NS_PER_SEC, day = 86400 * NS_PER_SEC;
    static const char apache[] = "dd/MMM/yyyy:HH:mm:ss Z", syslog[] = "MMM dd HH:mm:ss";
    static const char iso[] = "yyyy-MM-dd'T'HH:mm:ss.SSSZZ", plain[] = "yyyy-MM-dd HH:mm:ss";
    bench_parse("parse apache, same day", apache, apache, second, "UTC");
    bench_parse("parse apache, another day each", apache, apache, day, "UTC");
    bench_parse("parse ISO8601, same day", "ISO8601", iso, second, "UTC");
    bench_parse("parse ISO8601, another day each", "ISO8601", iso, day, "UTC");
    bench_parse("parse syslog, same day", syslog, syslog, second, "Europe/Berlin");
    bench_parse("parse syslog, another day each", syslog, syslog, day, "UTC");
    bench_parse("parse yyyy-MM-dd HH:mm:ss Berlin, same day", plain, plain, second,
                "Europe/Berlin");
    bench_parse("parse yyyy-MM-dd HH:mm:ss Berlin, other day", plain, plain, day, "Asia/Tokyo");
    bench_parse("parse MM/dd/yyyy hh:mm:ss aa", "MM/dd/yyyy hh:mm:ss aa", "MM/dd/yyyy hh:mm:ss aa",
                second, "UTC");
    bench_parse("parse UNIX_MS", "UNIX_MS", "'1718452800123'", second, "UTC");
    bench_iso("time_iso_write, same second", 1000);
    bench_iso("time_iso_write, same day", NS_PER_SEC);
    bench_iso("time_iso_write, another day each", day);
    bench_format("YYYY.MM.dd");
    bench_format("yyyy-MM-dd'T'HH:mm:ss.SSSZ");
    buf_fini(&texts);
    return 0;
}
