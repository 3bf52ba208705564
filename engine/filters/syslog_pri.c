/*
 * syslog_pri.c - takes a syslog priority apart into facility and severity.
 *
 * A missing priority is 13 (user-level, notice), as RFC 3164 section 4.3.3 says. Numbers are
 * read as Ruby's to_i does; labels exist for the numbers that have one. Field names follow
 * ecs_compatibility. Stateless.
 */
#include "engine/plan/common_options.h"
#include "parsers/text/ruby_number.h"

#define PRIORITY_UNKNOWN 13

struct syslog_pri_cfg {
    bool use_labels;
    slice field_name;
    struct config_list facility_labels, severity_labels;
    struct fieldref priority, facility_code, severity_code, facility_name, severity_name;
};

static int64_t number_of(struct value *v, struct arena *arena)
{
    struct value num = {0};
    if (v == NULL) return 0;
    switch (v->type) {
    case VALUE_INT: return v->u.num;
    case VALUE_FLOAT: return ruby_float_to_i(v->u.real, arena, &num) ? num.u.num : PRIORITY_UNKNOWN;
    case VALUE_NIL: return 0; /* nil.to_i, the first item of a list */
    case VALUE_STRING:
        num = ruby_to_i(value_slice(v), arena);
        return num.type == VALUE_INT ? num.u.num : PRIORITY_UNKNOWN;
    default: return PRIORITY_UNKNOWN;
    }
}

static int64_t priority_of(struct value *v, struct arena *arena)
{
    if (v == NULL || v->type == VALUE_NIL || (v->type == VALUE_BOOL && !v->u.yes))
        return PRIORITY_UNKNOWN;
    if (v->type != VALUE_LIST) return number_of(v, arena);
    if (v->n == 0) return 0;
    value_resolve(&v->u.list[0], arena);
    return number_of(&v->u.list[0], arena);
}

static void put(struct batch *b, struct event *ev, const struct fieldref *ref, struct value val)
{
    err e = event_put(b, ev, ref, val);
    (void)e; /* A scalar where [log] should be: the field cannot be there. */
}

/* Ruby's index: negative ones count from the end. */
static void put_label(struct batch *b, struct event *ev, const struct fieldref *ref,
                      struct config_list labels, int64_t code)
{
    int64_t at = code < 0 ? code + (int64_t)labels.n : code;
    if (at >= 0 && at < (int64_t)labels.n) put(b, ev, ref, value_string(labels.at[at].text));
}

static enum applied syslog_pri_apply(void *state, const void *config, struct batch *b,
                                     const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct syslog_pri_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        int64_t priority = priority_of(event_get(b, ev, &cfg->priority), &b->arena);
        int64_t severity = priority & 7, facility = priority >> 3;
        put(b, ev, &cfg->severity_code, value_int(severity));
        put(b, ev, &cfg->facility_code, value_int(facility));
        if (cfg->use_labels) {
            put_label(b, ev, &cfg->facility_name, cfg->facility_labels, facility);
            put_label(b, ev, &cfg->severity_name, cfg->severity_labels, severity);
        }
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err syslog_pri_compile(void *config, struct compiler *c)
{
    struct syslog_pri_cfg *cfg = config;
    bool ecs = compiler_is_ecs(c);
    slice priority = cfg->field_name;
    if (priority.p == NULL) priority = ecs ? SLICE("[log][syslog][priority]") : SLICE("syslog_pri");
    struct {
        struct fieldref *ref;
        slice name;
    } fields[] = {
        {&cfg->priority, priority},
        {&cfg->facility_code,
         ecs ? SLICE("[log][syslog][facility][code]") : SLICE("syslog_facility_code")},
        {&cfg->severity_code,
         ecs ? SLICE("[log][syslog][severity][code]") : SLICE("syslog_severity_code")},
        {&cfg->facility_name,
         ecs ? SLICE("[log][syslog][facility][name]") : SLICE("syslog_facility")},
        {&cfg->severity_name,
         ecs ? SLICE("[log][syslog][severity][name]") : SLICE("syslog_severity")},
    };
    struct pos pos = settings_pos(c->plugin, "syslog_pri_field_name");
    for (uint32_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (compile_fieldref(c, fields[i].ref, fields[i].name, pos) != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

/* clang-format off */
static const struct setting syslog_pri_settings[] = {
    {.name = "use_labels", SETTING_AT(struct syslog_pri_cfg, use_labels, BOOL),
     .default_text = "true", .doc = "Add the names of facility and severity."},
    {.name = "syslog_pri_field_name", SETTING_AT(struct syslog_pri_cfg, field_name, STRING),
     .flags = SETTING_FIELD,
     .doc = "The field that holds the priority; by default syslog_pri, or [log][syslog][priority] "
            "with ECS names."},
    {.name = "facility_labels", SETTING_AT(struct syslog_pri_cfg, facility_labels, LIST),
     .default_text = "[\"kernel\", \"user-level\", \"mail\", \"daemon\", "
                     "\"security/authorization\", \"syslogd\", \"line printer\", "
                     "\"network news\", \"uucp\", \"clock\", \"security/authorization\", \"ftp\", "
                     "\"ntp\", \"log audit\", \"log alert\", \"clock\", \"local0\", \"local1\", "
                     "\"local2\", \"local3\", \"local4\", \"local5\", \"local6\", \"local7\"]",
     .doc = "Names of the facilities, in the order of their numbers."},
    {.name = "severity_labels", SETTING_AT(struct syslog_pri_cfg, severity_labels, LIST),
     .default_text = "[\"emergency\", \"alert\", \"critical\", \"error\", \"warning\", "
                     "\"notice\", \"informational\", \"debug\"]",
     .doc = "Names of the severities, in the order of their numbers."},
    {0}};
/* clang-format on */

const struct filter_ops filter_syslog_pri = {
    .name = "syslog_pri",
    .doc = "Splits a syslog priority into facility and severity.",
    .settings = syslog_pri_settings,
    .cfg_size = sizeof(struct syslog_pri_cfg),
    .compile = syslog_pri_compile,
    .apply = syslog_pri_apply,
};
