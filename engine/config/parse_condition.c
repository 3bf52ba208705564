/*
 * parse_condition.c - the expression after if, grouped as Logstash groups it.
 *
 * Terms and operators are collected flat and joined by the same shunting yard as lscl.rb's
 * join_conditions, which pops one operator at most when a weaker one arrives. So
 * "a and b and c or d" becomes a and ((b and c) or d).
 */
#include "engine/config/parser.h"

#define SHOW_BYTES_MAX 400u

struct chain {
    struct cond **terms;
    enum cond_type *ops; /* ops[i] stands between terms i and i + 1 */
    uint32_t n, cap;
};

static struct cond *cond_new(struct parser *p, enum cond_type type, struct pos pos)
{
    struct cond *cond = heap_alloc(p->heap, sizeof(*cond));
    cond->type = type;
    cond->pos = pos;
    cond->depth = 1;
    return cond;
}

static struct cond *cond_join(struct parser *p, enum cond_type type, struct pos pos,
                              struct cond *left, struct cond *right)
{
    struct cond *cond = cond_new(p, type, pos);
    cond->left = left;
    cond->right = right;
    uint32_t deeper = right != NULL && right->depth > left->depth ? right->depth : left->depth;
    cond->depth = deeper + 1;
    if (cond->depth > CONDITION_TERMS_MAX && !p->failed) {
        diag_error(p->diag, pos, NULL, "this condition nests deeper than %u operators",
                   CONDITION_TERMS_MAX);
        p->failed = true;
    }
    return cond;
}

/* ---- operands -------------------------------------------------------------------------- */

static bool parse_rvalue(struct parser *p, struct config_value *out)
{
    if (p->failed) return false;
    if (lex_string(p, out) || lex_number(p, out) || lex_selector(p, out) || lex_regex(p, out))
        return true;
    if (p->failed) return false;
    if (!lex_end(p) && lex_peek(p) == '[') return parse_array(p, out);

    struct pos pos = lex_pos(p);
    slice word;
    if (!lex_bareword(p, &word))
        return config_parse_fail(
            p, SYNTAX_OPERAND,
            "a field like [name], a string, a number, a list or a regular expression");
    lex_skip(p);
    if (lex_peek(p) == '(') {
        diag_error(p->diag, pos, NULL, "'%.*s(...)': Logstash never implemented method calls",
                   SLICE_FMT(word));
        p->failed = true;
        return false;
    }
    p->at = pos.at;
    config_parse_fail(p, SYNTAX_OPERAND, "a field like [name], a quoted string or a number");
    return false;
}

static bool is_operand(const struct config_value *v)
{
    return v->type == CONFIG_SELECTOR || config_is_scalar(v);
}

static const char *operand_kind(const struct config_value *v)
{
    switch ((enum config_type)v->type) {
    case CONFIG_LIST: return "a list";
    case CONFIG_REGEX: return "a regular expression";
    case CONFIG_SELECTOR: return "a field";
    case CONFIG_STRING: return "a string";
    default: return "a number";
    }
}

static void check_compare(struct parser *p, const struct config_value *v)
{
    if (is_operand(v)) return;
    diag_error(p->diag, v->pos, "a field, a string or a number", "%s cannot be compared",
               operand_kind(v));
}

static void check_match(struct parser *p, struct cond *cond)
{
    if (cond->a.type != CONFIG_SELECTOR && cond->a.type != CONFIG_STRING)
        diag_error(p->diag, cond->a.pos, "a field like [message]",
                   "%s cannot be matched against a regular expression", operand_kind(&cond->a));
    cond->b.type = CONFIG_REGEX;
}

/* [f] in ["x"] reads a field that is named "x", quotes included: never what was meant. */
static void lint_in(struct parser *p, const struct cond *cond)
{
    const struct config_value *b = &cond->b;
    if (cond->a.type != CONFIG_SELECTOR && b->type != CONFIG_SELECTOR)
        diag_lint(p->diag, cond->pos, "constant-in", "put a field like [name] on one side",
                  "both sides of `in` are constants: the result is the same for every event, and "
                  "not the same in every release of Logstash");
    if (b->type != CONFIG_SELECTOR) return;
    slice name = slice_trim(slice_part(b->text, 1, b->text.n - 2));
    bool quoted =
        name.n > 1 && (name.p[0] == '"' || name.p[0] == '\'') && name.p[name.n - 1] == name.p[0];
    if (!quoted) return;
    char fix[200];
    snprintf(fix, sizeof(fix), "write == %.*s, or repeat the string in the list", SLICE_FMT(name));
    diag_lint(p->diag, b->pos, "list-of-one", fix,
              "a list of one string is read as the field %.*s, as in Logstash", SLICE_FMT(b->text));
}

static void check_in(struct parser *p, const struct cond *cond)
{
    const struct config_value *sides[] = {&cond->a, &cond->b};
    for (int i = 0; i < 2; i++)
        if (sides[i]->type == CONFIG_REGEX)
            diag_error(p->diag, sides[i]->pos, "a field, a string, a number or a list",
                       "a regular expression cannot stand beside `in`");
    lint_in(p, cond);
}

/* ---- expressions ----------------------------------------------------------------------- */

struct op_text {
    const char *text;
    enum cond_type type;
};

/* Longer ones first; == before =~ as in the grammar. */
static const struct op_text binary_ops[] = {
    {"in", COND_IN}, {"==", COND_EQ}, {"!=", COND_NE},    {"<=", COND_LE},      {">=", COND_GE},
    {"<", COND_LT},  {">", COND_GT},  {"=~", COND_MATCH}, {"!~", COND_NO_MATCH}};

static bool take_binary(struct parser *p, enum cond_type *type, bool *negated)
{
    *negated = false;
    uint32_t back = p->at;
    if (lex_take(p, "not ")) {
        lex_skip(p);
        *negated = true;
        if (lex_take(p, "in")) return *type = COND_IN, true;
        p->at = back;
        return false;
    }
    for (uint32_t i = 0; i < sizeof(binary_ops) / sizeof(binary_ops[0]); i++) {
        if (!lex_take(p, binary_ops[i].text)) continue;
        *type = binary_ops[i].type;
        return true;
    }
    return false;
}

static bool parse_right(struct parser *p, struct cond *cond)
{
    lex_skip(p);
    if (cond->type != COND_MATCH && cond->type != COND_NO_MATCH) return parse_rvalue(p, &cond->b);
    if (lex_string(p, &cond->b) || lex_regex(p, &cond->b)) return true;
    return config_parse_fail(p, SYNTAX_OPERAND, "a regular expression like /^a.*z$/");
}

static struct cond *parse_relation(struct parser *p)
{
    struct config_value left;
    if (!parse_rvalue(p, &left)) return NULL;
    uint32_t after_left = p->at;
    lex_skip(p);
    struct pos pos = lex_pos(p);
    enum cond_type type;
    bool negated;
    if (!take_binary(p, &type, &negated)) {
        p->at = after_left;
        if (left.type != CONFIG_SELECTOR)
            diag_error(p->diag, left.pos, "a field like [name], or a comparison",
                       "%s alone is not a condition", operand_kind(&left));
        struct cond *truthy = cond_new(p, COND_TRUTHY, left.pos);
        truthy->a = left;
        return truthy;
    }
    struct cond *cond = cond_new(p, type, pos);
    cond->a = left;
    if (!parse_right(p, cond)) return NULL;
    if (type == COND_IN) {
        check_in(p, cond);
    } else if (type == COND_MATCH || type == COND_NO_MATCH) {
        check_match(p, cond);
    } else {
        check_compare(p, &cond->a);
        check_compare(p, &cond->b);
    }
    return negated ? cond_join(p, COND_NOT, pos, cond, NULL) : cond;
}

static struct cond *parse_parens(struct parser *p)
{
    lex_skip(p);
    struct cond *cond = parse_condition(p);
    if (cond == NULL) return NULL;
    lex_skip(p);
    if (lex_take(p, ")")) return cond;
    config_parse_fail(p, SYNTAX_PAREN, "')' or an operator");
    return NULL;
}

static struct cond *parse_negation(struct parser *p, struct pos pos)
{
    struct cond *inner;
    lex_skip(p);
    if (lex_take(p, "(")) {
        inner = parse_parens(p);
    } else {
        struct config_value field;
        if (!lex_selector(p, &field)) {
            config_parse_fail(p, SYNTAX_OPERAND, "'(' or a field like [name] after '!'");
            return NULL;
        }
        inner = cond_new(p, COND_TRUTHY, field.pos);
        inner->a = field;
    }
    return inner == NULL ? NULL : cond_join(p, COND_NOT, pos, inner, NULL);
}

static struct cond *parse_expression(struct parser *p)
{
    struct pos pos = lex_pos(p);
    if (lex_take(p, "(")) return parse_parens(p);
    if (lex_take(p, "!")) return parse_negation(p, pos);
    return parse_relation(p);
}

/* ---- joining --------------------------------------------------------------------------- */

static bool take_join(struct parser *p, enum cond_type *type)
{
    static const struct op_text joins[] = {
        {"and", COND_AND}, {"or", COND_OR}, {"xor", COND_XOR}, {"nand", COND_NAND}};
    for (uint32_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++) {
        if (!lex_take(p, joins[i].text)) continue;
        *type = joins[i].type;
        return true;
    }
    return false;
}

/* Logstash has a precedence for and/or only, asked for as soon as two operators meet. */
static void check_joins(struct parser *p, const struct chain *chain)
{
    for (uint32_t i = 0; chain->n > 2 && i + 1 < chain->n; i++) {
        if (chain->ops[i] != COND_XOR && chain->ops[i] != COND_NAND) continue;
        diag_error(p->diag, chain->terms[i + 1]->pos, "parentheses around it",
                   "Unexpected operator %s: it cannot be mixed with other operators",
                   chain->ops[i] == COND_XOR ? "xor" : "nand");
        return;
    }
}

struct joined {
    struct cond *cond;
    bool or_made_here; /* an `or` of this chain, not of parentheses */
};

struct yard {
    struct joined *stack;
    enum cond_type *ops;
    uint32_t n, ops_n;
    bool unusual; /* an `and` over an `or` of the same chain */
};

static void yard_pop(struct parser *p, struct yard *yard)
{
    enum cond_type op = yard->ops[--yard->ops_n];
    struct joined right = yard->stack[--yard->n], left = yard->stack[--yard->n];
    if (op == COND_AND && (left.or_made_here || right.or_made_here)) yard->unusual = true;
    struct cond *cond = cond_join(p, op, left.cond->pos, left.cond, right.cond);
    yard->stack[yard->n++] = (struct joined){cond, op == COND_OR};
}

static struct cond *chain_group(struct parser *p, const struct chain *chain, bool *unusual)
{
    struct yard yard = {0};
    yard.stack = heap_alloc(p->heap, chain->n * sizeof(*yard.stack));
    yard.ops = heap_alloc(p->heap, chain->n * sizeof(*yard.ops));
    yard.stack[yard.n++] = (struct joined){chain->terms[0], false};
    for (uint32_t i = 1; i < chain->n; i++) {
        enum cond_type op = chain->ops[i - 1];
        bool stronger = yard.ops_n > 0 && yard.ops[yard.ops_n - 1] == COND_AND && op == COND_OR;
        /* Once: Dijkstra's algorithm would go on while the top is not weaker. */
        if (stronger) yard_pop(p, &yard);
        yard.ops[yard.ops_n++] = op;
        yard.stack[yard.n++] = (struct joined){chain->terms[i], false};
    }
    while (yard.ops_n > 0) yard_pop(p, &yard);
    *unusual = yard.unusual;
    return yard.stack[0].cond;
}

static void show_usual(const struct chain *chain, struct buf *out)
{
    for (uint32_t i = 0; i < chain->n && out->n < SHOW_BYTES_MAX;) {
        uint32_t to = i;
        while (to + 1 < chain->n && chain->ops[to] == COND_AND) to++;
        if (i > 0) buf_add_cstr(out, " or ");
        if (to > i) buf_add_cstr(out, "(");
        for (uint32_t term = i; term <= to; term++) {
            if (term > i) buf_add_cstr(out, " and ");
            cond_show(chain->terms[term], out);
        }
        if (to > i) buf_add_cstr(out, ")");
        i = to + 1;
    }
}

static void lint_grouping(struct parser *p, const struct chain *chain, const struct cond *cond)
{
    struct buf real = {0}, usual = {0};
    cond_show(cond, &real);
    show_usual(chain, &usual);
    if (real.n > SHOW_BYTES_MAX) real.n = SHOW_BYTES_MAX;
    if (usual.n > SHOW_BYTES_MAX) usual.n = SHOW_BYTES_MAX;
    diag_lint(p->diag, chain->terms[0]->pos, "condition-grouping",
              "add parentheses to say which one you want",
              "Logstash groups this condition unusually, and so does spate\n"
              "  it means:     %.*s\n  not:          %.*s",
              (int)real.n, real.data, (int)usual.n, usual.data);
    buf_fini(&real);
    buf_fini(&usual);
}

static bool chain_add(struct parser *p, struct chain *chain, struct cond *term)
{
    if (chain->n >= CONDITION_TERMS_MAX) {
        diag_error(p->diag, term->pos, NULL, "more than %u terms in one condition",
                   CONDITION_TERMS_MAX);
        p->failed = true;
        return false;
    }
    if (chain->n == chain->cap) {
        chain->cap = chain->cap == 0 ? 4 : chain->cap * 2;
        chain->terms =
            heap_grow(p->heap, chain->terms, chain->n, chain->cap, sizeof(*chain->terms));
        chain->ops = heap_grow(p->heap, chain->ops, chain->n, chain->cap, sizeof(*chain->ops));
    }
    chain->terms[chain->n++] = term;
    return true;
}

struct cond *parse_condition(struct parser *p)
{
    if (!parse_enter(p)) return NULL;
    struct chain chain = {0};
    for (;;) {
        struct cond *term = parse_expression(p);
        if (term == NULL || p->failed || !chain_add(p, &chain, term)) return NULL;
        uint32_t back = p->at;
        lex_skip(p);
        if (!take_join(p, &chain.ops[chain.n - 1])) {
            p->at = back;
            break;
        }
        lex_skip(p);
    }
    parse_leave(p);
    bool unusual;
    check_joins(p, &chain);
    struct cond *cond = chain_group(p, &chain, &unusual);
    if (p->failed) return NULL;
    if (unusual) lint_grouping(p, &chain, cond);
    return cond;
}

/* ---- showing --------------------------------------------------------------------------- */

static const char *join_text(enum cond_type type)
{
    switch (type) {
    case COND_AND: return " and ";
    case COND_OR: return " or ";
    case COND_XOR: return " xor ";
    default: return " nand ";
    }
}

static void show_child(const struct cond *child, enum cond_type parent, struct buf *out)
{
    bool joined = child->type <= COND_NAND;
    bool plain = !joined || (child->type == parent && parent <= COND_OR);
    if (!plain) buf_add_cstr(out, "(");
    cond_show(child, out);
    if (!plain) buf_add_cstr(out, ")");
}

static void show_relation(const struct cond *cond, struct buf *out)
{
    const char *op = "";
    for (uint32_t i = 0; i < sizeof(binary_ops) / sizeof(binary_ops[0]); i++)
        if (binary_ops[i].type == cond->type) op = binary_ops[i].text;
    config_value_show(&cond->a, out);
    buf_printf(out, " %s ", op);
    config_value_show(&cond->b, out);
}

void cond_show(const struct cond *cond, struct buf *out)
{
    switch (cond->type) {
    case COND_AND:
    case COND_OR:
    case COND_XOR:
    case COND_NAND:
        show_child(cond->left, cond->type, out);
        buf_add_cstr(out, join_text(cond->type));
        show_child(cond->right, cond->type, out);
        break;
    case COND_NOT:
        buf_add_cstr(out, "!");
        if (cond->left->type != COND_TRUTHY) buf_add_cstr(out, "(");
        cond_show(cond->left, out);
        if (cond->left->type != COND_TRUTHY) buf_add_cstr(out, ")");
        break;
    case COND_TRUTHY: config_value_show(&cond->a, out); break;
    default: show_relation(cond, out); break;
    }
}
