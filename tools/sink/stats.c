/* stats.c - what the sink has seen. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/sink/sink.h"

#define MARKER_DIGITS 12

static void markers_grow(struct markers *m, uint64_t number)
{
    uint64_t words = m->words == 0 ? 1 << 14 : m->words;
    while (number / 64 >= words) words *= 2;
    if (words == m->words) return;
    m->bits = realloc(m->bits, words * 8);
    ASSERT(m->bits != NULL);
    memset(m->bits + m->words, 0, (words - m->words) * 8);
    m->words = words;
}

static void markers_set(struct markers *m, uint64_t number)
{
    uint64_t bit = 1ULL << (number % 64);
    if (number / 64 >= m->words) markers_grow(m, number);
    if (m->bits[number / 64] & bit) {
        m->duplicates++;
        return;
    }
    m->bits[number / 64] |= bit;
    m->unique++;
    if (number >= m->most) m->most = number + 1;
}

void markers_note(struct markers *m, slice text)
{
    const char *p = text.p, *end = text.p + text.n;
    while ((p = memmem(p, (size_t)(end - p), "seq=", 4)) != NULL) {
        uint64_t number = 0;
        uint32_t digits = 0;
        for (p += 4; p < end && digits < MARKER_DIGITS && *p >= '0' && *p <= '9'; p++, digits++)
            number = number * 10 + (uint64_t)(*p - '0');
        if (digits < MARKER_DIGITS) continue;
        markers_set(m, number);
        return;
    }
    m->unmarked++;
}

/* Buckets of a 64th of their lower end. */
static uint32_t delay_bucket(uint64_t us)
{
    uint32_t shift;
    if (us < 128) return (uint32_t)us;
    shift = 57 - (uint32_t)__builtin_clzll(us);
    return 64 * shift + (uint32_t)(us >> shift);
}

static uint64_t delay_of_bucket(uint32_t at)
{
    uint32_t shift = at < 128 ? 0 : at / 64 - 1;
    return (uint64_t)(at - 64 * shift) << shift;
}

void delays_note(struct delays *d, slice text, int64_t now_ns)
{
    int64_t at = slice_find(text, SLICE("sent=")), sent_ns = 0, us;
    if (at < 0) return;
    for (uint32_t i = (uint32_t)at + 5; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        sent_ns = (int64_t)((uint64_t)sent_ns * 10 + (uint64_t)(text.p[i] - '0'));
    us = (now_ns - sent_ns) / NS_PER_US;
    if (us < 0) us = 0;
    uint32_t bucket = delay_bucket((uint64_t)us);
    d->count[bucket < DELAY_BUCKETS ? bucket : DELAY_BUCKETS - 1]++;
    d->n++;
    if ((uint64_t)us > d->most_us) d->most_us = (uint64_t)us;
}

static uint64_t delay_at(const struct delays *d, double share)
{
    uint64_t rank = (uint64_t)((double)d->n * share), seen = 0;
    for (uint32_t i = 0; i < DELAY_BUCKETS; i++) {
        seen += d->count[i];
        if (seen > rank) return delay_of_bucket(i);
    }
    return d->most_us;
}

static void delays_write(const struct delays *d, struct buf *out)
{
    if (d->n == 0) return;
    buf_printf(out,
               ",\"delay\":{\"n\":%lu,\"p50_us\":%lu,\"p90_us\":%lu,\"p99_us\":%lu,"
               "\"p999_us\":%lu,\"max_us\":%lu}",
               d->n, delay_at(d, 0.5), delay_at(d, 0.9), delay_at(d, 0.99), delay_at(d, 0.999),
               d->most_us);
}

void stats_arrived(struct stats *st)
{
    st->last_ns = clock_mono_ns();
    if (st->first_ns == 0) st->first_ns = st->last_ns;
}

static void add(struct buf *out, const char *name, uint64_t value)
{
    buf_printf(out, "%s\"%s\":%lu", out->n == 1 ? "" : ",", name, value);
}

void stats_write(const struct sink *s, struct buf *out)
{
    const struct stats *st = &s->stats;
    bool any = false;
    buf_add_byte(out, '{');
    add(out, "connections", st->connections);
    add(out, "connections_open", st->connections_open);
    add(out, "requests", st->requests);
    add(out, "bulk_requests", st->bulk_requests);
    add(out, "documents", st->documents);
    add(out, "documents_failed", st->documents_failed);
    add(out, "documents_unanswered", st->documents_unanswered);
    add(out, "body_bytes", st->body_bytes);
    add(out, "malformed", st->malformed);
    add(out, "lines", st->lines);
    add(out, "line_bytes", st->line_bytes);
    add(out, "datagrams", st->datagrams);
    add(out, "datagram_bytes", st->datagram_bytes);
    add(out, "datagrams_dropped", st->datagrams_dropped);
    buf_printf(out, ",\"seconds\":%.6f,\"statuses\":{", (double)(st->last_ns - st->first_ns) / 1e9);
    for (uint32_t i = 0; i < ARRAY_LEN(st->status); i++) {
        if (st->status[i] == 0) continue;
        buf_printf(out, "%s\"%u\":%lu", any ? "," : "", i, st->status[i]);
        any = true;
    }
    buf_add_byte(out, '}');
    if (s->opt.loss || s->markers.words > 0) {
        add(out, "unique", s->markers.unique);
        add(out, "duplicates", s->markers.duplicates);
        add(out, "unmarked", s->markers.unmarked);
        add(out, "highest", s->markers.most);
        add(out, "missing", s->markers.most - s->markers.unique);
    }
    delays_write(&s->delays, out);
    buf_add_byte(out, '}');
}
