/* hazard.c - walks the tree of an expression in search of loops over loops and lost anchors. */
#include "parsers/grok/hazard.h"

#include <string.h>

#include "parsers/grok/tree.h"

/* What the first (or last) character of a part can be. */
struct edge {
    bool newline; /* it can be a newline, or nobody knows */
    bool empty;   /* the part can match nothing */
};

static const struct regex_node *strip_groups(const struct regex_node *node)
{
    while (node != NULL &&
           (node->kind == NODE_GROUP ||
            (node->kind == NODE_SEQUENCE && node->child != NULL && node->child->next == NULL)))
        node = node->child;
    return node;
}

static struct edge edge_of(const struct regex_node *node, bool last);

static struct edge sequence_edge(const struct regex_node *sequence, bool last)
{
    struct edge all = {false, true};
    for (const struct regex_node *c = sequence->child; c != NULL; c = c->next) {
        struct edge one = edge_of(c, last);
        if (last)
            all.newline = one.newline || (one.empty && all.newline);
        else if (all.empty)
            all.newline |= one.newline;
        all.empty &= one.empty;
    }
    return all;
}

static struct edge edge_of(const struct regex_node *node, bool last)
{
    struct edge edge = {true, true};
    if (node == NULL) return (struct edge){false, true};
    switch (node->kind) {
    case NODE_LITERAL: {
        if (node->text.n == 0) return (struct edge){false, true};
        char c = node->text.p[last ? node->text.n - 1 : 0];
        return (struct edge){c == '\n' || c == HAZARD_OPAQUE, c == HAZARD_OPAQUE};
    }
    case NODE_SET: return (struct edge){ascii_has(node->set->ascii, '\n'), false};
    case NODE_SEQUENCE: return sequence_edge(node, last);
    case NODE_ALTERNATE:
        edge = (struct edge){false, false};
        for (const struct regex_node *c = node->child; c != NULL; c = c->next) {
            struct edge one = edge_of(c, last);
            edge.newline |= one.newline;
            edge.empty |= one.empty;
        }
        return edge;
    case NODE_REPEAT:
        edge = edge_of(node->child, last);
        edge.empty |= node->min == 0;
        return edge;
    case NODE_GROUP:
    case NODE_ATOMIC: return edge_of(node->child, last);
    case NODE_EMPTY:
    case NODE_ASSERT:
    case NODE_LOOK:
    case NODE_KEEP: return (struct edge){false, true};
    default: return edge; /* references, calls: unknown */
    }
}

/* ---- anchors that cannot hold ---------------------------------------------------------- */

/* Between `from` and `until` there is surely something, and next to the anchor no newline. */
static bool blocked(const struct regex_node *from, const struct regex_node *until, bool last,
                    bool newline_helps)
{
    struct edge all = {false, true};
    for (const struct regex_node *c = from; c != until; c = c->next) {
        struct edge one = edge_of(c, last);
        if (last)
            all.newline = one.newline || (one.empty && all.newline);
        else if (all.empty)
            all.newline |= one.newline;
        all.empty &= one.empty;
    }
    return !all.empty && !(newline_helps && all.newline);
}

static void check_anchors(const struct regex_node *sequence, struct regex_hazard *out)
{
    for (const struct regex_node *c = sequence->child; c != NULL; c = c->next) {
        bool bad = false;
        if (c->kind != NODE_ASSERT || out->impossible) continue;
        if (c->mode == ASSERT_LINE_BEGIN || c->mode == ASSERT_TEXT_BEGIN)
            bad = blocked(sequence->child, c, true, c->mode == ASSERT_LINE_BEGIN);
        else if (c->mode == ASSERT_LINE_END || c->mode == ASSERT_TEXT_END_NEWLINE)
            bad = blocked(c->next, NULL, false, true);
        else if (c->mode == ASSERT_TEXT_END)
            bad = blocked(c->next, NULL, false, false);
        if (!bad) continue;
        out->impossible = true;
        out->impossible_at = c->at;
    }
}

/* ---- loops over loops ------------------------------------------------------------------- */

static bool is_endless(const struct regex_node *node)
{
    return node != NULL && node->kind == NODE_REPEAT && node->max == TREE_REPEAT_INFINITE &&
           node->mode != REPEAT_POSSESSIVE;
}

static bool overlap(const struct regex_node *a, const struct regex_node *b)
{
    if (a->kind == NODE_LITERAL && b->kind == NODE_LITERAL)
        return a->text.n == 1 && slice_equal(a->text, b->text);
    if (a->kind == NODE_LITERAL) return overlap(b, a);
    if (a->kind != NODE_SET) return false;
    if (b->kind == NODE_SET)
        return (a->set->ascii.w[0] & b->set->ascii.w[0]) != 0 ||
               (a->set->ascii.w[1] & b->set->ascii.w[1]) != 0;
    return b->kind == NODE_LITERAL && b->text.n == 1 && (unsigned char)b->text.p[0] < 128 &&
           b->text.p[0] != HAZARD_OPAQUE && ascii_has(a->set->ascii, (uint32_t)b->text.p[0]);
}

/* Whether everything the part must contain could be eaten by a run of the set as well. */
static bool is_covered(const struct regex_node *set, const struct regex_node *part)
{
    part = strip_groups(part);
    if (edge_of(part, false).empty && part->kind != NODE_LITERAL) return true;
    if (part->kind == NODE_LITERAL && set->kind == NODE_SET) {
        for (uint32_t i = 0; i < part->text.n; i++) {
            unsigned char c = (unsigned char)part->text.p[i];
            if (c == HAZARD_OPAQUE || c >= 128 || !ascii_has(set->set->ascii, c)) return false;
        }
        return true;
    }
    if (part->kind == NODE_SET && set->kind == NODE_SET)
        return (part->set->ascii.w[0] & ~set->set->ascii.w[0]) == 0 &&
               (part->set->ascii.w[1] & ~set->set->ascii.w[1]) == 0;
    return false;
}

/* A body x* y? z with y, z covered by x: one text, many cuts. */
static bool sequence_is_ambiguous(const struct regex_node *first)
{
    for (const struct regex_node *c = first; c != NULL; c = c->next) {
        const struct regex_node *loop = strip_groups(c);
        if (!is_endless(loop)) continue;
        const struct regex_node *set = strip_groups(loop->child);
        if (set == NULL || (set->kind != NODE_SET && set->kind != NODE_LITERAL)) continue;
        if (set->kind == NODE_LITERAL && memchr(set->text.p, HAZARD_OPAQUE, set->text.n) != NULL)
            continue;
        bool all = true;
        for (const struct regex_node *o = first; o != NULL && all; o = o->next)
            all = o == c || is_covered(set, o);
        if (all) return true;
    }
    return false;
}

static bool body_is_ambiguous(const struct regex_node *body)
{
    body = strip_groups(body);
    if (body == NULL) return false;
    if (body->kind == NODE_SEQUENCE) return sequence_is_ambiguous(body->child);
    if (is_endless(body)) {
        const struct regex_node *inner = strip_groups(body->child);
        return inner != NULL && (inner->kind == NODE_SET || inner->kind == NODE_LITERAL);
    }
    if (body->kind != NODE_ALTERNATE) return false;
    for (const struct regex_node *a = body->child; a != NULL; a = a->next) {
        if (body_is_ambiguous(a)) return true;
        for (const struct regex_node *b = a->next; b != NULL; b = b->next)
            if (overlap(strip_groups(a), strip_groups(b))) return true;
    }
    return false;
}

static bool can_fail(const struct regex_node *node)
{
    for (; node != NULL; node = node->next)
        if (node->kind == NODE_ASSERT || node->kind == NODE_LOOK || !edge_of(node, false).empty)
            return true;
    return false;
}

/* `followed`: after this node comes something that can fail, which is what makes a search go back.
 */
static void walk(const struct regex_node *node, bool followed, struct regex_hazard *out)
{
    if (node == NULL) return;
    if (node->kind == NODE_SEQUENCE) check_anchors(node, out);
    if (is_endless(node) && followed && !out->exponential && body_is_ambiguous(node->child)) {
        out->exponential = true;
        out->exponential_at = node->at;
    }
    bool in_order = node->kind == NODE_SEQUENCE;
    /* An atomic group gives nothing back, whatever follows it. */
    bool below =
        node->kind == NODE_ATOMIC || (node->kind == NODE_REPEAT && node->mode == REPEAT_POSSESSIVE)
            ? false
            : followed;
    for (const struct regex_node *c = node->child; c != NULL; c = c->next)
        walk(c, below || (in_order && can_fail(c->next)), out);
}

struct regex_hazard regex_hazard_find(slice pattern, uint32_t regex_flags)
{
    struct regex_hazard out = {0};
    struct grok_error error = {0};
    struct regex_tree *tree = regex_parse(pattern, regex_flags, &error);
    if (tree == NULL) return out;
    walk(tree->root, false, &out);
    regex_tree_free(tree);
    return out;
}
