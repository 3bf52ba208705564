/*
 * i18n.c - texts without accents.
 *
 * Letters of Latin-1 and Latin Extended-A become the ASCII letters that come near; every other
 * character beyond ASCII becomes "?". The approximations are those of Ruby's i18n. No state.
 */
#include "engine/plan/filter_kit.h"

#define TABLE_FIRST 0xc0u
#define TABLE_N 192u

/* From U+00C0, row by row of sixteen. */
/* clang-format off */
static const char table[TABLE_N][3] = {
    /* 00C0 */ "A", "A", "A", "A", "A", "A", "AE", "C", "E", "E", "E", "E", "I", "I", "I", "I",
    /* 00D0 */ "D", "N", "O", "O", "O", "O", "O", "x", "O", "U", "U", "U", "U", "Y", "Th", "ss",
    /* 00E0 */ "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i", "i",
    /* 00F0 */ "d", "n", "o", "o", "o", "o", "o", "", "o", "u", "u", "u", "u", "y", "th", "y",
    /* 0100 */ "A", "a", "A", "a", "A", "a", "C", "c", "C", "c", "C", "c", "C", "c", "D", "d",
    /* 0110 */ "D", "d", "E", "e", "E", "e", "E", "e", "E", "e", "E", "e", "G", "g", "G", "g",
    /* 0120 */ "G", "g", "G", "g", "H", "h", "H", "h", "I", "i", "I", "i", "I", "i", "I", "i",
    /* 0130 */ "I", "i", "IJ", "ij", "J", "j", "K", "k", "k", "L", "l", "L", "l", "L", "l", "L",
    /* 0140 */ "l", "L", "l", "N", "n", "N", "n", "N", "n", "'n", "NG", "ng", "O", "o", "O", "o",
    /* 0150 */ "O", "o", "OE", "oe", "R", "r", "R", "r", "R", "r", "S", "s", "S", "s", "S", "s",
    /* 0160 */ "S", "s", "T", "t", "T", "t", "T", "t", "U", "u", "U", "u", "U", "u", "U", "u",
    /* 0170 */ "U", "u", "U", "u", "W", "w", "Y", "y", "Y", "Z", "z", "Z", "z", "Z", "z", "",
};
/* clang-format on */

struct i18n_cfg {
    struct config_list names;
    struct field_list fields;
};

/* Fields are valid UTF-8: a character has as many bytes as its first one says. */
static uint32_t character(slice text, uint32_t at, uint32_t *code)
{
    unsigned char first = (unsigned char)text.p[at];
    uint32_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    *code = n == 2         ? (uint32_t)(first & 0x1f) << 6 | (text.p[at + 1] & 0x3f)
            : first < 0x80 ? first
                           : 0;
    return n;
}

static struct value transliterate(struct batch *b, struct value *v)
{
    slice text = value_slice(v);
    uint32_t code, plain = 0;
    while (plain < text.n && (unsigned char)text.p[plain] < 0x80) plain++;
    if (plain == text.n) return *v;
    struct buf *out = &b->scratch;
    out->n = 0;
    for (uint32_t at = 0, n; at < text.n; at += n) {
        n = character(text, at, &code);
        const char *near =
            code >= TABLE_FIRST && code < TABLE_FIRST + TABLE_N ? table[code - TABLE_FIRST] : "";
        if (n == 1)
            buf_add_byte(out, text.p[at]);
        else
            buf_add_cstr(out, near[0] != 0 ? near : "?");
    }
    return value_string(arena_copy(&b->arena, buf_slice(out)));
}

static void field_change(struct batch *b, struct event *ev, const struct fieldref *ref)
{
    struct value *v = event_get(b, ev, ref), val;
    if (v == NULL || (v->type != VALUE_STRING && v->type != VALUE_LIST)) return;
    if (v->type == VALUE_STRING) {
        val = transliterate(b, v);
    } else {
        struct value *items = arena_alloc(&b->arena, ((size_t)v->n + 1) * sizeof(*items), 16);
        for (uint32_t i = 0; i < v->n; i++) {
            value_resolve(&v->u.list[i], &b->arena);
            items[i] = v->u.list[i];
            if (items[i].type == VALUE_STRING) items[i] = transliterate(b, &items[i]);
        }
        val = value_list(items, v->n);
    }
    /* The field is there and keeps its type. */
    err e = event_put(b, ev, ref, val);
    (void)e;
}

static enum applied i18n_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct i18n_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        for (uint32_t k = 0; k < cfg->fields.n; k++)
            field_change(b, &b->event[in->at[i]], &cfg->fields.at[k]);
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err i18n_compile(void *config, struct compiler *c)
{
    struct i18n_cfg *cfg = config;
    return compile_field_list(c, &cfg->fields, cfg->names);
}

/* clang-format off */
static const struct setting i18n_settings[] = {
    {.name = "transliterate", SETTING_AT(struct i18n_cfg, names, LIST), .flags = SETTING_FIELD,
     .default_text = "[]",
     .doc = "Fields whose texts, or lists of texts, lose what is not ASCII: an approximation takes "
            "its place, or a question mark."},
    {0}};
/* clang-format on */

const struct filter_ops filter_i18n = {
    .name = "i18n",
    .doc = "Replaces letters beyond ASCII by ones that come near.",
    .settings = i18n_settings,
    .cfg_size = sizeof(struct i18n_cfg),
    .compile = i18n_compile,
    .apply = i18n_apply,
};
