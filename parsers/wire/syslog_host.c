#define _GNU_SOURCE /* memrchr */
#include "parsers/wire/syslog_host.h"

#include "parsers/wire/syslog.h"

/* Every host but a zone consists of letters, digits and ".:-", so all matches from one start end
 * inside one run of these, the region. Which ends lead to success is a set of positions,
 * filled from the right; with it each host is matched once, without backtracking over the rest. */
struct host_region {
    const char *p;
    uint32_t from, to;  /* the region */
    uint32_t zone_end;  /* the last space when a zone may follow at `to`, else 0 */
    const uint64_t *ok; /* ends that lead on, bit per position from `from`; NULL: only `to` */
    bool to_ok;         /* a space follows the region */
};

#define OK_WORDS (SYSLOG_HOST_MAX / 64 + 1)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_alnum(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* What a byte at i is; outside the region nothing of a host. */
static char region_at(const struct host_region *r, uint32_t i)
{
    return i < r->to ? r->p[i] : 0;
}

static bool end_ok(const struct host_region *r, uint32_t end)
{
    if (end == r->to) return r->to_ok;
    if (r->ok == NULL) return false;
    uint32_t bit = end - r->from;
    return r->ok[bit / 64] >> (bit % 64) & 1;
}

/* An IPv6 address may go on with a zone, preferred when there is one. Returns the end or 0. */
static uint32_t v6_end(const struct host_region *r, uint32_t end)
{
    if (end == r->to && r->zone_end != 0) return r->zone_end;
    return end_ok(r, end) ? end : 0;
}

static uint32_t hex_run(const struct host_region *r, uint32_t i)
{
    uint32_t n = 0;
    while (n < 5 && is_hex(region_at(r, i + n))) n++;
    return n;
}

static uint32_t digit_run(const struct host_region *r, uint32_t i)
{
    uint32_t n = 0;
    while (n < 4 && is_digit(region_at(r, i + n))) n++;
    return n;
}

static uint32_t octet_value(const struct host_region *r, uint32_t i, uint32_t n)
{
    uint32_t value = 0;
    while (n-- > 0) value = value * 10 + (uint32_t)(r->p[i++] - '0');
    return value;
}

/* A decimal of n digits without leading zeros, at most 255: the octets of an embedded IPv4. */
static bool v6_octet(const struct host_region *r, uint32_t i, uint32_t n)
{
    if (n == 0 || n > 3) return false;
    if (n > 1 && r->p[i] == '0') return false;
    return octet_value(r, i, n) <= 255;
}

/* The embedded IPv4 of an IPv6 address; its last octet may stop early. */
static uint32_t v6_v4(const struct host_region *r, uint32_t i)
{
    for (int octet = 0; octet < 3; octet++) {
        uint32_t n = digit_run(r, i);
        if (!v6_octet(r, i, n) || region_at(r, i + n) != '.') return 0;
        i += n + 1;
    }
    uint32_t n = digit_run(r, i);
    for (n = n < 3 ? n : 3; n > 0; n--) {
        uint32_t end = v6_octet(r, i, n) ? v6_end(r, i + n) : 0;
        if (end != 0) return end;
    }
    return 0;
}

/* One to `max` times ":hex", as many as possible first. */
static uint32_t v6_groups(const struct host_region *r, uint32_t i, uint32_t used, uint32_t max)
{
    if (used < max && region_at(r, i) == ':') {
        uint32_t n = hex_run(r, i + 1);
        for (n = n < 4 ? n : 4; n > 0; n--) {
            uint32_t end = v6_groups(r, i + 1 + n, used + 1, max);
            if (end != 0) return end;
        }
    }
    return used > 0 ? v6_end(r, i) : 0;
}

/* Up to `max` times ":hex", then ":" and an IPv4. */
static uint32_t v6_groups_v4(const struct host_region *r, uint32_t i, uint32_t used, uint32_t max)
{
    if (region_at(r, i) != ':') return 0;
    uint32_t n = hex_run(r, i + 1);
    if (used < max && n > 0 && n <= 4 && region_at(r, i + 1 + n) == ':') {
        uint32_t end = v6_groups_v4(r, i + 1 + n, used + 1, max);
        if (end != 0) return end;
    }
    return v6_v4(r, i + 1);
}

/* The tail of an address after k leading "hex:" groups, by alternatives of the pattern. */
static uint32_t v6_tail(const struct host_region *r, uint32_t i, uint32_t k)
{
    uint32_t end = 0;
    if (k == 7) {
        uint32_t n = hex_run(r, i);
        for (n = n < 4 ? n : 4; n > 0 && end == 0; n--) end = v6_end(r, i + n);
    } else {
        end = v6_groups(r, i, 0, 7 - k);
        if (end == 0) end = k == 6 ? v6_v4(r, i) : v6_groups_v4(r, i, 0, 5 - k);
    }
    if (end == 0 && region_at(r, i) == ':') end = v6_end(r, i + 1);
    return end;
}

static uint32_t v6_match(const struct host_region *r, uint32_t i)
{
    uint32_t after[8] = {i};
    uint32_t k = 0;
    while (k < 7) {
        uint32_t n = hex_run(r, after[k]);
        if (n == 0 || n > 4 || region_at(r, after[k] + n) != ':') break;
        after[k + 1] = after[k] + n + 1;
        k++;
    }
    for (; k > 0; k--) {
        uint32_t end = v6_tail(r, after[k], k);
        if (end != 0) return end;
    }
    return region_at(r, i) == ':' ? v6_tail(r, i + 1, 0) : 0;
}

static uint32_t v4_match(const struct host_region *r, uint32_t i)
{
    if (i > 0 && is_digit(r->p[i - 1])) return 0;
    for (int octet = 0; octet < 4; octet++) {
        uint32_t n = digit_run(r, i);
        if (n == 0 || n > 3 || (n == 3 && octet_value(r, i, n) > 255)) return 0;
        i += n;
        if (octet == 3) return end_ok(r, i) ? i : 0;
        if (region_at(r, i) != '.') return 0;
        i++;
    }
    return 0;
}

/* Any end from the first character to the longest name is possible, longest first. */
static uint32_t name_match(const struct host_region *r, uint32_t from)
{
    if (!is_alnum(region_at(r, from)) || (from > r->from && is_alnum(r->p[from - 1]))) return 0;
    uint32_t i = from;
    for (;;) {
        uint32_t label = 0;
        while (label < 63 && (is_alnum(region_at(r, i)) || region_at(r, i) == '-')) label++, i++;
        if (region_at(r, i) != '.' || !is_alnum(region_at(r, i + 1))) break;
        i++;
    }
    if (region_at(r, i) == '.') i++;
    for (; i > from; i--)
        if (end_ok(r, i)) return i;
    return 0;
}

/* The end of the preferred host at i that leads to success, or 0. */
static uint32_t host_match(const struct host_region *r, uint32_t i)
{
    uint32_t end = v6_match(r, i);
    if (end == 0) end = v4_match(r, i);
    if (end == 0) end = name_match(r, i);
    return end;
}

static bool host_glued(struct host_region *r, slice *host)
{
    uint64_t ok[OK_WORDS] = {0};
    r->ok = ok;
    for (uint32_t i = r->to; i-- > r->from;) {
        if (host_match(r, i) == 0) continue;
        uint32_t bit = i - r->from;
        ok[bit / 64] |= 1ull << (bit % 64);
    }
    if ((ok[0] & 1) == 0) return false;
    uint32_t i = r->from;
    for (;;) {
        uint32_t end = host_match(r, i);
        if (end >= r->to) {
            *host = slice_make(r->p + i, end - i);
            return true;
        }
        i = end;
    }
}

bool syslog_host_parse(slice text, uint32_t at, bool glued, slice *host)
{
    struct host_region r = {.p = text.p, .from = at, .to = at};
    while (r.to < text.n && (is_alnum(text.p[r.to]) || text.p[r.to] == '.' || text.p[r.to] == ':' ||
                             text.p[r.to] == '-'))
        r.to++;
    if (r.to == at || r.to == text.n) return false;
    r.to_ok = text.p[r.to] == ' ';
    if (text.p[r.to] == '%') {
        const char *space = memrchr(text.p + r.to, ' ', text.n - r.to);
        if (space == NULL || space - text.p < (int64_t)r.to + 2) return false;
        r.zone_end = (uint32_t)(space - text.p);
    } else if (!r.to_ok) {
        return false;
    }
    if (glued && r.to - r.from < SYSLOG_HOST_MAX) return host_glued(&r, host);
    uint32_t end = host_match(&r, at);
    if (end == 0) return false;
    *host = slice_make(text.p + at, end - at);
    return true;
}
