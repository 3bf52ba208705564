/*
 * fixture.h - a heap, a diag and a parsed configuration for the tests of this folder.
 */
#ifndef TESTS_UNIT_ENGINE_CONFIG_FIXTURE_H
#define TESTS_UNIT_ENGINE_CONFIG_FIXTURE_H
#include "engine/config/ast.h"
#include "tests/unit/t.h"

struct fixture {
    struct heap heap;
    struct diag diag;
    struct ast ast;
    struct buf text; /* what diag_print said, NUL-terminated */
};

static inline void fixture_fini(struct fixture *f)
{
    heap_fini(&f->heap);
    diag_fini(&f->diag);
    buf_fini(&f->text);
}

static inline const char *fixture_said(struct fixture *f)
{
    f->text.n = 0;
    diag_print(&f->diag, &f->text);
    return buf_cstr(&f->text);
}

static inline err fixture_parse(struct fixture *f, const char *text, bool escapes)
{
    *f = (struct fixture){0};
    const struct source *source = source_new(&f->heap, SLICE("t.conf"), slice_from_cstr(text));
    return ast_parse(source, (struct ast_options){escapes}, &f->heap, &f->diag, &f->ast);
}

/* The first plugin of the filter section. */
static inline struct ast_plugin *fixture_filter(struct fixture *f)
{
    assert_true(f->ast.sections[SECTION_FILTER].n > 0);
    return f->ast.sections[SECTION_FILTER].at[0].plugin;
}

#define assert_says(f, part) t_says((f), (part), __FILE__, __LINE__)
static inline void t_says(struct fixture *f, const char *part, const char *file, int line)
{
    if (strstr(fixture_said(f), part) != NULL) return;
    print_error("missing \"%s\" in:\n%s\n", part, f->text.data);
    _fail(file, line);
}

#endif
