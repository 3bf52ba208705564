/* lint.c - the table, the run, and what is silenced. */
#include "engine/lint/lint.h"

#include "engine/base/assert.h"
#include "engine/lint/checks.h"

/* clang-format off */
const struct lint_entry lint_table[] = {
#define LINT(name, function, doc) {name, doc, function},
#include "engine/lint/lints.def"
    {0},
};
/* clang-format on */

static bool name_is(const char *name, slice text)
{
    return slice_equal(slice_from_cstr(name), text);
}

static const struct lint_entry *find(slice name)
{
    for (const struct lint_entry *e = lint_table; e->name != NULL; e++)
        if (name_is(e->name, name)) return e;
    return NULL;
}

static void suggest(struct diag *diag, slice name)
{
    const char *names[128];
    uint32_t n = 0;
    for (const struct lint_entry *e = lint_table; e->name != NULL && n < 128; e++)
        names[n++] = e->name;
    diag_suggest(diag, name, names, n);
}

bool lint_known(slice name, struct diag *diag)
{
    if (find(name) != NULL) return true;
    diag_error(diag, POS_NONE, NULL, "there is no lint '%.*s' (see docs/configuration.md)",
               SLICE_FMT(name));
    suggest(diag, name);
    return false;
}

void lint_run(const struct ast *ast, const struct process_settings *settings, struct diag *diag)
{
    struct heap heap = HEAP_INIT;
    struct lint l = {.ast = ast, .settings = settings, .heap = &heap, .diag = diag};
    lint_flatten(&l);
    facts_collect(&l);
    for (const struct lint_entry *e = lint_table; e->name != NULL; e++) {
        if (e->check == NULL) continue;
        l.name = e->name;
        e->check(&l);
    }
    lint_comments(ast->source, diag);
    heap_fini(&heap);
}

/* ---- silencing -------------------------------------------------------------------------- */

#define MARKER "# spate: allow"

/* The next name of a comment's list; false at its end. */
static bool next_name(slice *list, slice *out)
{
    while (list->n > 0 && strchr(" \t\r,", list->p[0]) != NULL) *list = slice_from(*list, 1);
    uint32_t n = 0;
    while (n < list->n && strchr(" \t\r,", list->p[n]) == NULL) n++;
    *out = slice_part(*list, 0, n);
    *list = slice_from(*list, n);
    return n > 0;
}

static bool line_allows(slice line, const char *name)
{
    int64_t at = slice_find(line, SLICE(MARKER));
    if (at < 0) return false;
    slice one, list = slice_from(line, (uint32_t)at + sizeof(MARKER) - 1);
    while (next_name(&list, &one))
        if (name_is(name, one)) return true;
    return false;
}

/* The line that ends just before `at`, which is where a line begins. */
static slice line_before(slice text, uint32_t at)
{
    if (at == 0) return SLICE_NONE;
    uint32_t to = at - 1, from = to;
    while (from > 0 && text.p[from - 1] != '\n') from--;
    return slice_part(text, from, to - from);
}

static bool comment_allows(const struct diag_entry *entry)
{
    if (entry->pos.source == NULL) return false;
    slice text = entry->pos.source->text;
    uint32_t at = entry->pos.at < text.n ? entry->pos.at : text.n, to = at;
    while (at > 0 && text.p[at - 1] != '\n') at--;
    while (to < text.n && text.p[to] != '\n') to++;
    return line_allows(slice_part(text, at, to - at), entry->lint) ||
           line_allows(line_before(text, at), entry->lint);
}

static bool list_allows(const struct lint_allow *allow, const char *name)
{
    for (uint32_t i = 0; allow != NULL && i < allow->n; i++)
        if (strcmp(allow->names[i], name) == 0) return true;
    return false;
}

void lint_name(struct diag *diag, const char *name)
{
    ASSERT(find(slice_from_cstr(name)) != NULL);
    for (uint32_t i = 0; i < diag->n; i++) {
        struct diag_entry *entry = &diag->at[i];
        if (entry->level == DIAG_WARNING && entry->pos.source != NULL && entry->lint == NULL)
            entry->lint = name;
    }
}

void lint_filter(struct diag *diag, const struct lint_allow *allow)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < diag->n; i++) {
        const struct diag_entry *entry = &diag->at[i];
        bool again = kept > 0 && entry->lint != NULL && entry->lint == diag->at[kept - 1].lint &&
                     entry->pos.source == diag->at[kept - 1].pos.source &&
                     entry->pos.at == diag->at[kept - 1].pos.at;
        if (again ||
            (entry->lint != NULL && (list_allows(allow, entry->lint) || comment_allows(entry))))
            diag->warnings--;
        else
            diag->at[kept++] = *entry;
    }
    diag->n = kept;
}

void lint_comments(const struct source *source, struct diag *diag)
{
    slice text = source->text;
    for (uint32_t from = 0; from < text.n;) {
        int64_t at = slice_find(slice_from(text, from), SLICE(MARKER));
        if (at < 0) return;
        from += (uint32_t)at + sizeof(MARKER) - 1;
        int64_t end = slice_find_byte(slice_from(text, from), '\n');
        slice one, list = end < 0 ? slice_from(text, from) : slice_part(text, from, (uint32_t)end);
        while (next_name(&list, &one)) {
            if (find(one) != NULL) continue;
            diag_lint(diag, pos_make(source, (uint32_t)(one.p - text.p)), "unknown-lint",
                      "use a name of docs/configuration.md", "there is no lint '%.*s'",
                      SLICE_FMT(one));
            suggest(diag, one);
        }
    }
}

void lint_markdown(struct buf *out)
{
    buf_add_cstr(out, "| lint | warns when |\n|---|---|\n");
    for (const struct lint_entry *e = lint_table; e->name != NULL; e++)
        buf_printf(out, "| `%s` | %s |\n", e->name, e->doc);
}
