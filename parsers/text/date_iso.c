/*
 * date_iso.c - the grammar of Joda-Time's ISODateTimeFormat.dateTimeParser, and offsets.
 *
 *   datetime = time | date-opt-time       time = 'T' time-element [offset]
 *   date-opt-time = date-element ['T' [time-element] [offset]]
 *   date-element  = yyyy ['-' MM ['-' dd]] | xxxx '-W' ww ['-' e] | yyyy '-' DDD
 *   time-element  = HH (':' mm (':' ss [fraction] | [fraction]) | [fraction])
 *
 * Where alternatives fit, the longest wins. Numbers may have fewer digits than shown.
 */
#include "parsers/text/date_pattern.h"

struct reader {
    slice text;
    uint32_t at;
    struct date_fields *f;
    struct date_trace *trace;
};

static bool digit_at(const struct reader *r, uint32_t at)
{
    return at < r->text.n && r->text.p[at] >= '0' && r->text.p[at] <= '9';
}

static bool take(struct reader *r, char upper)
{
    if (r->at >= r->text.n) return false;
    char c = r->text.p[r->at];
    if (c != upper && (upper < 'A' || c != upper + 32)) return false;
    r->at++;
    return true;
}

/* A number of up to max digits, put down as a field. */
static bool number(struct reader *r, enum date_field field, uint32_t max, bool with_sign)
{
    uint32_t at = r->at;
    bool negative = false;
    if (with_sign && at < r->text.n && (r->text.p[at] == '-' || r->text.p[at] == '+')) {
        negative = r->text.p[at] == '-';
        at++;
    }
    uint32_t begin = at;
    int32_t value = 0;
    while (at - begin < max && digit_at(r, at)) value = value * 10 + (r->text.p[at++] - '0');
    if (at == begin) return false;
    date_fields_add(r->f, field, negative ? -value : value);
    r->at = at;
    return true;
}

/* Goes back to a place where things still fitted. */
struct mark {
    uint32_t at, n, seen;
    bool twice;
};

static struct mark mark_set(const struct reader *r)
{
    return (struct mark){r->at, r->f->n, r->f->seen, r->f->twice};
}

static void mark_return(struct reader *r, struct mark mark)
{
    r->at = mark.at;
    r->f->n = mark.n;
    r->f->seen = mark.seen;
    r->f->twice = mark.twice;
}

static bool part(struct reader *r, char separator, enum date_field field, uint32_t max)
{
    struct mark mark = mark_set(r);
    if (take(r, separator) && number(r, field, max, false)) return true;
    mark_return(r, mark);
    return false;
}

static bool fraction(struct reader *r, enum date_field field, int32_t unit_ms)
{
    struct mark mark = mark_set(r);
    int32_t ms;
    if (take(r, '.') || take(r, ',')) {
        uint32_t n = date_fraction_read(slice_from(r->text, r->at), 9, unit_ms, &ms);
        if (n > 0) {
            date_fields_add(r->f, field, ms);
            r->at += n;
            return true;
        }
    }
    mark_return(r, mark);
    return false;
}

uint32_t date_fraction_read(slice text, uint32_t max, int32_t unit_ms, int32_t *ms)
{
    int64_t value = 0, unit = unit_ms; /* in tenths of a millisecond, cut like Joda-Time's */
    uint32_t n = 0;
    unit *= 10;
    while (n < max && n < text.n && text.p[n] >= '0' && text.p[n] <= '9') {
        unit /= 10;
        value += (text.p[n++] - '0') * unit;
    }
    *ms = (int32_t)(value / 10);
    return n;
}

static bool time_element(struct reader *r)
{
    uint32_t from = r->at;
    if (!number(r, DATE_HOUR, 2, false)) return false;
    if (!part(r, ':', DATE_MINUTE, 2)) {
        fraction(r, DATE_MS_OF_HOUR, 3600000);
        return true;
    }
    if (!part(r, ':', DATE_SECOND, 2)) {
        fraction(r, DATE_MS_OF_MINUTE, 60000);
        return true;
    }
    r->trace->clock_from = from;
    r->trace->fraction_from = r->at;
    fraction(r, DATE_MS, 1000);
    r->trace->clock_until = r->at;
    return true;
}

static void offset(struct reader *r)
{
    uint32_t n = date_offset_read(slice_from(r->text, r->at), &r->f->offset_ms);
    r->f->has_offset = n > 0;
    r->at += n;
}

/* The longest of the three ways to write a date, the first of equals. */
static bool date_element(struct reader *r)
{
    struct mark begin = mark_set(r);
    bool calendar = number(r, DATE_YEAR, 9, true);
    if (calendar && part(r, '-', DATE_MONTH, 2)) part(r, '-', DATE_DAY, 2);
    uint32_t calendar_at = r->at;

    mark_return(r, begin);
    if (number(r, DATE_WEEKYEAR, 9, true) && take(r, '-') && part(r, 'W', DATE_WEEK, 2)) {
        part(r, '-', DATE_WEEKDAY, 1);
        return true;
    }
    mark_return(r, begin);
    if (number(r, DATE_YEAR, 9, true) && part(r, '-', DATE_DAY_OF_YEAR, 3) && r->at > calendar_at)
        return true;
    mark_return(r, begin);
    if (calendar) {
        number(r, DATE_YEAR, 9, true);
        if (part(r, '-', DATE_MONTH, 2)) part(r, '-', DATE_DAY, 2);
    }
    return calendar;
}

bool date_iso_read(slice text, struct date_fields *f, struct date_trace *trace)
{
    struct reader r = {text, 0, f, trace};
    if (take(&r, 'T')) {
        if (!time_element(&r)) return false;
        offset(&r);
        return r.at == text.n;
    }
    if (!date_element(&r)) return false;
    if (take(&r, 'T')) {
        time_element(&r);
        offset(&r);
    }
    return r.at == text.n;
}

/* ---- offsets ----------------------------------------------------------------- */

static uint32_t digits_at(slice text, uint32_t at, uint32_t max)
{
    uint32_t n = 0;
    while (n < max && at + n < text.n && text.p[at + n] >= '0' && text.p[at + n] <= '9') n++;
    return n;
}

/* Two more digits, with their colon if the first pair had one. 1: read, 0: none, -1: broken. */
static int offset_pair(slice text, uint32_t *at, bool colons, int32_t *value)
{
    uint32_t from = *at;
    if (from >= text.n) return 0;
    if (colons) {
        if (text.p[from] != ':') return 0;
        from++;
    }
    uint32_t n = digits_at(text, from, 2);
    if (n == 0 && !colons) return 0;
    if (n < 2) return -1;
    *value = (text.p[from] - '0') * 10 + (text.p[from + 1] - '0');
    *at = from + 2;
    return *value <= 59 ? 1 : -1;
}

static bool offset_ms(slice text, uint32_t *at, bool colons, int32_t *total)
{
    uint32_t from = *at;
    if (from >= text.n) return true;
    if (colons) {
        if (text.p[from] != '.' && text.p[from] != ',') return true;
        from++;
    }
    uint32_t n = digits_at(text, from, 3);
    if (n == 0) return !colons;
    int32_t unit = 100;
    for (uint32_t i = 0; i < n; i++, unit /= 10) *total += (text.p[from + i] - '0') * unit;
    *at = from + n;
    return true;
}

uint32_t date_offset_read(slice text, int32_t *offset_out)
{
    *offset_out = 0;
    if (text.n > 0 && (text.p[0] == 'Z' || text.p[0] == 'z')) return 1;
    if (text.n < 3 || (text.p[0] != '+' && text.p[0] != '-')) return 0;
    if (digits_at(text, 1, 2) < 2) return 0;
    int32_t hours = (text.p[1] - '0') * 10 + (text.p[2] - '0'), value = 0;
    if (hours > 23) return 0;
    int32_t total = hours * 3600000;
    uint32_t at = 3;
    bool colons = text.n > 3 && text.p[3] == ':';
    int got = offset_pair(text, &at, colons, &value);
    if (got > 0) {
        total += value * 60000;
        got = offset_pair(text, &at, colons, &value);
    }
    if (got > 0) {
        total += value * 1000;
        if (!offset_ms(text, &at, colons, &total)) return 0;
    }
    if (got < 0) return 0;
    *offset_out = text.p[0] == '-' ? -total : total;
    return at;
}
