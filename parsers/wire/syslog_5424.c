/*
 * syslog_5424.c - RFC 5424 section 6, as strict as it says and as lenient as syslog.h lists.
 *
 * Nearly every header has single spaces between its fields and 64 bytes or more behind its time.
 * Then the spaces of these are found at once and the fields lie between them. Every other
 * header, the wrong ones above all, is read field by field.
 */
#include "parsers/wire/syslog.h"

#include "engine/base/assert.h"
#include "parsers/wire/clear.h"
#include "parsers/wire/syslog_priority.h"

/* A cursor over the text. It lives in registers as long as every function that takes it is inlined:
 * in memory, each step would wait for the store of the one before. */
struct reader {
    slice text;
    uint32_t at;
};
#define READS static inline __attribute__((always_inline))

READS char reader_peek(const struct reader *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool fault(struct syslog_5424 *out, enum syslog_5424_fault what, uint32_t at)
{
    out->fault = what;
    out->fault_at = at;
    return false;
}

/* At least one space and all that follow it. */
READS bool read_spaces(struct reader *r)
{
    if (r->at >= r->text.n || r->text.p[r->at] != ' ') return false;
    r->at++;
    while (__builtin_expect(r->at < r->text.n && r->text.p[r->at] == ' ', 0)) r->at++;
    return true;
}

/* Up to digits_max digits. */
READS bool read_number(struct reader *r, uint32_t digits_max, uint32_t *out)
{
    uint32_t n = 0;
    *out = 0;
    while (n < digits_max && is_digit(reader_peek(r))) {
        *out = *out * 10 + (uint32_t)(r->text.p[r->at++] - '0');
        n++;
    }
    return n > 0 && !is_digit(reader_peek(r));
}

/* Bytes up to a space or the end. */
READS slice read_token(struct reader *r)
{
    uint32_t from = r->at;
    const __m128i space = _mm_set1_epi8(' ');
    uint32_t i = from;
    for (;;) {
        if (i + 16 > r->text.n) {
            while (i < r->text.n && r->text.p[i] != ' ') i++;
            break;
        }
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(r->text.p + i));
        uint32_t found = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, space));
        if (found != 0) {
            i += (uint32_t)__builtin_ctz(found);
            break;
        }
        i += 16;
    }
    r->at = i;
    return slice_make(r->text.p + from, i - from);
}

/* A header field: not empty, "-" is absent. A trailing newline belongs to no field. */
READS bool read_field(struct reader *r, slice *out)
{
    slice token = read_token(r);
    *out = token;
    if (token.n == 0) return false;
    if (token.n == 1 && token.p[0] == '-') *out = SLICE_NONE;
    return true;
}

static bool two_digits(slice s, uint32_t i, uint32_t low, uint32_t high)
{
    if (i + 2 > s.n || !is_digit(s.p[i]) || !is_digit(s.p[i + 1])) return false;
    uint32_t value = (uint32_t)(s.p[i] - '0') * 10 + (uint32_t)(s.p[i + 1] - '0');
    return value >= low && value <= high;
}

static bool byte_is(slice s, uint32_t i, char c)
{
    return i < s.n && s.p[i] == c;
}

/* TIME-OFFSET = "Z" / ("+" / "-") hh ":" mm, the colon being optional here. */
static bool offset_valid(slice s)
{
    if (s.n == 1) return s.p[0] == 'Z';
    if (s.n == 0 || (s.p[0] != '+' && s.p[0] != '-') || !two_digits(s, 1, 0, 23)) return false;
    uint32_t i = byte_is(s, 3, ':') ? 4 : 3;
    return i + 2 == s.n && two_digits(s, i, 0, 59);
}

/* "2003-10-11T22:14" at p: digits in their ranges, marks in their places. */
static bool minute_shape(const char *p)
{
    const __m128i low = _mm_setr_epi8('0', '0', '0', '0', '-', '0', '0', '-', '0', '0', 'T', '0',
                                      '0', ':', '0', '0');
    const __m128i span = _mm_setr_epi8(9, 9, 9, 9, 0, 1, 9, 0, 3, 9, 0, 2, 9, 0, 5, 9);
    __m128i x = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)p), low);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, span), x)) == 0xffff;
}

static uint32_t number_at(const char *p)
{
    return (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[1] - '0');
}

/* A day of its month and a full hour at p. */
static bool minute_valid(const char *p)
{
    static const uint8_t month_days[] = {0,  31, 29, 31, 30, 31, 30, 31, 31, 30,
                                         31, 30, 31, 0,  0,  0,  0,  0,  0,  0};
    if (!minute_shape(p)) return false;
    uint32_t day = number_at(p + 8);
    return day != 0 && day <= month_days[number_at(p + 5)] && number_at(p + 11) <= 23;
}

static bool timestamp_valid(slice s)
{
    if (s.n < 20 || !minute_valid(s.p)) return false;
    if (s.p[16] != ':' || !two_digits(s, 17, 0, 59)) return false;
    uint32_t i = 19;
    if (s.p[i] == '.' || s.p[i] == ',') {
        uint32_t first = ++i;
        while (i < s.n && is_digit(s.p[i])) i++;
        if (i == first || i - first > 9) return false;
    }
    return offset_valid(slice_from(s, i));
}

/* SD-NAME: printable ASCII without = ] " and space. */
static bool sd_name_byte(char c)
{
    return c > ' ' && c < 0x7f && c != '=' && c != ']' && c != '"';
}

/* Behind the name at `at`. */
static inline uint32_t sd_name_end(slice text, uint32_t at)
{
    for (; text.n - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        __m128i part = _mm_cmpgt_epi8(v, _mm_set1_epi8(' ')); /* signed: not above 0x7f either */
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('=')),
                                                 _mm_cmpeq_epi8(v, _mm_set1_epi8(']'))),
                                    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                                 _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
        uint32_t ends = (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(stop, part)) ^ 0xffff;
        if (ends != 0) return at + (uint32_t)__builtin_ctz(ends);
    }
    while (at < text.n && sd_name_byte(text.p[at])) at++;
    return at;
}

/* The next quote, bracket or backslash. */
static inline uint32_t sd_value_stop(slice text, uint32_t at)
{
    for (; text.n - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + at));
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                                 _mm_cmpeq_epi8(v, _mm_set1_epi8(']'))),
                                    _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        uint32_t found = (uint32_t)_mm_movemask_epi8(stop);
        if (found != 0) return at + (uint32_t)__builtin_ctz(found);
    }
    while (at < text.n && text.p[at] != '"' && text.p[at] != ']' && text.p[at] != '\\') at++;
    return at;
}

READS bool read_sd_name(struct reader *r)
{
    uint32_t from = r->at;
    r->at = sd_name_end(r->text, from);
    return r->at > from;
}

/* "value" after the '=': to behind the closing quote. */
READS bool read_sd_value(struct reader *r)
{
    if (reader_peek(r) != '"') return false;
    r->at++;
    for (;;) {
        r->at = sd_value_stop(r->text, r->at);
        if (r->at >= r->text.n || r->text.p[r->at] == ']') return false; /* must be escaped */
        if (r->text.p[r->at++] == '"') return true;
        if (r->at == r->text.n) return false;
        r->at++;
    }
}

/* "[id name="value" ...]" one or more times, at least the first bracket is there. */
READS bool read_structured_data(struct reader *r)
{
    while (reader_peek(r) == '[') {
        r->at++;
        if (!read_sd_name(r)) return false;
        while (reader_peek(r) == ' ') {
            r->at++;
            if (reader_peek(r) == ']') break; /* a blank before the bracket does no harm */
            if (!read_sd_name(r) || reader_peek(r) != '=') return false;
            r->at++;
            if (!read_sd_value(r)) return false;
        }
        if (reader_peek(r) != ']') return false;
        r->at++;
    }
    return true;
}

/* ---- the plain header ------------------------------------------------------------------------ */

static inline __m128i load16(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* A bit for each of the 32 bytes at p that is `c`. */
static inline uint32_t bytes_like(const char *p, char c)
{
    const __m128i all = _mm_set1_epi8(c);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load16(p), all)) |
           (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(load16(p + 16), all)) << 16;
}

/* timestamp_valid for n bytes with 32 to load: no loop over the fraction. */
static inline bool timestamp_plain(const char *p, uint32_t n)
{
    if (n < 20 || !minute_valid(p)) return false;
    __m128i x = _mm_sub_epi8(load16(p + 16), _mm_set1_epi8('0'));
    uint32_t digits =
        (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x));
    if (p[16] != ':' || (digits & 6) != 6 || p[17] > '5') return false;
    uint32_t i = 19;
    if (p[19] == '.' || p[19] == ',') {
        uint32_t fraction = (uint32_t)__builtin_ctz(~(digits >> 4));
        if (fraction == 0 || fraction > 9) return false;
        i += 1 + fraction;
    }
    return (n == i + 1 && p[i] == 'Z') || offset_valid((slice){p + i, n - i});
}

/* The next field, up to a space that is taken out of `spaces`; its own index in the 64 bytes at p
 * goes behind that space. False when it is empty or has no end here. */
static inline __attribute__((always_inline)) bool take_field(const char *p, uint64_t *spaces,
                                                             uint32_t *at, slice *out)
{
    if (*spaces == 0) return false;
    uint32_t from = *at, end = (uint32_t)__builtin_ctzll(*spaces), n = end - from;
    *spaces &= *spaces - 1;
    *at = end + 1;
    bool absent = n == 1 && p[from] == '-';
    out->p = absent ? NULL : p + from;
    out->n = absent ? 0 : n;
    return n != 0;
}

/* Where the structured data begins, or 0 when the header is not plain. */
static inline __attribute__((always_inline)) uint32_t header_plain(slice text,
                                                                   struct syslog_5424 *out)
{
    if (text.n == 0 || text.p[0] != '<') return 0;
    uint32_t at = syslog_priority_plain(text, 0, &out->priority);
    if (at == 0 || text.p[at] != '1' || text.p[at + 1] != ' ') return 0;
    at += 2;
    const char *p = text.p + at;
    if (text.n - at < 48) return 0;
    /* No valid time ends before its 20th byte, or behind the 35th. */
    uint32_t time_ends = bytes_like(p + 16, ' '), time_n = 1;
    if (*p == '-') {
        if (p[1] != ' ') return 0;
        out->timestamp = SLICE_NONE;
    } else {
        if (time_ends == 0) return 0;
        time_n = 16 + (uint32_t)__builtin_ctz(time_ends);
        if (!timestamp_plain(p, time_n)) return 0;
        out->timestamp = (slice){p, time_n};
    }
    at += time_n + 1;
    p = text.p + at;
    if (text.n - at < 65) return 0;
    uint64_t spaces = bytes_like(p, ' ') | (uint64_t)bytes_like(p + 32, ' ') << 32;
    uint32_t i = 0;
    if (!take_field(p, &spaces, &i, &out->hostname) || !take_field(p, &spaces, &i, &out->app_name))
        return 0;
    if (!take_field(p, &spaces, &i, &out->procid) || !take_field(p, &spaces, &i, &out->msgid))
        return 0;
    return p[i] == ' ' ? 0 : at + i;
}

/* ---- any header ------------------------------------------------------------------------------ */

READS bool read_header(struct reader *r, struct syslog_5424 *out)
{
    uint32_t from = r->at;
    if (reader_peek(r) != '<') return fault(out, SYSLOG_5424_PRIORITY, from);
    r->at++;
    if (!read_number(r, 9, &out->priority) || reader_peek(r) != '>')
        return fault(out, SYSLOG_5424_PRIORITY, from);
    from = ++r->at;
    if (reader_peek(r) == '0' || !read_number(r, 3, &out->version) || out->version != 1 ||
        !read_spaces(r))
        return fault(out, SYSLOG_5424_VERSION, from);
    from = r->at;
    if (!read_field(r, &out->timestamp) ||
        (out->timestamp.p != NULL && !timestamp_valid(out->timestamp)) || !read_spaces(r))
        return fault(out, SYSLOG_5424_TIMESTAMP, from);
    from = r->at;
    if (!read_field(r, &out->hostname) || !read_spaces(r))
        return fault(out, SYSLOG_5424_HOSTNAME, from);
    from = r->at;
    if (!read_field(r, &out->app_name) || !read_spaces(r))
        return fault(out, SYSLOG_5424_APP_NAME, from);
    from = r->at;
    if (!read_field(r, &out->procid) || !read_spaces(r))
        return fault(out, SYSLOG_5424_PROCID, from);
    from = r->at;
    if (!read_field(r, &out->msgid)) return fault(out, SYSLOG_5424_MSGID, from);
    return true;
}

/* What follows the header and its spaces. */
READS bool read_rest(struct reader *r, struct syslog_5424 *out)
{
    slice text = r->text;
    uint32_t from = r->at;
    out->message = out->structured_data = SLICE_NONE;
    if (r->at == text.n) return true;
    if (reader_peek(r) == '-') {
        r->at++;
    } else {
        if (reader_peek(r) != '[' || !read_structured_data(r))
            return fault(out, SYSLOG_5424_STRUCTURED_DATA, from);
        out->structured_data = slice_make(text.p + from, r->at - from);
    }
    if (r->at == text.n) return true;
    if (reader_peek(r) != ' ') return fault(out, SYSLOG_5424_STRUCTURED_DATA, r->at);
    uint32_t at = r->at + 1;
    if (text.n - at >= 3 && memcmp(text.p + at, "\xef\xbb\xbf", 3) == 0) {
        out->bom = true;
        at += 3;
    }
    out->message = (slice){text.p + at, text.n - at};
    return true;
}

static __attribute__((noinline)) bool parse_carefully(slice text, struct syslog_5424 *out)
{
    struct reader r = {text, 0};
    clear_small(out, sizeof(*out));
    if (!read_header(&r, out)) return false;
    if (!read_spaces(&r)) return true; /* ends after the message id */
    return read_rest(&r, out);
}

bool syslog_5424_parse(slice text, struct syslog_5424 *out)
{
    struct reader r = {text, header_plain(text, out)};
    if (r.at == 0) return parse_carefully(text, out);
    out->version = 1;
    out->bom = false;
    out->fault = SYSLOG_5424_OK;
    out->fault_at = 0;
    return read_rest(&r, out);
}

const char *syslog_5424_fault_text(enum syslog_5424_fault what)
{
    static const char *const texts[] = {
        "no fault",
        "no priority in angle brackets",
        "version is not 1",
        "timestamp is neither \"-\" nor RFC 3339",
        "no host name",
        "no application name",
        "no process id",
        "no message id",
        "structured data is malformed",
    };
    ASSERT((size_t)what < ARRAY_LEN(texts));
    return texts[what];
}

struct syslog_sd syslog_sd_start(slice structured_data)
{
    return (struct syslog_sd){.rest = structured_data};
}

/* The value at `at`, behind its opening quote. */
static inline uint32_t sd_value_end(slice text, uint32_t at, bool *escaped)
{
    *escaped = false;
    while ((at = sd_value_stop(text, at)) < text.n && text.p[at] != '"') {
        /* A bracket is escaped, or the parser would have refused it. */
        *escaped = true;
        at = at + 2 < text.n ? at + 2 : text.n;
    }
    return at;
}

static inline __attribute__((always_inline)) slice between(slice text, uint32_t from, uint32_t to)
{
    return (slice){text.p + from, to - from};
}

bool syslog_sd_next(struct syslog_sd *at)
{
    slice text = at->rest;
    uint32_t i = 0;
    bool opened = false;
    while (i < text.n) {
        char c = text.p[i++];
        uint32_t from = i;
        if (c == '[') {
            i = sd_name_end(text, from);
            at->element = between(text, from, i);
            opened = true;
        } else if (c == ' ' && i < text.n && text.p[i] != ']') {
            i = sd_name_end(text, from);
            at->name = between(text, from, i);
            from = i + 2 < text.n ? i + 2 : text.n; /* behind =" */
            i = sd_value_end(text, from, &at->escaped);
            at->value = between(text, from, i);
            at->rest = slice_from(text, i + 1);
            return true;
        } else if (c == ']' && opened) {
            at->name = at->value = SLICE_NONE;
            at->escaped = false;
            at->rest = between(text, i, text.n);
            return true;
        }
    }
    at->rest = SLICE_NONE;
    return false;
}

uint32_t syslog_sd_unescape(slice value, char *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\\' && i + 1 < value.n) {
            char next = value.p[i + 1];
            if (next == '"' || next == '\\' || next == ']') c = value.p[++i];
        }
        out[n++] = c;
    }
    return n;
}
