/* unicode_case.c - ASCII at once, everything else by table. */
#include "parsers/text/unicode_case.h"

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

struct case_range {
    uint32_t from, to, step;
    int32_t delta;
};
struct case_special {
    uint32_t cp;
    uint32_t to[3]; /* ends with 0 */
};

#include "parsers/text/unicode_case_table.def"

struct case_table {
    const struct case_range *range;
    const struct case_special *special;
    uint32_t range_n, special_n;
};

static const struct case_table upper = {upper_ranges, upper_specials, ARRAY_LEN(upper_ranges),
                                        ARRAY_LEN(upper_specials)};
static const struct case_table lower = {lower_ranges, lower_specials, ARRAY_LEN(lower_ranges),
                                        ARRAY_LEN(lower_specials)};
static const struct case_table title = {title_ranges, title_specials, ARRAY_LEN(title_ranges),
                                        ARRAY_LEN(title_specials)};

static const struct case_range *range_find(const struct case_table *t, uint32_t cp)
{
    uint32_t from = 0, to = t->range_n;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        const struct case_range *r = &t->range[middle];
        if (cp > r->to)
            from = middle + 1;
        else if (cp < r->from)
            to = middle;
        else
            return (cp - r->from) % r->step == 0 ? r : NULL;
    }
    return NULL;
}

static const struct case_special *special_find(const struct case_table *t, uint32_t cp)
{
    uint32_t from = 0, to = t->special_n;
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        if (t->special[middle].cp < cp)
            from = middle + 1;
        else
            to = middle;
    }
    return from < t->special_n && t->special[from].cp == cp ? &t->special[from] : NULL;
}

/* Bytes written, 0 when the table does not know the character. */
static uint32_t map_wide(const struct case_table *t, uint32_t cp, char *out)
{
    const struct case_range *range = range_find(t, cp);
    if (range != NULL) return utf8_encode((uint32_t)((int32_t)cp + range->delta), out);
    const struct case_special *special = special_find(t, cp);
    if (special == NULL) return 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < 3 && special->to[i] != 0; i++)
        n += utf8_encode(special->to[i], out + n);
    return n;
}

static char map_ascii(char c, enum unicode_case to)
{
    if (to == CASE_LOWER) return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

/* Eight bytes at once, up to the first that is not ASCII; returns how many are written. Nearly all
 * text ends here. */
static uint32_t ascii_write(slice text, enum unicode_case to, char *out)
{
    const uint64_t every = 0x0101010101010101ull, top = 0x80 * every;
    const uint64_t first = (to == CASE_LOWER ? 'A' : 'a') * every;
    const uint64_t last = (to == CASE_LOWER ? 'Z' : 'z') * every;
    uint64_t word;
    uint32_t i = 0;
    for (; i + 8 <= text.n; i += 8) {
        memcpy(&word, text.p + i, 8);
        if ((word & top) != 0) return i;
        /* The top bit of a byte: it is at least `first`, and not above `last`. */
        uint64_t letters = ((word | top) - first) & ~(word + (0x7f * every - last)) & top;
        word ^= letters >> 2;
        memcpy(out + i, &word, 8);
    }
    for (; i < text.n && (unsigned char)text.p[i] < 0x80; i++) out[i] = map_ascii(text.p[i], to);
    return i;
}

uint32_t unicode_case_write(slice text, enum unicode_case to, char *out)
{
    uint32_t n = to == CASE_CAPITALIZE ? 0 : ascii_write(text, to, out), step = 1;
    for (uint32_t i = n; i < text.n; i += step) {
        enum unicode_case now = to == CASE_CAPITALIZE && i > 0 ? CASE_LOWER : to;
        if ((unsigned char)text.p[i] < 0x80) {
            out[n++] = map_ascii(text.p[i], now);
            step = 1;
            continue;
        }
        step = utf8_valid_at(text, i);
        uint32_t used = 0;
        if (step > 0) {
            uint32_t unused, cp = utf8_decode(text, i, &unused);
            if (now == CASE_CAPITALIZE) used = map_wide(&title, cp, out + n);
            if (used == 0) used = map_wide(now == CASE_LOWER ? &lower : &upper, cp, out + n);
        } else {
            step = 1;
        }
        if (used == 0) {
            memcpy(out + n, text.p + i, step);
            used = step;
        }
        n += used;
    }
    return n;
}
