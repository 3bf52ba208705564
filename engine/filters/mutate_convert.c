/* mutate_convert.c - see mutate_convert.h. */
#include "engine/filters/mutate_convert.h"

#include "engine/base/number.h"
#include "engine/plan/ruby_text.h"
#include "parsers/text/ruby_number.h"

bool conversion_find(slice name, enum conversion *out)
{
    static const char *const names[] = {"string",  "integer",    "float",
                                        "boolean", "integer_eu", "float_eu"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!slice_equal(name, slice_from_cstr(names[i]))) continue;
        *out = (enum conversion)i;
        return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == '\0' || c == ' ' || (c >= '\t' && c <= '\r');
}

slice ruby_strip(slice s)
{
    while (s.n > 0 && is_blank(s.p[0])) s.p++, s.n--;
    while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

/* The text without group separators; eu swaps the roles of comma and point. */
static slice number_text(struct arena *arena, slice text, bool eu)
{
    text = ruby_strip(text);
    char group = eu ? '.' : ',';
    if (slice_find_byte(text, group) < 0 && (!eu || slice_find_byte(text, ',') < 0)) return text;
    char *out = arena_alloc(arena, (size_t)text.n + 1, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == group) continue;
        out[n++] = eu && text.p[i] == ',' ? '.' : text.p[i];
    }
    return slice_make(out, n);
}

static const char *to_integer(struct arena *arena, const struct value *v, bool eu,
                              struct value *out)
{
    *out = *v;
    switch (v->type) {
    case VALUE_INT:
    case VALUE_BIGNUM: return NULL;
    case VALUE_BOOL: *out = value_int(v->u.yes ? 1 : 0); return NULL;
    case VALUE_FLOAT:
        return ruby_float_to_i(v->u.real, arena, out) ? NULL : "the number is not finite";
    case VALUE_TIME: *out = value_int(v->u.time_ns / 1000000000); return NULL;
    case VALUE_STRING:
        if (ruby_integer_parse(number_text(arena, value_slice(v), eu), arena, out)) return NULL;
        return "invalid value for an integer";
    default: return "a list or hash cannot become an integer";
    }
}

static const char *to_float(struct arena *arena, const struct value *v, bool eu, struct value *out)
{
    double real = 0;
    switch (v->type) {
    case VALUE_FLOAT: *out = *v; return NULL;
    case VALUE_INT: real = (double)v->u.num; break;
    case VALUE_BIGNUM: real = ruby_to_f(value_slice(v)); break;
    case VALUE_BOOL: real = v->u.yes ? 1.0 : 0.0; break;
    case VALUE_TIME: real = (double)v->u.time_ns / 1e9; break;
    case VALUE_STRING:
        if (!eu && number_f64_short(value_slice(v), &real)) break;
        if (ruby_float_parse(number_text(arena, value_slice(v), eu), arena, &real)) break;
        return "invalid value for a float";
    default: return "a list or hash cannot become a float";
    }
    *out = value_float(real);
    return NULL;
}

enum answer { NEITHER, YES, NO };

/* /^(true|t|yes|y|1|1.0)$/i and /^(false|f|no|n|0|0.0)$/i: their point is any character. */
static enum answer line_answer(slice line)
{
    switch (line.n) {
    case 1:
        if (line.p[0] == '1' || (line.p[0] | 32) == 't' || (line.p[0] | 32) == 'y') return YES;
        return line.p[0] == '0' || (line.p[0] | 32) == 'f' || (line.p[0] | 32) == 'n' ? NO
                                                                                      : NEITHER;
    case 2: return slice_equal_nocase(line, SLICE("no")) ? NO : NEITHER;
    case 3:
        if (line.p[2] == '0' && line.p[0] == '1') return YES;
        if (line.p[2] == '0' && line.p[0] == '0') return NO;
        return slice_equal_nocase(line, SLICE("yes")) ? YES : NEITHER;
    case 4: return slice_equal_nocase(line, SLICE("true")) ? YES : NEITHER;
    case 5: return slice_equal_nocase(line, SLICE("false")) ? NO : NEITHER;
    default: return NEITHER;
    }
}

/* Any line may answer, and yes goes before no. */
static enum answer text_answer(slice text)
{
    enum answer found = NEITHER;
    for (;;) {
        int64_t newline = slice_find_byte(text, '\n');
        enum answer now = line_answer(newline < 0 ? text : slice_part(text, 0, (uint32_t)newline));
        if (now == YES) return YES;
        if (now == NO) found = NO;
        if (newline < 0) return found;
        text = slice_from(text, (uint32_t)newline + 1);
    }
}

static bool to_boolean(struct batch *b, struct value *v, struct value *out)
{
    slice text = ruby_text_slice(v, &b->arena, &b->scratch);
    enum answer found = text_answer(text);
    *out = *v;
    if (found == NEITHER && text.n > 0) return false;
    *out = value_bool(found == YES);
    return true;
}

const char *conversion_run(enum conversion to, struct batch *b, struct value *in, struct value *out,
                           bool *unconverted)
{
    bool eu = to == CONVERT_INTEGER_EU || to == CONVERT_FLOAT_EU;
    switch (to) {
    case CONVERT_INTEGER:
    case CONVERT_INTEGER_EU: return to_integer(&b->arena, in, eu, out);
    case CONVERT_FLOAT:
    case CONVERT_FLOAT_EU: return to_float(&b->arena, in, eu, out);
    case CONVERT_BOOLEAN: *unconverted = !to_boolean(b, in, out); return NULL;
    case CONVERT_STRING: break;
    }
    *out = *in;
    if (in->type != VALUE_STRING) *out = value_string(ruby_text_slice(in, &b->arena, &b->scratch));
    return NULL;
}
