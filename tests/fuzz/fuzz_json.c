/*
 * fuzz_json.c - any bytes as a JSON text and as NDJSON.
 *
 * All CPU levels must agree; what is written must decode to the same; each line of a buffer
 * must give what it gives alone; one pass of the event constructor must survive.
 */
#include "engine/base/assert.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_event.h"
#include "parsers/json/json_write.h"

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader, alone;
static struct time_iso_cache cache;

static int64_t decode(slice s, struct buf *out)
{
    struct value v, again;
    out->n = 0;
    int64_t used = json_decode_copy(&reader, s, JSON_WHOLE, &batch.arena, &v);
    if (used < 0) {
        ASSERT(used == JSON_BLANK || reader.error_at <= s.n);
        return used;
    }
    json_write_value(out, &v, &cache);
    ASSERT(json_decode_copy(&reader, buf_slice(out), JSON_WHOLE, &batch.arena, &again) > 0);
    ASSERT(value_equal(&v, &again, &batch.arena));
    if (v.type == VALUE_MAP && batch.n < BATCH_EVENTS_MAX) {
        struct event *ev = batch_add(&batch);
        struct buf text = {0};
        event_adopt(&batch, ev, *v.u.map);
        json_write_event(&text, ev, &cache);
        ASSERT(json_decode_copy(&reader, buf_slice(&text), JSON_WHOLE, &batch.arena, &v) > 0);
        buf_fini(&text);
    }
    return used;
}

static void lines(slice s)
{
    struct json_line line;
    uint32_t bytes = 0;
    char *padded = arena_alloc(&batch.arena, s.n + JSON_PAD, 1);
    memset(padded, '"', s.n + JSON_PAD);
    if (s.n > 0) memcpy(padded, s.p, s.n);
    json_lines_begin(&reader, slice_make(padded, s.n), JSON_FIRST, &batch.arena);
    while (json_lines_next(&reader, &line)) {
        struct value v;
        bytes += line.text.n + 1;
        int64_t want = json_decode_copy(&alone, line.text, JSON_FIRST, &batch.arena, &v);
        ASSERT(line.status == (want >= 0 ? JSON_OK : want));
        if (want >= 0) ASSERT(value_equal(&line.value, &v, &batch.arena));
    }
    ASSERT(bytes == s.n || bytes == s.n + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    slice s = slice_make((const char *)data, n);
    if (batch.event == NULL) {
        page_pool_init(&pool, 1u << 30);
        batch_init(&batch, &pool);
        json_reader_init(&reader);
        json_reader_init(&alone);
    }
    static struct buf want, got;
    parsers_init(CPU_SCALAR);
    int64_t used = decode(s, &want);
    for (int level = CPU_SCALAR; level <= (int)cpu_init(); level++) {
        parsers_init((enum cpu_level)level);
        ASSERT(decode(s, &got) == used);
        ASSERT(slice_equal(buf_slice(&got), buf_slice(&want)));
        lines(s);
        batch_reset(&batch);
    }
    return 0;
}
