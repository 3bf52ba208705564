/*
 * syslog_5424.c - RFC 5424 section 6, as strict as it says and as lenient as syslog.h lists.
 */
#include "parsers/wire/syslog.h"

#include "engine/base/assert.h"
#include "parsers/wire/clear.h"

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

static bool timestamp_valid(slice s)
{
    static const uint8_t month_days[] = {0,  31, 29, 31, 30, 31, 30, 31, 31, 30,
                                         31, 30, 31, 0,  0,  0,  0,  0,  0,  0};
    if (s.n < 20 || !minute_shape(s.p)) return false;
    uint32_t day = number_at(s.p + 8);
    if (day == 0 || day > month_days[number_at(s.p + 5)] || number_at(s.p + 11) > 23) return false;
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

bool syslog_5424_parse(slice text, struct syslog_5424 *out)
{
    clear_small(out, sizeof(*out));
    struct reader r = {text, 0};
    if (!read_header(&r, out)) return false;
    if (!read_spaces(&r) || r.at == text.n) return true; /* ends after the message id */
    uint32_t from = r.at;
    if (reader_peek(&r) == '-') {
        r.at++;
    } else {
        if (reader_peek(&r) != '[' || !read_structured_data(&r))
            return fault(out, SYSLOG_5424_STRUCTURED_DATA, from);
        out->structured_data = slice_make(text.p + from, r.at - from);
    }
    if (r.at == text.n) return true;
    if (reader_peek(&r) != ' ') return fault(out, SYSLOG_5424_STRUCTURED_DATA, r.at);
    out->message = slice_from(text, r.at + 1);
    if (slice_starts(out->message, SLICE("\xef\xbb\xbf"))) {
        out->bom = true;
        out->message = slice_from(out->message, 3);
    }
    return true;
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

static slice sd_take_name(slice *rest)
{
    uint32_t n = sd_name_end(*rest, 0);
    slice name = slice_part(*rest, 0, n);
    *rest = slice_from(*rest, n);
    return name;
}

/* The value behind '="', to its quote. */
static slice sd_take_value(slice *rest, bool *escaped)
{
    uint32_t n = 0;
    *escaped = false;
    while ((n = sd_value_stop(*rest, n)) < rest->n && rest->p[n] != '"') {
        /* A bracket is escaped, or the parser would have refused it. */
        *escaped = true;
        n = n + 2 < rest->n ? n + 2 : rest->n;
    }
    slice value = slice_part(*rest, 0, n);
    *rest = slice_from(*rest, n + 1);
    return value;
}

bool syslog_sd_next(struct syslog_sd *at)
{
    bool opened = false;
    for (;;) {
        if (at->rest.n == 0) return false;
        char c = at->rest.p[0];
        at->rest = slice_from(at->rest, 1);
        if (c == '[') {
            at->element = sd_take_name(&at->rest);
            at->inside = opened = true;
        } else if (c == ']') {
            at->inside = false;
            if (!opened) continue;
            at->name = at->value = SLICE_NONE;
            at->escaped = false;
            return true;
        } else if (c == ' ' && at->rest.n > 0 && at->rest.p[0] != ']') {
            at->name = sd_take_name(&at->rest);
            at->rest = slice_from(at->rest, 2);
            at->value = sd_take_value(&at->rest, &at->escaped);
            return true;
        }
    }
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
