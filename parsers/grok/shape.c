/* shape.c - from syntax tree to bytes, and the proofs. */
#include "parsers/grok/shape.h"

#include <stdlib.h>

#include "engine/base/assert.h"

struct symbols symbols_all(void)
{
    return (struct symbols){{~0ULL, ~0ULL, ~0ULL, ~0ULL, 1}};
}

struct symbols symbols_or(struct symbols a, struct symbols b)
{
    for (int i = 0; i < 5; i++) a.w[i] |= b.w[i];
    return a;
}

struct symbols symbols_and(struct symbols a, struct symbols b)
{
    for (int i = 0; i < 5; i++) a.w[i] &= b.w[i];
    return a;
}

struct symbols symbols_minus(struct symbols a, struct symbols b)
{
    for (int i = 0; i < 5; i++) a.w[i] &= ~b.w[i];
    return a;
}

bool symbols_disjoint(struct symbols a, struct symbols b)
{
    a = symbols_and(a, b);
    return (a.w[0] | a.w[1] | a.w[2] | a.w[3] | a.w[4]) == 0;
}

bool symbols_equal(const struct symbols *a, const struct symbols *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- building ------------------------------------------------------------------------------ */

struct builder {
    struct shape_tree *out;
    const struct regex_tree *tree;
    struct buf *why;
};

static struct shape *build(struct builder *b, const struct regex_node *node);

static struct shape *shape_new(struct builder *b, enum shape_kind kind)
{
    struct shape *shape = tree_alloc(b->out->heap, sizeof(*shape));
    shape->kind = kind;
    shape->nullable = kind != SHAPE_SET;
    return shape;
}

static struct shape *refuse(struct builder *b, const struct regex_node *node, const char *what)
{
    if (b->why->n == 0) buf_printf(b->why, "%s at offset %u", what, node->at);
    return NULL;
}

static struct shape *range_shape(struct builder *b, uint32_t low, uint32_t high)
{
    struct shape *shape = shape_new(b, SHAPE_SET);
    for (uint32_t c = low; c <= high; c++) symbols_add(&shape->set, c);
    return shape;
}

static void append(struct shape *parent, struct shape *child)
{
    struct shape **at = &parent->child;
    while (*at != NULL) at = &(*at)->next;
    *at = child;
    parent->captures |= child->captures;
}

/* Set `lead` and then n continuation bytes. */
static struct shape *utf8_shape(struct builder *b, uint32_t low, uint32_t high, uint32_t n)
{
    struct shape *shape = shape_new(b, SHAPE_SEQUENCE);
    append(shape, range_shape(b, low, high));
    while (n-- > 0) append(shape, range_shape(b, 0x80, 0xbf));
    shape->nullable = false;
    return shape;
}

static struct symbols ascii_symbols(struct ascii_set set)
{
    return (struct symbols){{set.w[0], set.w[1], 0, 0, 0}};
}

static struct shape *set_shape(struct builder *b, const struct charset *set)
{
    struct shape *shape = shape_new(b, SHAPE_SET);
    shape->set = ascii_symbols(set->ascii);
    if (set->high == HIGH_SOME) b->out->ascii_only = true;
    if (set->high != HIGH_ALL) return shape;
    struct shape *either = shape_new(b, SHAPE_ALTERNATE);
    either->nullable = false;
    append(either, shape);
    append(either, utf8_shape(b, 0xc2, 0xdf, 1));
    append(either, utf8_shape(b, 0xe0, 0xef, 2));
    append(either, utf8_shape(b, 0xf0, 0xf4, 3));
    return either;
}

static struct shape *literal_shape(struct builder *b, const struct regex_node *node)
{
    struct shape *sequence = shape_new(b, SHAPE_SEQUENCE);
    sequence->nullable = node->text.n == 0;
    for (uint32_t i = 0; i < node->text.n; i++) {
        uint32_t c = (unsigned char)node->text.p[i], lower = c | 32;
        struct shape *one = range_shape(b, c, c);
        if (node->no_case && lower >= 'a' && lower <= 'z') {
            symbols_add(&one->set, lower);
            symbols_add(&one->set, lower - 32);
        }
        if (node->no_case && (c >= 0x80 || lower == 'k' || lower == 's')) b->out->ascii_only = true;
        append(sequence, one);
    }
    return sequence;
}

static struct shape *assert_shape(struct builder *b, const struct regex_node *node)
{
    struct shape *shape = shape_new(b, SHAPE_NEXT);
    switch ((enum assert_kind)node->mode) {
    case ASSERT_LINE_BEGIN: shape->kind = SHAPE_LINE_BEGIN; break;
    case ASSERT_LINE_END: symbols_add(&shape->set, '\n'); __attribute__((fallthrough));
    case ASSERT_TEXT_END: symbols_add(&shape->set, SYMBOL_END); break;
    case ASSERT_TEXT_BEGIN:
        shape->kind = SHAPE_PREVIOUS;
        symbols_add(&shape->set, SYMBOL_END);
        break;
    case ASSERT_WORD: shape->kind = SHAPE_WORD; break;
    case ASSERT_NOT_WORD: shape->kind = SHAPE_NOT_WORD; break;
    case ASSERT_TEXT_END_NEWLINE: return refuse(b, node, "\\Z");
    case ASSERT_SEARCH_BEGIN: return refuse(b, node, "\\G");
    }
    return shape;
}

/* A longer look ahead that must fail is kept as SHAPE_NEXT with a child until the list around it
 * is known: it says nothing when the list cannot start the way it does. */
static struct shape *long_look_shape(struct builder *b, const struct regex_node *node)
{
    if (node->mode != LOOK_NOT_AHEAD)
        return refuse(b, node, "a look-around of more than one character");
    struct shape *child = build(b, node->child);
    if (child == NULL) return NULL;
    if (child->nullable) return refuse(b, node, "a look-ahead that may be empty");
    struct shape *shape = shape_new(b, SHAPE_NEXT);
    shape->set = symbols_all();
    shape->child = child;
    return shape;
}

static bool looks_resolve(struct builder *b, const struct regex_node *node, struct shape *list)
{
    for (struct shape *at = list; at != NULL; at = at->next) {
        if (at->kind != SHAPE_NEXT || at->child == NULL) continue;
        struct symbols after = shape_first_list(at->next, symbols_all());
        if (!symbols_disjoint(shape_first(at->child, symbols_all()), after))
            return refuse(b, node, "a look-ahead of more than one character") != NULL;
        at->child = NULL;
    }
    return true;
}

/* Only for one character; a character above ASCII is judged by its nearest byte. */
static struct shape *look_shape(struct builder *b, const struct regex_node *node)
{
    const struct regex_node *child = node->child;
    bool behind = node->mode == LOOK_BEHIND || node->mode == LOOK_NOT_BEHIND;
    bool negative = node->mode == LOOK_NOT_AHEAD || node->mode == LOOK_NOT_BEHIND;
    struct symbols set = {{0}};
    while (child->kind == NODE_SEQUENCE && child->child != NULL && child->child->next == NULL)
        child = child->child;
    if (child->kind == NODE_SET && child->set->high != HIGH_SOME) {
        set = ascii_symbols(child->set->ascii);
        if (child->set->high == HIGH_ALL) set.w[2] = set.w[3] = ~0ULL;
    } else if (child->kind == NODE_LITERAL && child->text.n == 1 && !child->no_case) {
        symbols_add(&set, (unsigned char)child->text.p[0]);
    } else {
        return long_look_shape(b, node);
    }
    struct shape *shape = shape_new(b, behind ? SHAPE_PREVIOUS : SHAPE_NEXT);
    shape->set = negative ? symbols_minus(symbols_all(), set) : set;
    return shape;
}

/*
 * (?:[C]+|Y)* has the ways of (?:[C]|Y)*, in the same order of ends, when both are greedy. With
 * [C]++, or when Y comes first, that holds if the result is unambiguous, which is checked later
 * (`flattened`).
 */
static void flatten_branch(struct shape *repeat, struct shape **at, bool first)
{
    struct shape *branch = *at, *run = branch;
    bool possessive = run->kind == SHAPE_ATOMIC;
    if (possessive) run = run->child;
    if (run->kind != SHAPE_REPEAT || run->min != 1 || run->lazy || !run->run) return;
    repeat->flattened |= possessive || !first;
    struct shape *set = run->child;
    set->next = branch->next;
    *at = set;
}

static void flatten(struct shape *repeat)
{
    if (repeat->lazy || repeat->max != TREE_REPEAT_INFINITE || repeat->min > 1) return;
    if (repeat->child->kind != SHAPE_ALTERNATE) {
        flatten_branch(repeat, &repeat->child, true);
        return;
    }
    for (struct shape **at = &repeat->child->child; *at != NULL; at = &(*at)->next)
        flatten_branch(repeat, at, at == &repeat->child->child);
}

static struct shape *repeat_shape(struct builder *b, const struct regex_node *node)
{
    struct shape *repeat = shape_new(b, SHAPE_REPEAT);
    repeat->min = node->min;
    repeat->max = node->max;
    repeat->lazy = node->mode == REPEAT_LAZY;
    bool endless = node->max == TREE_REPEAT_INFINITE && node->min <= 1;
    repeat->child = build(b, node->child);
    if (repeat->child == NULL || !looks_resolve(b, node, repeat->child)) return NULL;
    if (repeat->child->nullable && node->max != 1)
        return refuse(b, node, "a repeat of something that may be empty");
    if (node->max == 0) return shape_new(b, SHAPE_SEQUENCE);
    repeat->run = endless && node->child->kind == NODE_SET;
    if (repeat->run) {
        repeat->set = ascii_symbols(node->child->set->ascii);
        if (node->child->set->high == HIGH_ALL) repeat->set.w[2] = repeat->set.w[3] = ~0ULL;
    }
    repeat->captures = repeat->child->captures;
    repeat->nullable = node->min == 0 || repeat->child->nullable;
    flatten(repeat);
    if (node->mode != REPEAT_POSSESSIVE) return repeat;
    struct shape *atomic = shape_new(b, SHAPE_ATOMIC);
    append(atomic, repeat);
    atomic->nullable = repeat->nullable;
    return atomic;
}

static struct shape *list_shape(struct builder *b, const struct regex_node *node,
                                enum shape_kind kind)
{
    struct shape *shape = shape_new(b, kind), **at = &shape->child;
    shape->nullable = kind == SHAPE_SEQUENCE;
    for (const struct regex_node *from = node->child; from != NULL; from = from->next) {
        struct shape *child = build(b, from);
        if (child == NULL) return NULL;
        if (kind != SHAPE_SEQUENCE && child->kind == SHAPE_NEXT && !looks_resolve(b, node, child))
            return NULL;
        shape->captures |= child->captures;
        if (kind == SHAPE_SEQUENCE)
            shape->nullable &= child->nullable;
        else
            shape->nullable |= child->nullable;
        /* Sequences in sequences are spliced, so that neighbours see each other. */
        *at = kind == SHAPE_SEQUENCE && child->kind == SHAPE_SEQUENCE ? child->child : child;
        while (*at != NULL) at = &(*at)->next;
    }
    if (kind == SHAPE_SEQUENCE && shape->child != NULL && shape->child->next == NULL)
        return shape->child;
    if (kind == SHAPE_SEQUENCE && !looks_resolve(b, node, shape->child)) return NULL;
    return shape;
}

static struct shape *wrap_shape(struct builder *b, const struct regex_node *node,
                                enum shape_kind kind)
{
    struct shape *child = build(b, node->child);
    if (child == NULL) return NULL;
    if (child->kind == SHAPE_NEXT && !looks_resolve(b, node, child)) return NULL;
    if (kind == SHAPE_SEQUENCE) return child;
    struct shape *shape = shape_new(b, kind);
    shape->child = child;
    shape->group = node->group;
    shape->nullable = child->nullable;
    shape->captures = child->captures || kind == SHAPE_GROUP;
    return shape;
}

static struct shape *build(struct builder *b, const struct regex_node *node)
{
    switch (node->kind) {
    case NODE_EMPTY: return shape_new(b, SHAPE_SEQUENCE);
    case NODE_LITERAL: return literal_shape(b, node);
    case NODE_SET: return set_shape(b, node->set);
    case NODE_SEQUENCE: return list_shape(b, node, SHAPE_SEQUENCE);
    case NODE_ALTERNATE: return list_shape(b, node, SHAPE_ALTERNATE);
    case NODE_REPEAT: return repeat_shape(b, node);
    case NODE_GROUP:
        return wrap_shape(b, node,
                          b->tree->groups[node->group].name.n > 0 ? SHAPE_GROUP : SHAPE_SEQUENCE);
    case NODE_ATOMIC: return wrap_shape(b, node, SHAPE_ATOMIC);
    case NODE_LOOK: return look_shape(b, node);
    case NODE_ASSERT: return assert_shape(b, node);
    case NODE_BACKREF: return refuse(b, node, "a back-reference");
    case NODE_CALL: return refuse(b, node, "a call of a group");
    case NODE_CONDITION: return refuse(b, node, "a condition");
    case NODE_KEEP: return refuse(b, node, "\\K");
    case NODE_NEWLINE: return refuse(b, node, "\\R");
    case NODE_GRAPHEME: return refuse(b, node, "\\X");
    }
    PANIC("unknown node");
}

bool shape_build(const struct regex_tree *tree, struct shape_tree *out, struct buf *why)
{
    *out = (struct shape_tree){.heap = calloc(1, sizeof(struct regex_tree))};
    ASSERT(out->heap != NULL);
    struct builder b = {out, tree, why};
    struct shape *root = build(&b, tree->root);
    if (root != NULL && root->kind == SHAPE_NEXT && !looks_resolve(&b, tree->root, root))
        root = NULL;
    if (root == NULL) {
        shape_free(out);
        return false;
    }
    out->root = shape_new(&b, SHAPE_SEQUENCE);
    out->root->child = root->kind == SHAPE_SEQUENCE ? root->child : root;
    out->root->captures = root->captures;
    return true;
}

void shape_free(struct shape_tree *tree)
{
    regex_tree_free(tree->heap);
    *tree = (struct shape_tree){0};
}

/* ---- proofs -------------------------------------------------------------------------------- */

struct symbols shape_first_list(const struct shape *s, struct symbols follow)
{
    if (s == NULL) return follow;
    return shape_first(s, shape_first_list(s->next, follow));
}

struct symbols shape_first(const struct shape *s, struct symbols follow)
{
    struct symbols first = {{0}};
    switch (s->kind) {
    case SHAPE_SET: return s->set;
    case SHAPE_SEQUENCE: return shape_first_list(s->child, follow);
    case SHAPE_ALTERNATE:
        for (const struct shape *at = s->child; at != NULL; at = at->next)
            first = symbols_or(first, shape_first(at, follow));
        return first;
    case SHAPE_REPEAT:
        first = shape_first(s->child, s->child->nullable ? follow : first);
        /* A body such as \b[C] constrains nothing that follows a second round. */
        return s->min == 0 || s->child->nullable ? symbols_or(first, follow) : first;
    case SHAPE_ATOMIC:
    case SHAPE_GROUP: return shape_first(s->child, follow);
    case SHAPE_NEXT: return symbols_and(s->set, follow);
    default: return follow;
    }
}

struct symbols shape_bytes(const struct shape *s)
{
    struct symbols bytes = {{0}};
    if (s->kind == SHAPE_SET) return s->set;
    if (s->kind == SHAPE_NEXT || s->kind == SHAPE_PREVIOUS) return bytes;
    for (const struct shape *at = s->child; at != NULL; at = at->next)
        bytes = symbols_or(bytes, shape_bytes(at));
    return bytes;
}

bool shape_nullable_list(const struct shape *s)
{
    for (; s != NULL; s = s->next)
        if (!s->nullable) return false;
    return true;
}

struct follow shape_follow(const struct shape *s, struct follow after)
{
    if (s->next == NULL) return after;
    return (struct follow){shape_first_list(s->next, after.set), false, s->next};
}

/* What follows one round of a repeat. */
static struct follow round_follow(const struct shape *s, struct follow follow)
{
    if (s->max == 1) return follow;
    struct symbols again = shape_first(s->child, (struct symbols){{0}});
    return (struct follow){symbols_or(again, follow.set), false, NULL};
}

static bool alternatives_disjoint(const struct shape *s, struct symbols follow)
{
    struct symbols seen = {{0}};
    for (const struct shape *at = s->child; at != NULL; at = at->next) {
        struct symbols first = shape_first(at, follow);
        if (!symbols_disjoint(seen, first)) return false;
        seen = symbols_or(seen, first);
    }
    return true;
}

static bool repeat_unique(const struct shape *s, struct follow follow)
{
    if (s->child->nullable) return false;
    struct symbols again = shape_first(s->child, (struct symbols){{0}});
    if (s->min != s->max && !symbols_disjoint(again, follow.set)) return false;
    return shape_unique(s->child, round_follow(s, follow));
}

bool shape_unique(const struct shape *s, struct follow follow)
{
    switch (s->kind) {
    case SHAPE_SEQUENCE:
        for (const struct shape *at = s->child; at != NULL; at = at->next)
            if (!shape_unique(at, shape_follow(at, follow))) return false;
        return true;
    case SHAPE_ALTERNATE:
        if (!alternatives_disjoint(s, follow.set)) return false;
        for (const struct shape *at = s->child; at != NULL; at = at->next)
            if (!shape_unique(at, follow)) return false;
        return true;
    case SHAPE_REPEAT: return repeat_unique(s, follow);
    case SHAPE_ATOMIC:
    case SHAPE_GROUP: return shape_unique(s->child, follow);
    default: return true;
    }
}

static bool prefers_to_consume(const struct shape *s)
{
    if (s->kind == SHAPE_REPEAT && s->lazy && s->min != s->max) return false;
    for (const struct shape *at = s->child; at != NULL; at = at->next) {
        if (s->kind == SHAPE_ALTERNATE && at->nullable && at->next != NULL) return false;
        if (!prefers_to_consume(at)) return false;
    }
    return true;
}

bool shape_commits(const struct shape *s, struct follow follow)
{
    return prefers_to_consume(s) && shape_unique(s, follow);
}

bool shape_atomics_plain(const struct shape *s, struct follow follow)
{
    switch (s->kind) {
    case SHAPE_SEQUENCE:
        for (const struct shape *at = s->child; at != NULL; at = at->next)
            if (!shape_atomics_plain(at, shape_follow(at, follow))) return false;
        return true;
    case SHAPE_ALTERNATE:
        for (const struct shape *at = s->child; at != NULL; at = at->next)
            if (!shape_atomics_plain(at, follow)) return false;
        return true;
    case SHAPE_REPEAT:
        if (s->flattened && !shape_commits(s, follow)) return false;
        return shape_atomics_plain(s->child, round_follow(s, follow));
    case SHAPE_ATOMIC:
        /* When the match ends here nobody could come back into the group. */
        if (!follow.accept && !shape_commits(s->child, follow)) return false;
        return shape_atomics_plain(s->child, follow);
    case SHAPE_GROUP: return shape_atomics_plain(s->child, follow);
    default: return true;
    }
}
