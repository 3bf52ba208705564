/* mutate.c - options of one mutate that run in another order than they are written. */
#include <string.h>

#include "engine/lint/checks.h"

enum role { ROLE_CHANGES, ROLE_FROM, ROLE_TO, ROLE_ADDS, ROLE_REMOVES };

/* In the order in which they run. */
static const struct operation {
    const char *name;
    bool pairs;     /* a hash; else a list */
    uint8_t stride; /* of a list: gsub has triples */
    enum role key, val;
    bool has_val; /* the hash's values are fields, too */
} operations[] = {
    {"rename", true, 1, ROLE_FROM, ROLE_TO, true},
    {"update", true, 1, ROLE_CHANGES, 0, false},
    {"replace", true, 1, ROLE_CHANGES, 0, false},
    {"convert", true, 1, ROLE_CHANGES, 0, false},
    {"gsub", false, 3, ROLE_CHANGES, 0, false},
    {"uppercase", false, 1, ROLE_CHANGES, 0, false},
    {"capitalize", false, 1, ROLE_CHANGES, 0, false},
    {"lowercase", false, 1, ROLE_CHANGES, 0, false},
    {"strip", false, 1, ROLE_CHANGES, 0, false},
    {"split", true, 1, ROLE_CHANGES, 0, false},
    {"join", true, 1, ROLE_CHANGES, 0, false},
    {"merge", true, 1, ROLE_TO, ROLE_FROM, true},
    {"copy", true, 1, ROLE_FROM, ROLE_TO, true},
    {"add_field", true, 1, ROLE_ADDS, 0, false},
    {"remove_field", false, 1, ROLE_REMOVES, 0, false},
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

struct use {
    slice field;
    enum role role;
    struct pos pos;
};

#define USES_MAX 64u
struct uses {
    uint32_t operation;
    const struct ast_option *option;
    struct use at[USES_MAX];
    uint32_t n;
};

static void add_use(struct lint *l, struct uses *u, const struct config_value *v, enum role role)
{
    uint32_t n;
    const struct config_value *items = lint_items(v, &n);
    for (uint32_t i = 0; i < n && u->n < USES_MAX; i++)
        if (config_is_scalar(&items[i]))
            u->at[u->n++] = (struct use){field_canon(l, items[i].text), role, items[i].pos};
}

static void collect(struct lint *l, const struct ast_option *option, struct uses *u)
{
    const struct operation *op = &operations[u->operation];
    struct config_hash pairs = lint_pairs(l, op->pairs ? &option->val : NULL);
    u->option = option;
    u->n = 0;
    for (uint32_t i = 0; i < pairs.n; i++) {
        add_use(l, u, &pairs.at[i].key, op->key);
        if (op->has_val) add_use(l, u, &pairs.at[i].val, op->val);
    }
    uint32_t n;
    const struct config_value *items = lint_items(op->pairs ? NULL : &option->val, &n);
    for (uint32_t i = 0; i < n; i += op->stride) add_use(l, u, &items[i], op->key);
}

/* The order of these two makes no difference. */
static bool commute(const char *a, const char *b)
{
    static const char *const with_strip[] = {"convert", "uppercase", "lowercase", "capitalize"};
    const char *other = strcmp(a, "strip") == 0 ? b : strcmp(b, "strip") == 0 ? a : NULL;
    for (int i = 0; other != NULL && i < 4; i++)
        if (strcmp(other, with_strip[i]) == 0) return true;
    return false;
}

/* `first` is written before `second` but runs after it; both use one field. */
static bool surprises(enum role first, enum role second)
{
    switch (second) {
    case ROLE_FROM: return first != ROLE_REMOVES; /* it takes the field away, or as it was */
    case ROLE_TO: return first == ROLE_REMOVES || first == ROLE_ADDS || first == ROLE_TO;
    case ROLE_CHANGES: return first != ROLE_REMOVES;
    default: return first == ROLE_REMOVES;
    }
}

static bool creates(const struct uses *u, enum role role)
{
    const char *name = operations[u->operation].name;
    return role == ROLE_TO || role == ROLE_ADDS || strcmp(name, "replace") == 0;
}

static bool check_pair(struct lint *l, const struct uses *first, const struct uses *second)
{
    const char *a = operations[first->operation].name, *b = operations[second->operation].name;
    for (uint32_t i = 0; i < first->n; i++)
        for (uint32_t k = 0; k < second->n; k++) {
            const struct use *x = &first->at[i], *y = &second->at[k];
            if (!slice_equal(x->field, y->field)) continue;
            bool bad =
                x->role == ROLE_REMOVES ? creates(second, y->role) : surprises(x->role, y->role);
            /* A copy or merge that only reads what the other only reads. */
            if (x->role == ROLE_FROM && y->role == ROLE_FROM && strcmp(b, "rename") != 0)
                bad = false;
            if (!bad) continue;
            lint_warn(l, x->pos, "put each into a mutate of its own, in the order you want",
                      "mutate runs %s before %s, whatever the order written: %.*s is not what the "
                      "%s of line %u leaves",
                      b, a, SLICE_FMT(x->field), a, pos_place(first->option->pos).line);
            return true;
        }
    return false;
}

static void check_mutate(struct lint *l, const struct ast_plugin *p)
{
    struct uses *written = heap_alloc(l->heap, OPERATIONS * sizeof(*written));
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        for (uint32_t k = 0; k < OPERATIONS; k++)
            if (slice_equal(p->options[i].name, slice_from_cstr(operations[k].name))) {
                written[n].operation = k;
                collect(l, &p->options[i], &written[n++]);
            }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = i + 1; k < n; k++) {
            const struct uses *first = &written[i], *second = &written[k];
            if (first->operation <= second->operation) continue;
            if (commute(operations[first->operation].name, operations[second->operation].name))
                continue;
            if (check_pair(l, first, second)) return;
        }
}

void lint_mutate_order(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++)
        if (lint_is(&l->plugin[i], SECTION_FILTER, "mutate")) check_mutate(l, l->plugin[i].plugin);
}
