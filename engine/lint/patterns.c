/* patterns.c - lints about regular expressions and grok patterns. */
#include <string.h>

#include "engine/lint/checks.h"
#include "parsers/grok/hazard.h"
#include "parsers/grok/regex.h"

/* ---- every expression that the configuration writes itself --------------------------------- */

typedef void regex_visit(struct lint *l, const struct config_value *v, const char *what,
                         bool is_grok);

static void each_relation(struct lint *l, regex_visit *visit)
{
    for (uint32_t i = 0; i < l->cond_n; i++) {
        const struct cond *stack[CONDITION_TERMS_MAX + 1];
        uint32_t n = 0;
        stack[n++] = l->cond[i].cond;
        while (n > 0) {
            const struct cond *c = stack[--n];
            if (c->left != NULL && n + 2 <= CONDITION_TERMS_MAX) {
                if (c->right != NULL) stack[n++] = c->right;
                stack[n++] = c->left;
            }
            if (c->type == COND_MATCH || c->type == COND_NO_MATCH)
                visit(l, &c->b, "this expression", false);
        }
    }
}

static void each_regex(struct lint *l, regex_visit *visit)
{
    each_relation(l, visit);
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        uint32_t n;
        if (lint_is(p, SECTION_FILTER, "mutate")) {
            const struct config_value *gsub = lint_items(lint_option(p->plugin, "gsub"), &n);
            for (uint32_t k = 1; k < n; k += 3)
                if (config_is_scalar(&gsub[k])) visit(l, &gsub[k], "this gsub", false);
        }
        if (!lint_is(p, SECTION_FILTER, "grok")) continue;
        struct config_hash match = lint_pairs(l, lint_option(p->plugin, "match"));
        for (uint32_t k = 0; k < match.n; k++) {
            const struct config_value *items = lint_items(&match.at[k].val, &n);
            for (uint32_t j = 0; j < n; j++)
                if (config_is_scalar(&items[j])) visit(l, &items[j], "this pattern", true);
        }
    }
}

/* The text with every %{NAME} replaced by one opaque byte; map[i] is where byte i came from. */
static slice make_opaque(struct lint *l, slice text, uint32_t **map)
{
    char *out = heap_alloc(l->heap, (size_t)text.n + 1);
    uint32_t n = 0;
    *map = heap_alloc(l->heap, ((size_t)text.n + 1) * sizeof(**map));
    for (uint32_t i = 0; i < text.n; n++) {
        slice rest = slice_from(text, i);
        int64_t end = slice_starts(rest, SLICE("%{")) ? slice_find_byte(rest, '}') : -1;
        (*map)[n] = i;
        out[n] = end < 0 ? text.p[i] : HAZARD_OPAQUE;
        i += end < 0 ? 1 : (uint32_t)end + 1;
    }
    (*map)[n] = text.n;
    return slice_make(out, n);
}

/* Where offset `at` of the opaque text stands in the configuration. */
static struct pos place(const struct config_value *v, const uint32_t *map, uint32_t at)
{
    if (v->flags & CONFIG_EXPANDED) return v->pos;
    return config_value_pos_in(v, map[at]);
}

static void check_slow(struct lint *l, const struct config_value *v, const char *what, bool is_grok)
{
    uint32_t *map;
    slice text = make_opaque(l, v->text, &map);
    struct regex_hazard hazard = regex_hazard_find(text, is_grok ? REGEX_DOT_ALL : 0);
    if (!hazard.exponential) return;
    lint_warn(l, place(v, map, hazard.exponential_at),
              "make the loops exclude each other, or the inner one atomic: (?>...)",
              "%s repeats something that repeats itself: a text that nearly matches is tried in "
              "exponentially many ways, until the search is given up",
              what);
}

void lint_regex_slow(struct lint *l)
{
    each_regex(l, check_slow);
}

static void check_impossible(struct lint *l, const struct config_value *v, const char *what,
                             bool is_grok)
{
    uint32_t *map;
    slice text = make_opaque(l, v->text, &map);
    struct regex_hazard hazard = regex_hazard_find(text, is_grok ? REGEX_DOT_ALL : 0);
    if (!hazard.impossible) return;
    /* A variable that stayed as it was: partial-variable says so. */
    if (slice_starts(slice_from(text, hazard.impossible_at), SLICE("${"))) return;
    lint_warn(l, place(v, map, hazard.impossible_at),
              "remove the anchor, or escape it (\\^ or \\$) if the character itself is meant",
              "%s can never match here: no line begins or ends in the middle of one", what);
}

void lint_regex_impossible(struct lint *l)
{
    each_regex(l, check_impossible);
}

/* ---- line-anchor -------------------------------------------------------------------------- */

/* All text comes from multiline codecs. */
static bool is_multiline(struct lint *l)
{
    uint32_t inputs = 0, multiline = 0;
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (p->section != SECTION_INPUT) continue;
        inputs++;
        multiline += slice_equal(lint_codec(p->plugin), SLICE("multiline"));
    }
    return inputs > 0 && inputs == multiline;
}

static bool ends_in_anchor(slice text)
{
    uint32_t slashes = 0;
    if (text.n == 0 || text.p[text.n - 1] != '$') return false;
    while (slashes + 1 < text.n && text.p[text.n - 2 - slashes] == '\\') slashes++;
    return slashes % 2 == 0;
}

static void check_whole(struct lint *l, const struct lint_cond *of, const struct cond *c)
{
    (void)of;
    if (c->type != COND_MATCH && c->type != COND_NO_MATCH) return;
    if (c->a.type != CONFIG_SELECTOR || !field_is(l, c->a.text, "[message]")) return;
    slice text = c->b.text;
    if (!slice_starts(text, SLICE("^")) || !ends_in_anchor(text)) return;
    if (slice_find(text, SLICE("\\n")) >= 0) return;
    lint_warn(l, c->b.pos, "write \\A and \\z for the begin and the end of the whole text",
              "^ and $ match at every line, and the events of this pipeline have several: one line "
              "that matches is enough");
}

static void check_lazy_end(struct lint *l, const struct grok_use *use)
{
    static const char *const lazy[] = {".*?$", ".+?$"};
    slice text = use->pattern->text;
    if (!ends_in_anchor(text) || !field_is(l, use->field->text, "[message]")) return;
    bool found = false;
    for (int i = 0; i < 2; i++) found |= slice_ends(text, slice_from_cstr(lazy[i]));
    if (!found && text.n > 2 && text.p[text.n - 2] == '}') {
        int64_t at = -1;
        for (uint32_t i = 0; i + 1 < text.n; i++)
            if (text.p[i] == '%' && text.p[i + 1] == '{') at = i;
        slice token = at < 0 ? SLICE_NONE : slice_from(text, (uint32_t)at);
        found = slice_starts(token, SLICE("%{DATA}")) || slice_starts(token, SLICE("%{DATA:"));
    }
    if (!found) return;
    lint_warn(l, config_value_pos_in(use->pattern, text.n - 1),
              "write %{GREEDYDATA:...}, or \\z in place of $",
              "$ matches at the end of every line, and the events of this pipeline have several: "
              "the last field gets the rest of its line only");
}

void lint_line_anchor(struct lint *l)
{
    if (!is_multiline(l)) return;
    lint_relations(l, check_whole);
    lint_groks(l, check_lazy_end);
}

/* ---- groks -------------------------------------------------------------------------------- */

/* Matches every text, with or without a field name. */
static bool is_catch_all(slice text)
{
    static const char *const all[] = {"%{GREEDYDATA}", "%{DATA}", ".*", ".*?"};
    if (slice_starts(text, SLICE("^"))) text = slice_from(text, 1);
    if (ends_in_anchor(text)) text.n--;
    for (int i = 0; i < 4; i++)
        if (slice_equal(text, slice_from_cstr(all[i]))) return true;
    bool named = slice_starts(text, SLICE("%{GREEDYDATA:")) || slice_starts(text, SLICE("%{DATA:"));
    return named && slice_find_byte(text, '}') == (int64_t)text.n - 1;
}

static void check_shadowed(struct lint *l, const struct grok_use *use)
{
    slice stop = lint_option_text(use->plugin->plugin, "break_on_match");
    if (slice_equal(stop, SLICE("false"))) return;
    for (uint32_t i = 0; i < use->at; i++) {
        const struct config_value *before = use->pattern - use->at + i;
        bool all = is_catch_all(before->text);
        if (!all && !slice_equal(before->text, use->pattern->text)) continue;
        lint_warn(l, use->pattern->pos,
                  all ? "put the pattern that matches everything last" : "remove one of the two",
                  all ? "this pattern is never tried: the one of line %u matches everything"
                      : "this pattern is never tried: it is the same as the one of line %u",
                  pos_place(before->pos).line);
        return;
    }
}

void lint_grok_shadowed(struct lint *l)
{
    lint_groks(l, check_shadowed);
}

static void check_append(struct lint *l, const struct grok_use *use, slice field, slice type)
{
    slice name = field_canon(l, field);
    (void)type;
    if (!slice_equal(name, field_canon(l, use->field->text))) return;
    if (lint_overwritten(l, use->plugin->plugin, name)) return;
    int64_t at = slice_find(use->pattern->text, field);
    char fix[200];
    snprintf(fix, sizeof(fix), "add overwrite => [\"%.*s\"] to the grok", SLICE_FMT(field));
    lint_warn(l, config_value_pos_in(use->pattern, at < 0 ? 0 : (uint32_t)at), fix,
              "grok keeps what is there: %.*s becomes a list of the whole text and this capture",
              SLICE_FMT(field));
}

static void check_appends(struct lint *l, const struct grok_use *use)
{
    if (lint_option(use->plugin->plugin, "target") != NULL) return;
    lint_captures(l, use, check_append);
}

void lint_grok_append(struct lint *l)
{
    lint_groks(l, check_appends);
}

/* The token that starts at `at`: %{NAME:field:int}. */
static slice token_at(slice text, uint32_t at)
{
    slice rest = slice_from(text, at);
    int64_t end = slice_starts(rest, SLICE("%{")) ? slice_find_byte(rest, '}') : -1;
    return end < 0 ? SLICE_NONE : slice_part(rest, 0, (uint32_t)end + 1);
}

static void check_coercion(struct lint *l, const struct grok_use *use)
{
    slice text = use->pattern->text;
    for (uint32_t i = 1; i < text.n; i++) {
        slice token = token_at(text, i);
        if (!slice_ends(token, SLICE(":int}")) && !slice_ends(token, SLICE(":float}"))) continue;
        int64_t first = slice_find(text, token);
        if (first < 0 || (uint32_t)first >= i) continue;
        lint_warn(l, config_value_pos_in(use->pattern, i),
                  "use two patterns in a list, or mutate convert after the grok",
                  "%.*s is there twice, and only the first is made a number: where the second "
                  "matches the field is text",
                  SLICE_FMT(token));
        return;
    }
}

void lint_grok_coercion(struct lint *l)
{
    lint_groks(l, check_coercion);
}

static void check_break(struct lint *l, const struct grok_use *use)
{
    const struct ast_plugin *p = use->plugin->plugin;
    const struct config_value *tags = lint_option(p, "tag_on_failure");
    bool untagged = tags != NULL && tags->type == CONFIG_LIST && tags->n == 0;
    bool decorates = lint_option(p, "add_field") != NULL || lint_option(p, "add_tag") != NULL ||
                     lint_option(p, "remove_field") != NULL || lint_option(p, "remove_tag") != NULL;
    if (use->at != 0 || use->of < 2 || (untagged && !decorates)) return;
    if (!slice_equal(lint_option_text(p, "break_on_match"), SLICE("false"))) return;
    lint_warn(l, settings_pos(p, "break_on_match"),
              "use one grok for each pattern, or tag_on_failure => []",
              "without break_on_match the last pattern of the list alone decides: an event that "
              "only earlier ones match is tagged as failed and keeps their fields");
}

void lint_grok_break(struct lint *l)
{
    lint_groks(l, check_break);
}

/* The type of %{NAME:field:type}; empty when there is none. */
static slice token_type(slice token)
{
    slice inner = slice_part(token, 2, token.n - 3);
    for (int i = 0; i < 2; i++) {
        int64_t colon = slice_find_byte(inner, ':');
        if (colon < 0) return SLICE_NONE;
        inner = slice_from(inner, (uint32_t)colon + 1);
    }
    return inner;
}

static void check_token(struct lint *l, const struct grok_use *use)
{
    slice text = use->pattern->text;
    for (uint32_t i = 0; i < text.n; i++) {
        slice token = token_at(text, i);
        if (token.n < 4 || slice_find_byte(token, '=') >= 0) continue;
        slice type = token_type(token);
        struct pos pos = config_value_pos_in(use->pattern, i);
        if (slice_find(slice_from(token, 2), SLICE("%{")) >= 0)
            lint_warn(l, pos, "write the } where the first one ends",
                      "this %%{ is not closed before the next one: both become one reference to "
                      "the first");
        else if (type.n > 0 && !slice_equal(type, SLICE("int")) &&
                 !slice_equal(type, SLICE("float")) && !slice_equal(type, SLICE("string")))
            lint_warn(l, pos, "write :int or :float, or mutate convert after the grok",
                      "grok knows the types int and float only: %.*s is passed over and the field "
                      "is text",
                      SLICE_FMT(type));
    }
}

void lint_grok_token(struct lint *l)
{
    lint_groks(l, check_token);
}
