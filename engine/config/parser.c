/* parser.c - sections, statements and branches. */
#include "engine/config/parser.h"

struct block_builder {
    struct ast_block *block;
    uint32_t cap;
};

static const char *const section_names[SECTION_N] = {"input", "filter", "output"};

const char *section_name(enum section section)
{
    return section_names[section];
}

const struct ast_option *ast_plugin_option(const struct ast_plugin *plugin, slice name)
{
    for (uint32_t i = 0; i < plugin->n; i++)
        if (slice_equal(plugin->options[i].name, name)) return &plugin->options[i];
    return NULL;
}

static struct ast_statement *builder_add(struct parser *p, struct block_builder *b)
{
    if (b->block->n == b->cap) {
        b->cap = b->cap == 0 ? 4 : b->cap * 2;
        b->block->at = heap_grow(p->heap, b->block->at, b->block->n, b->cap, sizeof(*b->block->at));
    }
    return &b->block->at[b->block->n++];
}

static bool parse_statement(struct parser *p, struct ast_statement *out);

/* (branch_or_plugin cs)* "}"; the opening brace is taken already. */
static bool parse_statements(struct parser *p, struct block_builder *builder)
{
    if (!parse_enter(p)) return false;
    lex_skip(p);
    while (!lex_take(p, "}")) {
        if (!parse_statement(p, builder_add(p, builder))) return false;
        lex_skip(p);
    }
    parse_leave(p);
    return true;
}

static bool parse_body(struct parser *p, struct ast_arm *arm)
{
    arm->body = heap_alloc(p->heap, sizeof(*arm->body));
    struct block_builder builder = {.block = arm->body};
    lex_skip(p);
    if (!lex_take(p, "{"))
        return config_parse_fail(p, SYNTAX_BODY, "'{', or `and`/`or` and a further condition");
    return parse_statements(p, &builder);
}

static bool parse_arm(struct parser *p, struct ast_branch *branch, uint32_t *cap, bool conditional,
                      struct pos pos)
{
    if (branch->n == *cap) {
        *cap = *cap == 0 ? 2 : *cap * 2;
        branch->arms = heap_grow(p->heap, branch->arms, branch->n, *cap, sizeof(*branch->arms));
    }
    struct ast_arm *arm = &branch->arms[branch->n++];
    *arm = (struct ast_arm){.pos = pos};
    if (conditional) {
        lex_skip(p);
        arm->cond = parse_condition(p);
        if (arm->cond == NULL) return false;
    }
    return parse_body(p, arm);
}

enum else_kind { ELSE_NONE, ELSE_PLAIN, ELSE_IF };

/* "else" or "else" cs "if" at the cursor, which stays where it is when there is none (a plugin may
 * be called elsewhere). "elseif" is fine in the grammar, "elsif" is a plugin name. */
static enum else_kind take_else(struct parser *p)
{
    uint32_t back = p->at;
    slice word = lex_name(p);
    if (slice_equal(word, SLICE("elseif"))) return ELSE_IF;
    if (!slice_equal(word, SLICE("else"))) {
        p->at = back;
        return ELSE_NONE;
    }
    lex_skip(p);
    return lex_take(p, "if") ? ELSE_IF : ELSE_PLAIN;
}

static bool parse_branch(struct parser *p, struct ast_statement *out)
{
    struct ast_branch *branch = heap_alloc(p->heap, sizeof(*branch));
    out->type = STATEMENT_BRANCH;
    out->branch = branch;
    uint32_t cap = 0;
    if (!parse_arm(p, branch, &cap, true, out->pos)) return false;
    for (;;) {
        uint32_t back = p->at;
        lex_skip(p);
        struct pos pos = lex_pos(p);
        enum else_kind kind = take_else(p);
        if (kind == ELSE_NONE) {
            p->at = back;
            return true;
        }
        if (!parse_arm(p, branch, &cap, kind == ELSE_IF, pos)) return false;
        if (kind == ELSE_PLAIN) return true;
    }
}

/* Words of other languages. */
static bool is_foreign_else(slice name)
{
    return slice_equal(name, SLICE("elsif")) || slice_equal(name, SLICE("elif")) ||
           slice_equal(name, SLICE("unless"));
}

/* No plugin has the name of a section: a brace is missing before it. */
static bool is_section(slice name)
{
    for (int i = 0; i < SECTION_N; i++)
        if (slice_equal(name, slice_from_cstr(section_names[i]))) return true;
    return false;
}

static bool parse_statement(struct parser *p, struct ast_statement *out)
{
    *out = (struct ast_statement){.type = STATEMENT_PLUGIN, .pos = lex_pos(p)};
    struct config_value quoted;
    slice name;
    if (lex_string(p, &quoted)) {
        name = quoted.text;
    } else {
        if (p->failed) return false;
        name = lex_name(p);
    }
    if (slice_equal(name, SLICE("if"))) return parse_branch(p, out);
    if (name.n == 0) return config_parse_fail(p, SYNTAX_STATEMENT, "a plugin, `if` or '}'");
    if (is_foreign_else(name) || is_section(name)) {
        p->at = out->pos.at;
        return config_parse_fail(p, SYNTAX_STATEMENT, "a plugin, `if`, `else if` or '}'");
    }
    if (slice_equal(name, SLICE("else"))) {
        p->at = out->pos.at;
        return config_parse_fail(p, SYNTAX_ELSE, "an `if` before this `else`");
    }
    lex_skip(p);
    out->plugin = parse_plugin_body(p, name, out->pos);
    return out->plugin != NULL;
}

static bool parse_section(struct parser *p, struct block_builder *builders)
{
    uint32_t from = p->at;
    slice word = lex_name(p);
    for (int i = 0; i < SECTION_N; i++) {
        if (!slice_equal(word, slice_from_cstr(section_names[i]))) continue;
        lex_skip(p);
        if (lex_take(p, "{")) return parse_statements(p, &builders[i]);
        return config_parse_fail(p, SYNTAX_OPTION, "'{' after the section name");
    }
    p->at = from;
    config_parse_fail(p, SYNTAX_SECTION, "a section: input { }, filter { } or output { }");
    diag_suggest(p->diag, word, section_names, SECTION_N);
    return false;
}

static struct parser parser_make(const struct source *source, struct heap *heap, struct diag *diag)
{
    return (struct parser){
        .source = source, .text = source->text, .heap = heap, .diag = diag, .failed = false};
}

err ast_parse(const struct source *source, struct ast_options options, struct heap *heap,
              struct diag *diag, struct ast *out)
{
    uint32_t errors = diag->errors;
    *out = (struct ast){.source = source};
    struct parser p = parser_make(source, heap, diag);
    p.options = options;
    if (source->text.n > CONFIG_BYTES_MAX) {
        diag_error(diag, pos_make(source, 0), NULL, "the configuration is larger than %u MiB",
                   CONFIG_BYTES_MAX >> 20);
        return ERR_CONFIG;
    }
    struct block_builder builders[SECTION_N];
    for (int i = 0; i < SECTION_N; i++)
        builders[i] = (struct block_builder){.block = &out->sections[i]};
    lex_skip(&p);
    while (!lex_end(&p)) {
        if (!parse_section(&p, builders)) return ERR_CONFIG;
        lex_skip(&p);
    }
    return diag->errors == errors ? ERR_OK : ERR_CONFIG;
}

err ast_parse_value(const struct source *source, struct heap *heap, struct diag *diag,
                    struct config_value *out)
{
    uint32_t errors = diag->errors;
    struct parser p = parser_make(source, heap, diag);
    lex_skip(&p);
    if (!parse_value(&p, out)) return ERR_CONFIG;
    lex_skip(&p);
    if (!lex_end(&p)) {
        config_parse_fail(&p, SYNTAX_TOKEN, "the end of the value");
        return ERR_CONFIG;
    }
    return diag->errors == errors ? ERR_OK : ERR_CONFIG;
}
