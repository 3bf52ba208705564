/* syslog.c - the headers of RFC 3164 and RFC 5424 lines, hot and streaming through memory. */
#include "bench/harness/harness.h"
#include "bench/harness/lines.h"
#include "engine/base/assert.h"
#include "parsers/wire/syslog.h"

static struct lines lines;

static uint64_t parse_3164(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) {
        struct syslog_fields f;
        ASSERT(syslog_3164_parse(lines.line[i], SYSLOG_LEGACY, &f));
        sum += f.priority + f.logsource.n + f.program.n + f.pid.n + f.message.n;
    }
    return sum;
}

static uint64_t parse_5424(void *opaque)
{
    uint64_t sum = 0;
    (void)opaque;
    for (uint32_t i = 0; i < lines.n; i++) {
        struct syslog_5424 m;
        ASSERT(syslog_5424_parse(lines.line[i], &m));
        sum += m.priority + m.hostname.n + m.structured_data.n + m.message.n;
    }
    return sum;
}

static void measure(const char *name, uint32_t n, void (*write)(struct prng *, struct buf *),
                    uint64_t (*body)(void *))
{
    if (!bench_wanted(name)) return;
    lines_make(&lines, n, write);
    bench_run(
        &(struct bench_case){.name = name, .body = body, .events = lines.n, .bytes = lines.text.n});
    lines_fini(&lines);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv, "syslog");
    measure("RFC 3164, hot", 1200, line_rfc3164, parse_3164);
    measure("RFC 3164, 20 MB", 100000, line_rfc3164, parse_3164);
    measure("RFC 5424, hot", 1200, line_rfc5424, parse_5424);
    measure("RFC 5424, 20 MB", 100000, line_rfc5424, parse_5424);
    return bench_end();
}
