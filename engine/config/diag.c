/* diag.c - collects entries; finds file, line and column; suggests names. */
#include "engine/config/diag.h"

#include <stdarg.h>

#include "engine/base/assert.h"
#include "engine/base/utf8.h"

struct source *source_new(struct heap *heap, slice name, slice text)
{
    struct source *source = heap_alloc(heap, sizeof(*source));
    source->text = heap_dup(heap, text);
    source->parts = heap_alloc(heap, sizeof(*source->parts));
    source->parts[0] = (struct source_part){heap_dup(heap, name), 0};
    source->n = 1;
    return source;
}

struct pos_place pos_place(struct pos pos)
{
    struct pos_place place = {0};
    if (pos.source == NULL) return place;
    const struct source *source = pos.source;
    uint32_t at = pos.at < source->text.n ? pos.at : source->text.n;
    uint32_t part = source->n - 1;
    while (part > 0 && source->parts[part].start > at) part--;

    const char *text = source->text.p;
    uint32_t from = source->parts[part].start;
    place.name = source->parts[part].name;
    place.line = 1;
    for (uint32_t i = from; i < at; i++) {
        if (text[i] != '\n') continue;
        place.line++;
        from = i + 1;
    }
    uint32_t to = at;
    while (to < source->text.n && text[to] != '\n') to++;
    if (to > at && text[to - 1] == '\r') to--;
    place.line_text = slice_part(source->text, from, to - from);
    place.column_bytes = at - from;
    place.column = utf8_length(slice_part(source->text, from, at - from)) + 1;
    return place;
}

void diag_fini(struct diag *diag)
{
    heap_fini(&diag->heap);
    *diag = DIAG_INIT;
}

__attribute__((format(printf, 5, 0))) static void diag_add(struct diag *diag, enum diag_level level,
                                                           struct pos pos, const char *expected,
                                                           const char *format, va_list args)
{
    if (level == DIAG_ERROR)
        diag->errors++;
    else
        diag->warnings++;
    if (diag->n >= DIAG_MAX) return;
    if (diag->n == diag->cap) {
        diag->cap = diag->cap == 0 ? 8 : diag->cap * 2;
        diag->at = heap_grow(&diag->heap, diag->at, diag->n, diag->cap, sizeof(*diag->at));
    }
    struct buf text = {0};
    buf_vprintf(&text, format, args);
    struct diag_entry *entry = &diag->at[diag->n++];
    *entry = (struct diag_entry){.level = level, .pos = pos};
    entry->text = heap_dup(&diag->heap, buf_slice(&text));
    if (expected != NULL) entry->expected = heap_dup(&diag->heap, slice_from_cstr(expected));
    buf_fini(&text);
}

void diag_error(struct diag *diag, struct pos pos, const char *expected, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_add(diag, DIAG_ERROR, pos, expected, format, args);
    va_end(args);
}

void diag_warn(struct diag *diag, struct pos pos, const char *expected, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    diag_add(diag, DIAG_WARNING, pos, expected, format, args);
    va_end(args);
}

void diag_lint(struct diag *diag, struct pos pos, const char *name, const char *fix,
               const char *format, ...)
{
    va_list args;
    uint32_t before = diag->n;
    va_start(args, format);
    diag_add(diag, DIAG_WARNING, pos, NULL, format, args);
    va_end(args);
    if (diag->n == before) return;
    diag->at[before].lint = name;
    diag->at[before].fix = heap_dup(&diag->heap, slice_from_cstr(fix));
}

void diag_fix(struct diag *diag, const char *format, ...)
{
    va_list args;
    struct buf text = {0};
    if (diag->n == 0 || diag->errors + diag->warnings > DIAG_MAX) return;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    diag->at[diag->n - 1].fix = heap_dup(&diag->heap, buf_slice(&text));
    buf_fini(&text);
}

void diag_suggest(struct diag *diag, slice name, const char *const *candidates, uint32_t n)
{
    if (diag->n == 0 || diag->errors + diag->warnings > DIAG_MAX) return;
    int32_t best = nearest_name(name, candidates, n);
    if (best < 0) return;
    diag->at[diag->n - 1].fix = SLICE_NONE; /* this is better advice */
    diag->at[diag->n - 1].suggestion = heap_dup(&diag->heap, slice_from_cstr(candidates[best]));
}

/* ---- nearest name ------------------------------------------------------------------ */

#define NAME_DISTANCE_BYTES 64u

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Edits between two short names: insert, delete, replace, swap neighbours. */
static uint32_t name_distance(slice a, slice b)
{
    uint32_t rows[3][NAME_DISTANCE_BYTES + 1];
    ASSERT(a.n <= NAME_DISTANCE_BYTES && b.n <= NAME_DISTANCE_BYTES);
    uint32_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (uint32_t j = 0; j <= b.n; j++) last[j] = j;
    for (uint32_t i = 1; i <= a.n; i++) {
        now[0] = i;
        for (uint32_t j = 1; j <= b.n; j++) {
            uint32_t cost = a.p[i - 1] == b.p[j - 1] ? 0 : 1;
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                now[j] = least(now[j], before[j - 2] + 1);
        }
        uint32_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b.n];
}

int32_t nearest_name(slice name, const char *const *candidates, uint32_t n)
{
    if (name.n == 0 || name.n > NAME_DISTANCE_BYTES) return -1;
    /* A third of the letters may be wrong: beyond that the guess would be noise. */
    uint32_t best_distance = name.n < 3 ? 2 : name.n / 3 + 2;
    int32_t best = -1;
    for (uint32_t i = 0; i < n; i++) {
        slice candidate = slice_from_cstr(candidates[i]);
        if (candidate.n == 0 || candidate.n > NAME_DISTANCE_BYTES) continue;
        if (candidate.n <= 2 && name.n <= 2 && candidate.p[0] != name.p[0]) continue;
        uint32_t distance = name_distance(name, candidate);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = (int32_t)i;
    }
    return best;
}
