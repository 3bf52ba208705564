#include "parsers/frame/gzip_stream.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <zlib.h>

#include "engine/base/assert.h"

/* The parts of a member's header (RFC 1952 section 2.3), read byte by byte: ISA-L's own reader gets
 * the header checksum wrong when the header comes in two pieces. */
enum header_part {
    HEADER_FIXED,
    HEADER_EXTRA_SIZE,
    HEADER_EXTRA,
    HEADER_NAME,
    HEADER_COMMENT,
    HEADER_CRC,
    HEADER_DONE
};
#define HEADER_FLAG_CRC 2u
#define HEADER_FLAG_EXTRA 4u
#define HEADER_FLAG_NAME 8u
#define HEADER_FLAG_COMMENT 16u

struct gzip_header {
    enum header_part part;
    uint32_t at;    /* bytes of this part read */
    uint32_t extra; /* size of the extra field; while HEADER_CRC, the checksum read */
    uint32_t crc;
    uint8_t flags;
};

struct gzip_stream {
    struct inflate_state isal;
    uint64_t out_bytes, out_bytes_max;
    const char *reason;
    struct gzip_header header;
    enum gzip_kind kind;
    err failed;
    uint32_t members;
    bool inside; /* between the first and the last byte of a member */
    bool trailing;
};

static void member_reset(struct gzip_stream *s)
{
    static const uint32_t flags[] = {
        [GZIP_GZIP] = ISAL_GZIP_NO_HDR_VER, [GZIP_ZLIB] = ISAL_ZLIB, [GZIP_RAW] = ISAL_DEFLATE};
    isal_inflate_reset(&s->isal);
    s->isal.crc_flag = flags[s->kind];
    s->isal.hist_bits = 0;
    s->header = (struct gzip_header){.part = s->kind == GZIP_GZIP ? HEADER_FIXED : HEADER_DONE};
}

void gzip_stream_reset(struct gzip_stream *s)
{
    member_reset(s);
    s->out_bytes = 0;
    s->reason = NULL;
    s->failed = ERR_OK;
    s->members = 0;
    s->inside = s->trailing = false;
}

struct gzip_stream *gzip_stream_new(enum gzip_kind kind, uint64_t out_bytes_max)
{
    struct gzip_stream *s = calloc(1, sizeof(*s));
    ASSERT(s != NULL);
    isal_inflate_init(&s->isal);
    s->kind = kind;
    s->out_bytes_max = out_bytes_max == 0 ? UINT64_MAX : out_bytes_max;
    gzip_stream_reset(s);
    return s;
}

void gzip_stream_free(struct gzip_stream *s)
{
    free(s);
}

static int stream_fail(struct gzip_stream *s, err e, const char *reason)
{
    s->failed = e;
    s->reason = reason;
    return e;
}

static const char *inflate_reason(int r)
{
    switch (r) {
    case ISAL_INVALID_BLOCK: return "compressed data: invalid block";
    case ISAL_INVALID_SYMBOL: return "compressed data: invalid symbol";
    case ISAL_INVALID_LOOKBACK: return "compressed data: reference before the start";
    case ISAL_INCORRECT_CHECKSUM: return "compressed data: wrong checksum";
    case ISAL_NEED_DICT: return "compressed data: wants a preset dictionary";
    default: return "compressed data: bad header";
    }
}

/* Between members: false when the stream is over for good or needs more input. */
static bool member_begin(struct gzip_stream *s, slice *in)
{
    if (s->members > 0) {
        if (s->kind != GZIP_GZIP || s->trailing) return false;
        while (in->n > 0 && in->p[0] == 0) *in = slice_from(*in, 1);
        if (in->n > 0 && (uint8_t)in->p[0] != 0x1f) {
            s->trailing = true;
            *in = slice_from(*in, in->n);
        }
    }
    if (in->n == 0) return false;
    if (s->members > 0) member_reset(s);
    return s->inside = true;
}

/* The first part from `part` on that the flags announce. */
static void header_go(struct gzip_header *h, enum header_part part)
{
    static const uint8_t needs[] = {[HEADER_EXTRA_SIZE] = HEADER_FLAG_EXTRA,
                                    [HEADER_EXTRA] = HEADER_FLAG_EXTRA,
                                    [HEADER_NAME] = HEADER_FLAG_NAME,
                                    [HEADER_COMMENT] = HEADER_FLAG_COMMENT,
                                    [HEADER_CRC] = HEADER_FLAG_CRC};
    while (part < HEADER_DONE && (h->flags & needs[part]) == 0) part++;
    if (part == HEADER_EXTRA && h->extra == 0) {
        header_go(h, HEADER_NAME);
        return;
    }
    h->part = part;
    h->at = 0;
    if (part == HEADER_CRC) h->extra = 0;
}

/* The ten fixed bytes: magic, method, flags; time and system are of no interest. */
static bool header_fixed(struct gzip_header *h, uint8_t byte)
{
    static const uint8_t magic[] = {0x1f, 0x8b, 8};
    if (h->at < 3 && byte != magic[h->at]) return false;
    if (h->at == 3) h->flags = byte;
    if (h->at == 3 && (byte & 0xe0) != 0) return false; /* reserved flags */
    if (++h->at == 10) header_go(h, HEADER_EXTRA_SIZE);
    return true;
}

/* False when the header is none. */
static bool header_byte(struct gzip_header *h, uint8_t byte)
{
    if (h->part != HEADER_CRC) h->crc = (uint32_t)crc32(h->crc, &byte, 1);
    switch (h->part) {
    case HEADER_FIXED: return header_fixed(h, byte);
    case HEADER_EXTRA_SIZE:
        h->extra |= (uint32_t)byte << (8 * h->at);
        if (++h->at == 2) header_go(h, HEADER_EXTRA);
        return true;
    case HEADER_EXTRA:
        if (++h->at == h->extra) header_go(h, HEADER_NAME);
        return true;
    case HEADER_NAME:
    case HEADER_COMMENT:
        if (byte == 0) header_go(h, h->part + 1);
        return true;
    case HEADER_CRC:
        h->extra |= (uint32_t)byte << (8 * h->at);
        if (++h->at < 2) return true;
        h->part = HEADER_DONE;
        return h->extra == (h->crc & 0xffff);
    case HEADER_DONE: break;
    }
    PANIC("the header is read already");
}

/* 1 when the header is behind, 0 for more input, or an error. */
static int header_read(struct gzip_stream *s, slice *in)
{
    while (s->header.part != HEADER_DONE) {
        if (in->n == 0) return 0;
        uint8_t byte = (uint8_t)in->p[0];
        *in = slice_from(*in, 1);
        if (!header_byte(&s->header, byte))
            return stream_fail(s, ERR_FRAME, "compressed data: bad gzip header");
    }
    return 1;
}

/* At the end of a stream the inflater may still hold whole bytes in its bit buffer. Those that
 * came from this input go back to it; older ones are gone, but known to be trailing. */
static uint32_t overread_return(struct gzip_stream *s, uint32_t used)
{
    uint32_t held = (uint32_t)s->isal.read_in_length / 8;
    s->isal.read_in_length = 0;
    s->isal.read_in = 0;
    if (held <= used) return held;
    s->trailing = true;
    return used;
}

/* One call of the inflater; adds to *n. */
static int member_run(struct gzip_stream *s, slice *in, char *out, uint32_t cap, uint32_t *n)
{
    uint64_t allowed = s->out_bytes_max - s->out_bytes;
    /* One byte more than allowed tells a stream that goes on from one that just fits. */
    uint32_t room = cap - *n;
    bool bounded = allowed < room;
    uint8_t beyond;
    s->isal.next_in = (uint8_t *)(uintptr_t)in->p;
    s->isal.avail_in = in->n;
    s->isal.next_out = allowed == 0 && room > 0 ? &beyond : (uint8_t *)out + *n;
    s->isal.avail_out = allowed == 0 && room > 0 ? 1 : bounded ? (uint32_t)allowed : room;
    uint32_t given = s->isal.avail_out;
    int r = isal_inflate(&s->isal);
    uint32_t made = given - s->isal.avail_out;
    uint32_t used = in->n - s->isal.avail_in;
    if (s->isal.block_state == ISAL_BLOCK_FINISH) used -= overread_return(s, used);
    *in = slice_from(*in, used);
    if (allowed == 0 && made > 0)
        return stream_fail(s, ERR_LIMIT, "compressed data: inflates beyond the limit");
    *n += made;
    s->out_bytes += made;
    if (r < 0 || r == ISAL_NEED_DICT) return stream_fail(s, ERR_FRAME, inflate_reason(r));
    if (s->isal.block_state == ISAL_BLOCK_FINISH) {
        s->inside = false;
        s->members++;
        return GZIP_END;
    }
    if (s->isal.avail_out == 0) return GZIP_FULL;
    return GZIP_MORE;
}

int gzip_stream_run(struct gzip_stream *s, slice *in, char *out, uint32_t cap, uint32_t *n)
{
    *n = 0;
    if (s->failed != ERR_OK) return s->failed;
    for (;;) {
        if (!s->inside && !member_begin(s, in)) return s->members > 0 ? GZIP_END : GZIP_MORE;
        int header = header_read(s, in);
        if (header < 0) return header;
        if (header == 0) return GZIP_MORE;
        uint32_t left = in->n;
        uint32_t made = *n;
        int r = member_run(s, in, out, cap, n);
        if (r < 0) return r;
        if (r == GZIP_MORE && in->n > 0 && in->n == left && *n == made)
            return stream_fail(s, ERR_FRAME, "compressed data: no progress");
        if (r == GZIP_FULL && *n < cap) continue; /* it was the limit that was reached */
        if (r == GZIP_FULL || (r == GZIP_MORE && in->n == 0)) return r;
        if (r == GZIP_END && (s->kind != GZIP_GZIP || in->n == 0)) return r;
    }
}

const char *gzip_stream_reason(const struct gzip_stream *s)
{
    return s->reason == NULL ? "no error" : s->reason;
}

bool gzip_stream_trailing(const struct gzip_stream *s)
{
    return s->trailing;
}

bool gzip_stream_at_end(const struct gzip_stream *s)
{
    return !s->inside;
}
