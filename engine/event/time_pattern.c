/*
 * time_pattern.c - compiles Joda-Time and java.time patterns; see time_format.h.
 */
#include "engine/event/time_pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/hash.h"

/* Longer patterns, or letters repeated more often, are mistakes. */
#define PATTERN_BYTES_MAX 4096u
#define LETTER_REPEAT_MAX 256u
/* What an operation writes beyond its width: a sign and 19 digits, or a name ("in the
 * afternoon"); zone names are the longest. */
#define OP_BYTES_MAX 24u

struct compiler {
    slice pattern;
    uint32_t at;
    uint32_t pad;
    struct time_format *format;
    struct time_format_error *error;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct compiler *c, uint32_t at,
                                                       const char *message, ...)
{
    va_list args;
    va_start(args, message);
    c->error->at = at;
    vsnprintf(c->error->expected, sizeof(c->error->expected), message, args);
    va_end(args);
    return false;
}

/* How long the text of an operation stays the same in UTC. */
static int64_t op_step_ns(enum time_op_kind kind, uint32_t arg, uint32_t width)
{
    const int64_t day_ns = INT64_C(86400) * NS_PER_SEC;
    int64_t step_ns = NS_PER_SEC;
    switch (kind) {
    case TIME_OP_NUMBER: break;
    case TIME_OP_HALFDAY: return 3600 * NS_PER_SEC;
    case TIME_OP_DAY_PERIOD: return 60 * NS_PER_SEC;
    case TIME_OP_FRACTION:
        for (uint32_t i = 0; i < width && step_ns > 1; i++) step_ns /= 10;
        return step_ns;
    default: return day_ns;
    }
    switch ((enum time_field)arg) {
    case TIME_FIELD_HOUR:
    case TIME_FIELD_CLOCKHOUR:
    case TIME_FIELD_HALF_HOUR:
    case TIME_FIELD_HALF_CLOCKHOUR: return 3600 * NS_PER_SEC;
    case TIME_FIELD_MINUTE: return 60 * NS_PER_SEC;
    case TIME_FIELD_SECOND: return NS_PER_SEC;
    case TIME_FIELD_MILLI_OF_DAY: return NS_PER_MS;
    case TIME_FIELD_NANO:
    case TIME_FIELD_NANO_OF_DAY: return 1;
    default: return day_ns;
    }
}

static struct time_op *op_add(struct compiler *c, enum time_op_kind kind, uint32_t arg,
                              uint32_t width)
{
    struct time_format *f = c->format;
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 16 : f->cap * 2;
        f->op = realloc(f->op, f->cap * sizeof(*f->op));
        if (f->op == NULL) PANIC("out of memory");
    }
    struct time_op *op = &f->op[f->n++];
    *op = (struct time_op){(uint8_t)kind, (uint8_t)arg, (uint16_t)c->pad, width, 0};
    int64_t step_ns = op_step_ns(kind, arg, width);
    if (step_ns < f->step_ns) f->step_ns = step_ns;
    uint32_t bytes = width;
    if (kind != TIME_OP_LITERAL) bytes += kind == TIME_OP_ZONE ? TZ_NAME_MAX : OP_BYTES_MAX;
    f->bytes_max += bytes > c->pad ? bytes : c->pad;
    c->pad = 0;
    return op;
}

static bool add(struct compiler *c, enum time_op_kind kind, uint32_t arg, uint32_t width)
{
    op_add(c, kind, arg, width);
    return true;
}

static bool add_number(struct compiler *c, enum time_field field, uint32_t width)
{
    return add(c, TIME_OP_NUMBER, field, width);
}

static void literal_add(struct compiler *c, char byte)
{
    struct time_format *f = c->format;
    struct time_op *last = f->n == 0 ? NULL : &f->op[f->n - 1];
    f->text[f->text_n] = byte;
    if (last != NULL && last->kind == TIME_OP_LITERAL && last->pad == 0 && c->pad == 0) {
        last->width++;
        f->bytes_max++;
    } else {
        op_add(c, TIME_OP_LITERAL, 0, 1)->at = f->text_n;
    }
    f->text_n++;
}

static bool letter_is(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Length of the run of one letter at c->at. */
static uint32_t run_length(const struct compiler *c)
{
    uint32_t n = 1;
    slice p = c->pattern;
    while (c->at + n < p.n && p.p[c->at + n] == p.p[c->at]) n++;
    return n;
}

/* ---- Joda-Time ------------------------------------------------------------- */

static bool joda_year(struct compiler *c, enum time_field field, uint32_t n)
{
    return n == 2 ? add(c, TIME_OP_TWO_DIGITS, field, 2) : add_number(c, field, n);
}

static bool joda_letter(struct compiler *c, char letter, uint32_t n)
{
    enum time_text text = n >= 4 ? TIME_TEXT_FULL : TIME_TEXT_SHORT;
    switch (letter) {
    case 'G': return add(c, TIME_OP_ERA, TIME_TEXT_SHORT, 0);
    case 'C': return add_number(c, TIME_FIELD_CENTURY, n);
    case 'Y': return joda_year(c, TIME_FIELD_YEAR_OF_ERA, n);
    case 'y': return joda_year(c, TIME_FIELD_YEAR, n);
    case 'x': return joda_year(c, TIME_FIELD_ISO_WEEKYEAR, n);
    case 'w': return add_number(c, TIME_FIELD_ISO_WEEK, n);
    case 'e': return add_number(c, TIME_FIELD_ISO_WEEKDAY, n);
    case 'E': return add(c, TIME_OP_WEEKDAY, text, 0);
    case 'D': return add_number(c, TIME_FIELD_DAY_OF_YEAR, n);
    case 'M': return n >= 3 ? add(c, TIME_OP_MONTH, text, 0) : add_number(c, TIME_FIELD_MONTH, n);
    case 'd': return add_number(c, TIME_FIELD_DAY, n);
    case 'a': return add(c, TIME_OP_HALFDAY, 0, 0);
    case 'K': return add_number(c, TIME_FIELD_HALF_HOUR, n);
    case 'h': return add_number(c, TIME_FIELD_HALF_CLOCKHOUR, n);
    case 'H': return add_number(c, TIME_FIELD_HOUR, n);
    case 'k': return add_number(c, TIME_FIELD_CLOCKHOUR, n);
    case 'm': return add_number(c, TIME_FIELD_MINUTE, n);
    case 's': return add_number(c, TIME_FIELD_SECOND, n);
    case 'S': return add(c, TIME_OP_FRACTION, 0, n);
    case 'z': return add(c, TIME_OP_ZONE, n >= 4 ? TIME_ZONE_JODA_LONG : TIME_ZONE_JODA_SHORT, 0);
    case 'Z':
        if (n >= 3) return add(c, TIME_OP_ZONE, TIME_ZONE_JODA_ID, 0);
        return add(c, TIME_OP_OFFSET, n == 2 ? TIME_OFFSET_COLON : 0, 0);
    default:
        return fail(c, c->at, "'%c' is no Joda-Time pattern letter (quote text: '%c')", letter,
                    letter);
    }
}

/* An unclosed quote runs to the end; two quotes are one, inside and outside. */
static bool joda_compile(struct compiler *c)
{
    bool quoted = false;
    if (c->pattern.n == 0) return fail(c, 0, "the pattern is empty");
    while (c->at < c->pattern.n) {
        char byte = c->pattern.p[c->at];
        uint32_t n = 1;
        if (byte == '\'') {
            if (c->at + 1 < c->pattern.n && c->pattern.p[c->at + 1] == '\'') {
                literal_add(c, '\'');
                n = 2;
            } else {
                quoted = !quoted;
            }
        } else if (!quoted && letter_is(byte)) {
            n = run_length(c);
            if (n > LETTER_REPEAT_MAX) return fail(c, c->at, "too many letters '%c'", byte);
            if (!joda_letter(c, byte, n)) return false;
        } else {
            literal_add(c, byte);
        }
        c->at += n;
    }
    return c->format->n > 0 || fail(c, 0, "something to write");
}

/* ---- java.time ------------------------------------------------------------- */

static bool too_many(struct compiler *c, char letter, uint32_t max)
{
    return fail(c, c->at, "at most %u letters '%c'", max, letter);
}

static bool java_number(struct compiler *c, enum time_field field, char letter, uint32_t n,
                        uint32_t max)
{
    return n > max ? too_many(c, letter, max) : add_number(c, field, n);
}

static bool java_year(struct compiler *c, enum time_field field, char letter, uint32_t n)
{
    if (n > 19) return too_many(c, letter, 19);
    if (n == 2) return add(c, TIME_OP_TWO_DIGITS, field, 2);
    return add(c, n < 4 ? TIME_OP_NUMBER : TIME_OP_NUMBER_PLUS, field, n);
}

/* Letters of which 1 and 2 are numbers and 3 to 5 names. */
static bool java_number_or_text(struct compiler *c, enum time_op_kind text, enum time_field number,
                                char letter, uint32_t n)
{
    if (n > 5) return too_many(c, letter, 5);
    if (n <= 2) return add_number(c, number, n);
    return add(c, text, n - 3, 0);
}

static bool java_text(struct compiler *c, enum time_op_kind kind, char letter, uint32_t n)
{
    if (n > 5) return too_many(c, letter, 5);
    return add(c, kind, n <= 3 ? TIME_TEXT_SHORT : n - 3, 0);
}

static bool java_x(struct compiler *c, char letter, uint32_t n)
{
    static const uint8_t flags[6] = {0,
                                     TIME_OFFSET_SHORT,
                                     0,
                                     TIME_OFFSET_COLON,
                                     TIME_OFFSET_SECONDS,
                                     TIME_OFFSET_SECONDS | TIME_OFFSET_COLON};
    if (n > 5) return too_many(c, letter, 5);
    return add(c, TIME_OP_OFFSET, flags[n] | (letter == 'X' ? TIME_OFFSET_Z : 0u), 0);
}

static bool java_big_z(struct compiler *c, uint32_t n)
{
    if (n > 5) return too_many(c, 'Z', 5);
    if (n == 4) return add(c, TIME_OP_GMT, 1, 0);
    if (n < 4) return add(c, TIME_OP_OFFSET, 0, 0);
    return add(c, TIME_OP_OFFSET, TIME_OFFSET_Z | TIME_OFFSET_COLON | TIME_OFFSET_SECONDS, 0);
}

static bool java_day_period(struct compiler *c, uint32_t n)
{
    if (n != 1 && n != 4 && n != 5) return fail(c, c->at, "1, 4 or 5 letters 'B'");
    return add(c, TIME_OP_DAY_PERIOD, n == 1 ? TIME_TEXT_SHORT : n - 3, 0);
}

static bool java_zone(struct compiler *c, char letter, uint32_t n)
{
    switch (letter) {
    case 'V':
        if (n != 2) return fail(c, c->at, "2 letters 'V'");
        return add(c, TIME_OP_ZONE, TIME_ZONE_JAVA_ID, 0);
    case 'v':
        if (n != 1 && n != 4) return fail(c, c->at, "1 or 4 letters 'v'");
        return add(c, TIME_OP_ZONE, TIME_ZONE_JAVA_NAME, 0);
    case 'z':
        if (n > 4) return too_many(c, letter, 4);
        return add(c, TIME_OP_ZONE, TIME_ZONE_JAVA_NAME, 0);
    case 'O':
        if (n != 1 && n != 4) return fail(c, c->at, "1 or 4 letters 'O'");
        return add(c, TIME_OP_GMT, n == 4, 0);
    case 'Z': return java_big_z(c, n);
    default: return java_x(c, letter, n);
    }
}

static bool java_date(struct compiler *c, char letter, uint32_t n)
{
    switch (letter) {
    case 'G': return java_text(c, TIME_OP_ERA, letter, n);
    case 'u': return java_year(c, TIME_FIELD_YEAR, letter, n);
    case 'y': return java_year(c, TIME_FIELD_YEAR_OF_ERA, letter, n);
    case 'Y': return java_year(c, TIME_FIELD_US_WEEKYEAR, letter, n);
    case 'w': return java_number(c, TIME_FIELD_US_WEEK, letter, n, 2);
    case 'W': return java_number(c, TIME_FIELD_US_WEEK_OF_MONTH, letter, n, 1);
    case 'F': return java_number(c, TIME_FIELD_ALIGNED_WEEK_OF_MONTH, letter, n, 1);
    case 'D': return java_number(c, TIME_FIELD_DAY_OF_YEAR, letter, n, 3);
    case 'd': return java_number(c, TIME_FIELD_DAY, letter, n, 2);
    case 'g': return java_number(c, TIME_FIELD_MODIFIED_JULIAN, letter, n, 19);
    case 'M':
    case 'L': return java_number_or_text(c, TIME_OP_MONTH, TIME_FIELD_MONTH, letter, n);
    case 'Q':
    case 'q': return java_number_or_text(c, TIME_OP_QUARTER, TIME_FIELD_QUARTER, letter, n);
    case 'c':
        if (n == 2) return fail(c, c->at, "1 or 3 to 5 letters 'c'");
        __attribute__((fallthrough));
    case 'e': return java_number_or_text(c, TIME_OP_WEEKDAY, TIME_FIELD_US_WEEKDAY, letter, n);
    case 'E': return java_text(c, TIME_OP_WEEKDAY, letter, n);
    default: return fail(c, c->at, "'%c' is no java.time pattern letter", letter);
    }
}

static bool java_letter(struct compiler *c, char letter, uint32_t n)
{
    switch (letter) {
    case 'a': return n > 1 ? too_many(c, letter, 1) : add(c, TIME_OP_HALFDAY, 0, 0);
    case 'B': return java_day_period(c, n);
    case 'h': return java_number(c, TIME_FIELD_HALF_CLOCKHOUR, letter, n, 2);
    case 'H': return java_number(c, TIME_FIELD_HOUR, letter, n, 2);
    case 'k': return java_number(c, TIME_FIELD_CLOCKHOUR, letter, n, 2);
    case 'K': return java_number(c, TIME_FIELD_HALF_HOUR, letter, n, 2);
    case 'm': return java_number(c, TIME_FIELD_MINUTE, letter, n, 2);
    case 's': return java_number(c, TIME_FIELD_SECOND, letter, n, 2);
    case 'S': return n > 9 ? too_many(c, letter, 9) : add(c, TIME_OP_FRACTION, 0, n);
    case 'A': return java_number(c, TIME_FIELD_MILLI_OF_DAY, letter, n, 19);
    case 'n': return java_number(c, TIME_FIELD_NANO, letter, n, 19);
    case 'N': return java_number(c, TIME_FIELD_NANO_OF_DAY, letter, n, 19);
    case 'V':
    case 'v':
    case 'z':
    case 'O':
    case 'X':
    case 'x':
    case 'Z': return java_zone(c, letter, n);
    default: return java_date(c, letter, n);
    }
}

static bool java_run(struct compiler *c)
{
    uint32_t n = run_length(c);
    if (c->pattern.p[c->at] == 'p') {
        uint32_t next = c->at + n;
        if (next >= c->pattern.n || !letter_is(c->pattern.p[next]))
            return fail(c, c->at, "a pattern letter to pad after 'p'");
        if (n > LETTER_REPEAT_MAX) return too_many(c, 'p', LETTER_REPEAT_MAX);
        c->pad = n;
        c->at = next;
        n = run_length(c);
    }
    if (!java_letter(c, c->pattern.p[c->at], n)) return false;
    c->at += n;
    return true;
}

/* c->at is behind the opening quote. Inside, two quotes are one; nothing inside is a quote. */
static bool java_quoted(struct compiler *c, uint32_t open)
{
    slice p = c->pattern;
    uint32_t added = 0;
    while (c->at < p.n) {
        bool quote = p.p[c->at] == '\'';
        bool twice = quote && c->at + 1 < p.n && p.p[c->at + 1] == '\'';
        if (quote && !twice) {
            if (added == 0) literal_add(c, '\'');
            c->at++;
            return true;
        }
        literal_add(c, p.p[c->at]);
        added++;
        c->at += twice ? 2 : 1;
    }
    return fail(c, open, "a closing quote");
}

/* Optional sections always have their fields when an instant is written. */
static bool java_compile(struct compiler *c)
{
    uint32_t optional = 0;
    while (c->at < c->pattern.n) {
        char byte = c->pattern.p[c->at];
        if (letter_is(byte)) {
            if (!java_run(c)) return false;
            continue;
        }
        c->at++;
        switch (byte) {
        case '\'':
            if (!java_quoted(c, c->at - 1)) return false;
            break;
        case '[': optional++; break;
        case ']':
            if (optional == 0) return fail(c, c->at - 1, "a '[' before this ']'");
            optional--;
            break;
        case '{':
        case '}':
        case '#': return fail(c, c->at - 1, "'%c' in quotes: it is reserved", byte);
        default: literal_add(c, byte);
        }
    }
    return true;
}

struct time_format *time_format_new(slice pattern, enum time_syntax syntax,
                                    struct time_format_error *error)
{
    struct time_format *format = calloc(1, sizeof(*format));
    if (format == NULL) PANIC("out of memory");
    struct compiler c = {.pattern = pattern, .format = format, .error = error};
    format->syntax = syntax;
    format->step_ns = INT64_C(86400) * NS_PER_SEC;
    format->id = hash_bytes(pattern.p, pattern.n, (uint64_t)syntax);
    if (format->id == 0) format->id = 1;
    bool ok = pattern.n <= PATTERN_BYTES_MAX
                  ? (format->text = malloc(pattern.n + 1)) != NULL
                  : fail(&c, PATTERN_BYTES_MAX, "at most %u bytes", PATTERN_BYTES_MAX);
    if (ok) ok = syntax == TIME_JODA ? joda_compile(&c) : java_compile(&c);
    if (ok) return format;
    time_format_free(format);
    return NULL;
}
