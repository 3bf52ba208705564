#include "parsers/frame/lumberjack.h"

#include "engine/base/assert.h"
#include "parsers/frame/gzip_stream.h"

#define HEADER_BYTES 2u
#define CARRY_KEEP_BYTES (64u * 1024)
/* First guess of what a compressed frame becomes, and the least it is given. */
#define INFLATE_RATIO 6u
#define INFLATE_BYTES_MIN (64u * 1024)

void lumberjack_init(struct lumberjack *l, const struct lumberjack_limits *limits)
{
    *l = (struct lumberjack){0};
    if (limits != NULL) l->limits = *limits;
    if (l->limits.frame_bytes_max == 0) l->limits.frame_bytes_max = LUMBERJACK_FRAME_BYTES_DEFAULT;
    if (l->limits.inflated_bytes_max == 0)
        l->limits.inflated_bytes_max = LUMBERJACK_INFLATED_BYTES_DEFAULT;
    if (l->limits.pairs_max == 0) l->limits.pairs_max = LUMBERJACK_PAIRS_DEFAULT;
}

static void inflated_drop(struct lumberjack *l)
{
    if (l->inflated != NULL) blob_unpin(l->inflated);
    l->inflated = NULL;
    l->inner = SLICE_NONE;
}

void lumberjack_fini(struct lumberjack *l)
{
    inflated_drop(l);
    buf_fini(&l->carry);
    if (l->gzip != NULL) gzip_stream_free(l->gzip);
    l->gzip = NULL;
}

void lumberjack_feed(struct lumberjack *l, slice in)
{
    ASSERT(l->in.n == 0);
    l->in = in;
}

static int frame_fail(struct lumberjack *l, err e, const char *reason)
{
    l->failed = e;
    l->reason = reason;
    return e;
}

static uint32_t u32_at(slice s, uint32_t i)
{
    const uint8_t *p = (const uint8_t *)s.p + i;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- how long is the frame that starts here ------------------------------------------- */

/* Length of a DATA frame once its pairs are there. 0: at least *need bytes must be seen. */
static int data_measure(struct lumberjack *l, slice s, uint32_t *n, uint32_t *need)
{
    uint32_t pairs = u32_at(s, 6);
    if (pairs > l->limits.pairs_max)
        return frame_fail(l, ERR_LIMIT, "more key-value pairs than allowed");
    uint64_t at = 10;
    for (uint64_t k = 0; k < 2 * (uint64_t)pairs; k++) {
        if (at + 4 > s.n) {
            *need = (uint32_t)at + 4;
            return 0;
        }
        at += 4 + (uint64_t)u32_at(s, (uint32_t)at);
        if (at > l->limits.frame_bytes_max)
            return frame_fail(l, ERR_LIMIT, "frame above the size limit");
    }
    *n = (uint32_t)at;
    return 1;
}

/* 1: the frame that starts s is *n bytes long (they need not be there yet); 0: look again
 * when *need bytes are there; or an error. */
static int frame_measure(struct lumberjack *l, slice s, uint32_t *n, uint32_t *need)
{
    static const struct {
        char type;
        uint8_t fixed; /* bytes that tell the length */
    } kinds[] = {{'W', 6}, {'A', 6}, {'J', 10}, {'C', 6}, {'D', 10}};
    if (s.n >= 1 && s.p[0] != '1' && s.p[0] != '2')
        return frame_fail(l, ERR_FRAME, "unknown protocol version");
    *need = HEADER_BYTES;
    if (s.n < HEADER_BYTES) return 0;
    uint32_t fixed = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].type == s.p[1]) fixed = kinds[i].fixed;
    if (fixed == 0) return frame_fail(l, ERR_FRAME, "unknown frame type");
    *need = fixed;
    if (s.n < fixed) return 0;
    if (s.p[1] == 'D') return data_measure(l, s, n, need);
    uint64_t body = s.p[1] == 'J' ? u32_at(s, 6) : s.p[1] == 'C' ? u32_at(s, 2) : 0;
    if (fixed + body > l->limits.frame_bytes_max)
        return frame_fail(l, ERR_LIMIT, "frame above the size limit");
    *n = (uint32_t)(fixed + body);
    return 1;
}

/* ---- compressed frames --------------------------------------------------------------------- */

/* A blob with room, holding what the old one held. */
static struct blob *blob_bigger(struct blob *old, uint32_t size)
{
    struct blob *blob = blob_new(size);
    if (old != NULL) {
        memcpy(blob->data, old->data, old->used);
        blob->used = old->used;
        blob_unpin(old);
    }
    return blob;
}

static int frame_inflate(struct lumberjack *l, slice body)
{
    uint32_t max = l->limits.inflated_bytes_max;
    if (l->gzip == NULL) l->gzip = gzip_stream_new(GZIP_ZLIB, max);
    gzip_stream_reset(l->gzip);
    uint64_t guess = (uint64_t)body.n * INFLATE_RATIO;
    if (guess < INFLATE_BYTES_MIN) guess = INFLATE_BYTES_MIN;
    inflated_drop(l);
    l->inflated = blob_bigger(NULL, guess > max ? max : (uint32_t)guess);
    for (;;) {
        struct blob *blob = l->inflated;
        uint32_t made;
        /* A full blob of the largest size still gets one byte of room, in its pad, so that the
         * inflater can tell the end from the limit. */
        uint32_t room = blob->size - blob->used;
        int r =
            gzip_stream_run(l->gzip, &body, blob->data + blob->used, room == 0 ? 1 : room, &made);
        blob->used += made;
        if (r < 0) return frame_fail(l, r, gzip_stream_reason(l->gzip));
        if (r == GZIP_END) break;
        if (r == GZIP_MORE) return frame_fail(l, ERR_FRAME, "compressed frame is truncated");
        uint64_t size = (uint64_t)blob->size * 2;
        if (blob->size < max) l->inflated = blob_bigger(blob, size > max ? max : (uint32_t)size);
    }
    if (body.n > 0 || gzip_stream_trailing(l->gzip))
        return frame_fail(l, ERR_FRAME, "bytes after the compressed data");
    l->inflated_bytes += l->inflated->used;
    l->inner = slice_make(l->inflated->data, l->inflated->used);
    return 1;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* s is a whole frame other than C. */
static void frame_set(slice s, struct lumberjack_frame *out)
{
    *out = (struct lumberjack_frame){.version = (uint8_t)(s.p[0] - '0'), .seq = u32_at(s, 2)};
    switch (s.p[1]) {
    case 'W': out->type = LUMBERJACK_WINDOW; break;
    case 'A': out->type = LUMBERJACK_ACK; break;
    case 'D':
        out->type = LUMBERJACK_DATA;
        out->pairs = u32_at(s, 6);
        out->payload = slice_from(s, 10);
        break;
    default: out->type = LUMBERJACK_JSON; out->payload = slice_from(s, 10);
    }
}

/* The next frame of an inflated one. */
static int inner_next(struct lumberjack *l, struct lumberjack_frame *out)
{
    uint32_t n = 0;
    uint32_t need = 0;
    int r = frame_measure(l, l->inner, &n, &need);
    if (r < 0) return r;
    if (r == 0 || n > l->inner.n)
        return frame_fail(l, ERR_FRAME, "compressed frame ends inside a frame");
    if (l->inner.p[1] == 'C')
        return frame_fail(l, ERR_FRAME, "compressed frame inside a compressed frame");
    frame_set(slice_part(l->inner, 0, n), out);
    out->blob = l->inflated;
    l->inner = slice_from(l->inner, n);
    l->frames++;
    return 1;
}

/* Moves bytes from the input to the carry until it holds `want`; false when they run out. */
static bool carry_fill(struct lumberjack *l, uint32_t want)
{
    if (l->carry.n >= want) return true;
    slice part = slice_part(l->in, 0, want - (uint32_t)l->carry.n);
    buf_add_slice(&l->carry, part);
    l->in = slice_from(l->in, part.n);
    return l->carry.n >= want;
}

/* Finds the next whole frame of the stream: 1 and *s, 0, or an error. */
static int outer_next(struct lumberjack *l, slice *s, bool *carried)
{
    uint32_t n = 0;
    uint32_t need = 0;
    if (l->carry.n == 0) {
        if (l->in.n == 0) return 0;
        int r = frame_measure(l, l->in, &n, &need);
        if (r < 0) return r;
        if (r == 1 && n <= l->in.n) {
            *s = slice_part(l->in, 0, n);
            *carried = false;
            l->in = slice_from(l->in, n);
            return 1;
        }
    }
    for (;;) {
        int r = frame_measure(l, buf_slice(&l->carry), &n, &need);
        if (r < 0) return r;
        if (r == 1 && l->carry.n == n) break;
        if (!carry_fill(l, r == 1 ? n : need)) return 0;
    }
    *s = buf_slice(&l->carry);
    *carried = l->delivered = true;
    return 1;
}

int lumberjack_next(struct lumberjack *l, struct lumberjack_frame *out)
{
    if (l->failed != ERR_OK) return l->failed;
    for (;;) {
        if (l->inner.n > 0) return inner_next(l, out);
        if (l->inflated != NULL) inflated_drop(l);
        if (l->delivered) {
            l->delivered = false;
            l->carry.n = 0;
            if (l->carry.cap > CARRY_KEEP_BYTES) buf_fini(&l->carry);
        }
        slice s;
        bool carried = false;
        int r = outer_next(l, &s, &carried);
        if (r != 1) return r;
        if (s.p[1] != 'C') {
            frame_set(s, out);
            out->carried = carried;
            l->frames++;
            return 1;
        }
        r = frame_inflate(l, slice_from(s, 6));
        if (r < 0) return r;
    }
}

bool lumberjack_idle(const struct lumberjack *l)
{
    return l->failed == ERR_OK && l->in.n == 0 && l->inner.n == 0 &&
           (l->carry.n == 0 || l->delivered);
}

static bool text_next(slice *rest, slice *text)
{
    if (rest->n < 4) return false;
    uint32_t n = u32_at(*rest, 0);
    if (n > rest->n - 4) return false;
    *text = slice_part(*rest, 4, n);
    *rest = slice_from(*rest, 4 + n);
    return true;
}

bool lumberjack_pair_next(slice *rest, slice *key, slice *value)
{
    return text_next(rest, key) && text_next(rest, value);
}

void lumberjack_ack_write(uint8_t version, uint32_t seq, char out[LUMBERJACK_ACK_BYTES])
{
    out[0] = (char)('0' + version);
    out[1] = 'A';
    for (int i = 0; i < 4; i++) out[2 + i] = (char)(seq >> (24 - 8 * i));
}
