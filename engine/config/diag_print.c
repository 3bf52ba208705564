/* diag_print.c - entries as text: the line, the caret, the expectation, the suggestion. */
#include "engine/base/utf8.h"
#include "engine/config/diag.h"

/* Cuts long lines to a window around the caret, at character boundaries. */
static slice line_window(slice line, uint32_t caret, uint32_t *from)
{
    *from = 0;
    if (line.n <= DIAG_LINE_MAX) return line;
    uint32_t start = caret > DIAG_LINE_MAX / 2 ? caret - DIAG_LINE_MAX / 2 : 0;
    if (start + DIAG_LINE_MAX > line.n) start = line.n - DIAG_LINE_MAX;
    while (start > 0 && ((unsigned char)line.p[start] & 0xC0) == 0x80) start--;
    uint32_t end = start + DIAG_LINE_MAX < line.n ? start + DIAG_LINE_MAX : line.n;
    while (end < line.n && ((unsigned char)line.p[end] & 0xC0) == 0x80) end++;
    *from = start;
    return slice_part(line, start, end - start);
}

/* Control characters would move the cursor (or worse): shown as '?', tabs stay tabs. */
static void add_visible(struct buf *out, slice text, bool newlines)
{
    for (uint32_t i = 0; i < text.n;) {
        uint32_t n = utf8_valid_at(text, i);
        unsigned char c = (unsigned char)text.p[i];
        bool kept = c == '\t' || (newlines && c == '\n');
        if (n == 0 || (c < 0x20 && !kept) || c == 0x7F)
            buf_add_byte(out, '?');
        else
            buf_add(out, text.p + i, n);
        i += n == 0 ? 1 : n;
    }
}

/* One space per character before the caret; tabs are repeated so that any tab width fits. */
static void add_caret(struct buf *out, slice before)
{
    for (uint32_t i = 0; i < before.n;) {
        uint32_t n = utf8_valid_at(before, i);
        buf_add_byte(out, before.p[i] == '\t' ? '\t' : ' ');
        i += n == 0 ? 1 : n;
    }
    buf_add_byte(out, '^');
}

static void print_source(const struct pos_place *place, struct buf *out)
{
    uint32_t from;
    slice shown = line_window(place->line_text, place->column_bytes, &from);
    bool cut_left = from > 0, cut_right = from + shown.n < place->line_text.n;
    buf_printf(out, "%5u | %s", place->line, cut_left ? "..." : "");
    add_visible(out, shown, false);
    buf_printf(out, "%s\n      | %s", cut_right ? "..." : "", cut_left ? "   " : "");
    add_caret(out, slice_part(shown, 0, place->column_bytes - from));
    buf_add_byte(out, '\n');
}

static void entry_print(const struct diag_entry *entry, struct buf *out)
{
    const char *level = entry->level == DIAG_ERROR ? "error" : "warning";
    struct pos_place place = pos_place(entry->pos);
    bool placed = entry->pos.source != NULL;
    if (placed) buf_printf(out, "%.*s:%u:%u: ", SLICE_FMT(place.name), place.line, place.column);
    buf_printf(out, "%s: ", level);
    add_visible(out, entry->text, true);
    if (entry->lint != NULL) buf_printf(out, " [%s]", entry->lint);
    buf_add_byte(out, '\n');
    if (placed) print_source(&place, out);
    if (entry->expected.n > 0) buf_printf(out, "  expected %.*s\n", SLICE_FMT(entry->expected));
    if (entry->fix.n > 0) {
        buf_add_cstr(out, "  fix: ");
        add_visible(out, entry->fix, false);
        buf_add_byte(out, '\n');
    }
    if (entry->suggestion.n > 0)
        buf_printf(out, "  did you mean '%.*s'?\n", SLICE_FMT(entry->suggestion));
}

void diag_print(const struct diag *diag, struct buf *out)
{
    for (uint32_t i = 0; i < diag->n; i++) entry_print(&diag->at[i], out);
    uint32_t more = diag->errors + diag->warnings - diag->n;
    if (more > 0) buf_printf(out, "... and %u more errors and warnings\n", more);
}

void diag_print_file(const struct diag *diag, FILE *out)
{
    struct buf text = {0};
    diag_print(diag, &text);
    if (text.n > 0) fwrite(text.data, 1, text.n, out);
    buf_fini(&text);
}
