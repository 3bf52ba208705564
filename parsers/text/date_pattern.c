/*
 * date_pattern.c - compiles Joda-Time patterns for reading; see date_pattern.h.
 */
#include "parsers/text/date_pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"

#define PATTERN_BYTES_MAX 4096u
#define LETTER_REPEAT_MAX 256u
/* Joda-Time's bound for years and fractions. */
#define YEAR_DIGITS_MAX 9u
#define FRACTION_DIGITS_MAX 18u

#define NAME(name, id)                                                                             \
    {                                                                                              \
        {name, sizeof(name) - 1},                                                                  \
        {                                                                                          \
            id, sizeof(id) - 1                                                                     \
        }                                                                                          \
    }
const struct date_zone_name date_zone_names[DATE_ZONE_NAMES] = {
    NAME("UTC", "UTC"),
    NAME("GMT", "UTC"),
    NAME("EST", "America/New_York"),
    NAME("EDT", "America/New_York"),
    NAME("CST", "America/Chicago"),
    NAME("CDT", "America/Chicago"),
    NAME("MST", "America/Denver"),
    NAME("MDT", "America/Denver"),
    NAME("PST", "America/Los_Angeles"),
    NAME("PDT", "America/Los_Angeles"),
    NAME("UT", "UTC"),
};

struct compiler {
    slice pattern, locale;
    uint32_t at, fields_n;
    struct date_format *format;
    struct date_format_error *error;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct compiler *c, const char *message, ...)
{
    va_list args;
    va_start(args, message);
    c->error->at = c->at;
    vsnprintf(c->error->expected, sizeof(c->error->expected), message, args);
    va_end(args);
    return false;
}

static bool letter_is(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool add(struct compiler *c, enum date_op_kind kind, uint32_t field, uint32_t max)
{
    if (++c->fields_n > DATE_FIELDS_MAX) return fail(c, "at most %u fields", DATE_FIELDS_MAX);
    c->format->op[c->format->n++] =
        (struct date_op){(uint8_t)kind, (uint8_t)field, (uint16_t)max, 0};
    return true;
}

static bool add_word(struct compiler *c, enum date_words words, enum date_field field)
{
    struct date_word_set *set = &c->format->words[words];
    if (set->at == NULL) date_word_set_init(set, c->locale, words);
    if (!add(c, DATE_OP_WORD, field, 0)) return false;
    c->format->op[c->format->n - 1].at = words;
    return true;
}

static void literal_add(struct compiler *c, char byte)
{
    struct date_format *f = c->format;
    f->text[f->text_n] = byte;
    if (f->n > 0 && f->op[f->n - 1].kind == DATE_OP_LITERAL)
        f->op[f->n - 1].max++;
    else
        f->op[f->n++] = (struct date_op){DATE_OP_LITERAL, 0, 1, f->text_n};
    f->text_n++;
}

static uint32_t run_length(const struct compiler *c, uint32_t at)
{
    uint32_t n = 1;
    while (at + n < c->pattern.n && c->pattern.p[at + n] == c->pattern.p[at]) n++;
    return n;
}

/* Whether a number follows directly: then a year must not swallow its digits. */
static bool number_follows(const struct compiler *c, uint32_t at)
{
    if (at >= c->pattern.n) return false;
    char letter = c->pattern.p[at];
    if (letter == 'M') return run_length(c, at) <= 2;
    return strchr("cCxyYdhHmsSeDFwWkK", letter) != NULL;
}

static bool year(struct compiler *c, enum date_field field, uint32_t n)
{
    bool next = number_follows(c, c->at + n);
    if (n == 2) return add(c, next ? DATE_OP_TWO : DATE_OP_TWO_OR, field, 2);
    uint32_t max = next || n > YEAR_DIGITS_MAX ? n : YEAR_DIGITS_MAX;
    return add(c, field == DATE_YEAR_OF_ERA ? DATE_OP_NUMBER : DATE_OP_SIGNED, field, max);
}

static bool number(struct compiler *c, enum date_field field, uint32_t n, uint32_t max)
{
    return add(c, DATE_OP_NUMBER, field, n > max ? n : max);
}

static bool fraction(struct compiler *c, uint32_t n)
{
    return add(c, DATE_OP_FRACTION, DATE_MS, n > FRACTION_DIGITS_MAX ? FRACTION_DIGITS_MAX : n);
}

/* The names need zones, and those must be known before events come. */
static bool zone_name(struct compiler *c, uint32_t n)
{
    if (n >= 4) return fail(c, "1 to 3 letters 'z': long zone names cannot be read");
    for (uint32_t i = 0; i < DATE_ZONE_NAMES; i++)
        c->format->zone_named[i] = tz_load(date_zone_names[i].id);
    c->format->has_zone_op = true;
    return add(c, DATE_OP_ZONE_NAME, 0, 0);
}

static bool zone_offset(struct compiler *c, uint32_t n)
{
    c->format->has_zone_op = true;
    if (n < 3) return add(c, DATE_OP_OFFSET, 0, 0);
    tz_load_all();
    return add(c, DATE_OP_ZONE_ID, 0, 0);
}

static bool pattern_letter(struct compiler *c, char letter, uint32_t n)
{
    switch (letter) {
    case 'G': return add_word(c, DATE_WORDS_ERA, DATE_ERA);
    case 'C': return add(c, DATE_OP_SIGNED, DATE_CENTURY, n);
    case 'x': return year(c, DATE_WEEKYEAR, n);
    case 'y': return year(c, DATE_YEAR, n);
    case 'Y': return year(c, DATE_YEAR_OF_ERA, n);
    case 'M':
        if (n >= 3) return add_word(c, DATE_WORDS_MONTH, DATE_MONTH);
        return number(c, DATE_MONTH, n, 2);
    case 'd': return number(c, DATE_DAY, n, 2);
    case 'D': return number(c, DATE_DAY_OF_YEAR, n, 3);
    case 'w': return number(c, DATE_WEEK, n, 2);
    case 'e': return number(c, DATE_WEEKDAY, n, 1);
    case 'E': return add_word(c, DATE_WORDS_WEEKDAY, DATE_WEEKDAY);
    case 'a': return add_word(c, DATE_WORDS_HALFDAY, DATE_HALFDAY);
    case 'h': return number(c, DATE_HALF_CLOCKHOUR, n, 2);
    case 'K': return number(c, DATE_HALF_HOUR, n, 2);
    case 'k': return number(c, DATE_CLOCKHOUR, n, 2);
    case 'H': return number(c, DATE_HOUR, n, 2);
    case 'm': return number(c, DATE_MINUTE, n, 2);
    case 's': return number(c, DATE_SECOND, n, 2);
    case 'S': return fraction(c, n);
    case 'z': return zone_name(c, n);
    case 'Z': return zone_offset(c, n);
    default:
        return fail(c, "'%c' is no Joda-Time pattern letter (quote text: '%c')", letter, letter);
    }
}

static bool op_is(const struct date_format *f, uint32_t i, enum date_op_kind kind, uint32_t field,
                  uint32_t max)
{
    const struct date_op *op = &f->op[i];
    return i < f->n && op->kind == kind && op->max == max &&
           (kind == DATE_OP_LITERAL || op->field == field);
}

static char literal_byte(const struct date_format *f, uint32_t i)
{
    return f->text[f->op[i].at];
}

static bool clock_at(const struct date_format *f, uint32_t i)
{
    return op_is(f, i, DATE_OP_NUMBER, DATE_HOUR, 2) && op_is(f, i + 1, DATE_OP_LITERAL, 0, 1) &&
           op_is(f, i + 2, DATE_OP_NUMBER, DATE_MINUTE, 2) &&
           op_is(f, i + 3, DATE_OP_LITERAL, 0, 1) &&
           op_is(f, i + 4, DATE_OP_NUMBER, DATE_SECOND, 2);
}

/* Finds a clock that is the only place where the pattern has a time of day, and that what
 * stands before it cannot reach into: a literal. */
static void clock_find(struct date_format *f)
{
    uint32_t i = 0, outside = 0;
    struct date_clock *clock = &f->clock;
    while (i < f->n && !clock_at(f, i)) i++;
    if (i == f->n || (i > 0 && f->op[i - 1].kind != DATE_OP_LITERAL)) return;
    *clock =
        (struct date_clock){true, i, i + 5, {literal_byte(f, i + 1), literal_byte(f, i + 3)}, 0, 0};
    uint32_t next = i + 6;
    if (op_is(f, i + 5, DATE_OP_LITERAL, 0, 1) && next < f->n &&
        f->op[next].kind == DATE_OP_FRACTION) {
        clock->fraction_separator = literal_byte(f, i + 5);
        clock->fraction_max = (uint8_t)f->op[next].max;
        clock->op_until = next + 1;
    }
    for (uint32_t at = 0; at < f->n; at++) {
        bool inside = at >= clock->op_from && at < clock->op_until;
        if (!inside && f->op[at].kind <= DATE_OP_WORD && f->op[at].kind != DATE_OP_LITERAL &&
            f->op[at].field >= DATE_HALFDAY)
            outside++;
    }
    if (outside > 0) clock->present = false;
}

/* One operation per pattern byte is always enough. */
static void format_room(struct date_format *format, slice pattern)
{
    format->op = calloc(pattern.n + 1ull, sizeof(*format->op));
    format->text = malloc(pattern.n + 1ull);
    if (format->op == NULL || format->text == NULL) PANIC("out of memory");
}

bool date_pattern_compile(struct date_format *format, slice pattern, slice locale,
                          struct date_format_error *error)
{
    struct compiler c = {.pattern = pattern, .locale = locale, .format = format, .error = error};
    bool quoted = false;
    if (pattern.n == 0) return fail(&c, "a date format, but it is empty");
    if (pattern.n > PATTERN_BYTES_MAX) return fail(&c, "at most %u bytes", PATTERN_BYTES_MAX);
    format_room(format, pattern);
    while (c.at < pattern.n) {
        char byte = pattern.p[c.at];
        uint32_t n = 1;
        if (byte == '\'' && c.at + 1 < pattern.n && pattern.p[c.at + 1] == '\'') {
            literal_add(&c, byte);
            n = 2;
        } else if (byte == '\'') {
            quoted = !quoted;
        } else if (!quoted && letter_is(byte)) {
            n = run_length(&c, c.at);
            if (n > LETTER_REPEAT_MAX) return fail(&c, "fewer letters '%c'", byte);
            if (!pattern_letter(&c, byte, n)) return false;
        } else {
            literal_add(&c, byte);
        }
        c.at += n;
    }
    format->has_year = slice_find_byte(pattern, 'y') >= 0 || slice_find_byte(pattern, 'Y') >= 0;
    format->has_zone_letter = slice_find_byte(pattern, 'Z') >= 0;
    format->no_memo = !format->has_year && format->has_zone_op;
    clock_find(format);
    return true;
}
