/* elasticsearch_request.c - a bulk body with the bounds of its items, and rounds of sending it. */
#include "engine/outputs/elasticsearch.h"

#include <stdlib.h>

#include "engine/base/assert.h"

#define ITEMS_FIRST 4096u
#define HOLDS_FIRST 64u

struct es_request *es_request_new(struct es_lane *lane)
{
    struct es_request *r = calloc(1, sizeof(*r));
    ASSERT(r != NULL);
    r->lane = lane;
    r->item_cap = ITEMS_FIRST;
    r->end = malloc(r->item_cap * sizeof(*r->end));
    r->hold_cap = HOLDS_FIRST;
    r->hold = malloc(r->hold_cap * sizeof(struct receipt *));
    ASSERT(r->end != NULL && r->hold != NULL);
    return r;
}

void es_request_free(struct es_request *r)
{
    buf_fini(&r->body);
    free(r->end);
    free(r->hold);
    free(r);
}

void es_request_clear(struct es_request *r)
{
    r->body.n = 0;
    r->item_n = r->hold_n = 0;
    r->kept_n = r->at = r->part_n = r->part_n_max = 0;
    r->too_large_n = 0;
    r->too_large_now = false;
    r->retry_at_ns = r->delay_ns = 0;
    r->outcome = 0;
}

void es_request_grow(struct es_request *r)
{
    r->item_cap *= 2;
    r->end = realloc(r->end, r->item_cap * sizeof(*r->end));
    ASSERT(r->end != NULL);
}

void es_request_hold(struct es_request *r, struct batch *b)
{
    for (uint32_t i = 0; i < b->hold_n; i++) {
        /* Batches in a row are often of the same unit of their source. */
        if (r->hold_n > 0 && r->hold[r->hold_n - 1] == b->hold[i]) continue;
        if (r->hold_n == r->hold_cap) {
            r->hold_cap *= 2;
            r->hold = realloc(r->hold, r->hold_cap * sizeof(struct receipt *));
            ASSERT(r->hold != NULL);
        }
        receipt_hold(b->hold[i]);
        r->hold[r->hold_n++] = b->hold[i];
    }
}

slice es_request_item_bytes(const struct es_request *r, uint32_t item)
{
    uint32_t begin = es_item_begin(r, item);
    return slice_make(r->body.data + begin, r->end[item] - begin);
}

void es_request_begin(struct es_request *r)
{
    r->kept_n = r->at = r->part_n = 0;
    r->too_large_n += r->too_large_now;
    r->too_large_now = false;
    if (r->part_n_max == 0) r->part_n_max = UINT32_MAX;
}

bool es_request_part(struct es_request *r)
{
    if (r->at == r->item_n) return false;
    uint32_t begin = es_item_begin(r, r->at), n = 0;
    while (r->at + n < r->item_n && n < r->part_n_max) {
        if (n > 0 && r->end[r->at + n] - begin > ES_PART_BYTES_MAX) break;
        n++;
    }
    r->part_n = n;
    return true;
}

slice es_request_part_bytes(const struct es_request *r)
{
    uint32_t begin = es_item_begin(r, r->at);
    return slice_make(r->body.data + begin, r->end[r->at + r->part_n - 1] - begin);
}

void es_request_keep(struct es_request *r, uint32_t item)
{
    ASSERT(item >= r->kept_n && item >= r->at && item < r->at + r->part_n);
    uint32_t to = es_item_begin(r, r->kept_n), begin = es_item_begin(r, item);
    uint32_t n = r->end[item] - begin;
    if (to != begin) memmove(r->body.data + to, r->body.data + begin, n);
    r->end[r->kept_n++] = to + n;
}

void es_request_part_end(struct es_request *r)
{
    r->at += r->part_n;
    r->part_n = 0;
    if (r->at < r->item_n) return;
    r->item_n = r->at = r->kept_n;
    r->body.n = es_item_begin(r, r->kept_n);
}
