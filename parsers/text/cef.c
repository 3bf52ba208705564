/* cef.c - pipes, escapes, and where a value ends. */
#define _GNU_SOURCE
#include "parsers/text/cef.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* ---- header ------------------------------------------------------------------- */

/* Where the field ends: at the first pipe that is not escaped. When all are, the last one of
 * them does, and its backslash stays in the field, as the regular expression of Logstash has it. */
static int64_t header_end(slice text)
{
    int64_t escaped = -1;
    for (uint32_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|') return i;
        if (text.p[i] != '\\' || i + 1 == text.n) continue;
        if (text.p[i + 1] != '|' && text.p[i + 1] != '\\') continue;
        i++;
        if (text.p[i] == '|') escaped = i;
    }
    return escaped;
}

static slice header_unescape(slice raw, struct arena *arena)
{
    if (slice_find_byte(raw, '\\') < 0) return raw;
    char *out = arena_alloc(arena, raw.n, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < raw.n; i++) {
        char next = i + 1 < raw.n ? raw.p[i + 1] : 0;
        if (raw.p[i] == '\\' && (next == '|' || next == '\\')) i++;
        out[n++] = raw.p[i];
    }
    return slice_make(out, n);
}

static slice blanks_cut(slice text)
{
    while (text.n > 0 && (is_blank(text.p[0]) || text.p[0] == 0)) text = slice_from(text, 1);
    while (text.n > 0 && (is_blank(text.p[text.n - 1]) || text.p[text.n - 1] == 0)) text.n--;
    return text;
}

bool cef_header_read(slice text, struct arena *arena, struct cef_header *out)
{
    for (uint32_t i = 0; i < CEF_HEADER_FIELDS; i++) {
        int64_t end = header_end(text);
        if (end < 0) return false;
        out->field[i] = header_unescape(slice_part(text, 0, (uint32_t)end), arena);
        text = slice_from(text, (uint32_t)end + 1);
    }
    slice *version = &out->field[0];
    out->syslog = SLICE_NONE;
    const char *blank = version->n == 0 ? NULL : memrchr(version->p, ' ', version->n);
    if (blank != NULL) {
        uint32_t at = (uint32_t)(blank - version->p);
        out->syslog = slice_part(*version, 0, at);
        *version = slice_from(*version, at + 1);
    }
    if (slice_starts(*version, SLICE("CEF:"))) *version = slice_from(*version, 4);
    out->rest = blanks_cut(text);
    return true;
}

/* ---- pairs -------------------------------------------------------------------- */

static bool ends_part(char c)
{
    return c == '.' || c == '=' || c == '|' || c == '\\' || c == '[' || c == ']' || is_blank(c);
}

/* Length of the key at `at`, 0 unless there is one with an equals sign behind it. */
static uint32_t key_at(slice text, uint32_t at)
{
    uint32_t i = at;
    while (i < text.n && is_word(text.p[i])) i++;
    if (i == at) return 0;
    while (i + 1 < text.n && text.p[i] == '.' && !ends_part(text.p[i + 1])) {
        i++;
        while (i < text.n && !ends_part(text.p[i])) i++;
    }
    if (i < text.n && text.p[i] == '[') {
        uint32_t digits = ++i;
        while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9') i++;
        if (i == digits || i == text.n || text.p[i] != ']') return 0;
        i++;
    }
    return i < text.n && text.p[i] == '=' ? i - at : 0;
}

bool cef_pair_next(slice *rest, struct cef_pair *out)
{
    slice text = *rest;
    uint32_t key_n = key_at(text, 0);
    if (key_n == 0) return false;
    uint32_t from = key_n + 1, i = from;
    while (i < text.n) {
        if (!is_blank(text.p[i])) {
            i++;
            continue;
        }
        uint32_t next = i;
        while (next < text.n && is_blank(text.p[next])) next++;
        if (key_at(text, next) > 0) break;
        i = next;
    }
    out->key = slice_part(text, 0, key_n);
    out->value = slice_part(text, from, i - from);
    while (i < text.n && is_blank(text.p[i])) i++;
    *rest = slice_from(text, i);
    return true;
}

slice cef_value_unescape(slice value, struct arena *arena)
{
    if (slice_find_byte(value, '\\') < 0) return value;
    char *out = arena_alloc(arena, value.n, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < value.n; i++) {
        char next = value.p[i] == '\\' && i + 1 < value.n ? value.p[i + 1] : 0;
        bool escape = next == '\\' || next == '=' || next == 'n' || next == 'r';
        out[n++] = !escape ? value.p[i] : next == 'n' ? '\n' : next == 'r' ? '\r' : next;
        i += escape;
    }
    return slice_make(out, n);
}

/* ---- writing ------------------------------------------------------------------ */

void cef_header_add(struct buf *out, slice text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') continue;
        if (c == '\\' || c == '|') buf_add_byte(out, '\\');
        buf_add_byte(out, c == '\n' || c == '\r' ? ' ' : c);
    }
}

void cef_value_add(struct buf *out, slice text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\r' && i + 1 < text.n && text.p[i + 1] == '\n') continue;
        bool newline = c == '\n' || c == '\r';
        if (newline || c == '\\' || c == '=') buf_add_byte(out, '\\');
        buf_add_byte(out, newline ? 'n' : c);
    }
}
