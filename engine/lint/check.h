/*
 * check.h - what lints share: the configuration laid flat, and what is known about its fields.
 *
 * Every plugin and every condition is listed in the order written, with the branches around it.
 * A field is known by its canonical name ("a" and "[a]" are "[a]"). facts.c collects which fields
 * are written, by whom and as what; lints ask and are answered "anything" when in doubt. Private
 * to engine/lint; control thread; memory is the heap of the run.
 */
#ifndef ENGINE_LINT_CHECK_H
#define ENGINE_LINT_CHECK_H
#include "engine/config/common.h"
#include "engine/lint/lint.h"

/* Where something stands: the arm around it, and where that arm stands. */
struct lint_scope {
    const struct ast_branch *branch;
    uint32_t arm;
    const struct lint_scope *up; /* NULL: the section itself */
};

struct lint_plugin {
    const struct ast_plugin *plugin;
    const struct lint_scope *scope; /* NULL: unconditional */
    const struct ast_block *block;
    uint32_t at; /* in the block */
    enum section section;
};

struct lint_cond {
    const struct cond *cond;        /* the whole condition of an arm */
    const struct lint_scope *scope; /* the arm itself */
    enum section section;
};

/* What a field may hold; a set. */
enum field_type {
    TYPE_STRING = 1,
    TYPE_INT = 2,
    TYPE_FLOAT = 4,
    TYPE_BOOL = 8,
    TYPE_LIST = 16,
    TYPE_MAP = 32,
    TYPE_TIME = 64,
    TYPE_ANY = 128
};

struct field_fact {
    slice name; /* canonical */
    uint32_t types;
    bool by_grok_only;
    bool made; /* something brings it into being; else it is only changed where it is */
};

struct lint_facts {
    struct field_fact *at;
    uint32_t n, cap;
    bool any_name; /* events may have fields that the configuration does not name */
    bool any_type; /* and existing ones may be of another type than it says */
};

struct legacy;

struct lint {
    const struct ast *ast;
    const struct process_settings *settings;
    struct heap *heap;
    struct diag *diag;
    const char *name; /* of the lint that runs */
    struct lint_plugin *plugin;
    uint32_t plugin_n, plugin_cap;
    struct lint_cond *cond;
    uint32_t cond_n, cond_cap;
    struct lint_facts facts;
    struct legacy *legacy; /* fields of the disabled mode; see fields.c */
};

/* A warning of the lint that runs. */
#define lint_warn(l, pos, fix, ...) diag_lint((l)->diag, pos, (l)->name, fix, __VA_ARGS__)

static inline bool lint_is(const struct lint_plugin *p, enum section section, const char *name)
{
    return p->section == section && slice_equal(p->plugin->name, slice_from_cstr(name));
}
const struct config_value *lint_option(const struct ast_plugin *plugin, const char *name);
/* The text of a scalar option; .p NULL when it is not there. */
slice lint_option_text(const struct ast_plugin *plugin, const char *name);
/* Whether an option is the boolean true, written either way. */
bool lint_option_true(const struct ast_plugin *plugin, const char *name);
/* "json" for codec => json and codec => json { }; .p NULL when none is given. */
slice lint_codec(const struct ast_plugin *plugin);
bool lint_is_ecs(const struct lint *l, const struct ast_plugin *plugin);
/* A value as the list of its scalars: itself, or its items. */
const struct config_value *lint_items(const struct config_value *v, uint32_t *n);
/* Pairs of a hash, or of a list that stands for one; made in the heap then. */
struct config_hash lint_pairs(struct lint *l, const struct config_value *v);

/* ---- fields ---------------------------------------------------------------------------- */

slice field_canon(struct lint *l, slice name);
/* The first step without brackets: "a" of [a][b]. */
slice field_top(slice canonical);
static inline bool field_is(struct lint *l, slice name, const char *canonical)
{
    return slice_equal(field_canon(l, name), slice_from_cstr(canonical));
}
void facts_collect(struct lint *l);
/* NULL when nothing in the configuration writes it. */
const struct field_fact *facts_find(const struct lint *l, slice canonical);
/* Whether something in the configuration brings exactly this field into being. */
bool facts_made(const struct lint *l, slice canonical);
/* Whether an event can have it at all. */
bool facts_may_exist(const struct lint *l, slice canonical);

/* Calls back for every %{field} and every %{+time} or %{{time}} of a text. */
struct text_part {
    slice text;  /* between the braces */
    uint32_t at; /* of the '%' */
    bool joda, java;
};
/* The next part at or after *at; false at the end. */
bool text_part_next(slice text, uint32_t *at, struct text_part *out);

/* ---- groks ------------------------------------------------------------------------------ */

struct grok_use {
    const struct lint_plugin *plugin;
    const struct config_value *field; /* the key of match */
    const struct config_value *pattern;
    uint32_t at, of; /* the pattern's place in its list */
};
/* Calls `visit` for every pattern of every grok. */
void lint_groks(struct lint *l, void (*visit)(struct lint *, const struct grok_use *));
/* Calls `visit` for each capture: names in the fully expanded pattern, libraries included. */
void lint_captures(struct lint *l, const struct grok_use *use,
                   void (*visit)(struct lint *, const struct grok_use *, slice field, slice type));
/* Whether the field is in the plugin's overwrite. */
bool lint_overwritten(struct lint *l, const struct ast_plugin *plugin, slice field);

/* The same with the library of the other ECS mode. */
void lint_captures_legacy(struct lint *l, const struct grok_use *use,
                          void (*visit)(struct lint *, const struct grok_use *, slice, slice));

/* ---- conditions ------------------------------------------------------------------------- */

/* Calls `visit` for every comparison of every condition, not for and, or, not. */
void lint_relations(struct lint *l,
                    void (*visit)(struct lint *, const struct lint_cond *, const struct cond *));
/* Whether any part of the condition names the field. */
bool lint_mentions(struct lint *l, const struct cond *cond, slice canonical);

/* ---- reads ------------------------------------------------------------------------------ */

/* Calls `visit` for every field that a condition, a text with %{} or an option reads. */
typedef void reference_visit(struct lint *l, slice name, struct pos pos, void *context);
void lint_references(struct lint *l, reference_visit *visit, void *context);
/* Calls `visit` for every text of every option, nested ones too; `option` is the outermost name. */
typedef void text_visit(struct lint *l, const struct lint_plugin *p, slice option,
                        const struct config_value *text);
void lint_texts(struct lint *l, text_visit *visit);

#endif
