/* fields.c - lints about fields that are not there, or not what they seem. */
#include <string.h>

#include "engine/lint/checks.h"

/* ---- ecs-field ---------------------------------------------------------------------------- */

#define LEGACY_MAX 512u
struct legacy {
    slice name[LEGACY_MAX]; /* canonical */
    slice by[LEGACY_MAX];   /* who set it then, for the message */
    uint32_t n;
};

static void legacy_add(struct lint *l, struct legacy *set, slice name, slice by)
{
    slice canonical = field_canon(l, name);
    if (set->n == LEGACY_MAX || facts_made(l, canonical)) return;
    for (uint32_t i = 0; i < set->n; i++)
        if (slice_equal(set->name[i], canonical)) return;
    set->name[set->n] = canonical;
    set->by[set->n++] = by;
}

static void legacy_capture(struct lint *l, const struct grok_use *use, slice field, slice type)
{
    (void)use;
    (void)type;
    legacy_add(l, l->legacy, field, SLICE("grok"));
}

static void legacy_grok(struct lint *l, const struct grok_use *use)
{
    const struct ast_plugin *p = use->plugin->plugin;
    if (lint_is_ecs(l, p) && lint_option(p, "target") == NULL)
        lint_captures_legacy(l, use, legacy_capture);
}

/* What inputs set in the disabled mode only. */
static void legacy_inputs(struct lint *l, struct legacy *set)
{
    static const struct {
        const char *input, *fields[10];
    } table[] = {{"file", {"path"}},
                 {"tcp", {"port", "sslsubject", "proxy_host", "proxy_port"}},
                 {"generator", {"sequence"}},
                 {"heartbeat", {"clock"}},
                 {"http", {"headers"}},
                 {"syslog",
                  {"priority", "severity", "facility", "severity_label", "facility_label",
                   "logsource", "program", "pid"}}};
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (p->section != SECTION_INPUT || !lint_is_ecs(l, p->plugin)) continue;
        for (uint32_t k = 0; k < sizeof(table) / sizeof(table[0]); k++)
            if (slice_equal(p->plugin->name, slice_from_cstr(table[k].input)))
                for (uint32_t f = 0; f < 10 && table[k].fields[f] != NULL; f++)
                    legacy_add(l, set, slice_from_cstr(table[k].fields[f]), p->plugin->name);
    }
}

static void check_legacy(struct lint *l, slice name, struct pos pos, void *context)
{
    const struct legacy *set = context;
    slice canonical = field_canon(l, name);
    for (uint32_t i = 0; i < set->n; i++) {
        if (!slice_equal(set->name[i], canonical)) continue;
        lint_warn(l, pos,
                  "use the ECS name (docs/migrating-from-logstash.md), or set "
                  "pipeline.ecs_compatibility: disabled",
                  "the %.*s sets %.*s only with ecs_compatibility => disabled; this pipeline runs "
                  "in ECS mode, where the field has another name",
                  SLICE_FMT(set->by[i]), SLICE_FMT(name));
        return;
    }
}

void lint_ecs_field(struct lint *l)
{
    l->legacy = heap_alloc(l->heap, sizeof(*l->legacy));
    lint_groks(l, legacy_grok);
    legacy_inputs(l, l->legacy);
    if (!l->facts.any_type && l->legacy->n > 0) lint_references(l, check_legacy, l->legacy);
}

/* ---- missing-field ------------------------------------------------------------------------ */

/* ecs-field has said so. */
static bool is_legacy(const struct lint *l, slice canonical)
{
    for (uint32_t i = 0; i < l->legacy->n; i++)
        if (slice_equal(l->legacy->name[i], canonical)) return true;
    return false;
}

static void check_missing(struct lint *l, slice name, struct pos pos, void *context)
{
    (void)context;
    /* Not a reference at all: the text stays as it is, which may be meant. */
    if (name.p[0] != '[' && slice_find_byte(name, ' ') >= 0) return;
    if (facts_may_exist(l, field_canon(l, name)) || is_legacy(l, field_canon(l, name))) return;
    lint_warn(l, pos, "correct the name, or set the field before",
              "no input or filter of this configuration sets %.*s: it is always missing",
              SLICE_FMT(name));
}

void lint_missing_field(struct lint *l)
{
    if (l->facts.any_name) return;
    lint_references(l, check_missing, NULL);
}

/* ---- dotted-field ------------------------------------------------------------------------- */

static void check_dotted(struct lint *l, slice name, struct pos pos, void *context)
{
    static const char *const objects[] = {"host.",      "agent.",     "log.",    "event.",
                                          "container.", "cloud.",     "fields.", "kubernetes.",
                                          "winlog.",    "@metadata.", "input."};
    slice canonical = field_canon(l, name);
    slice inner = slice_part(canonical, 1, canonical.n - 2);
    (void)context;
    if (slice_find_byte(inner, '[') >= 0 || facts_made(l, canonical)) return;
    for (uint32_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        if (!slice_starts(inner, slice_from_cstr(objects[i]))) continue;
        char fix[256] = "write [";
        for (uint32_t k = 0, n = 7; k <= inner.n && n + 4 < sizeof(fix); k++) {
            bool dot = k < inner.n && inner.p[k] == '.';
            if (dot) fix[n++] = ']';
            fix[n++] = k == inner.n ? ']' : dot ? '[' : inner.p[k];
        }
        lint_warn(l, pos, fix, "%.*s is a field whose name has a dot; events of beats have objects",
                  SLICE_FMT(name));
        return;
    }
}

void lint_dotted_field(struct lint *l)
{
    bool beats = false;
    for (uint32_t i = 0; i < l->plugin_n; i++)
        beats |= lint_is(&l->plugin[i], SECTION_INPUT, "beats") ||
                 lint_is(&l->plugin[i], SECTION_INPUT, "elastic_agent");
    if (beats && !l->facts.any_type) lint_references(l, check_dotted, NULL);
}

/* ---- add-field-exists ---------------------------------------------------------------------- */

/* Fields that are surely there at one point of the configuration. */
struct present {
    slice *at;
    uint32_t n, cap;
};

static bool present_has(const struct present *p, slice name)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (slice_equal(p->at[i], name)) return true;
    return false;
}

static void present_add(struct lint *l, struct present *p, slice name)
{
    name = field_canon(l, name);
    if (slice_find(name, SLICE("%{")) >= 0 || present_has(p, name)) return;
    if (p->n == p->cap) {
        p->cap = p->cap == 0 ? 16 : p->cap * 2;
        p->at = heap_grow(l->heap, p->at, p->n, p->cap, sizeof(*p->at));
    }
    p->at[p->n++] = name;
}

/* The field, and what is inside it. */
static void present_remove(struct lint *l, struct present *p, slice name)
{
    uint32_t kept = 0;
    name = field_canon(l, name);
    if (slice_find(name, SLICE("%{")) >= 0) p->n = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if (!slice_starts(p->at[i], name)) p->at[kept++] = p->at[i];
    p->n = kept;
}

static struct present present_copy(struct lint *l, const struct present *p)
{
    struct present copy = {.n = p->n, .cap = p->n};
    copy.at = heap_grow(l->heap, p->at, p->n, p->n + 1, sizeof(*p->at));
    return copy;
}

static void check_add(struct lint *l, const struct ast_plugin *plugin, const struct present *p)
{
    struct config_hash add = lint_pairs(l, lint_option(plugin, "add_field"));
    for (uint32_t i = 0; i < add.n; i++) {
        slice name = field_canon(l, add.at[i].key.text);
        if (slice_equal(name, SLICE("[tags]")) || !present_has(p, name)) continue;
        lint_warn(l, add.at[i].key.pos, "use mutate replace, or remove the field before",
                  "%.*s is there already, and add_field does not replace: it becomes a list of "
                  "both values",
                  SLICE_FMT(add.at[i].key.text));
    }
}

static void each_item(struct lint *l, const struct ast_plugin *p, const char *option,
                      struct present *set, void (*act)(struct lint *, struct present *, slice))
{
    uint32_t n;
    const struct config_value *items = lint_items(lint_option(p, option), &n);
    for (uint32_t i = 0; i < n; i++) act(l, set, items[i].text);
}

static void each_key(struct lint *l, const struct ast_plugin *p, const char *option,
                     struct present *set, void (*act)(struct lint *, struct present *, slice))
{
    struct config_hash pairs = lint_pairs(l, lint_option(p, option));
    for (uint32_t i = 0; i < pairs.n; i++) act(l, set, pairs.at[i].key.text);
}

static void through_mutate(struct lint *l, const struct ast_plugin *p, struct present *set)
{
    static const char *const moves[] = {"rename", "copy"};
    for (int m = 0; m < 2; m++) {
        struct config_hash pairs = lint_pairs(l, lint_option(p, moves[m]));
        for (uint32_t i = 0; i < pairs.n; i++) {
            bool there = present_has(set, field_canon(l, pairs.at[i].key.text));
            if (m == 0) present_remove(l, set, pairs.at[i].key.text);
            if (there && config_is_scalar(&pairs.at[i].val))
                present_add(l, set, pairs.at[i].val.text);
        }
        if (m == 0) each_key(l, p, "replace", set, present_add);
    }
}

/* Plugins that leave alone what they are not told to write. */
static bool is_tame(const struct ast_plugin *p)
{
    static const char *const names[] = {"grok",  "date",      "json",      "kv",   "csv", "dissect",
                                        "geoip", "useragent", "translate", "drop", NULL};
    for (int i = 0; names[i] != NULL; i++)
        if (slice_equal(p->name, slice_from_cstr(names[i]))) return true;
    return false;
}

static void through_plugin(struct lint *l, const struct ast_plugin *p, struct present *set)
{
    bool mutate = slice_equal(p->name, SLICE("mutate"));
    if (mutate) through_mutate(l, p, set);
    check_add(l, p, set);
    if (!mutate && !is_tame(p)) set->n = 0;
    if (mutate) each_key(l, p, "add_field", set, present_add);
    each_item(l, p, "remove_field", set, present_remove);
}

static void through_block(struct lint *l, const struct ast_block *block, struct present *set)
{
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast_statement *st = &block->at[i];
        if (st->type == STATEMENT_PLUGIN) {
            through_plugin(l, st->plugin, set);
            continue;
        }
        struct present before = present_copy(l, set);
        for (uint32_t k = 0; k < st->branch->n; k++) {
            struct present inner = present_copy(l, &before);
            through_block(l, st->branch->arms[k].body, &inner);
            uint32_t kept = 0;
            for (uint32_t f = 0; f < set->n; f++)
                if (present_has(&inner, set->at[f])) set->at[kept++] = set->at[f];
            set->n = kept;
        }
    }
}

void lint_add_field(struct lint *l)
{
    struct present set = {0};
    uint32_t inputs = 0, typed = 0;
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        if (l->plugin[i].section != SECTION_INPUT) continue;
        inputs++;
        typed += lint_option(l->plugin[i].plugin, "type") != NULL;
    }
    if (inputs > 0 && !l->facts.any_name) present_add(l, &set, SLICE("message"));
    if (inputs > 0 && inputs == typed) present_add(l, &set, SLICE("type"));
    if (inputs > 0) present_add(l, &set, SLICE("@timestamp"));
    through_block(l, &l->ast->sections[SECTION_FILTER], &set);
}
