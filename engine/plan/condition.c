/* condition.c - compiling conditions and testing them on events. */
#include "engine/plan/condition.h"

#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/plan/java_text.h"
#include "parsers/grok/regex.h"
#include "parsers/text/literal.h"

struct operand {
    bool is_field;
    struct fieldref ref;
    struct value literal;  /* string, number, or list of those */
    struct operand *items; /* of a list literal */
    uint32_t n;
    slice text;            /* string form of a literal */
    slice *texts;          /* of a list of literals: its items' */
    uint64_t text_lengths; /* a bit for each of their lengths, the highest one for all from 63 */
};

struct condition {
    enum cond_type type;
    struct condition *left, *right;
    struct operand a, b;
    struct regex *regex;
    slice literal; /* what `regex` finds if it is plain text, else empty */
};

struct condition_scratch *condition_scratch_new(void)
{
    return (struct condition_scratch *)regex_scratch_new();
}

void condition_scratch_free(struct condition_scratch *scratch)
{
    regex_scratch_free((struct regex_scratch *)scratch);
}

static uint64_t length_bit(slice text)
{
    return 1ull << (text.n < 63 ? text.n : 63);
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
        out->texts = heap_alloc(c->heap, (v->n + 1) * sizeof(slice));
        for (uint32_t i = 0; i < v->n && e == ERR_OK; i++)
            e = compile_operand(c, &out->items[i], &v->u.list[i]);
        bool constant = true;
        for (uint32_t i = 0; i < v->n && e == ERR_OK; i++) {
            out->texts[i] = out->items[i].text;
            constant = constant && !out->items[i].is_field;
        }
        for (uint32_t i = 0; i < v->n && e == ERR_OK; i++)
            out->text_lengths |= length_bit(out->texts[i]);
        if (!constant) out->texts = NULL;
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
    char *literal = heap_alloc(c->heap, (size_t)v->text.n + 1);
    uint32_t n;
    if (literal_of_regex(v->text, literal, &n)) out->literal = slice_make(literal, n);
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
    if (a->type == VALUE_INT && b->type == VALUE_INT) {
        *out = a->u.num < b->u.num ? -1 : a->u.num > b->u.num;
        return true;
    }
    if (a->type == VALUE_STRING && b->type == VALUE_STRING) {
        *out = slice_compare(value_slice(a), value_slice(b));
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
    if (v->type == VALUE_STRING) return value_slice(v);
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
    if (cond->literal.n > 0) return slice_find(value_slice(v), cond->literal) >= 0;
    return regex_search(cond->regex, (struct regex_scratch *)scratch, value_slice(v), 0, NULL) ==
           REGEX_MATCH;
}

static enum verdict verdict_of(bool yes)
{
    return yes ? VERDICT_TRUE : VERDICT_FALSE;
}

/* Any test that is no join, of one event. */
static enum verdict test_leaf(const struct condition *cond, struct condition_scratch *scratch,
                              struct batch *b, struct event *ev)
{
    struct value room_a, room_b;
    switch (cond->type) {
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
    default: PANIC("a join is no leaf");
    }
}

/* ---- many events ----------------------------------------------------------------------------- */

/* The usual tests are of a field of the event itself with something constant. Each has a loop of
 * its own, in which the field is looked for where the last event had it. */
struct column {
    struct batch *b;
    const uint32_t *at;
    uint32_t n;
    uint8_t *out;
};

/* operand_value of a field for which ref.top holds. */
static inline struct value *near_value(const struct operand *o, struct batch *b, struct event *ev,
                                       uint32_t *guess)
{
    const struct key *key = &o->ref.step->key;
    struct member *m = map_find_near(&ev->data, key->name, key->hash, guess);
    if (m == NULL || m->val.type == VALUE_NIL) return NULL;
    value_resolve(&m->val, &b->arena);
    return &m->val;
}

static void column_truthy(const struct condition *cond, struct column c)
{
    uint32_t guess = 0;
    for (uint32_t i = 0; i < c.n; i++)
        c.out[i] = verdict_of(truthy(near_value(&cond->a, c.b, &c.b->event[c.at[i]], &guess)));
}

static void column_text(const struct condition *cond, struct column c)
{
    uint32_t guess = 0;
    slice text = value_slice(&cond->b.literal);
    bool wanted = cond->type == COND_EQ;
    for (uint32_t i = 0; i < c.n; i++) {
        const struct value *v = near_value(&cond->a, c.b, &c.b->event[c.at[i]], &guess);
        bool same = v != NULL && v->type == VALUE_STRING && slice_equal(value_slice(v), text);
        c.out[i] = verdict_of(same == wanted);
    }
}

static void column_order(const struct condition *cond, struct column c)
{
    uint32_t guess = 0;
    for (uint32_t i = 0; i < c.n; i++)
        c.out[i] = (uint8_t)test_order(
            cond->type, near_value(&cond->a, c.b, &c.b->event[c.at[i]], &guess), &cond->b.literal);
}

static void column_texts(const struct condition *cond, struct column c)
{
    uint32_t guess = 0;
    const slice *texts = cond->b.texts;
    for (uint32_t i = 0; i < c.n; i++) {
        struct value *v = near_value(&cond->a, c.b, &c.b->event[c.at[i]], &guess);
        bool in = false;
        if (v != NULL) {
            slice text = string_form(v, c.b);
            uint32_t n = cond->b.text_lengths & length_bit(text) ? cond->b.n : 0;
            for (uint32_t k = 0; k < n && !in; k++) in = slice_equal(text, texts[k]);
        }
        c.out[i] = verdict_of(in);
    }
}

/* "text" in [field], and [field] =~ /text/ */
static void column_part(const struct condition *cond, struct condition_scratch *scratch,
                        const struct operand *field, slice part, struct column c)
{
    uint32_t guess = 0;
    bool wanted = cond->type != COND_NO_MATCH;
    struct value left = value_string(part);
    for (uint32_t i = 0; i < c.n; i++) {
        struct event *ev = &c.b->event[c.at[i]];
        struct value *v = near_value(field, c.b, ev, &guess);
        if (v != NULL && v->type == VALUE_STRING)
            c.out[i] = verdict_of((slice_find(value_slice(v), part) >= 0) == wanted);
        else if (v != NULL && v->type == VALUE_LIST && cond->type == COND_IN)
            c.out[i] = verdict_of(in_list(&left, v, c.b));
        else
            c.out[i] = (uint8_t)test_leaf(cond, scratch, c.b, ev);
    }
}

static void column_any(const struct condition *cond, struct condition_scratch *scratch,
                       struct column c)
{
    for (uint32_t i = 0; i < c.n; i++)
        c.out[i] = (uint8_t)test_leaf(cond, scratch, c.b, &c.b->event[c.at[i]]);
}

static void column_leaf(const struct condition *cond, struct condition_scratch *scratch,
                        struct column c)
{
    bool top = cond->a.is_field && cond->a.ref.top, constant = !cond->b.is_field;
    uint8_t other = cond->b.literal.type;
    bool equality = cond->type == COND_EQ || cond->type == COND_NE;
    bool orders = cond->type == COND_LT || cond->type == COND_GT || cond->type == COND_LE ||
                  cond->type == COND_GE;
    if (top && cond->type == COND_TRUTHY)
        column_truthy(cond, c);
    else if (top && constant && equality && other == VALUE_STRING)
        column_text(cond, c);
    else if (top && constant && orders)
        column_order(cond, c);
    else if (top && cond->type == COND_IN && cond->b.texts != NULL)
        column_texts(cond, c);
    else if (cond->type == COND_IN && !cond->a.is_field && cond->a.literal.type == VALUE_STRING &&
             cond->b.is_field && cond->b.ref.top)
        column_part(cond, scratch, &cond->b, value_slice(&cond->a.literal), c);
    else if (top && cond->literal.n > 0)
        column_part(cond, scratch, &cond->a, cond->literal, c);
    else
        column_any(cond, scratch, c);
}

/* Whether the left side alone decides. */
static bool decided(enum cond_type type, uint8_t left)
{
    if (left == VERDICT_ERROR) return true;
    if (type == COND_XOR) return false;
    return (left == VERDICT_TRUE) == (type == COND_OR);
}

static uint8_t joined(enum cond_type type, uint8_t left, uint8_t right)
{
    if (right == VERDICT_ERROR) return right;
    if (type == COND_XOR) return (uint8_t)verdict_of(left != right);
    if (type == COND_NAND) return (uint8_t)verdict_of(right == VERDICT_FALSE);
    return right;
}

static void column_join(const struct condition *cond, struct condition_scratch *scratch,
                        struct column c)
{
    struct arena *arena = &c.b->arena;
    uint32_t *open = arena_alloc(arena, ((size_t)c.n + 1) * sizeof(*open), 4), n = 0;
    uint32_t *open_at = arena_alloc(arena, ((size_t)c.n + 1) * sizeof(*open_at), 4);
    uint8_t *right = arena_alloc(arena, (size_t)c.n + 1, 1);
    for (uint32_t i = 0; i < c.n; i++) {
        open[n] = i;
        open_at[n] = c.at[i];
        n += !decided(cond->type, c.out[i]);
        /* `nand` is true where its left side is false. */
        if (cond->type == COND_NAND && c.out[i] == VERDICT_FALSE) c.out[i] = VERDICT_TRUE;
    }
    condition_test(cond->right, scratch, c.b, open_at, n, right);
    for (uint32_t i = 0; i < n; i++) c.out[open[i]] = joined(cond->type, c.out[open[i]], right[i]);
}

void condition_test(const struct condition *cond, struct condition_scratch *scratch,
                    struct batch *b, const uint32_t *at, uint32_t n, uint8_t *out)
{
    struct column c = {b, at, n, out};
    if (n == 0) return;
    if (!is_join(cond->type) && cond->type != COND_NOT) {
        column_leaf(cond, scratch, c);
        return;
    }
    condition_test(cond->left, scratch, b, at, n, out);
    if (cond->type != COND_NOT) {
        column_join(cond, scratch, c);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (out[i] != VERDICT_ERROR) out[i] = (uint8_t)verdict_of(out[i] == VERDICT_FALSE);
}
