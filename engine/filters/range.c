/*
 * range.c - tags, fields or dropping for numbers and text lengths inside a range.
 *
 * Rules are [field, min, max, action, ...]; the rules of one field are tried together, fields in
 * order of their first rule. Text is measured in characters. Stateless.
 */
#include "engine/base/utf8.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ruby_text.h"
#include "parsers/text/ruby_number.h"

enum range_action { RANGE_DROP, RANGE_TAG, RANGE_FIELD };

struct range_rule {
    struct fieldref field;
    double min, max;
    enum range_action action;
    struct template name, text; /* of the tag, or the field and its value */
    struct value number;        /* the field's value when its text is a number */
};

struct range_cfg {
    struct config_list ranges;
    bool negate;
    struct range_rule *at; /* sorted by field */
    uint32_t n;
};

static bool inside(const struct range_rule *rule, const struct value *v)
{
    double size;
    if (v->type == VALUE_INT)
        size = (double)v->u.num;
    else if (v->type == VALUE_FLOAT)
        size = v->u.real;
    else if (v->type == VALUE_BIGNUM)
        size = ruby_to_f(value_slice(v));
    else if (v->type == VALUE_STRING)
        size = utf8_length(value_slice(v));
    else
        return false;
    return size >= rule->min && size <= rule->max;
}

static void add_field(const struct range_rule *rule, struct batch *b, struct event *ev)
{
    slice name = template_render(&rule->name, b, ev, NULL);
    struct value val = value_string(template_render(&rule->text, b, ev, NULL));
    struct fieldref ref;
    if (fieldref_parse(&ref, name, &b->arena) != ERR_OK) return;
    err e;
    if (value_is_truthy(event_get(b, ev, &ref)))
        e = event_append(b, ev, &ref, val);
    else
        e = event_put(b, ev, &ref, rule->number.type == VALUE_NIL ? val : rule->number);
    (void)e; /* A scalar in the way: the field cannot be there. */
}

/* False when the event was dropped. */
static bool range_one(const struct range_cfg *cfg, struct batch *b, struct event *ev)
{
    for (uint32_t i = 0; i < cfg->n; i++) {
        const struct range_rule *rule = &cfg->at[i];
        struct value *v = event_get(b, ev, &rule->field);
        if (v == NULL || inside(rule, v) == cfg->negate) continue;
        if (rule->action == RANGE_DROP) {
            event_cancel(b, ev);
            return false;
        }
        if (rule->action == RANGE_TAG)
            event_tag(b, ev, template_render(&rule->name, b, ev, NULL), true);
        else
            add_field(rule, b, ev);
    }
    return true;
}

static enum applied range_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                                struct sel *hit, struct plan_run *run)
{
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++)
        if (range_one(cfg, b, &b->event[in->at[i]])) sel_add(hit, in->at[i]);
    return APPLIED;
}

static err refuse(struct compiler *c, const struct config_value *at, const char *why)
{
    diag_error(c->diag, at->pos, "[\"field\", 0, 10, \"tag:short\"]", "%s", why);
    return ERR_CONFIG;
}

static bool bound_of(const struct config_value *v, double *out)
{
    if (v->type != CONFIG_INT && v->type != CONFIG_FLOAT) return false;
    *out = v->type == CONFIG_INT ? ruby_to_f(v->text) : v->u.real; /* it may be beyond 64 bits */
    return true;
}

/* Text that reads back as it was written is a number. */
static struct value number_of(slice text, struct arena *arena)
{
    struct value num = ruby_to_i(text, arena), real = value_float(ruby_to_f(text));
    struct buf scratch = {0};
    bool whole = slice_equal(text, value_to_slice(&num, arena, &scratch));
    bool exact = slice_equal(text, ruby_text_slice(&real, arena, &scratch));
    buf_fini(&scratch);
    return whole ? num : exact ? real : value_nil();
}

static err compile_action(struct compiler *c, struct range_rule *rule, const struct config_value *v)
{
    slice part[4], rest = v->text;
    uint32_t n = 0;
    for (bool more = true; more && n < 4; n++) {
        int64_t colon = slice_find_byte(rest, ':');
        more = colon >= 0;
        part[n] = more ? slice_part(rest, 0, (uint32_t)colon) : rest;
        if (more) rest = slice_from(rest, (uint32_t)colon + 1);
    }
    while (n > 1 && part[n - 1].n == 0 && rest.n == 0) n--; /* as Ruby's split has it */
    if (slice_equal(part[0], SLICE("drop"))) {
        if (n != 1) return refuse(c, v, "drop action does not accept any parameters");
        rule->action = RANGE_DROP;
        return ERR_OK;
    }
    bool tag = slice_equal(part[0], SLICE("tag"));
    if (!tag && !slice_equal(part[0], SLICE("field")))
        return refuse(c, v, "unsupported action, expected drop, tag:NAME or field:NAME:VALUE");
    if (tag && n != 2)
        return refuse(c, v, "tag action accepts exactly one arg which is a tag name");
    if (!tag && n != 3)
        return refuse(c, v,
                      "field action accepts exactly 2 args which are a field name and field value");
    rule->action = tag ? RANGE_TAG : RANGE_FIELD;
    if (!tag) rule->number = number_of(part[2], c->arena);
    err e = compile_template(c, &rule->name, part[1], v->pos);
    err e2 = tag ? ERR_OK : compile_template(c, &rule->text, part[2], v->pos);
    return e != ERR_OK ? e : e2;
}

static err compile_rule(struct compiler *c, struct range_rule *rule,
                        const struct config_value *tuple)
{
    if (tuple[0].type != CONFIG_STRING)
        return refuse(c, &tuple[0], "range field name value should be a string");
    if (!bound_of(&tuple[1], &rule->min))
        return refuse(c, &tuple[1], "range min value should be a number");
    if (!bound_of(&tuple[2], &rule->max))
        return refuse(c, &tuple[2], "range max value should be a number");
    err e = compile_action(c, rule, &tuple[3]);
    err e2 = compile_fieldref(c, &rule->field, tuple[0].text, tuple[0].pos);
    return e != ERR_OK ? e : e2;
}

static err range_compile(void *config, struct compiler *c)
{
    struct range_cfg *cfg = config;
    err result = ERR_OK;
    if (cfg->ranges.n % 4 != 0) {
        compile_error(c, "ranges", NULL,
                      "ranges array should consist of 4 field tuples (field,min,max,action)");
        return ERR_CONFIG;
    }
    cfg->at = heap_alloc(c->heap, (cfg->ranges.n / 4 + 1) * sizeof(*cfg->at));
    for (uint32_t i = 0; i < cfg->ranges.n; i += 4) {
        struct range_rule rule = {0};
        if (compile_rule(c, &rule, &cfg->ranges.at[i]) != ERR_OK) result = ERR_CONFIG;
        /* Behind the other rules of its field. */
        uint32_t place = cfg->n;
        for (uint32_t k = cfg->n; k > 0; k--) {
            if (!slice_equal(cfg->at[k - 1].field.text, rule.field.text)) continue;
            place = k;
            break;
        }
        memmove(&cfg->at[place + 1], &cfg->at[place], (cfg->n - place) * sizeof(rule));
        cfg->at[place] = rule;
        cfg->n++;
    }
    return result;
}

static void range_release(void *config)
{
    struct range_cfg *cfg = config;
    for (uint32_t i = 0; i < cfg->n; i++) {
        template_fini(&cfg->at[i].name);
        template_fini(&cfg->at[i].text);
    }
}

/* clang-format off */
static const struct setting range_settings[] = {
    {.name = "ranges", SETTING_AT(struct range_cfg, ranges, LIST), .flags = SETTING_FIELD,
     .default_text = "[]",
     .doc = "Fours of field, least, greatest, action; an action is drop, tag:NAME or "
            "field:NAME:VALUE, whose parts may contain %{field}."},
    {.name = "negate", SETTING_AT(struct range_cfg, negate, BOOL), .default_text = "false",
     .doc = "Act on what lies outside of the ranges."},
    {0}};
/* clang-format on */

const struct filter_ops filter_range = {
    .name = "range",
    .doc = "Acts on numbers and text lengths inside of ranges.",
    .settings = range_settings,
    .cfg_size = sizeof(struct range_cfg),
    .compile = range_compile,
    .release = range_release,
    .apply = range_apply,
};
