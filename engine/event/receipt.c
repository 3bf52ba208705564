/* receipt.c - settling receipts, moving windows, returning credit. */
#include "engine/event/receipt.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"

void intake_init(struct intake *s, int64_t window_bytes, void (*resume)(struct intake *))
{
    ASSERT(window_bytes > 0);
    *s = (struct intake){
        .credit_bytes = window_bytes, .window_bytes = window_bytes, .resume = resume};
}

void ack_window_init(struct ack_window *w, uint32_t slots, struct intake *intake)
{
    uint32_t power = 2;
    while (power < slots) power *= 2;
    memset(w, 0, sizeof(*w));
    w->ring = calloc(power, sizeof(*w->ring));
    ASSERT(w->ring != NULL);
    w->mask = power - 1;
    w->intake = intake;
}

void ack_window_fini(struct ack_window *w)
{
    ASSERT(ack_window_idle(w));
    free(w->ring);
    w->ring = NULL;
}

struct receipt *ack_window_open(struct ack_window *w, uint64_t position, uint32_t bytes)
{
    if (ack_window_full(w)) {
        w->full_n++;
        return NULL;
    }
    struct receipt *r = &w->ring[w->head++ & w->mask];
    *r = (struct receipt){.holders = 1, .bytes = bytes, .position = position, .window = w};
    w->intake->credit_bytes -= bytes;
    return r;
}

struct receipt *ack_window_charge(struct ack_window *w, uint64_t serial, uint32_t bytes,
                                  bool *fresh)
{
    *fresh = w->current == NULL || w->current_serial != serial;
    if (*fresh) {
        w->current = ack_window_open(w, serial, bytes);
        w->current_serial = serial;
        ASSERT(w->current != NULL);
        return w->current;
    }
    w->current->bytes += bytes;
    w->intake->credit_bytes -= bytes;
    return w->current;
}

/* Reports the settled prefix: once for all that was delivered, and the first failure. Whoever hears
 * the last report may free the window. */
static void window_advance(struct ack_window *w)
{
    uint64_t acked = 0, failed = 0;
    bool any = false, fails = false;
    while (w->tail != w->head) {
        const struct receipt *r = &w->ring[w->tail & w->mask];
        if (!r->settled) break;
        w->tail++;
        if (w->broken) continue;
        if (r->outcome == OUTCOME_FAILED) {
            failed = r->position;
            w->broken = fails = true;
        } else {
            acked = r->position;
            any = true;
        }
    }
    bool tells_failure = fails && w->failed != NULL;
    if (any && w->acked != NULL) w->acked(w, acked);
    if (tells_failure) w->failed(w, failed);
}

void receipt_release(struct receipt *r, enum outcome outcome)
{
    ASSERT(r->holders > 0);
    ASSERT(!r->settled);
    if (outcome > r->outcome) r->outcome = (uint8_t)outcome;
    if (--r->holders > 0) return;
    r->settled = 1;
    struct ack_window *w = r->window;
    if (w->current == r) w->current = NULL;
    struct intake *s = w->intake;
    s->credit_bytes += r->bytes;
    s->window_full = false;
    ASSERT(s->credit_bytes <= s->window_bytes);
    window_advance(w);
}
