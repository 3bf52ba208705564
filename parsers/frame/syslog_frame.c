#include "parsers/frame/syslog_frame.h"

#include "engine/base/assert.h"

/* Nine digits always fit 32 bits; no limit is that high. */
#define COUNT_DIGITS_MAX 9u

void syslog_frame_init(struct syslog_frame *f, uint32_t bytes_max)
{
    *f = (struct syslog_frame){0};
    err e = line_frame_init(&f->line, SLICE("\n"), bytes_max);
    ASSERT(e == ERR_OK);
}

void syslog_frame_fini(struct syslog_frame *f)
{
    line_frame_fini(&f->line);
}

void syslog_frame_feed(struct syslog_frame *f, slice in)
{
    line_frame_feed(&f->line, in);
}

static int frame_fail(struct syslog_frame *f, err e, const char *reason)
{
    f->failed = e;
    f->reason = reason;
    return e;
}

static char take_byte(slice *in)
{
    char c = in->p[0];
    *in = slice_from(*in, 1);
    return c;
}

/* Reads "MSG-LEN SP". 1: f->want is set; 0: more input needed. */
static int count_read(struct syslog_frame *f)
{
    slice *in = &f->line.in;
    while (in->n > 0) {
        char c = take_byte(in);
        if (f->digits == 0 && (c == '\n' || c == '\r')) continue;
        if (c >= '0' && c <= '9') {
            if (f->digits == 0 && c == '0')
                return frame_fail(f, ERR_FRAME, "octet count starts with 0");
            if (++f->digits > COUNT_DIGITS_MAX)
                return frame_fail(f, ERR_FRAME, "octet count has too many digits");
            f->count = f->count * 10 + (uint32_t)(c - '0');
            continue;
        }
        if (f->digits == 0 || c != ' ')
            return frame_fail(f, ERR_FRAME, "no octet count where one is due");
        if (f->count > f->line.bytes_max)
            return frame_fail(f, ERR_LIMIT, "octet count above the size limit");
        f->want = f->count;
        f->count = f->digits = 0;
        return 1;
    }
    return 0;
}

static int octets_next(struct syslog_frame *f, struct line *out)
{
    struct line_frame *line = &f->line;
    if (line->delivered) {
        line->carry.n = 0;
        line->delivered = false;
        if (line->carry.cap > LINE_CARRY_KEEP_BYTES) buf_fini(&line->carry);
    }
    if (f->want == 0) {
        int r = count_read(f);
        if (r != 1) return r;
    }
    uint32_t missing = f->want - (uint32_t)line->carry.n;
    if (line->carry.n == 0 && line->in.n >= missing) {
        *out = (struct line){.text = slice_part(line->in, 0, missing)};
    } else {
        slice part = slice_part(line->in, 0, missing);
        buf_add_slice(&line->carry, part);
        if (part.n < missing) {
            line->in = slice_from(line->in, part.n);
            return 0;
        }
        *out = (struct line){.text = buf_slice(&line->carry), .carried = true};
        line->delivered = true;
    }
    out->raw = out->text;
    line->in = slice_from(line->in, missing);
    f->want = 0;
    return 1;
}

int syslog_frame_next(struct syslog_frame *f, struct line *out)
{
    if (f->failed != ERR_OK) return f->failed;
    if (f->framing == SYSLOG_FRAMING_UNKNOWN) {
        if (f->line.in.n == 0) return 0;
        char first = f->line.in.p[0];
        f->framing = first >= '1' && first <= '9' ? SYSLOG_FRAMING_OCTETS : SYSLOG_FRAMING_LINES;
    }
    if (f->framing == SYSLOG_FRAMING_LINES) return line_frame_next(&f->line, out);
    return octets_next(f, out);
}

bool syslog_frame_flush(struct syslog_frame *f, struct line *out)
{
    if (f->failed != ERR_OK || f->framing == SYSLOG_FRAMING_UNKNOWN) return false;
    if (f->framing == SYSLOG_FRAMING_LINES) return line_frame_flush(&f->line, out);
    /* A counted frame that did not arrive whole: what there is, marked cut. */
    if (f->line.delivered || f->line.carry.n == 0) return false;
    *out = (struct line){.text = buf_slice(&f->line.carry), .carried = true, .cut = true};
    out->raw = out->text;
    f->line.delivered = true;
    f->want = 0;
    return true;
}
