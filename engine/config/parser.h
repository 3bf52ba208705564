/*
 * parser.h - what the parts of the parser share; nobody else includes it.
 *
 * A cursor over the source. The first syntax error sets `failed`, after which every parse
 * function returns false at once. Mistakes of meaning go to the diag and parsing goes on.
 * The lex_ functions read one token at the cursor and leave the cursor alone when it is not
 * there; the parse_ functions report what they miss.
 */
#ifndef ENGINE_CONFIG_PARSER_H
#define ENGINE_CONFIG_PARSER_H
#include "engine/config/ast.h"

struct parser {
    const struct source *source;
    slice text;
    uint32_t at, depth;
    uint32_t long_from, long_to; /* the last string of several lines; 0, 0: none */
    bool failed;
    struct ast_options options;
    struct heap *heap;
    struct diag *diag;
};

/* Tokens (lexer.c). */
static inline char lex_peek(const struct parser *p)
{
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}
static inline bool lex_end(const struct parser *p)
{
    return p->at >= p->text.n;
}
static inline struct pos lex_pos(const struct parser *p)
{
    return pos_make(p->source, p->at);
}
bool lex_is_blank(char c);       /* space, tab, CR, LF */
bool lex_is_name_char(char c);   /* [A-Za-z0-9_-] */
void lex_skip(struct parser *p); /* white space and comments: the grammar's "cs" */
bool lex_take(struct parser *p, const char *token);
slice lex_name(struct parser *p);                /* empty when there is none */
bool lex_bareword(struct parser *p, slice *out); /* two characters at least */
/* These report (and fail) when the token starts but is not right; false without `failed` means
 * that there is no such token here. */
bool lex_string(struct parser *p, struct config_value *out);
bool lex_number(struct parser *p, struct config_value *out);
bool lex_regex(struct parser *p, struct config_value *out);
bool lex_selector(struct parser *p, struct config_value *out);
/* What the parser was about to read when it found something else: chooses the advice. */
enum syntax {
    SYNTAX_TOKEN,
    SYNTAX_SECTION,
    SYNTAX_STATEMENT,
    SYNTAX_ELSE,
    SYNTAX_PLUGIN, /* the brace of a plugin */
    SYNTAX_OPTION,
    SYNTAX_OPTION_END, /* between two options */
    SYNTAX_KEY,
    SYNTAX_ARROW,
    SYNTAX_VALUE,
    SYNTAX_LIST,
    SYNTAX_OPERAND,
    SYNTAX_PAREN,
    SYNTAX_BODY /* behind a condition */
};
/* Reports what was expected here and what stands there, with advice; always false. */
bool config_parse_fail(struct parser *p, enum syntax at, const char *expected);
/* false after reporting when nesting is too deep; each true needs a parse_leave. */
bool parse_enter(struct parser *p);
void parse_leave(struct parser *p);

/* Values and plugins (parse_value.c). */
bool parse_value(struct parser *p, struct config_value *out);
bool parse_array(struct parser *p, struct config_value *out);
struct ast_plugin *parse_plugin_body(struct parser *p, slice name, struct pos pos);
/* Adds one attribute, merging repetitions (merge.c). */
void option_merge(struct parser *p, struct ast_plugin *plugin, uint32_t *cap, slice name,
                  struct pos pos, const struct config_value *val);
/* Reports duplicate keys; of keys that differ only in their quotes the last wins. */
void hash_check(struct parser *p, struct config_value *hash);

/* Conditions (parse_condition.c); NULL after a syntax error. */
struct cond *parse_condition(struct parser *p);

#endif
