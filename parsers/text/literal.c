/* literal.c - see literal.h. */
#include "parsers/text/literal.h"

#include "engine/base/bytes.h"
#include "engine/base/utf8.h"

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

/* The one character that the escape or class at the front of `rest` stands for; bytes used, or 0.
 */
static uint32_t one_character(slice rest, char *out)
{
    bool escaped = rest.n >= 2 && rest.p[0] == '\\';
    bool class = rest.n >= 3 && rest.p[0] == '[' && rest.p[2] == ']';
    *out = rest.p[1];
    if (escaped) return is_one_of(*out, "\\^$.|?*+()[]{}/-:;,=\"'<>@#%&!~ _") ? 2 : 0;
    return class && (unsigned char)*out < 0x80 && !is_one_of(*out, "\\^[]") ? 3 : 0;
}

bool literal_of_regex(slice pattern, char *out, uint32_t *n)
{
    *n = 0;
    if (!utf8_valid(pattern)) return false;
    for (uint32_t i = 0; i < pattern.n;) {
        char c = pattern.p[i];
        uint32_t used = 1;
        if (c == '\\' || c == '[') {
            slice rest = slice_from(pattern, i);
            used = rest.n < 2 ? 0 : one_character(rest, &c);
            if (used == 0) return false;
        } else if (c == '\0' || is_one_of(c, "^$.|?*+()]{}")) {
            return false;
        }
        out[(*n)++] = c;
        i += used;
    }
    return *n > 0;
}

static uint32_t occurrences(slice subject, slice needle)
{
    uint32_t n = 0;
    if (needle.n == 1) return bytes_count(subject, needle.p[0]);
    for (int64_t at; (at = slice_find(subject, needle)) >= 0; n++)
        subject = slice_from(subject, (uint32_t)at + needle.n);
    return n;
}

enum literal_status literal_replace(slice subject, slice needle, slice with, size_t bytes_max,
                                    struct arena *arena, slice *out)
{
    size_t room = subject.n;
    int64_t at = slice_find(subject, needle);
    if (at < 0) return LITERAL_ABSENT;
    if (with.n > needle.n) {
        room += (size_t)occurrences(subject, needle) * (with.n - needle.n);
        if (room > bytes_max) return LITERAL_TOO_LONG;
    }
    char *text = arena_alloc(arena, room + 1, 1), *to = text;
    if (needle.n == 1 && with.n == 1) {
        bytes_swapped(subject, needle.p[0], with.p[0], text);
        *out = slice_make(text, subject.n);
        return LITERAL_REPLACED;
    }
    for (; at >= 0; at = slice_find(subject, needle)) {
        to = bytes_add(to, slice_part(subject, 0, (uint32_t)at));
        to = bytes_add(to, with);
        subject = slice_from(subject, (uint32_t)at + needle.n);
    }
    to = bytes_add(to, subject);
    *out = slice_make(text, (size_t)(to - text));
    return LITERAL_REPLACED;
}
