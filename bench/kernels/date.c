/*
 * date.c - dates parsed and timestamps written, with and without a repeated day: 4096 texts, a
 * second or a day apart.
 */
#include <stdlib.h>

#include "bench/harness/harness.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/event/time_format.h"
#include "parsers/text/date_parse.h"

#define TEXTS 4096u
#define START_NS INT64_C(1718452800123000000)

static struct buf texts;
static slice text_at[TEXTS];

struct parsing {
    struct date_format *format;
    struct date_state state;
    const struct tz *zone;
};

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

static uint64_t parse_all(void *opaque)
{
    struct parsing *p = opaque;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        int64_t ns = 0;
        ASSERT(date_parse(p->format, &p->state, text_at[i], p->zone, START_NS, &ns));
        sum += (uint64_t)ns;
    }
    return sum;
}

static void bench_parse(const char *name, const char *pattern, const char *written, int64_t step_ns,
                        const char *zone_name)
{
    struct date_format_error error;
    struct parsing p = {.zone = tz_load(slice_from_cstr(zone_name))};
    if (!bench_wanted(name)) return;
    p.format = date_format_new(slice_from_cstr(pattern), SLICE_NONE, START_NS, &error);
    ASSERT(p.zone != NULL && p.format != NULL);
    texts_make(written, step_ns, p.zone);
    bench_run(&(struct bench_case){.name = name, .body = parse_all, .opaque = &p, .events = TEXTS});
    date_format_free(p.format);
}

static uint64_t write_iso(void *opaque)
{
    struct time_iso_cache cache = {0};
    char out[TIME_ISO_BYTES_MAX];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        sum += time_iso_write(START_NS + i * *(int64_t *)opaque, &cache, out);
        sum += (uint8_t)out[22];
    }
    return sum;
}

static void bench_iso(const char *name, int64_t step_ns)
{
    bench_run(
        &(struct bench_case){.name = name, .body = write_iso, .opaque = &step_ns, .events = TEXTS});
}

static uint64_t write_format(void *opaque)
{
    char out[512];
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        sum += time_format_write(opaque, START_NS + i * NS_PER_SEC, tz_utc(), out);
        sum += (uint8_t)out[0];
    }
    return sum;
}

/* As templates write it: most events have the day of the one before. */
static uint64_t write_again(void *opaque)
{
    struct time_memo last[TIME_MEMOS] = {0};
    struct buf out = {0};
    uint64_t sum = 0;
    for (uint32_t i = 0; i < TEXTS; i++) {
        out.n = 0;
        time_format_add_utc(opaque, START_NS + i * NS_PER_MS, last, &out);
        sum += out.n;
    }
    buf_fini(&out);
    return sum;
}

static void bench_format(const char *name, const char *again_name, const char *pattern)
{
    struct time_format_error error;
    struct time_format *format = time_format_new(slice_from_cstr(pattern), TIME_JODA, &error);
    ASSERT(format != NULL && time_format_bytes_max(format) <= 512);
    bench_run(&(struct bench_case){
        .name = name, .body = write_format, .opaque = format, .events = TEXTS});
    if (again_name != NULL)
        bench_run(&(struct bench_case){
            .name = again_name, .body = write_again, .opaque = format, .events = TEXTS});
    time_format_free(format);
}

int main(int argc, char **argv)
{
    const int64_t second = NS_PER_SEC, day = 86400 * NS_PER_SEC;
    static const char apache[] = "dd/MMM/yyyy:HH:mm:ss Z", syslog[] = "MMM dd HH:mm:ss";
    static const char iso[] = "yyyy-MM-dd'T'HH:mm:ss.SSSZZ", plain[] = "yyyy-MM-dd HH:mm:ss";
    static const char us[] = "MM/dd/yyyy hh:mm:ss aa";
    bench_begin(argc, argv, "date");
    bench_parse("parse apache, same day", apache, apache, second, "UTC");
    bench_parse("parse apache, another day each", apache, apache, day, "UTC");
    bench_parse("parse ISO8601, same day", "ISO8601", iso, second, "UTC");
    bench_parse("parse ISO8601, another day each", "ISO8601", iso, day, "UTC");
    bench_parse("parse syslog, same day", syslog, syslog, second, "Europe/Berlin");
    bench_parse("parse syslog, another day each", syslog, syslog, day, "UTC");
    bench_parse("parse yyyy-MM-dd HH:mm:ss, same day", plain, plain, second, "Europe/Berlin");
    bench_parse("parse yyyy-MM-dd HH:mm:ss, other day", plain, plain, day, "Asia/Tokyo");
    bench_parse("parse MM/dd/yyyy hh:mm:ss aa", us, us, second, "UTC");
    bench_parse("parse UNIX_MS", "UNIX_MS", "'1718452800123'", second, "UTC");
    bench_iso("write ISO8601, same second", 1000);
    bench_iso("write ISO8601, same day", NS_PER_SEC);
    bench_iso("write ISO8601, another day each", day);
    bench_format("write YYYY.MM.dd", "write YYYY.MM.dd, same day", "YYYY.MM.dd");
    bench_format("write yyyy-MM-dd HH:mm:ss", "write yyyy-MM-dd HH:mm:ss, same second",
                 "yyyy-MM-dd HH:mm:ss");
    bench_format("write yyyy-MM-dd'T'HH:mm:ss.SSSZ", NULL, "yyyy-MM-dd'T'HH:mm:ss.SSSZ");
    buf_fini(&texts);
    return bench_end();
}
