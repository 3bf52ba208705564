/* regex_replace.c - the gsub loop and its replacement syntax. */
#include "parsers/grok/regex_replace.h"

#include "engine/base/utf8.h"

struct replacing {
    const struct regex *regex;
    slice subject, replacement;
    const struct regex_span *spans;
    struct buf *out;
};

static void add_group(const struct replacing *r, uint32_t group)
{
    if (group > regex_groups(r->regex) || r->spans[group].from == REGEX_UNSET) return;
    struct regex_span span = r->spans[group];
    buf_add_slice(r->out, slice_part(r->subject, span.from, span.to - span.from));
}

/* \k<name> at `at` (of the k); returns the bytes used after the backslash, 0 when it is none. */
static uint32_t add_named(const struct replacing *r, uint32_t at)
{
    slice rest = slice_from(r->replacement, at + 1);
    if (rest.n == 0 || rest.p[0] != '<') return 0;
    int64_t close = slice_find_byte(rest, '>');
    if (close < 0) return 0;
    slice name = slice_part(rest, 1, (uint32_t)close - 1);
    int64_t number;
    uint32_t group = regex_group_by_name(r->regex, name);
    if (group == 0 && slice_to_i64(name, &number) && number >= 0 && number < UINT32_MAX)
        group = (uint32_t)number;
    else if (group == 0)
        return 0;
    add_group(r, group);
    return (uint32_t)close + 2;
}

/* The escape whose letter is at `at`; returns how many bytes it takes. */
static uint32_t add_escape(const struct replacing *r, uint32_t at)
{
    char c = r->replacement.p[at];
    if (c == '0') {
        add_group(r, 0);
    } else if (c >= '1' && c <= '9') {
        if (!regex_has_names(r->regex)) add_group(r, (uint32_t)(c - '0'));
    } else if (c == '&') {
        add_group(r, 0);
    } else if (c == '`') {
        buf_add_slice(r->out, slice_part(r->subject, 0, r->spans[0].from));
    } else if (c == '\'') {
        buf_add_slice(r->out, slice_from(r->subject, r->spans[0].to));
    } else if (c == '\\') {
        buf_add_byte(r->out, '\\');
    } else {
        uint32_t used = c == 'k' ? add_named(r, at) : 0;
        if (used > 0) return used;
        buf_add_byte(r->out, '\\');
        buf_add_byte(r->out, c);
    }
    return 1;
}

static void add_replacement(const struct replacing *r)
{
    slice text = r->replacement;
    uint32_t at = 0;
    while (at < text.n) {
        int64_t slash = slice_find_byte(slice_from(text, at), '\\');
        if (slash < 0 || at + (uint32_t)slash + 1 == text.n) break;
        buf_add_slice(r->out, slice_part(text, at, (uint32_t)slash));
        at += (uint32_t)slash + 1;
        at += add_escape(r, at);
    }
    buf_add_slice(r->out, slice_from(text, at));
}

enum regex_status regex_replace_all(const struct regex *regex, struct regex_scratch *scratch,
                                    slice subject, slice replacement, size_t bytes_max,
                                    struct buf *out)
{
    struct replacing r = {regex, subject, replacement, NULL, out};
    bool any = false;
    uint32_t copied = 0; /* subject bytes that are in the output already */
    out->n = 0;
    for (uint32_t from = 0; from <= subject.n;) {
        enum regex_status status = regex_search(regex, scratch, subject, from, &r.spans);
        if (status == REGEX_LIMIT) return status;
        if (status == REGEX_NO_MATCH) break;
        any = true;
        struct regex_span whole = r.spans[0];
        buf_add_slice(out, slice_part(subject, copied, whole.from - copied));
        add_replacement(&r);
        copied = whole.to;
        from = whole.to;
        if (whole.from == whole.to) { /* An empty match steps over one character. */
            uint32_t step = from < subject.n ? utf8_valid_at(subject, from) : 1;
            from += step == 0 ? 1 : step;
        }
        if (out->n > bytes_max) return REGEX_LIMIT;
    }
    if (!any) return REGEX_NO_MATCH;
    buf_add_slice(out, slice_from(subject, copied));
    return REGEX_MATCH;
}
