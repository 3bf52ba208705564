/*
 * ast.h - a parsed Logstash configuration.
 *
 * Grammar and its corner cases are Logstash's (lscl_grammar.treetop, lscl.rb): see the rules at
 * the functions. Everything lives in the heap given to ast_parse, together with the source.
 * Conditions are trees after Logstash's real grouping of and/or, which differs from the usual
 * precedence in long chains; a warning shows both readings where they differ. Control thread.
 */
#ifndef ENGINE_CONFIG_AST_H
#define ENGINE_CONFIG_AST_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"
#include "engine/config/diag.h"
#include "engine/config/heap.h"
#include "engine/config/value.h"

#define AST_DEPTH_MAX 100u        /* nesting of branches, of values and of parentheses */
#define CONDITION_TERMS_MAX 1000u /* terms of one condition, which is also its deepest tree */
#define PLUGIN_OPTIONS_MAX 1000u  /* options of one plugin, and repetitions of one option */
#define CONFIG_BYTES_MAX (16u << 20)

enum section { SECTION_INPUT, SECTION_FILTER, SECTION_OUTPUT };
#define SECTION_N 3

enum cond_type {
    COND_AND,
    COND_OR,
    COND_XOR,
    COND_NAND,
    COND_NOT,    /* left only; `not in` is COND_NOT over COND_IN */
    COND_TRUTHY, /* a: a selector */
    COND_EQ,     /* a, b: selector, string or number */
    COND_NE,
    COND_LT,
    COND_GT,
    COND_LE,
    COND_GE,
    COND_MATCH,    /* a: selector or string; b: regex (a string RHS was turned into one) */
    COND_NO_MATCH, /* !~ */
    COND_IN        /* a in b: selector, string, number, list */
};

struct cond {
    enum cond_type type;
    uint32_t depth;            /* of the tree below, at most CONDITION_TERMS_MAX */
    struct pos pos;            /* the operator, or the operand of TRUTHY */
    struct cond *left, *right; /* AND OR XOR NAND NOT */
    struct config_value a, b;  /* the others */
};

/* One option; repeated attributes are already merged into one as Logstash does. */
struct ast_option {
    slice name;
    struct pos pos; /* of the name */
    struct config_value val;
    uint32_t times; /* how often it was written */
};

struct ast_plugin {
    slice name;
    struct pos pos;
    struct ast_option *options; /* in order of first appearance */
    uint32_t n;
};

struct ast_block;

enum statement_type { STATEMENT_PLUGIN, STATEMENT_BRANCH };

/* if COND {} else if COND {} else {}: arms in order; only the last may have no condition. */
struct ast_arm {
    struct cond *cond; /* NULL: else */
    struct pos pos;
    struct ast_block *body;
};

struct ast_branch {
    struct ast_arm *arms;
    uint32_t n;
};

struct ast_statement {
    enum statement_type type;
    struct pos pos;
    struct ast_plugin *plugin;
    struct ast_branch *branch;
};

struct ast_block {
    struct ast_statement *at;
    uint32_t n;
};

struct ast {
    const struct source *source;
    struct ast_block sections[SECTION_N]; /* repeated sections are concatenated in order */
};

struct ast_options {
    bool support_escapes; /* config.support_escapes: \n \r \t \0 \\ \" \' in quoted strings */
};

/* ERR_CONFIG when anything was reported as an error; the first syntax error ends the parse,
 * errors of meaning (duplicate keys, bad operands) do not. */
err ast_parse(const struct source *source, struct ast_options options, struct heap *heap,
              struct diag *diag, struct ast *out) MUST_USE;
/* One value of the language, e.g. the default of an option; the whole text must be used. */
err ast_parse_value(const struct source *source, struct heap *heap, struct diag *diag,
                    struct config_value *out) MUST_USE;
/* The option of this name, or NULL. */
const struct ast_option *ast_plugin_option(const struct ast_plugin *plugin, slice name);
/* The condition with explicit parentheses, as messages and the monitoring API show it. */
void cond_show(const struct cond *cond, struct buf *out);
const char *section_name(enum section section); /* "input" "filter" "output" */

#endif
