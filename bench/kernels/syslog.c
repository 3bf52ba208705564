/*
 * syslog.c - the headers of RFC 3164 and RFC 5424 lines, hot and streaming through memory, what the
 * syslog input does from received text to the events of a batch, and both with the documents of an
 * output after it.
 */
#include <stdlib.h>

#include "bench/harness/harness.h"
#include "bench/harness/input_rig.h"
#include "engine/base/assert.h"
#include "engine/inputs/syslog_event.h"
#include "engine/registry.h"
#include "parsers/json/json_layout.h"
#include "parsers/json/json_write.h"
#include "parsers/scan/newline.h"
#include "parsers/scan/utf8_scan.h"

#define LINES_AT_ONCE 256u

static struct lines lines;
static struct syslog_event_cfg cfg;
static struct syslog_event_state state;
static struct batch batch;
static struct json_layouts *layouts;
static struct buf documents;

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

/* As the input takes the whole lines of a buffer. */
static uint64_t make_events(void *opaque)
{
    slice in = buf_slice(&lines.text);
    uint32_t ends[LINES_AT_ONCE + NEWLINE_SLACK], at = 0, next = 0;
    bool good = utf8_scan_valid(in);
    (void)opaque;
    batch_reset(&batch);
    while (next < in.n) {
        uint32_t n = newline_collect(in, next, ends, LINES_AT_ONCE, &next);
        for (uint32_t i = 0; i < n; i++) {
            slice raw = slice_make(in.p + at, ends[i] + 1 - at);
            syslog_event_add(&state, &cfg, &batch, raw, good, SLICE("127.0.0.1"));
            at = ends[i] + 1;
        }
        if (n == 0) break;
    }
    ASSERT(batch.n == lines.n && state.unparsed == 0);
    return batch.n;
}

static uint64_t make_documents(void *opaque)
{
    struct time_iso_cache cache = {0};
    make_events(opaque);
    documents.n = 0;
    for (uint32_t i = 0; i < batch.n; i++)
        json_write_laid_out(&documents, &batch.event[i], &cache, layouts);
    /* The input's fields are the configuration's: all its events have layouts. */
    ASSERT(layouts->at[layouts->guess[batch.event->shape % JSON_LAYOUT_GUESSES]].hits > 0);
    return documents.n;
}

static struct config_list labels(uint32_t n, slice (*label)(uint32_t))
{
    static struct config_value at[SYSLOG_FACILITIES + SYSLOG_SEVERITIES];
    static uint32_t used;
    struct config_list list = {at + used, n};
    for (uint32_t i = 0; i < n; i++) at[used++].text = label(i);
    return list;
}

static void events_begin(void)
{
    static struct input_rig rig;
    struct syslog_event_options options = {
        .use_labels = true,
        .rfc5424 = true,
        .facility_labels = labels(SYSLOG_FACILITIES, syslog_input_facility),
        .severity_labels = labels(SYSLOG_SEVERITIES, syslog_input_severity),
        .timezone = SLICE("UTC"),
        .text_field = SLICE("message"),
        .service_type = SLICE("system")};
    input_rig_init(&rig, &plugin_registry);
    batch_init(&batch, &rig.pool);
    ASSERT(syslog_event_compile(&cfg, &options, &rig.compiler) == ERR_OK);
    ASSERT(syslog_event_start(&state, &cfg) == ERR_OK);
}

static void measure_events(const char *name, enum workload_kind kind, const char *part,
                           uint64_t (*body)(void *))
{
    if (!bench_wanted(name)) return;
    lines_load(&lines, 1000, kind, part);
    bench_run(
        &(struct bench_case){.name = name, .body = body, .events = lines.n, .bytes = lines.text.n});
    lines_fini(&lines);
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
    events_begin();
    measure_events("RFC 3164 line to event", WORKLOAD_RFC3164, NULL, make_events);
    measure_events("RFC 5424 line to event", WORKLOAD_RFC5424, NULL, make_events);
    measure_events("RFC 5424 line to event, no structured data", WORKLOAD_RFC5424, " - ",
                   make_events);
    measure_events("RFC 5424 line to event, structured data", WORKLOAD_RFC5424, " [origin@",
                   make_events);
    layouts = json_layouts_new();
    measure_events("RFC 3164 line to document", WORKLOAD_RFC3164, NULL, make_documents);
    measure_events("RFC 5424 line to document", WORKLOAD_RFC5424, NULL, make_documents);
    free(layouts);
    buf_fini(&documents);
    return bench_end();
}
