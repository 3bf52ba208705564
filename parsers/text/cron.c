/* cron.c - cron lines to bits, and the next time that they name. */
#include "parsers/text/cron.h"

#include "engine/base/civil.h"

/* ---- reading -------------------------------------------------------------------------------- */

struct reader {
    slice s;
    uint32_t at;
};

struct field {
    uint32_t min, max; /* of the values; max + 1 may be written, too, where wraps_n is not 0 */
    uint32_t wraps_n;  /* 24 hours, 7 days: that many is 0 */
    const char *const *names;
    uint32_t first_name;
};

static const char *const months[] = {"january",  "february", "march",  "april",     "may",
                                     "june",     "july",     "august", "september", "october",
                                     "november", "december", NULL};
static const char *const weekdays[] = {"sunday",   "monday", "tuesday",  "wednesday",
                                       "thursday", "friday", "saturday", NULL};

static const struct field minute_field = {.max = 59};
static const struct field hour_field = {.max = 23, .wraps_n = 24};
static const struct field day_field = {.min = 1, .max = 31};
static const struct field month_field = {.min = 1, .max = 12, .names = months, .first_name = 1};
static const struct field weekday_field = {.max = 6, .wraps_n = 7, .names = weekdays};

static char peek(const struct reader *r)
{
    return r->at < r->s.n ? r->s.p[r->at] : 0;
}

static bool skip(struct reader *r, char ch)
{
    if (peek(r) != ch) return false;
    r->at++;
    return true;
}

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* A name, in full or its first three letters. */
static bool read_name(struct reader *r, const char *const *names, uint32_t *out)
{
    for (uint32_t i = 0; names != NULL && names[i] != NULL; i++) {
        uint32_t n = 0;
        while (names[i][n] != 0 && r->at + n < r->s.n && lower(r->s.p[r->at + n]) == names[i][n])
            n++;
        if (n < 3) continue;
        r->at += names[i][n] == 0 ? n : 3;
        *out = i;
        return true;
    }
    return false;
}

static bool read_number(struct reader *r, uint32_t *out)
{
    uint32_t from = r->at, num = 0;
    for (; r->at - from < 2 && peek(r) >= '0' && peek(r) <= '9'; r->at++)
        num = num * 10 + (uint32_t)(peek(r) - '0');
    *out = num;
    return r->at > from;
}

static bool read_value(struct reader *r, const struct field *f, uint32_t *out)
{
    uint32_t from = r->at;
    if (read_name(r, f->names, out)) {
        *out += f->first_name;
        return true;
    }
    if (read_number(r, out) && *out >= f->min &&
        (*out <= f->max || (f->wraps_n > 0 && *out == f->wraps_n)))
        return true;
    r->at = from;
    return false;
}

/* The number behind a slash; 1 when there is none. */
static bool read_step(struct reader *r, uint32_t *out)
{
    *out = 1;
    return !skip(r, '/') || (read_number(r, out) && *out > 0);
}

/* from-to, from/n and the like, into bits; a range from high to low runs over the end. */
static uint64_t spread(const struct field *f, uint32_t from, uint32_t to, uint32_t step)
{
    uint64_t bits = 0;
    uint32_t n = f->max - f->min + 1;
    uint32_t last = to >= from ? to : to + n;
    for (uint32_t v = from; v <= last; v += step)
        bits |= (uint64_t)1 << ((v - f->min) % n + f->min);
    return bits;
}

/* One item of a list. A star without a step is *any. */
static bool read_item(struct reader *r, const struct field *f, uint64_t *bits, bool *any)
{
    uint32_t from, to, step;
    if (skip(r, '*')) {
        if (!read_step(r, &step)) return false;
        *any = *any || step == 1;
        *bits |= spread(f, f->min, f->max, step);
        return true;
    }
    if (!read_value(r, f, &from)) return false;
    to = from;
    bool ranges = skip(r, '-');
    if (ranges && !read_value(r, f, &to)) return false;
    bool steps = peek(r) == '/';
    if (!read_step(r, &step)) return false;
    if (steps && !ranges) to = f->max;
    *bits |= spread(f, from, to, step);
    return true;
}

static bool read_list(struct reader *r, const struct field *f, uint64_t *bits, bool *any)
{
    do {
        if (!read_item(r, f, bits, any)) return false;
    } while (skip(r, ','));
    return true;
}

/* L, last, -n; false and nothing read: it is something else. */
static bool read_day_back(struct reader *r, uint32_t *bits)
{
    struct reader begin = *r;
    uint32_t n = 1;
    if (lower(peek(r)) == 'l') {
        r->at++;
        if (slice_equal_nocase(slice_part(r->s, r->at, 3), SLICE("ast"))) r->at += 3;
    } else if (!skip(r, '-') || !read_number(r, &n) || n == 0 || n > 31) {
        *r = begin;
        return false;
    }
    *bits |= (uint32_t)1 << n;
    return true;
}

static bool read_days(struct reader *r, struct cron *c)
{
    uint64_t bits = 0;
    do {
        if (!read_day_back(r, &c->days_back) && !read_item(r, &day_field, &bits, &c->day_any))
            return false;
    } while (skip(r, ','));
    c->days = (uint32_t)bits;
    return true;
}

/* mon#2; false and nothing read: it is something else. */
static bool read_nth(struct reader *r, struct cron *c)
{
    struct reader begin = *r;
    uint32_t day, n = 1;
    bool back = false;
    if (!read_value(r, &weekday_field, &day) || !skip(r, '#')) {
        *r = begin;
        return false;
    }
    if (lower(peek(r)) == 'l') {
        uint32_t ignored = 0;
        back = read_day_back(r, &ignored);
    } else {
        back = skip(r, '-');
        if (!read_number(r, &n) || n < 1 || n > 5) {
            *r = begin;
            return false;
        }
    }
    c->nth[day % 7] |= (uint16_t)(1u << (back ? 8 + n : n));
    return true;
}

static bool read_weekdays(struct reader *r, struct cron *c)
{
    uint64_t bits = 0;
    do {
        if (!read_nth(r, c) && !read_item(r, &weekday_field, &bits, &c->weekday_any)) return false;
    } while (skip(r, ','));
    c->weekdays = (uint8_t)bits;
    return true;
}

static bool read_blanks(struct reader *r)
{
    uint32_t from = r->at;
    while (is_blank(peek(r))) r->at++;
    return r->at > from;
}

static uint32_t fields_count(slice s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.n; i++) n += !is_blank(s.p[i]) && (i == 0 || is_blank(s.p[i - 1]));
    return n;
}

/* Whether the last of six fields is a zone: weekdays are stars, digits and names of days, which are
 * no zones. */
static bool ends_with_zone(slice s)
{
    uint32_t at = s.n, ignored;
    while (at > 0 && !is_blank(s.p[at - 1])) at--;
    struct reader r = {slice_from(s, at), 0};
    char ch = peek(&r);
    return ch != '*' && !(ch >= '0' && ch <= '9') && !read_name(&r, weekdays, &ignored);
}

static bool read_fields(struct reader *r, struct cron *c)
{
    uint32_t n = fields_count(r->s);
    uint64_t hours = 0, of_year = 0;
    bool any = false;
    bool zone = n == 7 || (n == 6 && ends_with_zone(r->s));
    c->seconds = 1;
    if (n - zone == 6) {
        c->seconds = 0;
        if (!read_list(r, &minute_field, &c->seconds, &any) || !read_blanks(r)) return false;
    }
    bool ok = read_list(r, &minute_field, &c->minutes, &any) && read_blanks(r) &&
              read_list(r, &hour_field, &hours, &any) && read_blanks(r) && read_days(r, c) &&
              read_blanks(r) && read_list(r, &month_field, &of_year, &any) && read_blanks(r) &&
              read_weekdays(r, c);
    c->hours = (uint32_t)hours;
    c->months = (uint32_t)of_year;
    if (!ok) return false;
    if (zone && read_blanks(r)) {
        c->zone = slice_from(r->s, r->at);
        r->at = r->s.n;
    }
    return r->at == r->s.n;
}

static const char *const specials[][2] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

bool cron_parse(slice text, struct cron *out, uint32_t *at)
{
    *out = (struct cron){0};
    struct reader r = {slice_trim(text), 0};
    for (uint32_t i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
        if (slice_equal(r.s, slice_from_cstr(specials[i][0])))
            r.s = slice_from_cstr(specials[i][1]);
    if (read_fields(&r, out)) return true;
    *at = r.at + (uint32_t)(r.s.p - text.p);
    return false;
}

/* ---- the next time -------------------------------------------------------------------------- */

/* Of a wall clock. */
struct clock_face {
    int64_t days;
    uint32_t hour, minute, second;
};

static struct clock_face face_of(int64_t local_s)
{
    int64_t days = civil_floor_div(local_s, CIVIL_DAY_SEC);
    uint32_t second = (uint32_t)(local_s - days * CIVIL_DAY_SEC);
    return (struct clock_face){days, second / 3600, second / 60 % 60, second % 60};
}

static bool day_matches(const struct cron *c, int64_t days)
{
    struct civil_date date = civil_from_days(days);
    if ((c->months >> date.month & 1) == 0) return false;
    uint32_t of_month = civil_month_days(date.year, date.month);
    uint32_t back = of_month - date.day + 1, weekday = civil_weekday(days) % 7;
    bool day = (c->days >> date.day & 1) != 0 || (c->days_back >> back & 1) != 0;
    bool nth = (c->nth[weekday] >> ((date.day - 1) / 7 + 1) & 1) != 0 ||
               (c->nth[weekday] >> (8 + (back - 1) / 7 + 1) & 1) != 0;
    bool weekday_ok = (c->weekdays >> weekday & 1) != 0 || nth;
    if (c->day_any && c->weekday_any) return true;
    if (c->day_any) return weekday_ok;
    return c->weekday_any ? day : day || weekday_ok;
}

/* Seconds of the wall clock until the first one that may match, as far as one look can tell. */
static uint32_t seconds_off(const struct cron *c, int64_t local_s)
{
    struct clock_face f = face_of(local_s);
    if (!day_matches(c, f.days)) return CIVIL_DAY_SEC - f.hour * 3600 - f.minute * 60 - f.second;
    if ((c->hours >> f.hour & 1) == 0) return 3600 - f.minute * 60 - f.second;
    if ((c->minutes >> f.minute & 1) == 0) return 60 - f.second;
    return (c->seconds >> f.second & 1) == 0;
}

bool cron_next(const struct cron *c, const struct tz *zone, int64_t after_s, int64_t *out)
{
    struct tz_hint hint = {0};
    int64_t end = after_s + (int64_t)CRON_DAYS_MAX * CIVIL_DAY_SEC;
    for (int64_t t = after_s + 1; t < end;) {
        int32_t offset = tz_offset(zone, t, &hint);
        uint32_t step = seconds_off(c, t + offset);
        if (step == 0) {
            *out = t;
            return true;
        }
        /* Where the clock went forward meanwhile, it got there earlier, unless it jumped over. */
        int64_t next = t + step, early = next - (tz_offset(zone, next, &hint) - offset);
        bool sooner =
            early > t && early < next && early + tz_offset(zone, early, &hint) >= t + offset + step;
        t = sooner ? early : next;
    }
    return false;
}
