/* xml_raw.c - one pass over the document; only quotes and the few kinds of markup matter. */
#include "engine/filters/xml_raw.h"

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/utf8.h"

struct escaping {
    slice text;
    uint32_t at, done; /* done: what is before it was copied */
    struct buf *out;
};

/* The bytes up to `at` as they are, then `replacement` for the n bytes there. */
static void replace(struct escaping *e, uint32_t n, const char *replacement)
{
    buf_add_slice(e->out, slice_part(e->text, e->done, e->at - e->done));
    buf_add_cstr(e->out, replacement);
    e->at += n;
    e->done = e->at;
}

static bool is_name_byte(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
                  (unsigned char)c >= 0x80;
    return letter || (!first && ((c >= '0' && c <= '9') || c == '-' || c == '.'));
}

/* The character that "#65;" or "#x41;" names, 0 for none; *n: its bytes with the semicolon. */
static uint32_t character_of(slice rest, uint32_t *n)
{
    uint32_t code = 0, i = 1;
    bool hex = rest.n > 2 && rest.p[1] == 'x';
    if (hex) i++;
    uint32_t from = i;
    for (; i < rest.n && rest.p[i] != ';'; i++) {
        char c = rest.p[i], low = (char)(c | 0x20);
        uint32_t digit = c >= '0' && c <= '9'              ? (uint32_t)(c - '0')
                         : hex && low >= 'a' && low <= 'f' ? (uint32_t)(low - 'a' + 10)
                                                           : 16;
        if (digit == 16 || code > 0x10ffff) return 0;
        code = code * (hex ? 16 : 10) + digit;
    }
    if (i == from || i == rest.n) return 0;
    *n = i + 1;
    bool known = code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code < 0xd800) ||
                 (code >= 0xe000 && code < 0xfffe) || (code >= 0x10000 && code <= 0x10ffff);
    return known ? code : 0;
}

/* Bytes of the reference behind an ampersand, 0 when it is none. */
static uint32_t reference_length(slice rest)
{
    uint32_t n = 0;
    if (rest.n > 0 && rest.p[0] == '#') return character_of(rest, &n) == 0 ? 0 : n;
    while (n < rest.n && is_name_byte(rest.p[n], n == 0)) n++;
    return n > 0 && n < rest.n && rest.p[n] == ';' ? n + 1 : 0;
}

static bool escape_ampersand(struct escaping *e)
{
    if (reference_length(slice_from(e->text, e->at + 1)) == 0) return false;
    replace(e, 1, "&amp;");
    return true;
}

/* A tag up to its '>'; attributes keep their line ends and tabs. */
static bool escape_tag(struct escaping *e)
{
    char quote = 0;
    while (e->at < e->text.n) {
        char c = e->text.p[e->at];
        bool pair = c == '\r' && e->at + 1 < e->text.n && e->text.p[e->at + 1] == '\n';
        if (quote == 0 && c == '>') return true;
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
            e->at++;
        } else if (c == quote) {
            quote = 0;
            e->at++;
        } else if (quote != 0 && c == '&') {
            if (!escape_ampersand(e)) return false;
        } else if (quote != 0 && (c == '\n' || c == '\r')) {
            replace(e, pair ? 2 : 1, "&#10;");
        } else if (quote != 0 && c == '\t') {
            replace(e, 1, "&#9;");
        } else {
            e->at++;
        }
    }
    return true;
}

static void skip_past(struct escaping *e, slice end)
{
    int64_t at = slice_find(slice_from(e->text, e->at), end);
    e->at = at < 0 ? e->text.n : e->at + (uint32_t)at + end.n;
}

enum xml_raw xml_raw_escape(slice text, struct arena *arena, slice *out)
{
    struct buf escaped = {0};
    struct escaping e = {.text = text, .out = &escaped};
    enum xml_raw found = XML_RAW_SAME;
    while (found == XML_RAW_SAME && e.at < text.n) {
        slice rest = slice_from(text, e.at);
        bool ok = true;
        if (rest.p[0] == '&')
            ok = escape_ampersand(&e);
        else if (rest.p[0] == '>')
            replace(&e, 1, "&gt;"); /* "]]>" is nothing special to REXML */
        else if (rest.p[0] != '<')
            e.at++;
        else if (slice_starts(rest, SLICE("<!--")))
            skip_past(&e, SLICE("-->"));
        else if (slice_starts(rest, SLICE("<![CDATA[")))
            skip_past(&e, SLICE("]]>"));
        else if (slice_starts(rest, SLICE("<?")))
            skip_past(&e, SLICE("?>"));
        else if (slice_starts(rest, SLICE("<!")))
            found = XML_RAW_DOCTYPE;
        else {
            ok = escape_tag(&e);
            if (ok && e.at < text.n) e.at++; /* its '>' */
        }
        if (!ok) found = XML_RAW_BAD;
    }
    if (found == XML_RAW_SAME && e.done > 0) {
        buf_add_slice(&escaped, slice_from(text, e.done));
        *out = arena_copy(arena, buf_slice(&escaped));
        found = XML_RAW_ESCAPED;
    }
    buf_fini(&escaped);
    return found;
}

static uint32_t entity_of(slice rest, uint32_t *n)
{
    static const struct {
        const char *name;
        char is;
    } known[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};
    if (rest.n > 0 && rest.p[0] == '#') return character_of(rest, n);
    for (uint32_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        *n = (uint32_t)strlen(known[i].name);
        if (slice_starts(rest, slice_make(known[i].name, *n))) return (uint32_t)known[i].is;
    }
    return 0;
}

slice xml_raw_decode(slice raw, struct arena *arena)
{
    if (slice_find_byte(raw, '&') < 0) return raw;
    char *out = arena_alloc(arena, (size_t)raw.n + 1, 1); /* references are longer than UTF-8 */
    uint32_t n = 0, length = 0;
    for (uint32_t i = 0; i < raw.n;) {
        uint32_t code = raw.p[i] == '&' ? entity_of(slice_from(raw, i + 1), &length) : 0;
        if (code == 0) {
            out[n++] = raw.p[i++];
            continue;
        }
        n += utf8_encode(code, out + n);
        i += 1 + length;
    }
    return slice_make(out, n);
}
