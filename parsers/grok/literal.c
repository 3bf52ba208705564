/* literal.c - required literals of a syntax tree. */
#include "parsers/grok/literal.h"

#include <stdlib.h>

#include "engine/base/assert.h"

/* `exact`: the node matches exactly these strings and nothing else. */
struct part {
    bool exact;
    struct need need;
};

static void need_of(const struct regex_node *node, struct part *out);

static struct part *part_new(void)
{
    struct part *part = calloc(1, sizeof(*part));
    ASSERT(part != NULL);
    return part;
}

/* Worth of a set: its weakest literal decides, many literals cost. */
static uint32_t worth(const struct need *need)
{
    uint32_t least = need->n == 0 ? 0 : UINT32_MAX;
    for (uint32_t i = 0; i < need->n; i++) {
        const struct need_literal *l = &need->literal[i];
        uint32_t score = 0;
        for (uint32_t k = 0; k < l->n; k++) {
            char c = l->bytes[k];
            bool common = c == ' ' || c == '.' || c == '-' || c == ':' || c == '/' ||
                          (c >= '0' && c <= '9') || c == 'e';
            score += common ? 10 : 16;
        }
        if (score < least) least = score;
    }
    if (least > 128) least = 128;
    return need->n == 0 ? 0 : least * 8 + 8 - (need->n > 7 ? 7 : need->n);
}

static void keep_better(struct need *best, const struct need *other)
{
    if (worth(other) > worth(best)) *best = *other;
}

/* U+017F and U+212A fold to s and k, and multi-byte characters fold to other bytes. */
static bool folds_beyond_ascii(unsigned char c)
{
    return c >= 0x80 || c == 'k' || c == 'K' || c == 's' || c == 'S';
}

static bool folds(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static void literal_part(const struct regex_node *node, struct part *out)
{
    slice text = node->text;
    struct need piece = {0};
    out->exact = text.n <= NEED_BYTES_MAX;
    for (uint32_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        struct need_literal *l = &piece.literal[0];
        if ((node->no_case && folds_beyond_ascii(c)) || l->n == NEED_BYTES_MAX) {
            out->exact = false;
            keep_better(&out->need, &piece);
            piece = (struct need){0};
            if (node->no_case) continue;
        }
        piece.n = 1;
        l->bytes[l->n++] = (char)c;
        l->no_case |= node->no_case && folds(c);
    }
    keep_better(&out->need, &piece);
}

/* A set of few ASCII characters is a set of one-byte literals. */
static void set_part(const struct charset *set, struct part *out)
{
    uint32_t n =
        (uint32_t)(__builtin_popcountll(set->ascii.w[0]) + __builtin_popcountll(set->ascii.w[1]));
    if (set->high != HIGH_NONE || n == 0 || n > 4) return;
    out->exact = true;
    for (uint32_t c = 0; c < 128; c++) {
        if (!ascii_has(set->ascii, c)) continue;
        struct need_literal *l = &out->need.literal[out->need.n++];
        *l = (struct need_literal){.n = 1};
        l->bytes[0] = (char)c;
    }
}

/* Appends an exact part to an exact run; false when the product is too large. */
static bool extend(struct need *run, const struct need *more)
{
    if (run->n == 0) return *run = *more, true;
    if (more->n == 0) return true;
    if (run->n * more->n > NEED_LITERALS_MAX / 2) return false;
    struct need *product = calloc(1, sizeof(*product));
    ASSERT(product != NULL);
    bool ok = true;
    for (uint32_t i = 0; ok && i < run->n; i++) {
        for (uint32_t k = 0; ok && k < more->n; k++) {
            struct need_literal l = run->literal[i];
            const struct need_literal *tail = &more->literal[k];
            ok = l.n + tail->n <= NEED_BYTES_MAX;
            if (!ok) break;
            memcpy(l.bytes + l.n, tail->bytes, tail->n);
            l.n = (uint8_t)(l.n + tail->n);
            l.no_case |= tail->no_case;
            product->literal[product->n++] = l;
        }
    }
    if (ok) *run = *product;
    free(product);
    return ok;
}

/*
 * Case: literals that mix case modes are searched without case, which finds more, never less;
 * but only if no letter of them folds beyond ASCII.
 */
static bool case_sound(const struct need *need)
{
    for (uint32_t i = 0; i < need->n; i++)
        for (uint32_t k = 0; need->literal[i].no_case && k < need->literal[i].n; k++)
            if (folds_beyond_ascii((unsigned char)need->literal[i].bytes[k])) return false;
    return true;
}

static void sequence_part(const struct regex_node *node, struct part *out)
{
    struct part *child = part_new(), *run = part_new();
    out->exact = true;
    for (const struct regex_node *at = node->child; at != NULL; at = at->next) {
        *child = (struct part){0};
        need_of(at, child);
        struct need before = run->need;
        bool joined = child->exact && extend(&run->need, &child->need);
        if (joined && !case_sound(&run->need)) {
            run->need = before;
            joined = false;
        }
        if (joined) continue;
        out->exact = false;
        keep_better(&out->need, &run->need);
        keep_better(&out->need, &child->need);
        run->need = child->exact ? child->need : (struct need){0};
    }
    if (out->exact)
        out->need = run->need;
    else
        keep_better(&out->need, &run->need);
    free(child);
    free(run);
}

static void alternate_part(const struct regex_node *node, struct part *out)
{
    struct part *child = part_new();
    out->exact = true;
    for (const struct regex_node *at = node->child; at != NULL; at = at->next) {
        *child = (struct part){0};
        need_of(at, child);
        if (child->need.n == 0 || out->need.n + child->need.n > NEED_LITERALS_MAX) {
            *out = (struct part){0};
            break;
        }
        out->exact &= child->exact;
        memcpy(&out->need.literal[out->need.n], child->need.literal,
               child->need.n * sizeof(child->need.literal[0]));
        out->need.n += child->need.n;
    }
    free(child);
}

static void need_of(const struct regex_node *node, struct part *out)
{
    switch (node->kind) {
    case NODE_LITERAL: literal_part(node, out); break;
    case NODE_SET: set_part(node->set, out); break;
    case NODE_SEQUENCE: sequence_part(node, out); break;
    case NODE_ALTERNATE: alternate_part(node, out); break;
    case NODE_GROUP:
    case NODE_ATOMIC: need_of(node->child, out); break;
    case NODE_REPEAT:
        if (node->min == 0) break;
        need_of(node->child, out);
        if (node->max != 1) out->exact = false;
        break;
    case NODE_EMPTY:
    case NODE_ASSERT:
    case NODE_LOOK: out->exact = true; break; /* they consume nothing */
    default: break;
    }
}

void literal_need(const struct regex_tree *tree, struct need *out)
{
    struct part *part = part_new();
    need_of(tree->root, part);
    *out = part->need;
    free(part);
}
