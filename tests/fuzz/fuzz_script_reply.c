/*
 * fuzz_script_reply.c - any bytes as the answer of a script process.
 *
 * A small batch is sent, the input is what comes back. Whatever it is, the events must stay events
 * that can be written as JSON and read again.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "parsers/init.h"
#include "parsers/json/json_decode.h"
#include "parsers/json/json_write.h"
#include "parsers/wire/script_reply.h"
#include "parsers/wire/script_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EVENTS_N 3u

static struct page_pool pool;
static struct batch batch;
static struct json_reader reader;
static struct time_iso_cache cache;
static struct script_request request;

static void prepare(void)
{
    static bool done;
    if (done) return;
    done = true;
    parsers_init(cpu_init());
    page_pool_init(&pool, SIZE_MAX);
    batch_init(&batch, &pool);
    json_reader_init(&reader);
}

static void events_make(void)
{
    script_request_begin(&request, &batch.arena);
    for (uint32_t i = 0; i < EVENTS_N; i++) {
        struct event *ev = batch_add(&batch);
        event_add_version(&batch, ev);
        map_put(&ev->data, &batch.arena, key_borrow(SLICE("a")), value_int(i));
        map_put(&ev->meta, &batch.arena, key_borrow(SLICE("m")), value_string(SLICE("text")));
        ASSERT(script_request_add(&request, ev) == ERR_OK);
    }
    slice bytes = script_request_end(&request);
    uint32_t n;
    memcpy(&n, bytes.p + 4, 4);
    ASSERT(n == EVENTS_N);
}

static void events_check(void)
{
    for (uint32_t i = 0; i < batch.n; i++) {
        struct buf out = {0};
        struct value doc;
        json_write_event(&out, &batch.event[i], &cache);
        int64_t used = json_decode_copy(&reader, buf_slice(&out), JSON_WHOLE, &batch.arena, &doc);
        ASSERT(used >= 0 || used == JSON_DEPTH || used == JSON_MEMBERS);
        buf_fini(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    if (size > 65536) return 0;
    events_make();
    struct script_reply reply = {
        .in = arena_copy(&batch.arena, slice_make((const char *)data, size))};
    uint32_t flags, level, i = 0;
    while (i < EVENTS_N && script_reply_event(&reply, &batch, i, &flags) == ERR_OK) i++;
    struct script_lines lines;
    slice text;
    if (i == EVENTS_N && script_reply_lines(&reply, &lines) == ERR_OK)
        while (script_reply_line(&reply, &lines, &level, &text) == ERR_OK)
            ASSERT(text.p + text.n <= reply.in.p + reply.in.n);
    reply.at = 0;
    err e = script_reply_made(&reply, &batch);
    (void)e; /* The same bytes as those of a tick: nothing is expected of them. */
    events_check();
    batch_reset(&batch);
    return 0;
}
