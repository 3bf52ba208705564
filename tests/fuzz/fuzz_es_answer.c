/*
 * fuzz_es_answer.c - answers of a server that is broken or hostile, to bulk requests.
 *
 * First byte: how many items the request has; second: the status; the rest is the answer. Whatever
 * it says, every item of a part is settled or kept once, and what is kept is whole.
 */
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/outputs/elasticsearch.h"

static const long statuses[] = {200, 201, 413, 429, 500, 0, 999, -1};

static void log_less(void)
{
    log_set_level(LOG_FATAL);
}

static void make_items(struct es_request *r, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        buf_printf(&r->body, "{\"index\":{}}\n{\"n\":%u}\n", i);
        es_request_item(r);
    }
}

/* Items that are left are some of those there were, in order. */
static void check_items(const struct es_request *r, uint32_t n)
{
    uint32_t seen = 0;
    ASSERT(r->item_n <= n);
    ASSERT(r->body.n == es_item_begin(r, r->item_n));
    for (uint32_t i = 0; i < r->item_n; i++) {
        slice text = es_request_item_bytes(r, i);
        struct buf want = {0};
        for (;; seen++) {
            ASSERT(seen < n);
            want.n = 0;
            buf_printf(&want, "{\"index\":{}}\n{\"n\":%u}\n", seen);
            if (slice_equal(buf_slice(&want), text)) break;
        }
        seen++;
        buf_fini(&want);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct es_cfg cfg;
    static struct es_shared s = {.cfg = &cfg, .logger = "fuzz"};
    if (s.pool.limit_bytes == 0) {
        log_less();
        cfg.drop_codes[400 / 64] |= 1ULL << (400 % 64);
        page_pool_init(&s.pool, SIZE_MAX);
        arena_init(&s.arena, &s.pool);
        json_reader_init(&s.reader);
    }
    if (size < 2) return 0;
    struct es_lane lane = {0};
    struct es_request *r = es_request_new(&lane);
    struct buf answer = {0};
    uint32_t n = data[0] % 32 + 1;
    long status = statuses[data[1] % ARRAY_LEN(statuses)];
    make_items(r, n);
    buf_add(&answer, data + 2, size - 2);
    buf_room(&answer, JSON_PAD);
    es_request_begin(r);
    /* The same answer to every part, until the round is over or the part is refused. */
    while (es_request_part(r)) {
        enum es_result result = es_result_read(&s, r, status, buf_slice(&answer));
        if (result == ES_AGAIN) break;
        if (result == ES_SPLIT) continue;
        uint32_t at = r->at + r->part_n;
        bool last = at == r->item_n;
        es_request_part_end(r);
        if (last) break;
    }
    if (r->part_n == 0) check_items(r, n);
    es_request_free(r);
    buf_fini(&answer);
    return 0;
}
