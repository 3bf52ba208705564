/* condition.c - compiling conditions and testing them on events. */
#include "engine/plan/condition.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/plan/java_text.h"
#include "parsers/grok/regex.h"

struct operand {
    bool is_field;
    struct fieldref ref;
    struct value literal;  /* string, number, or list of those */
    struct operand *items; /* of a list literal */
    uint32_t n;
    slice text; /* string form of a literal */
};

struct condition {
    enum cond_type type;
    struct condition *left, *right;
    struct operand a, b;
    struct regex *regex;
};

struct condition_scratch *condition_scratch_new(void)
{
    return (struct condition_scratch *)regex_scratch_new();
}

void condition_scratch_free(struct condition_scratch *scratch)
{
    regex_scratch_free((struct regex_scratch *)scratch);
}

static err compile_operand(struct compiler *c, struct operand *out, const struct config_value *v)
{
    out->text = v->text;
    switch ((enum config_type)v->type) {
    case CONFIG_SELECTOR:
        out->is_field = true;
        return compile_fieldref(c, &out->ref, v->text, v->pos);
    case CONFIG_STRING: out->literal = value_string(v->text); return ERR_OK;
    case CONFIG_INT:
        out->literal = value_int(v->u.num);
        if (v->flags & CONFIG_BIG)
            out->literal = (struct value){.type = VALUE_BIGNUM, .n = v->text.n, .u.str = v->text.p};
        return ERR_OK;
    case CONFIG_FLOAT: out->literal = value_float(v->u.real); return ERR_OK;
    case CONFIG_LIST: {
        err e = ERR_OK;
        out->n = v->n;
        out->items = heap_alloc(c->heap, (v->n + 1) * sizeof(struct operand));
        out->literal = value_list(NULL, v->n);
        for (uint32_t i = 0; i < v->n && e == ERR_OK; i++)
            e = compile_operand(c, &out->items[i], &v->u.list[i]);
        return e;
    }
    default:
        diag_error(c->diag, v->pos, "a field, string, number or list", "not usable in a condition");
        return ERR_CONFIG;
    }
}

static err compile_regex(struct compiler *c, struct condition *out, const struct config_value *v)
{
    struct grok_error error = {0};
    out->regex = regex_new(v->text, 0, &error);
    if (out->regex != NULL) return ERR_OK;
    diag_error(c->diag, config_value_pos_in(v, error.at), NULL, "bad regular expression /%.*s/: %s",
               SLICE_FMT(v->text), error.text);
    return ERR_CONFIG;
}

static bool is_join(enum cond_type type)
{
    return type == COND_AND || type == COND_OR || type == COND_XOR || type == COND_NAND;
}

struct condition *condition_compile(struct compiler *c, const struct cond *cond)
{
    struct condition *out = heap_alloc(c->heap, sizeof(*out));
    out->type = cond->type;
    err e = ERR_OK;
    if (is_join(cond->type) || cond->type == COND_NOT) {
        out->left = condition_compile(c, cond->left);
        if (cond->type != COND_NOT) out->right = condition_compile(c, cond->right);
        if (out->left == NULL || (cond->type != COND_NOT && out->right == NULL)) e = ERR_CONFIG;
    } else {
        e = compile_operand(c, &out->a, &cond->a);
        if (cond->type == COND_MATCH || cond->type == COND_NO_MATCH) {
            if (e == ERR_OK) e = compile_regex(c, out, &cond->b);
        } else if (cond->type != COND_TRUTHY && e == ERR_OK) {
            e = compile_operand(c, &out->b, &cond->b);
        }
    }
    if (e == ERR_OK) return out;
    condition_free(out);
    return NULL;
}

/* The tree is in the configuration's heap; only regexes need freeing. */
void condition_free(struct condition *cond)
{
    if (cond == NULL) return;
    condition_free(cond->left);
    condition_free(cond->right);
    if (cond->regex != NULL) regex_free(cond->regex);
    cond->regex = NULL;
}

/* The operand's value for this event; NULL when it is a field that is missing or null. */
static struct value *operand_value(const struct operand *o, struct batch *b, struct event *ev,
                                   struct value *room)
{
    if (!o->is_field) {
        *room = o->literal;
        return room;
    }
    if (o->ref.root == FIELD_META && o->ref.depth == 0) {
        *room = event_meta_value(ev);
        return room;
    }
    struct value *v = event_get(b, ev, &o->ref);
    return v == NULL || v->type == VALUE_NIL ? NULL : v;
}

static bool truthy(const struct value *v)
{
    if (v == NULL) return false;
    if (v->type == VALUE_BOOL) return v->u.yes;
    if (v->type != VALUE_STRING) return true;
    return v->n > 0 && !slice_equal(value_slice(v), SLICE("false"));
}

static bool is_number(const struct value *v)
{
    return v->type == VALUE_INT || v->type == VALUE_FLOAT || v->type == VALUE_BIGNUM;
}

static double as_double(const struct value *v)
{
    double real = 0;
    if (v->type == VALUE_INT) return (double)v->u.num;
    if (v->type == VALUE_FLOAT) return v->u.real;
    bool ok = number_f64_parse(value_slice(v), &real);
    (void)ok; /* A bignum is a valid number by construction; too long ones compare as 0. */
    return real;
}

/* <0, 0, >0 in *order; false when the two cannot be ordered. */
static bool order(const struct value *a, const struct value *b, int *out)
{
    if (a == NULL || b == NULL) return false;
    if (a->type == VALUE_STRING && b->type == VALUE_STRING) {
        *out = slice_compare(value_slice(a), value_slice(b));
        return true;
    }
    if (a->type == VALUE_INT && b->type == VALUE_INT) {
        *out = a->u.num < b->u.num ? -1 : a->u.num > b->u.num;
        return true;
    }
    if (a->type == VALUE_TIME && b->type == VALUE_TIME) {
        *out = a->u.time_ns < b->u.time_ns ? -1 : a->u.time_ns > b->u.time_ns;
        return true;
    }
    if (!is_number(a) || !is_number(b)) return false;
    double x = as_double(a), y = as_double(b);
    *out = x < y ? -1 : x > y;
    return true;
}

static enum verdict test_order(enum cond_type type, const struct value *a, const struct value *b)
{
    int by;
    if (!order(a, b, &by)) return VERDICT_ERROR;
    bool yes = type == COND_LT   ? by < 0
               : type == COND_GT ? by > 0
               : type == COND_LE ? by <= 0
                                 : by >= 0;
    return yes ? VERDICT_TRUE : VERDICT_FALSE;
}

static bool equal(struct value *a, struct value *b, struct batch *batch)
{
    if (a == NULL || b == NULL) return a == b;
    return value_equal(a, b, &batch->arena);
}

static slice string_form(struct value *v, struct batch *b)
{
    if (v->type != VALUE_LIST && v->type != VALUE_MAP)
        return value_to_slice(v, &b->arena, &b->scratch);
    b->scratch.n = 0;
    java_text(v, &b->arena, &b->scratch);
    return arena_copy(&b->arena, buf_slice(&b->scratch));
}

/* Elements of a list literal are compared by their string form with the field's. */
static bool in_literal_list(struct value *a, const struct operand *list, struct batch *b,
                            struct event *ev)
{
    if (a == NULL) return false;
    slice text = string_form(a, b);
    for (uint32_t i = 0; i < list->n; i++) {
        const struct operand *item = &list->items[i];
        slice other = item->text;
        if (item->is_field) {
            struct value room, *v = operand_value(item, b, ev, &room);
            if (v == NULL) continue;
            other = string_form(v, b);
        }
        if (slice_equal(text, other)) return true;
    }
    return false;
}

static bool in_list(struct value *a, const struct value *list, struct batch *b)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (value_equal(a, &list->u.list[i], &b->arena)) return true;
    return false;
}

static bool test_in(const struct condition *cond, struct batch *b, struct event *ev)
{
    struct value room_a, room_b;
    struct value *left = operand_value(&cond->a, b, ev, &room_a);
    if (!cond->b.is_field && cond->b.literal.type == VALUE_LIST)
        return in_literal_list(left, &cond->b, b, ev);
    struct value *right = operand_value(&cond->b, b, ev, &room_b);
    if (left == NULL || right == NULL) return false;
    if (left->type == VALUE_LIST || left->type == VALUE_MAP) return false;
    if (right->type == VALUE_LIST) return in_list(left, right, b);
    if (left->type == VALUE_STRING && right->type == VALUE_STRING)
        return slice_find(value_slice(right), value_slice(left)) >= 0;
    /* A literal number in a scalar field is never found; two fields compare as equal values. */
    return cond->a.is_field && cond->b.is_field && value_equal(left, right, &b->arena);
}

static bool test_match(const struct condition *cond, struct condition_scratch *scratch,
                       struct batch *b, struct event *ev)
{
    struct value room, *v = operand_value(&cond->a, b, ev, &room);
    if (v == NULL || v->type != VALUE_STRING) return false;
    return regex_search(cond->regex, (struct regex_scratch *)scratch, value_slice(v), 0, NULL) ==
           REGEX_MATCH;
}

static enum verdict verdict_of(bool yes)
{
    return yes ? VERDICT_TRUE : VERDICT_FALSE;
}

static enum verdict test_join(const struct condition *cond, struct condition_scratch *scratch,
                              struct batch *b, struct event *ev)
{
    enum verdict left = condition_test(cond->left, scratch, b, ev);
    if (left == VERDICT_ERROR) return left;
    bool yes = left == VERDICT_TRUE;
    if (cond->type == COND_NOT) return verdict_of(!yes);
    if (cond->type == COND_AND && !yes) return VERDICT_FALSE;
    if (cond->type == COND_OR && yes) return VERDICT_TRUE;
    if (cond->type == COND_NAND && !yes) return VERDICT_TRUE;
    enum verdict right = condition_test(cond->right, scratch, b, ev);
    if (right == VERDICT_ERROR) return right;
    if (cond->type == COND_XOR) return verdict_of(yes != (right == VERDICT_TRUE));
    if (cond->type == COND_NAND) return verdict_of(right == VERDICT_FALSE);
    return right;
}

enum verdict condition_test(const struct condition *cond, struct condition_scratch *scratch,
                            struct batch *b, struct event *ev)
{
    struct value room_a, room_b;
    switch (cond->type) {
    case COND_AND:
    case COND_OR:
    case COND_XOR:
    case COND_NAND:
    case COND_NOT: return test_join(cond, scratch, b, ev);
    case COND_TRUTHY: return verdict_of(truthy(operand_value(&cond->a, b, ev, &room_a)));
    case COND_EQ:
    case COND_NE: {
        bool same = equal(operand_value(&cond->a, b, ev, &room_a),
                          operand_value(&cond->b, b, ev, &room_b), b);
        return verdict_of(same == (cond->type == COND_EQ));
    }
    case COND_LT:
    case COND_GT:
    case COND_LE:
    case COND_GE:
        return test_order(cond->type, operand_value(&cond->a, b, ev, &room_a),
                          operand_value(&cond->b, b, ev, &room_b));
    case COND_MATCH: return verdict_of(test_match(cond, scratch, b, ev));
    case COND_NO_MATCH: return verdict_of(!test_match(cond, scratch, b, ev));
    case COND_IN: return verdict_of(test_in(cond, b, ev));
    }
    return VERDICT_FALSE;
}
