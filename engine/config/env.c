/* env.c - placeholder expansion, after substitution_variables.rb and ConfigVariableExpander. */
#include "engine/config/env.h"

#include <stdlib.h>

#include "engine/base/buf.h"

#define ENV_NAME_MAX 1024u

struct placeholder {
    slice whole, name, fallback;
    bool has_fallback;
};

struct expansion {
    const struct env *env;
    struct heap *heap;
    struct diag *diag;
    bool *secret; /* set when a value came out of the keystore; may be NULL */
};

bool env_lookup(const struct env *env, slice name, slice *out)
{
    if (env->lookup != NULL && env->lookup(env->context, name, out)) return true;
    char text[ENV_NAME_MAX];
    if (name.n >= sizeof(text)) return false;
    const char *value = getenv(slice_cstr(name, text, sizeof(text)));
    if (value == NULL) return false;
    *out = slice_from_cstr(value);
    return true;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
           (!first && c >= '0' && c <= '9');
}

/* ${name} or ${name:default} at the very start of the text. */
static bool placeholder_at(slice text, struct placeholder *out)
{
    if (!slice_starts(text, SLICE("${"))) return false;
    uint32_t at = 2;
    while (at < text.n && is_name_char(text.p[at], at == 2)) at++;
    if (at == 2 || at >= text.n) return false;
    *out = (struct placeholder){.name = slice_part(text, 2, at - 2)};
    if (text.p[at] == ':') {
        int64_t end = slice_find_byte(slice_from(text, at + 1), '}');
        if (end < 0) return false;
        out->has_fallback = true;
        out->fallback = slice_part(text, at + 1, (uint32_t)end);
        at += 1 + (uint32_t)end;
    }
    if (text.p[at] != '}') return false;
    out->whole = slice_part(text, 0, at + 1);
    return true;
}

static err placeholder_value(const struct expansion *x, const struct placeholder *placeholder,
                             struct pos pos, slice *out)
{
    if (x->env->lookup != NULL && x->env->lookup(x->env->context, placeholder->name, out)) {
        if (x->secret != NULL) *x->secret = true;
        return ERR_OK;
    }
    if (env_lookup(x->env, placeholder->name, out)) return ERR_OK;
    *out = placeholder->fallback;
    if (placeholder->has_fallback) return ERR_OK;
    diag_error(x->diag, pos, "a variable that is set, or a default as in ${NAME:default}",
               "Cannot evaluate `%.*s`: `%.*s` is neither in the keystore nor in the environment, "
               "and there is no default value",
               SLICE_FMT(placeholder->whole), SLICE_FMT(placeholder->name));
    return ERR_CONFIG;
}

/* `start` is the source offset of the text's first byte when it is known. */
static err expand_text(const struct expansion *x, slice text, struct pos pos, bool exact,
                       slice *out, bool *found)
{
    *found = false;
    *out = text;
    if (slice_find(text, SLICE("${")) < 0) return ERR_OK;
    struct buf expanded = {0};
    err e = ERR_OK;
    for (uint32_t i = 0; i < text.n;) {
        struct placeholder placeholder;
        slice value;
        if (text.p[i] != '$' || !placeholder_at(slice_from(text, i), &placeholder)) {
            buf_add_byte(&expanded, text.p[i++]);
            continue;
        }
        *found = true;
        struct pos at = exact ? pos_make(pos.source, pos.at + i) : pos;
        if (placeholder_value(x, &placeholder, at, &value) != ERR_OK)
            e = ERR_CONFIG;
        else
            buf_add_slice(&expanded, value);
        i += placeholder.whole.n;
    }
    if (*found) *out = heap_dup(x->heap, buf_slice(&expanded));
    buf_fini(&expanded);
    return e;
}

err env_expand_text(const struct env *env, slice text, struct pos pos, struct heap *heap,
                    struct diag *diag, slice *out, bool *found)
{
    struct expansion x = {env, heap, diag, NULL};
    return expand_text(&x, text, pos, false, out, found);
}

/* ---- values ---------------------------------------------------------------------------- */

static slice strip_quotes(slice text, char quote)
{
    if (text.n < 2 || text.p[0] != quote || text.p[text.n - 1] != quote) return text;
    return slice_part(text, 1, text.n - 2);
}

static slice unquote(slice text)
{
    return strip_quotes(strip_quotes(text, '\''), '"');
}

/* "[a, b]" becomes a list, as Logstash does with what came out of a placeholder. */
static void refine(const struct expansion *x, struct config_value *val)
{
    slice text = unquote(val->text);
    val->text = heap_dup(x->heap, text);
    val->flags = (uint8_t)((val->flags & ~CONFIG_BARE) | CONFIG_EXPANDED);
    if (text.n < 2 || text.p[0] != '[' || text.p[text.n - 1] != ']') return;
    text = slice_part(text, 1, text.n - 2);
    uint32_t n = text.n == 0 ? 0 : 1;
    for (uint32_t i = 0; i < text.n; i++) n += text.p[i] == ',';
    struct config_value list = {.type = CONFIG_LIST, .flags = CONFIG_EXPANDED, .pos = val->pos};
    list.u.list = heap_alloc(x->heap, n * sizeof(*list.u.list));
    while (list.n < n) {
        int64_t comma = slice_find_byte(text, ',');
        slice item = comma < 0 ? text : slice_part(text, 0, (uint32_t)comma);
        struct config_value *v = &list.u.list[list.n++];
        *v =
            (struct config_value){.type = CONFIG_STRING, .flags = CONFIG_EXPANDED, .pos = val->pos};
        v->text = heap_dup(x->heap, unquote(slice_trim(item)));
        if (comma < 0) break;
        text = slice_from(text, (uint32_t)comma + 1);
    }
    *val = list;
}

static err expand_string(const struct expansion *x, struct config_value *val)
{
    struct pos start = config_value_pos_in(val, 0);
    bool exact = start.source != NULL && start.at != val->pos.at;
    bool found, secret = false;
    slice text;
    struct expansion watched = *x;
    watched.secret = &secret;
    err e = expand_text(&watched, val->text, exact ? start : val->pos, exact, &text, &found);
    if (e != ERR_OK || !found) return e;
    val->text = text;
    refine(x, val);
    if (secret) val->flags |= CONFIG_SECRET;
    for (uint32_t i = 0; secret && val->type == CONFIG_LIST && i < val->n; i++)
        val->u.list[i].flags |= CONFIG_SECRET;
    return ERR_OK;
}

static err expand_value(const struct expansion *x, struct config_value *val);

static err expand_plugin(const struct expansion *x, struct ast_plugin *plugin)
{
    err e = ERR_OK;
    for (uint32_t i = 0; i < plugin->n; i++)
        if (expand_value(x, &plugin->options[i].val) != ERR_OK) e = ERR_CONFIG;
    return e;
}

/* Recursion is bounded: the parser refuses values deeper than AST_DEPTH_MAX. */
static err expand_value(const struct expansion *x, struct config_value *val)
{
    err e = ERR_OK;
    switch ((enum config_type)val->type) {
    case CONFIG_STRING: return expand_string(x, val);
    case CONFIG_PLUGIN: return expand_plugin(x, val->u.plugin);
    case CONFIG_LIST:
        for (uint32_t i = 0; i < val->n; i++)
            if (expand_value(x, &val->u.list[i]) != ERR_OK) e = ERR_CONFIG;
        return e;
    case CONFIG_HASH:
        for (uint32_t i = 0; i < val->n; i++)
            if (expand_value(x, &val->u.pairs[i].val) != ERR_OK) e = ERR_CONFIG;
        return e;
    default: return ERR_OK;
    }
}

err env_expand_value(const struct env *env, struct config_value *val, struct heap *heap,
                     struct diag *diag)
{
    struct expansion x = {env, heap, diag, NULL};
    return expand_value(&x, val);
}

/* ---- the whole configuration ----------------------------------------------------------- */

/* In a condition a string counts only if it is one placeholder and nothing else. */
static err expand_operand(const struct expansion *x, struct config_value *val)
{
    err e = ERR_OK;
    if (val->type == CONFIG_LIST) {
        for (uint32_t i = 0; i < val->n; i++)
            if (expand_operand(x, &val->u.list[i]) != ERR_OK) e = ERR_CONFIG;
        return e;
    }
    struct placeholder placeholder;
    if (val->type != CONFIG_STRING || !placeholder_at(val->text, &placeholder) ||
        placeholder.whole.n != val->text.n)
        return ERR_OK;
    slice text;
    e = placeholder_value(x, &placeholder, val->pos, &text);
    if (e != ERR_OK) return e;
    val->text = heap_dup(x->heap, text);
    val->flags |= CONFIG_EXPANDED;
    return ERR_OK;
}

static err expand_cond(const struct expansion *x, struct cond *cond)
{
    err e = ERR_OK;
    if (cond->left != NULL && expand_cond(x, cond->left) != ERR_OK) e = ERR_CONFIG;
    if (cond->right != NULL && expand_cond(x, cond->right) != ERR_OK) e = ERR_CONFIG;
    if (expand_operand(x, &cond->a) != ERR_OK) e = ERR_CONFIG;
    if (expand_operand(x, &cond->b) != ERR_OK) e = ERR_CONFIG;
    return e;
}

static err expand_block(const struct expansion *x, struct ast_block *block)
{
    err e = ERR_OK;
    for (uint32_t i = 0; i < block->n; i++) {
        struct ast_statement *statement = &block->at[i];
        if (statement->type == STATEMENT_PLUGIN) {
            if (expand_plugin(x, statement->plugin) != ERR_OK) e = ERR_CONFIG;
            continue;
        }
        for (uint32_t arm = 0; arm < statement->branch->n; arm++) {
            struct ast_arm *a = &statement->branch->arms[arm];
            if (a->cond != NULL && expand_cond(x, a->cond) != ERR_OK) e = ERR_CONFIG;
            if (expand_block(x, a->body) != ERR_OK) e = ERR_CONFIG;
        }
    }
    return e;
}

err env_expand_ast(const struct env *env, struct ast *ast, struct heap *heap, struct diag *diag)
{
    struct expansion x = {env, heap, diag, NULL};
    err e = ERR_OK;
    for (int i = 0; i < SECTION_N; i++)
        if (expand_block(&x, &ast->sections[i]) != ERR_OK) e = ERR_CONFIG;
    return e;
}
