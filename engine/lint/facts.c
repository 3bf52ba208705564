/*
 * facts.c - which fields the configuration writes, and as what.
 *
 * A plugin that is not known here may write anything. Inputs that only wrap text (tcp, udp, file
 * ... with plain, line or multiline codec) set a known handful of fields.
 */
#include <string.h>

#include "engine/lint/checks.h"
#include "engine/plan/pattern_dict.h"

slice field_canon(struct lint *l, slice name)
{
    if (name.n == 0 || name.p[0] == '[') return name;
    return heap_printf(l->heap, "[%.*s]", SLICE_FMT(name));
}

slice field_top(slice canonical)
{
    uint32_t from = 0;
    while (from < canonical.n && canonical.p[from] == '[') from++;
    int64_t end = slice_find_byte(slice_from(canonical, from), ']');
    return end < 0 ? canonical : slice_part(canonical, from, (uint32_t)end);
}

const struct field_fact *facts_find(const struct lint *l, slice canonical)
{
    for (uint32_t i = 0; i < l->facts.n; i++)
        if (slice_equal(l->facts.at[i].name, canonical)) return &l->facts.at[i];
    return NULL;
}

bool facts_made(const struct lint *l, slice canonical)
{
    const struct field_fact *fact = facts_find(l, canonical);
    return fact != NULL && fact->made;
}

static struct field_fact *fact_of(struct lint *l, slice canonical)
{
    struct lint_facts *f = &l->facts;
    for (uint32_t i = 0; i < f->n; i++)
        if (slice_equal(f->at[i].name, canonical)) return &f->at[i];
    if (f->n == f->cap) {
        f->cap = f->cap == 0 ? 64 : f->cap * 2;
        f->at = heap_grow(l->heap, f->at, f->n, f->cap, sizeof(*f->at));
    }
    f->at[f->n] = (struct field_fact){.name = canonical, .by_grok_only = true};
    return &f->at[f->n++];
}

static void note_change(struct lint *l, slice name, uint32_t types)
{
    /* A name that is made when the event comes can be any. */
    if (slice_find(name, SLICE("%{")) >= 0) {
        l->facts.any_name = l->facts.any_type = true;
        return;
    }
    struct field_fact *fact = fact_of(l, field_canon(l, name));
    fact->types |= types;
    fact->by_grok_only = false;
}

static void note(struct lint *l, slice name, uint32_t types)
{
    note_change(l, name, types);
    if (slice_find(name, SLICE("%{")) < 0) fact_of(l, field_canon(l, name))->made = true;
}

static void note_changes(struct lint *l, const struct config_value *v, uint32_t types)
{
    struct config_hash pairs = lint_pairs(l, v);
    for (uint32_t i = 0; i < pairs.n; i++) note_change(l, pairs.at[i].key.text, types);
}

static void note_keys(struct lint *l, const struct config_value *v, uint32_t types)
{
    struct config_hash pairs = lint_pairs(l, v);
    for (uint32_t i = 0; i < pairs.n; i++) note(l, pairs.at[i].key.text, types);
}

/* Option NAME (or `fallback`) names a field that is written; without either nothing is. */
static bool note_target(struct lint *l, const struct ast_plugin *p, const char *option,
                        const char *fallback, uint32_t types)
{
    slice target = lint_option_text(p, option);
    if (target.p == NULL && fallback != NULL) target = slice_from_cstr(fallback);
    if (target.p == NULL) return false;
    note(l, target, types);
    return true;
}

/* ---- inputs ----------------------------------------------------------------------------- */

static bool is_one_of(slice name, const char *const *list)
{
    for (; *list != NULL; list++)
        if (slice_equal(name, slice_from_cstr(*list))) return true;
    return false;
}

static void facts_input(struct lint *l, const struct ast_plugin *p)
{
    static const char *const text_inputs[] = {"stdin", "tcp",       "udp",       "file", "syslog",
                                              "unix",  "generator", "heartbeat", NULL};
    static const char *const text_codecs[] = {"plain", "line", "multiline", "dots", NULL};
    slice codec = lint_codec(p);
    bool text_codec = codec.p == NULL || is_one_of(codec, text_codecs);
    if (!text_codec || !is_one_of(p->name, text_inputs)) l->facts.any_name = true;
    /* Documents of Beats have names and types of their own convention. */
    if (!text_codec) l->facts.any_type = true;
    if (codec.p == NULL &&
        (slice_equal(p->name, SLICE("redis")) || slice_equal(p->name, SLICE("http"))))
        l->facts.any_type = true; /* their default codec is json */
}

/* Set by inputs of text in one mode or the other. */
bool facts_may_exist(const struct lint *l, slice canonical)
{
    static const char *const given[] = {"message",
                                        "host",
                                        "path",
                                        "event",
                                        "log",
                                        "input",
                                        "tags",
                                        "type",
                                        "@timestamp",
                                        "@version",
                                        "@metadata",
                                        "sequence",
                                        "clock",
                                        "port",
                                        "priority",
                                        "severity",
                                        "facility",
                                        "severity_label",
                                        "facility_label",
                                        "timestamp",
                                        "logsource",
                                        "program",
                                        "pid",
                                        "process",
                                        "service",
                                        "timestamp8601",
                                        "proxy_host",
                                        "proxy_port",
                                        "sslsubject",
                                        "_@timestamp",
                                        "url",
                                        "source",
                                        "_tags",
                                        NULL};
    if (l->facts.any_name) return true;
    slice top = field_top(canonical);
    if (is_one_of(top, given)) return true;
    for (uint32_t i = 0; i < l->facts.n; i++)
        if (l->facts.at[i].made && slice_equal(field_top(l->facts.at[i].name), top)) return true;
    return false;
}

/* ---- filters ---------------------------------------------------------------------------- */

static void facts_mutate(struct lint *l, const struct ast_plugin *p)
{
    static const char *const moves[] = {"rename", "copy"};
    for (int i = 0; i < 2; i++) {
        struct config_hash pairs = lint_pairs(l, lint_option(p, moves[i]));
        for (uint32_t k = 0; k < pairs.n; k++)
            if (config_is_scalar(&pairs.at[k].val)) note(l, pairs.at[k].val.text, TYPE_ANY);
    }
    note_keys(l, lint_option(p, "replace"), TYPE_STRING);
    note_changes(l, lint_option(p, "update"), TYPE_STRING);
    note_changes(l, lint_option(p, "join"), TYPE_STRING);
    note_changes(l, lint_option(p, "coerce"), TYPE_ANY);
    note_changes(l, lint_option(p, "split"), TYPE_LIST);
    note_keys(l, lint_option(p, "merge"), TYPE_ANY);
    struct config_hash convert = lint_pairs(l, lint_option(p, "convert"));
    for (uint32_t i = 0; i < convert.n; i++) {
        slice to = convert.at[i].val.text;
        uint32_t type = slice_starts(to, SLICE("int"))      ? TYPE_INT
                        : slice_starts(to, SLICE("float"))  ? TYPE_FLOAT
                        : slice_equal(to, SLICE("boolean")) ? TYPE_BOOL
                        : slice_equal(to, SLICE("string"))  ? TYPE_STRING
                                                            : TYPE_ANY;
        note_change(l, convert.at[i].key.text, type);
    }
}

static void facts_dissect(struct lint *l, const struct ast_plugin *p)
{
    struct config_hash mapping = lint_pairs(l, lint_option(p, "mapping"));
    for (uint32_t i = 0; i < mapping.n; i++) {
        struct text_part part;
        for (uint32_t at = 0; text_part_next(mapping.at[i].val.text, &at, &part);) {
            slice name = part.text; /* the "+" in front means append here */
            if (name.n > 0 && (name.p[0] == '&' || name.p[0] == '*')) l->facts.any_name = true;
            while (name.n > 0 && strchr("?&+*", name.p[0]) != NULL) name = slice_from(name, 1);
            for (uint32_t k = 0; k < name.n; k++)
                if (name.p[k] == '/' ||
                    (name.p[k] == '-' && slice_equal(slice_from(name, k), SLICE("->"))))
                    name = slice_part(name, 0, k);
            if (name.n > 0) note(l, name, TYPE_STRING);
        }
    }
    note_keys(l, lint_option(p, "convert_datatype"), TYPE_ANY);
}

static void facts_csv(struct lint *l, const struct ast_plugin *p)
{
    slice target = lint_option_text(p, "target");
    uint32_t n;
    const struct config_value *columns = lint_items(lint_option(p, "columns"), &n);
    if (lint_option_true(p, "autodetect_column_names")) l->facts.any_name = true;
    if (target.p != NULL) note(l, target, TYPE_MAP);
    for (uint32_t i = 0; i < n && target.p == NULL; i++) note(l, columns[i].text, TYPE_STRING);
    note_keys(l, lint_option(p, "convert"), TYPE_ANY);
    /* Columns beyond the named ones are called column<n>. */
    for (uint32_t i = n; i < n + 100 && target.p == NULL; i++)
        note(l, heap_printf(l->heap, "column%u", i + 1), TYPE_STRING);
}

static void facts_syslog_pri(struct lint *l, const struct ast_plugin *p)
{
    static const char *const old[] = {"syslog_severity_code", "syslog_facility_code",
                                      "syslog_severity", "syslog_facility"};
    (void)p;
    for (int i = 0; i < 4; i++) note(l, slice_from_cstr(old[i]), TYPE_ANY);
    note(l, SLICE("[log][syslog]"), TYPE_MAP);
}

/* Filters that write one field: where its name stands, and what it is otherwise. */
struct target_filter {
    const char *filter, *option, *fallback;
    uint32_t types;
};
static const struct target_filter target_filters[] = {
    {"date", "target", "@timestamp", TYPE_TIME},
    {"fingerprint", "target", "fingerprint", TYPE_STRING},
    {"geoip", "target", "geoip", TYPE_MAP},
    {"useragent", "target", "user_agent", TYPE_MAP},
    {"json", "target", NULL, TYPE_ANY},
    {"xml", "target", NULL, TYPE_ANY},
    {"kv", "target", NULL, TYPE_ANY},
    {"translate", "target", "translation", TYPE_ANY},
    {"uuid", "target", NULL, TYPE_STRING},
    {"json_encode", "target", "source", TYPE_STRING},
    {"split", "target", NULL, TYPE_ANY},
    {"bytes", "target", NULL, TYPE_INT},
};

/* Filters that change what is there, at most. */
static const char *const quiet_filters[] = {"drop", "prune",     "throttle", "sleep", "truncate",
                                            "cidr", "urldecode", "split",    NULL};

/* What may come without a name of its own when no target is given. */
static void facts_unnamed(struct lint *l, slice filter)
{
    if (slice_equal(filter, SLICE("json")) || slice_equal(filter, SLICE("xml")))
        l->facts.any_name = l->facts.any_type = true;
    if (slice_equal(filter, SLICE("kv"))) l->facts.any_name = true;
}

static void facts_filter(struct lint *l, const struct ast_plugin *p)
{
    static const struct {
        const char *name;
        void (*collect)(struct lint *, const struct ast_plugin *);
    } own[] = {{"mutate", facts_mutate},
               {"dissect", facts_dissect},
               {"csv", facts_csv},
               {"syslog_pri", facts_syslog_pri}};
    for (uint32_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (slice_equal(p->name, slice_from_cstr(own[i].name))) {
            own[i].collect(l, p);
            return;
        }
    for (uint32_t i = 0; i < sizeof(target_filters) / sizeof(target_filters[0]); i++) {
        const struct target_filter *t = &target_filters[i];
        if (!slice_equal(p->name, slice_from_cstr(t->filter))) continue;
        if (!note_target(l, p, t->option, t->fallback, t->types)) facts_unnamed(l, p->name);
        if (slice_equal(p->name, SLICE("xml"))) { /* xpath names fields as well */
            struct config_hash xpath = lint_pairs(l, lint_option(p, "xpath"));
            for (uint32_t k = 0; k < xpath.n; k++) note(l, xpath.at[k].val.text, TYPE_LIST);
        }
        if (slice_equal(p->name, SLICE("translate"))) l->facts.any_type = true;
        if (slice_equal(p->name, SLICE("geoip"))) note(l, SLICE("[as]"), TYPE_MAP);
        if (slice_equal(p->name, SLICE("fingerprint")))
            note(l, SLICE("[event][hash]"), TYPE_STRING);
        return;
    }
    if (slice_equal(p->name, SLICE("grok")) || is_one_of(p->name, quiet_filters)) return;
    if (slice_equal(p->name, SLICE("clone"))) {
        note(l, SLICE("type"), TYPE_STRING);
        return;
    }
    l->facts.any_name = l->facts.any_type = true;
}

static void note_capture(struct lint *l, const struct grok_use *use, slice field, slice type)
{
    slice target = lint_option_text(use->plugin->plugin, "target");
    if (target.p != NULL) {
        note(l, target, TYPE_MAP);
        return;
    }
    struct field_fact *fact = fact_of(l, field_canon(l, field));
    fact->made = true;
    fact->types |= slice_equal(type, SLICE("int"))     ? TYPE_INT
                   : slice_equal(type, SLICE("float")) ? TYPE_FLOAT
                                                       : TYPE_STRING;
}

static void note_captures(struct lint *l, const struct grok_use *use)
{
    if (slice_equal(lint_option_text(use->plugin->plugin, "named_captures_only"), SLICE("false")))
        l->facts.any_name = true;
    lint_captures(l, use, note_capture);
}

void facts_collect(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        note_keys(l, lint_option(p->plugin, "add_field"), TYPE_STRING);
        if (p->section == SECTION_INPUT) facts_input(l, p->plugin);
        if (p->section == SECTION_FILTER) facts_filter(l, p->plugin);
    }
    lint_groks(l, note_captures);
    /* Nothing comes in by itself: a part of a configuration, to be joined with others. */
    if (l->ast->sections[SECTION_INPUT].n == 0) l->facts.any_name = l->facts.any_type = true;
}

/* ---- captures of a grok ----------------------------------------------------------------- */

/* The compiler's own reading of patterns_dir and pattern_definitions, reports thrown away: what
 * is wrong with them was said when the configuration was compiled. */
static void dict_open(struct lint *l, const struct grok_use *use, bool ecs, struct diag *said,
                      struct pattern_dict *dict)
{
    const struct ast_plugin *p = use->plugin->plugin;
    struct compiler c = {.diag = said, .heap = l->heap, .ecs = ecs ? ECS_V8 : ECS_DISABLED};
    struct config_list dirs = {0};
    dirs.at = lint_items(lint_option(p, "patterns_dir"), &dirs.n);
    slice glob = lint_option_text(p, "patterns_files_glob");
    struct config_hash definitions = lint_pairs(l, lint_option(p, "pattern_definitions"));
    err e = pattern_dict_open(dict, &c, &dirs, glob.p == NULL ? SLICE("*") : glob, &definitions);
    (void)e;
}

/* (?<NAME:field:type> and (?<field> in the expanded text. */
static void scan_groups(struct lint *l, const struct grok_use *use, slice text,
                        void (*visit)(struct lint *, const struct grok_use *, slice, slice))
{
    for (uint32_t from = 0;;) {
        int64_t at = slice_find(slice_from(text, from), SLICE("(?<"));
        if (at < 0) return;
        from += (uint32_t)at + 3;
        slice rest = slice_from(text, from);
        if (rest.n == 0 || rest.p[0] == '=' || rest.p[0] == '!') continue;
        int64_t end = slice_find_byte(rest, '>');
        if (end < 0) return;
        slice name = heap_dup(l->heap, slice_part(rest, 0, (uint32_t)end)), type = SLICE_NONE;
        int64_t colon = slice_find_byte(name, ':');
        if (colon >= 0) name = slice_from(name, (uint32_t)colon + 1);
        colon = slice_find_byte(name, ':');
        if (colon >= 0) {
            type = slice_from(name, (uint32_t)colon + 1);
            name = slice_part(name, 0, (uint32_t)colon);
        }
        visit(l, use, name, type);
    }
}

static void captures(struct lint *l, const struct grok_use *use, bool ecs,
                     void (*visit)(struct lint *, const struct grok_use *, slice, slice))
{
    struct diag said = DIAG_INIT;
    struct pattern_dict dict;
    struct buf expanded = {0};
    struct grok_error error = {0};
    dict_open(l, use, ecs, &said, &dict);
    err e = grok_expand(dict.own, use->pattern->text, true, &expanded, &error);
    if (e == ERR_OK && expanded.n > 0) /* an empty pattern has no memory to point into */
        scan_groups(l, use, buf_slice(&expanded), visit);
    buf_fini(&expanded);
    pattern_dict_close(&dict);
    diag_fini(&said);
}

void lint_captures(struct lint *l, const struct grok_use *use,
                   void (*visit)(struct lint *, const struct grok_use *, slice field, slice type))
{
    captures(l, use, lint_is_ecs(l, use->plugin->plugin), visit);
}

void lint_captures_legacy(struct lint *l, const struct grok_use *use,
                          void (*visit)(struct lint *, const struct grok_use *, slice, slice))
{
    captures(l, use, false, visit);
}
