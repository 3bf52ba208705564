/*
 * syslog_3164.c - "<priority>timestamp host program[pid]: message" as Logstash's pattern has it.
 *
 * Nearly every line is of one shape: a 15 byte timestamp, a plain host name. That shape is
 * checked with one 16 byte load and masks, and cannot match the pattern in another way. Everything
 * else takes the careful path, which follows the pattern's alternatives in their order.
 */
#include <smmintrin.h>

#include "parsers/wire/clear.h"
#include "parsers/wire/syslog.h"
#include "parsers/wire/syslog_host.h"
#include "parsers/wire/syslog_priority.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static slice span(slice text, uint32_t from, uint32_t to)
{
    return (slice){text.p + from, to - from};
}

static char at_or_nul(slice text, uint32_t i)
{
    return i < text.n ? text.p[i] : 0;
}

/* ---- the careful path: timestamps -------------------------------------------------------- */

/* Month names after their first letter, which may have either case. English and German
 * forms, and the oddities the pattern allows. */
static const struct month_name {
    char first;
    const char *rest;
} month_names[] = {
    {'j', "an"},        {'j', "anuar"},       {'j', "anuary"},     {'f', "eb"},
    {'f', "ebruar"},    {'f', "ebruary"},     {'m', "r"},          {'m', "rch"},
    {'m', "rz"},        {'m', "ar"},          {'m', "arch"},       {'m', "arz"},
    {'m', "\xc3\xa4r"}, {'m', "\xc3\xa4rch"}, {'m', "\xc3\xa4rz"}, {'a', "pr"},
    {'a', "pril"},      {'m', "a"},           {'m', "ay"},         {'m', "ai"},
    {'j', "un"},        {'j', "une"},         {'j', "uni"},        {'j', "ul"},
    {'j', "uly"},       {'j', "uli"},         {'a', "ug"},         {'a', "ugust"},
    {'s', "ep"},        {'s', "eptember"},    {'o', "t"},          {'o', "ct"},
    {'o', "kt"},        {'o', "tober"},       {'o', "ctober"},     {'o', "ktober"},
    {'n', "ov"},        {'n', "ovember"},     {'d', "ec"},         {'d', "ez"},
    {'d', "ecember"},   {'d', "ezember"},
};

static bool month_known(slice name)
{
    for (size_t i = 0; i < sizeof(month_names) / sizeof(month_names[0]); i++) {
        slice rest = slice_from_cstr(month_names[i].rest);
        if (name.n == rest.n + 1 && (name.p[0] | 0x20) == month_names[i].first &&
            memcmp(name.p + 1, rest.p, rest.n) == 0)
            return true;
    }
    return false;
}

static bool hour_valid(const char *p, uint32_t n)
{
    if (n == 1) return true;
    return p[0] == '0' || p[0] == '1' || (p[0] == '2' && p[1] <= '3');
}

static bool minute_at(slice text, uint32_t i)
{
    char tens = at_or_nul(text, i);
    return tens >= '0' && tens <= '5' && is_digit(at_or_nul(text, i + 1));
}

/* Digits of a day before a space: 01-31 or 1-9. */
static uint32_t day_digits(slice text, uint32_t i, bool before_space_only)
{
    char a = at_or_nul(text, i);
    char b = at_or_nul(text, i + 1);
    uint32_t n = 0;
    if ((a == '0' && b >= '1' && b <= '9') || ((a == '1' || a == '2') && is_digit(b)) ||
        (a == '3' && (b == '0' || b == '1')))
        n = 2;
    else if (a >= '1' && a <= '9')
        n = 1;
    if (n == 0) return 0;
    char after = at_or_nul(text, i + n);
    return after == ' ' || (after == 'T' && !before_space_only) ? n : 0;
}

/* A fraction ([:.,] and digits), if there is one. */
static uint32_t fraction_end(slice text, uint32_t i)
{
    char mark = at_or_nul(text, i);
    if ((mark != ':' && mark != '.' && mark != ',') || !is_digit(at_or_nul(text, i + 1))) return i;
    for (i++; is_digit(at_or_nul(text, i));) i++;
    return i;
}

/* Seconds of `n` digits: 0-9, 00-60. */
static bool second_at(slice text, uint32_t i, uint32_t n)
{
    char a = at_or_nul(text, i);
    char b = at_or_nul(text, i + 1);
    if (n == 1) return is_digit(a);
    return (a >= '0' && a <= '5' && is_digit(b)) || (a == '6' && b == '0');
}

/* "Mar 15 06:07:08[.123] ": the end before the space, or 0. */
static uint32_t bsd_time_end(slice text, uint32_t from)
{
    uint32_t i = from;
    while (i < text.n && i - from < 12 && text.p[i] != ' ') i++;
    if (at_or_nul(text, i) != ' ' || i == from || !month_known(span(text, from, i))) return 0;
    while (at_or_nul(text, i) == ' ') i++;
    uint32_t n = day_digits(text, i, true);
    if (n == 0) return 0;
    i += n + 1;
    n = is_digit(at_or_nul(text, i)) ? is_digit(at_or_nul(text, i + 1)) ? 2 : 1 : 0;
    if (n == 0 || !hour_valid(text.p + i, n) || at_or_nul(text, i + n) != ':') return 0;
    i += n + 1;
    if (!minute_at(text, i) || at_or_nul(text, i + 2) != ':') return 0;
    i += 3;
    for (n = 2; n > 0; n--) {
        if (!second_at(text, i, n)) continue;
        uint32_t end = fraction_end(text, i + n);
        if (at_or_nul(text, end) == ' ') return end;
    }
    return 0;
}

/* An optional zone that must end before a space; the end or 0. */
static uint32_t iso_zone_end(slice text, uint32_t i)
{
    char c = at_or_nul(text, i);
    if (c == ' ') return i;
    if (c == 'Z') return at_or_nul(text, i + 1) == ' ' ? i + 1 : 0;
    if (c != '+' && c != '-') return 0;
    for (uint32_t n = 2; n > 0; n--) {
        uint32_t at = i + 1;
        if (!is_digit(at_or_nul(text, at)) || (n == 2 && !is_digit(at_or_nul(text, at + 1))))
            continue;
        if (!hour_valid(text.p + at, n)) continue;
        at += n;
        if (at_or_nul(text, at) == ':') at++;
        if (minute_at(text, at) && at_or_nul(text, at + 2) == ' ') return at + 2;
    }
    return 0;
}

/* What follows the minute: optional seconds, optional zone. */
static uint32_t iso_seconds_end(slice text, uint32_t i)
{
    uint32_t at = at_or_nul(text, i) == ':' ? i + 1 : i;
    for (uint32_t n = 2; n > 0; n--) {
        if (!second_at(text, at, n)) continue;
        uint32_t end = iso_zone_end(text, fraction_end(text, at + n));
        if (end != 0) return end;
    }
    return iso_zone_end(text, i);
}

/* ISO 8601 as the pattern has it: years of 2 or 4 digits, T or a space, colons optional. */
static uint32_t iso_time_end(slice text, uint32_t i)
{
    uint32_t digits = 0;
    while (digits < 5 && is_digit(at_or_nul(text, i + digits))) digits++;
    if ((digits != 2 && digits != 4) || at_or_nul(text, i + digits) != '-') return 0;
    i += digits + 1;
    char a = at_or_nul(text, i);
    char b = at_or_nul(text, i + 1);
    if ((a == '0' && b >= '1' && b <= '9') || (a == '1' && b >= '0' && b <= '2'))
        i += 2;
    else if (a >= '1' && a <= '9')
        i += 1;
    else
        return 0;
    if (at_or_nul(text, i) != '-') return 0;
    i++;
    uint32_t n = day_digits(text, i, false);
    if (n == 0) return 0;
    i += n + 1;
    for (n = 2; n > 0; n--) {
        if (!is_digit(at_or_nul(text, i)) || (n == 2 && !is_digit(at_or_nul(text, i + 1))))
            continue;
        if (!hour_valid(text.p + i, n)) continue;
        uint32_t at = i + n;
        if (at_or_nul(text, at) == ':') at++;
        uint32_t end = minute_at(text, at) ? iso_seconds_end(text, at + 2) : 0;
        if (end != 0) return end;
    }
    return 0;
}

/* ---- the parts after the host ------------------------------------------------------------- */

/* End of the run of program characters: printable ASCII without space and brackets. */
static uint32_t program_run_end(slice text, uint32_t i)
{
    const __m128i space = _mm_set1_epi8(0x20);
    while (i + 16 <= text.n) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + i));
        /* Signed: bytes above 127 are below the space. */
        __m128i good = _mm_cmpgt_epi8(v, space);
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('[')),
                                   _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8(']')),
                                                _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
        uint32_t stop = (uint32_t)_mm_movemask_epi8(_mm_andnot_si128(bad, good)) ^ 0xffff;
        if (stop != 0) return i + (uint32_t)__builtin_ctz(stop);
        i += 16;
    }
    while (i < text.n && text.p[i] > ' ' && text.p[i] != '[' && text.p[i] != ']' &&
           text.p[i] != 0x7f)
        i++;
    return i;
}

/* End of the digits at i, without a branch per digit for the common short number. */
static uint32_t digits_end(slice text, uint32_t i)
{
    if (i + 16 <= text.n) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + i));
        __m128i x = _mm_sub_epi8(v, _mm_set1_epi8('0'));
        __m128i digit = _mm_cmpeq_epi8(_mm_min_epu8(x, _mm_set1_epi8(9)), x);
        uint32_t stop = (uint32_t)_mm_movemask_epi8(digit) ^ 0xffff;
        if (stop != 0) return i + (uint32_t)__builtin_ctz(stop);
    }
    while (is_digit(at_or_nul(text, i))) i++;
    return i;
}

/* text.p[i] is the space after host or timestamp: an optional " program[pid]:", then " message". */
static void program_message(slice text, uint32_t i, struct syslog_fields *out)
{
    uint32_t from = i + 1;
    uint32_t end = program_run_end(text, from);
    out->message = span(text, from, text.n);
    char stop = at_or_nul(text, end);
    if (stop == ' ') {
        if (end < from + 2 || text.p[end - 1] != ':') return;
        out->program = span(text, from, end - 1);
        out->message = span(text, end + 1, text.n);
    } else if (stop == '[' && end > from) {
        uint32_t at = digits_end(text, end + 1);
        if (at == end + 1 || text.p[end + 1] == '0' || text.n - at < 3) return;
        if (memcmp(text.p + at, "]: ", 3) != 0) return;
        out->program = span(text, from, end);
        out->pid = span(text, end + 1, at);
        out->message = span(text, at + 3, text.n);
    }
}

/* An inner "<facility.priority>" before a space: the index of that space, or 0. */
static uint32_t facility_end(slice text, uint32_t i, struct syslog_fields *out)
{
    if (at_or_nul(text, i) != '<') return 0;
    uint32_t first = ++i;
    while (is_digit(at_or_nul(text, i))) i++;
    if (i == first || i >= text.n) return 0;
    uint32_t mark = i++;
    char c = text.p[mark];
    if (c < 0 || c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')) return 0;
    uint32_t second = i;
    while (is_digit(at_or_nul(text, i))) i++;
    if (i == second || at_or_nul(text, i) != '>' || at_or_nul(text, i + 1) != ' ') return 0;
    out->facility = span(text, first, mark);
    out->facility_priority = span(text, second, i);
    return i + 1;
}

/* Everything after the '>' of the priority. */
static bool careful_parse(slice text, uint32_t at, enum syslog_dialect dialect,
                          struct syslog_fields *out)
{
    uint32_t end = bsd_time_end(text, at);
    if (end == 0) {
        end = iso_time_end(text, at);
        if (end == 0) return false;
        out->iso8601 = true;
        out->timestamp8601 = span(text, at, end);
    }
    out->timestamp = span(text, at, end);
    uint32_t space = facility_end(text, end + 1, out);
    if (space != 0) end = space;
    slice host;
    if (syslog_host_parse(text, end + 1, dialect == SYSLOG_LEGACY, &host)) {
        out->logsource = host;
        end = (uint32_t)(host.p + host.n - text.p);
    } else if (dialect == SYSLOG_LEGACY) {
        return false;
    }
    program_message(text, end, out);
    return true;
}

/* ---- the fast path --------------------------------------------------------------------------- */

/* "Mar 15 06:07:08 " or "Mar  5 06:07:08 " in the 16 bytes at p. */
static bool bsd_time_plain(const char *p)
{
    const __m128i low = _mm_setr_epi8('A', 'a', 'a', ' ', ' ', '0', ' ', '0', '0', ':', '0', '0',
                                      ':', '0', '0', ' ');
    const __m128i span_max =
        _mm_setr_epi8('z' - 'A', 25, 25, 0, '3' - ' ', 9, 0, 2, 9, 0, 5, 9, 0, 5, 9, 0);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i x = _mm_sub_epi8(v, low);
    if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(x, span_max), x)) != 0xffff) return false;
    if (p[7] == '2' && p[8] > '3') return false;
    char tens = p[4];
    char ones = p[5];
    if (tens == ' ' ? ones == '0'
                    : tens < '0' || (tens == '0' && ones == '0') || (tens == '3' && ones > '1'))
        return false;
    switch ((uint32_t)(uint8_t)(p[0] | 0x20) << 16 | (uint32_t)(uint8_t)p[1] << 8 | (uint8_t)p[2]) {
    case 'j' << 16 | 'a' << 8 | 'n':
    case 'f' << 16 | 'e' << 8 | 'b':
    case 'm' << 16 | 'a' << 8 | 'r':
    case 'a' << 16 | 'p' << 8 | 'r':
    case 'm' << 16 | 'a' << 8 | 'y':
    case 'j' << 16 | 'u' << 8 | 'n':
    case 'j' << 16 | 'u' << 8 | 'l':
    case 'a' << 16 | 'u' << 8 | 'g':
    case 's' << 16 | 'e' << 8 | 'p':
    case 'o' << 16 | 'c' << 8 | 't':
    case 'n' << 16 | 'o' << 8 | 'v':
    case 'd' << 16 | 'e' << 8 | 'c': return true;
    default: return false;
    }
}

/* Which of 16 bytes are letters, digits, dots or dashes (bit per byte), and which letters or
 * digits. By nibbles: bit 0 is "-.", 1 digits, 2 A-O a-o, 3 P-Z p-z. */
static uint32_t host_bytes(__m128i v, uint32_t *alnum)
{
    const __m128i by_high = _mm_setr_epi8(0, 0, 1, 2, 4, 8, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m128i by_low =
        _mm_setr_epi8(2 | 8, 14, 14, 14, 14, 14, 14, 14, 14, 14, 4 | 8, 4, 4, 4 | 1, 4 | 1, 4);
    __m128i high = _mm_and_si128(_mm_srli_epi16(v, 4), _mm_set1_epi8(15));
    __m128i low = _mm_and_si128(v, _mm_set1_epi8(15));
    __m128i kind = _mm_and_si128(_mm_shuffle_epi8(by_high, high), _mm_shuffle_epi8(by_low, low));
    __m128i none = _mm_cmpeq_epi8(kind, _mm_setzero_si128());
    __m128i mark = _mm_cmpeq_epi8(kind, _mm_set1_epi8(1));
    uint32_t host = (uint32_t)_mm_movemask_epi8(none) ^ 0xffff;
    *alnum = host & ~(uint32_t)_mm_movemask_epi8(mark);
    return host;
}

/* A host name of at most 63 bytes, without colons, before a space: its end, or 0. All labels
 * start with a letter or digit, so the name is one match of the pattern from end to end, and
 * without a colon nothing preferred to it (an IPv6 address) is possible. */
static uint32_t host_plain_end(slice text, uint32_t from)
{
    uint64_t host = 0;
    uint64_t alnum = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < 64; i += 16) {
        if (from + i + 16 > text.n) return 0;
        uint32_t block_alnum;
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(text.p + from + i));
        uint32_t block = host_bytes(v, &block_alnum);
        host |= (uint64_t)block << i;
        alnum |= (uint64_t)block_alnum << i;
        if (block != 0xffff) {
            n = i + (uint32_t)__builtin_ctz(~block);
            break;
        }
    }
    if (n == 0 || text.p[from + n] != ' ') return 0;
    uint64_t inside = (1ull << n) - 1;
    if ((alnum & 1) == 0) return 0;
    uint64_t marks = host & ~alnum & inside;
    if (marks == 0) return from + n;
    /* Of the marks only dots must be followed by a letter or digit (or end the name). */
    for (uint64_t m = marks & ~(alnum >> 1); m != 0; m &= m - 1) {
        uint32_t i = (uint32_t)__builtin_ctzll(m);
        if (text.p[from + i] == '.' && i + 1 != n) return 0;
    }
    return from + n;
}

static bool fast_parse(slice text, uint32_t at, struct syslog_fields *out)
{
    if (text.n - at < 32 || !bsd_time_plain(text.p + at)) return false;
    uint32_t end = host_plain_end(text, at + 16);
    if (end == 0) return false;
    out->timestamp = span(text, at, at + 15);
    out->logsource = span(text, at + 16, end);
    program_message(text, end, out);
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* "<1..>" at `at`: the index after the '>', or 0. */
static uint32_t priority_end(slice text, uint32_t at, struct syslog_fields *out)
{
    uint32_t i = at + 1;
    if (at_or_nul(text, i) == '0') return 0;
    uint64_t priority = 0;
    while (i < text.n && is_digit(text.p[i])) {
        priority = priority * 10 + (uint64_t)(text.p[i++] - '0');
        if (priority > UINT32_MAX) priority = UINT32_MAX;
    }
    if (i == at + 1 || at_or_nul(text, i) != '>') return 0;
    out->priority = (uint32_t)priority;
    out->priority_text = span(text, at + 1, i);
    return i + 1;
}

static bool parse_at(slice text, uint32_t at, enum syslog_dialect dialect,
                     struct syslog_fields *out)
{
    clear_small(out, sizeof(*out));
    uint32_t after = syslog_priority_plain(text, at, &out->priority);
    if (after != 0)
        out->priority_text = span(text, at + 1, after - 1);
    else
        after = priority_end(text, at, out);
    if (after == 0) return false;
    return fast_parse(text, after, out) || careful_parse(text, after, dialect, out);
}

bool syslog_3164_parse(slice text, enum syslog_dialect dialect, struct syslog_fields *out)
{
    if (text.n == 0) return false;
    if (text.p[0] == '<' && parse_at(text, 0, dialect, out)) return true;
    /* The pattern is not anchored: any later '<' may start the match. */
    for (uint32_t at = 1; at < text.n; at++) {
        const char *mark = memchr(text.p + at, '<', text.n - at);
        if (mark == NULL) return false;
        at = (uint32_t)(mark - text.p);
        if (parse_at(text, at, dialect, out)) return true;
    }
    return false;
}
