/* conditions.c - lints about what stands behind if. */
#include "engine/lint/checks.h"

static bool is_order(enum cond_type type)
{
    return type == COND_LT || type == COND_GT || type == COND_LE || type == COND_GE;
}

static bool is_compare(enum cond_type type)
{
    return type == COND_EQ || type == COND_NE || is_order(type);
}

static bool is_field(const struct config_value *v)
{
    return v->type == CONFIG_SELECTOR;
}

/* ---- tags-compare ------------------------------------------------------------------------ */

static void check_tags(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    (void)of;
    if (c->type == COND_TRUTHY) return;
    bool left = is_field(&c->a) && field_is(l, c->a.text, "[tags]");
    bool right = c->type != COND_IN && is_field(&c->b) && field_is(l, c->b.text, "[tags]");
    if (!left && !right) return;
    if (c->type == COND_IN && !left) return;
    lint_warn(l, (left ? &c->a : &c->b)->pos, "write \"name\" in [tags], or \"name\" not in [tags]",
              "[tags] is a list, and a list is never equal to a text, matched by an expression or "
              "found in something");
}

void lint_condition_tags(struct lint *l)
{
    lint_relations(l, check_tags);
}

/* ---- type-compare ------------------------------------------------------------------------ */

static bool is_truth_word(slice text)
{
    return slice_equal(text, SLICE("true")) || slice_equal(text, SLICE("false"));
}

static void warn_text(struct lint *l, const struct cond *c, slice field,
                      const struct config_value *literal)
{
    char fix[300];
    snprintf(fix, sizeof(fix),
             "compare with \"%.*s\", or make the field a number (%%{...:int} in grok, mutate "
             "convert) before this",
             SLICE_FMT(literal->text));
    lint_warn(l, literal->pos, fix,
              is_order(c->type)
                  ? "%.*s is text here, and text cannot be ordered with a number: an evaluation "
                    "error for every event"
                  : "%.*s is text here, and text is never equal to a number",
              SLICE_FMT(field));
}

static void check_type(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    (void)of;
    if (!is_compare(c->type) || l->facts.any_type) return;
    const struct config_value *field = is_field(&c->a) ? &c->a : &c->b;
    const struct config_value *literal = field == &c->a ? &c->b : &c->a;
    if (!is_field(field) || !config_is_scalar(literal)) return;
    const struct field_fact *fact = facts_find(l, field_canon(l, field->text));
    uint32_t types = fact == NULL ? 0 : fact->types;
    bool number = literal->type != CONFIG_STRING;
    if (types == TYPE_STRING && number) {
        warn_text(l, c, field->text, literal);
    } else if (!number && types != 0 && (types & ~(uint32_t)(TYPE_INT | TYPE_FLOAT)) == 0) {
        lint_warn(l, literal->pos, "write the number without quotes",
                  "%.*s is a number here, and a number is never equal to a text",
                  SLICE_FMT(field->text));
    } else if (!number && types == TYPE_BOOL && is_truth_word(literal->text)) {
        lint_warn(l, literal->pos, "write if [field], or if ![field]",
                  "%.*s is a boolean here, and a boolean is never equal to a text",
                  SLICE_FMT(field->text));
    } else if (!is_order(c->type) && types == TYPE_INT && literal->type == CONFIG_FLOAT) {
        lint_warn(l, literal->pos, "write a whole number",
                  "%.*s is a whole number here, and 1 == 1.0 is false", SLICE_FMT(field->text));
    }
}

void lint_condition_type(struct lint *l)
{
    lint_relations(l, check_type);
}

/* ---- order-missing ------------------------------------------------------------------------ */

static uint32_t mentions_n(struct lint *l, const struct cond *c, slice field)
{
    if (c == NULL) return 0;
    if (c->left != NULL) return mentions_n(l, c->left, field) + mentions_n(l, c->right, field);
    return lint_mentions(l, c, field) ? 1 : 0;
}

/* Any earlier question about the field, or about tags, may be the guard. */
static bool is_guarded(struct lint *l, const struct lint_cond *of, slice field)
{
    if (mentions_n(l, of->cond, field) > 1) return true;
    for (uint32_t i = 0; i < l->cond_n; i++) {
        if (lint_mentions(l, l->cond[i].cond, SLICE("[tags]"))) return true;
        if (&l->cond[i] == of) continue;
        if (lint_mentions(l, l->cond[i].cond, field)) return true;
    }
    return false;
}

static void check_order(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    const struct config_value *field = is_field(&c->a) ? &c->a : &c->b;
    if (!is_order(c->type) || !is_field(field)) return;
    slice name = field_canon(l, field->text);
    const struct field_fact *fact = facts_find(l, name);
    if (fact == NULL || !fact->by_grok_only || l->facts.any_type || is_guarded(l, of, name)) return;
    char fix[200];
    snprintf(fix, sizeof(fix), "ask for the field first: if %.*s and ...", SLICE_FMT(field->text));
    lint_warn(l, c->pos, fix,
              "only a grok sets %.*s; where it did not match, the field is missing and the "
              "comparison is an evaluation error",
              SLICE_FMT(field->text));
}

void lint_condition_order(struct lint *l)
{
    lint_relations(l, check_order);
}

/* ---- partial-variable --------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static int64_t placeholder_at(slice text)
{
    int64_t at = slice_find(text, SLICE("${"));
    if (at < 0 || (uint32_t)at + 2 >= text.n || !is_letter(text.p[at + 2])) return -1;
    return slice_find_byte(slice_from(text, (uint32_t)at), '}') < 0 ? -1 : at;
}

static void check_variable(struct lint *l, const struct config_value *v)
{
    for (uint32_t i = 0; v->type == CONFIG_LIST && i < v->n; i++) check_variable(l, &v->u.list[i]);
    bool regex = v->type == CONFIG_REGEX;
    if ((v->type != CONFIG_STRING && !regex) || (v->flags & CONFIG_EXPANDED)) return;
    int64_t at = placeholder_at(v->text);
    if (at < 0) return;
    lint_warn(l, config_value_pos_in(v, (uint32_t)at),
              "make the whole text the variable, or add_field it to [@metadata] and compare that",
              "in a condition a variable is expanded only when it is the whole text%s: this stays "
              "as it is written",
              regex ? ", and never in an expression" : "");
}

static void check_variables(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    (void)of;
    check_variable(l, &c->a);
    if (c->type != COND_TRUTHY) check_variable(l, &c->b);
}

void lint_condition_variable(struct lint *l)
{
    lint_relations(l, check_variables);
}

/* ---- unreachable-branch ------------------------------------------------------------------- */

static bool cond_equal(const struct cond *a, const struct cond *b)
{
    if (a == NULL || b == NULL) return a == b;
    if (a->type != b->type) return false;
    if (a->left != NULL) return cond_equal(a->left, b->left) && cond_equal(a->right, b->right);
    return config_value_equal(&a->a, &b->a) &&
           (a->type == COND_TRUTHY || config_value_equal(&a->b, &b->b));
}

/* [f] == "x" against [f] == "y", or c against !c. */
static bool contradicts(const struct cond *a, const struct cond *b)
{
    if (a->type == COND_NOT && cond_equal(a->left, b)) return true;
    if (b->type == COND_NOT && cond_equal(b->left, a)) return true;
    return a->type == COND_EQ && b->type == COND_EQ && is_field(&a->a) && is_field(&b->a) &&
           config_value_equal(&a->a, &b->a) && config_is_scalar(&a->b) && config_is_scalar(&b->b) &&
           !config_value_equal(&a->b, &b->b);
}

/* Whether some part of `all` that must hold contradicts `one`. */
static const struct cond *opponent(const struct cond *all, const struct cond *one)
{
    if (all == NULL) return NULL;
    if (all->type == COND_AND) {
        const struct cond *found = opponent(all->left, one);
        return found != NULL ? found : opponent(all->right, one);
    }
    return contradicts(all, one) ? all : NULL;
}

/* The first pair of parts of two conditions that cannot hold together. */
static const struct cond *quarrel(const struct cond *outer, const struct cond *inner)
{
    if (inner->type != COND_AND) return opponent(outer, inner) == NULL ? NULL : inner;
    const struct cond *found = quarrel(outer, inner->left);
    return found != NULL ? found : quarrel(outer, inner->right);
}

/* Nothing stands before this branch in the arm around it, so nothing has changed since. */
static bool is_first_in(const struct ast_block *block, const struct ast_branch *branch)
{
    return block->n > 0 && block->at[0].type == STATEMENT_BRANCH && block->at[0].branch == branch;
}

static void check_around(struct lint *l, const struct lint_cond *c)
{
    const struct lint_scope *s = c->scope;
    for (; s->up != NULL; s = s->up) {
        const struct ast_arm *arm = &s->up->branch->arms[s->up->arm];
        if (!is_first_in(arm->body, s->branch)) return;
        const struct cond *bad = arm->cond == NULL ? NULL : quarrel(arm->cond, c->cond);
        if (bad == NULL) continue;
        lint_warn(l, bad->pos, "correct one of the two conditions, or remove the branch",
                  "this cannot hold inside the condition of line %u",
                  pos_place(arm->cond->pos).line);
        return;
    }
}

static void check_inside(struct lint *l, const struct cond *c)
{
    if (c == NULL || c->left == NULL) return;
    const struct cond *bad = c->type == COND_AND ? quarrel(c->left, c->right) : NULL;
    if (bad != NULL) {
        lint_warn(l, bad->pos, "write or, or compare different fields",
                  "both sides of `and` cannot hold together: this is never true");
        return;
    }
    check_inside(l, c->left);
    check_inside(l, c->right);
}

static void check_asked_before(struct lint *l, const struct lint_cond *c)
{
    const struct ast_branch *branch = c->scope->branch;
    for (uint32_t i = 0; i < c->scope->arm; i++)
        if (branch->arms[i].cond != NULL && cond_equal(branch->arms[i].cond, c->cond)) {
            lint_warn(l, c->cond->pos, "correct the condition, or remove the branch",
                      "the same condition was asked in line %u: this branch is never taken",
                      pos_place(branch->arms[i].pos).line);
            return;
        }
}

void lint_condition_branch(struct lint *l)
{
    for (uint32_t i = 0; i < l->cond_n; i++) {
        check_asked_before(l, &l->cond[i]);
        check_inside(l, l->cond[i].cond);
        check_around(l, &l->cond[i]);
    }
}

/* ---- always-true -------------------------------------------------------------------------- */

static bool excludes_one(const struct cond *c)
{
    return c->type == COND_NE && is_field(&c->a) && config_is_scalar(&c->b);
}

static void check_or(struct lint *l, const struct cond *c)
{
    if (c == NULL || c->left == NULL) return;
    check_or(l, c->left);
    check_or(l, c->right);
    if (c->type != COND_OR || !excludes_one(c->left) || !excludes_one(c->right)) return;
    if (!config_value_equal(&c->left->a, &c->right->a)) return;
    if (config_value_equal(&c->left->b, &c->right->b)) return;
    lint_warn(l, c->right->pos, "write and, or not in [...]",
              "every value differs from one of the two: this condition is always true");
}

void lint_always_true(struct lint *l)
{
    for (uint32_t i = 0; i < l->cond_n; i++) check_or(l, l->cond[i].cond);
}
