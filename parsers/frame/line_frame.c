#include "parsers/frame/line_frame.h"

#include "engine/base/assert.h"

err line_frame_init(struct line_frame *f, slice delimiter, uint32_t bytes_max)
{
    *f = (struct line_frame){.bytes_max = bytes_max == 0 ? LINE_BYTES_DEFAULT : bytes_max};
    if (delimiter.n == 0 || delimiter.n > LINE_DELIMITER_MAX) return ERR_LIMIT;
    f->delimiter_n = (uint8_t)delimiter.n;
    memcpy(f->delimiter, delimiter.p, delimiter.n);
    return ERR_OK;
}

void line_frame_fini(struct line_frame *f)
{
    buf_fini(&f->carry);
}

void line_frame_feed(struct line_frame *f, slice in)
{
    ASSERT(f->in.n == 0);
    f->in = in;
}

/* Index of the first delimiter in s, or -1: the one place that searches, made to be replaced by a
 * vector kernel. */
static int64_t delimiter_find(const struct line_frame *f, slice s)
{
    if (f->delimiter_n == 1) return slice_find_byte(s, f->delimiter[0]);
    return slice_find(s, slice_make(f->delimiter, f->delimiter_n));
}

/* How many bytes at the start of the input finish a delimiter begun in earlier bytes; 0: none.
 * The delimiter that began first wins, as it would in one piece. */
static uint32_t delimiter_straddles(const struct line_frame *f)
{
    for (uint32_t begun = f->tail_n; begun > 0; begun--) {
        uint32_t rest = f->delimiter_n - begun;
        if (rest > f->in.n) continue;
        if (memcmp(f->tail + f->tail_n - begun, f->delimiter, begun) != 0) continue;
        if (memcmp(f->in.p, f->delimiter + begun, rest) == 0) return rest;
    }
    return 0;
}

/* Appends to the current line what fits; the rest is only counted. */
static void carry_add(struct line_frame *f, slice s)
{
    size_t room = (size_t)f->bytes_max + f->delimiter_n - f->carry.n;
    buf_add(&f->carry, s.p, s.n < room ? s.n : room);
    f->line_n += s.n;
}

static void tail_add(struct line_frame *f, slice s)
{
    uint32_t keep = f->delimiter_n - 1u;
    if (s.n >= keep) {
        memcpy(f->tail, s.p + s.n - keep, keep);
        f->tail_n = (uint8_t)keep;
        return;
    }
    uint32_t drop = f->tail_n + s.n > keep ? f->tail_n + s.n - keep : 0;
    memmove(f->tail, f->tail + drop, f->tail_n - drop);
    memcpy(f->tail + f->tail_n - drop, s.p, s.n);
    f->tail_n = (uint8_t)(f->tail_n - drop + s.n);
}

static void carry_reset(struct line_frame *f)
{
    if (f->carry.cap > LINE_CARRY_KEEP_BYTES) buf_fini(&f->carry);
    f->carry.n = 0;
    f->line_n = 0;
    f->tail_n = 0;
    f->delivered = false;
}

static void line_give(struct line_frame *f, struct line *out, const char *p, uint64_t n,
                      uint32_t delimiter_n)
{
    bool cut = n > f->bytes_max;
    f->cuts += cut;
    *out = (struct line){.cut = cut};
    out->text = slice_make(p, cut ? f->bytes_max : n);
    out->raw = cut ? out->text : slice_make(p, n + delimiter_n);
}

/* The carry and the first `used` bytes of the input, which end in the delimiter, are a line. */
static bool line_give_carried(struct line_frame *f, struct line *out, uint32_t used)
{
    carry_add(f, slice_part(f->in, 0, used));
    f->in = slice_from(f->in, used);
    line_give(f, out, f->carry.data, f->line_n - f->delimiter_n, f->delimiter_n);
    out->carried = f->delivered = true;
    return true;
}

bool line_frame_next(struct line_frame *f, struct line *out)
{
    if (f->delivered) carry_reset(f);
    if (f->in.n == 0) return false;
    if (f->line_n > 0) {
        uint32_t rest = delimiter_straddles(f);
        if (rest > 0) return line_give_carried(f, out, rest);
    }
    int64_t at = delimiter_find(f, f->in);
    if (at < 0) {
        carry_add(f, f->in);
        if (f->delimiter_n > 1) tail_add(f, f->in);
        f->in = slice_from(f->in, f->in.n);
        return false;
    }
    if (f->line_n > 0) return line_give_carried(f, out, (uint32_t)at + f->delimiter_n);
    line_give(f, out, f->in.p, (uint64_t)at, f->delimiter_n);
    f->in = slice_from(f->in, (uint32_t)at + f->delimiter_n);
    return true;
}

bool line_frame_flush(struct line_frame *f, struct line *out)
{
    if (f->delivered) carry_reset(f);
    ASSERT(f->in.n == 0);
    if (f->line_n == 0) return false;
    line_give(f, out, f->carry.data, f->line_n, 0);
    out->carried = f->delivered = true;
    return true;
}
