/* dissect.c - compiling mappings, and the walk from delimiter to delimiter. */
#include "parsers/text/dissect.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* Places in the order of saving: normal fields, appended ones by their number, indirect ones. */
#define ORDER_NORMAL 1u
#define ORDER_APPEND 100u
#define ORDER_INDIRECT 1000u

static bool cut(slice *text, slice suffix)
{
    if (!slice_ends(*text, suffix)) return false;
    text->n -= suffix.n;
    return true;
}

/* "/7" or "/77" at the end. */
static bool cut_number(slice *text, uint32_t *number)
{
    uint32_t digits = 0, num = 0, scale = 1;
    while (digits < 2 && digits < text->n && text->p[text->n - 1 - digits] >= '0' &&
           text->p[text->n - 1 - digits] <= '9') {
        num += scale * (uint32_t)(text->p[text->n - 1 - digits] - '0');
        scale *= 10;
        digits++;
    }
    if (digits == 0 || text->n == digits || text->p[text->n - 1 - digits] != '/') return false;
    text->n -= digits + 1;
    *number = num;
    return true;
}

/* name[/number][->] or name[->][/number]; a suffix may stand alone. */
static slice name_cut(slice text, bool *greedy, uint32_t *number)
{
    *number = 0;
    *greedy = cut(&text, SLICE("->"));
    bool numbered = cut_number(&text, number);
    if (numbered && !*greedy) *greedy = cut(&text, SLICE("->"));
    return text;
}

/* `greedy` belongs to the delimiter behind the field. */
static const char *field_parse(slice text, struct dissect_field *out, bool *greedy)
{
    uint32_t number;
    char prefix = text.n > 0 ? text.p[0] : '?';
    if (slice_starts(text, SLICE("+&")) || slice_starts(text, SLICE("&+")))
        return "Field cannot prefix with both Append and Indirect Prefix";
    bool prefixed = prefix == '?' || prefix == '+' || prefix == '&';
    slice rest = prefixed ? slice_from(text, 1) : text;
    out->name = name_cut(rest, greedy, &number);
    out->kind = out->name.n == 0 ? DISSECT_SKIP : DISSECT_NORMAL;
    out->order = ORDER_NORMAL;
    if (prefix == '?') out->kind = DISSECT_SKIP;
    if (prefix != '+' && prefix != '&') return NULL;
    if (rest.n == 0) return "Field cannot be a prefix on its own without further text";
    if (out->name.n == 0) return "Field cannot be a prefix and a suffix without a name section";
    out->kind = prefix == '+' ? DISSECT_APPEND : DISSECT_INDIRECT;
    out->order = prefix == '+' ? ORDER_APPEND + number : ORDER_INDIRECT;
    return NULL;
}

/* The next "...%{...}" at `at`; false when there is none. */
static bool part_next(slice mapping, uint32_t *at, slice *before, slice *field)
{
    slice rest = slice_from(mapping, *at);
    int64_t open = slice_find(rest, SLICE("%{"));
    if (open < 0) return false;
    int64_t close = slice_find_byte(slice_from(rest, (uint32_t)open + 2), '}');
    if (close < 0) return false;
    *before = slice_part(rest, 0, (uint32_t)open);
    *field = slice_part(rest, (uint32_t)open + 2, (uint32_t)close);
    *at += (uint32_t)(open + 2 + close + 1);
    return true;
}

/* What stands behind the last brace. */
static slice tail_of(slice mapping)
{
    uint32_t from = mapping.n;
    while (from > 0 && mapping.p[from - 1] != '}') from--;
    return slice_from(mapping, from);
}

static void save_order(struct dissect *d)
{
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->at[i].kind == DISSECT_SKIP) continue;
        uint32_t place = d->save_n++;
        while (place > 0 && d->at[d->save[place - 1]].order > d->at[i].order) {
            d->save[place] = d->save[place - 1];
            place--;
        }
        d->save[place] = i;
    }
}

const char *dissect_compile(struct dissect *d, slice mapping)
{
    *d = (struct dissect){0};
    d->at = calloc(DISSECT_FIELDS_MAX + 1, sizeof(*d->at));
    d->save = calloc(DISSECT_FIELDS_MAX + 1, sizeof(*d->save));
    ASSERT(d->at != NULL && d->save != NULL);
    uint32_t at = 0;
    slice before, field;
    bool greedy = false;
    while (part_next(mapping, &at, &before, &field)) {
        if (d->n == DISSECT_FIELDS_MAX) return "the mapping has more than 512 fields";
        struct dissect_field *f = &d->at[d->n++];
        f->before = before;
        f->greedy = greedy;
        const char *wrong = field_parse(field, f, &greedy);
        if (wrong != NULL) return wrong;
    }
    if (d->n == 0) return "the mapping has no field";
    slice tail = tail_of(mapping);
    /* Text at the end must be there, too: a field that is not saved takes the rest. */
    if (tail.n > 0) d->at[d->n++] = (struct dissect_field){.before = tail, .greedy = greedy};
    save_order(d);
    return NULL;
}

void dissect_fini(struct dissect *d)
{
    free(d->at);
    free(d->save);
    *d = (struct dissect){0};
}

/* Where the delimiter is at or after `at`, or -1; an empty one is nowhere. */
static inline int64_t find(slice text, uint32_t at, slice delimiter)
{
    if (delimiter.n == 0 || at >= text.n) return -1;
    const char *p = text.p + at, *end = text.p + text.n;
    if (delimiter.n == 1) {
        const char *hit = memchr(p, delimiter.p[0], (size_t)(end - p));
        return hit == NULL ? -1 : hit - text.p;
    }
    for (; (size_t)(end - p) >= delimiter.n; p++) {
        p = memchr(p, delimiter.p[0], (size_t)(end - p) - (delimiter.n - 1));
        if (p == NULL) return -1;
        if (memcmp(p, delimiter.p, delimiter.n) == 0) return p - text.p;
    }
    return -1;
}

static inline bool is_at(slice text, uint32_t at, slice delimiter)
{
    return delimiter.n > 0 && text.n - at >= delimiter.n &&
           memcmp(text.p + at, delimiter.p, delimiter.n) == 0;
}

bool dissect_run(const struct dissect *d, slice text, slice *value)
{
    uint32_t left = 0;
    slice first = d->at[0].before;
    if (text.n == 0) return false;
    if (first.n > 0) {
        if (!is_at(text, 0, first)) return false;
        left = first.n;
    }
    for (uint32_t i = 0; i < d->n; i++) {
        const struct dissect_field *f = &d->at[i];
        if (f->greedy)
            while (is_at(text, left, f->before)) left += f->before.n;
        if (i + 1 == d->n) {
            value[i] = slice_from(text, left);
            break;
        }
        slice next = d->at[i + 1].before;
        int64_t at = find(text, left, next);
        if (at < 0) return false;
        value[i] = slice_part(text, left, (uint32_t)at - left);
        if (at > 0) left = (uint32_t)at + next.n;
    }
    return true;
}
