/*
 * bytes.c - "5.3 GB" as a number of bytes.
 *
 * Of points and commas in a number the last one is the decimal separator, when there are several
 * or when not exactly three digits follow it; else decimal_separator decides. Other separators of
 * digits (blank, underscore) are skipped. Text that is no size tags the event. Stateless.
 */
#include <stdlib.h>

#include "engine/plan/filter_kit.h"
#include "parsers/text/ruby_number.h"

#define NUMBER_BYTES_MAX 128u

static const char *const methods[] = {"binary", "metric", NULL};

struct bytes_cfg {
    slice source_name, target_name, decimal;
    int method;
    struct config_list tag_on_failure;
    struct fieldref source, target;
};

static bool is_separator(char c)
{
    return c == ' ' || c == '_' || c == '.' || c == ',';
}

/* Where the fraction begins: the index of its separator, or the length. */
static uint32_t decimal_at(const struct bytes_cfg *cfg, slice number)
{
    uint32_t n = 0, last = number.n;
    for (uint32_t i = 0; i < number.n; i++) {
        if (number.p[i] != '.' && number.p[i] != ',') continue;
        last = i;
        n++;
    }
    if (n != 1 || number.n - last - 1 != 3) return last;
    int64_t at = slice_find(number, cfg->decimal);
    return at < 0 ? number.n : (uint32_t)at;
}

static double number_read(const struct bytes_cfg *cfg, slice number)
{
    char out[NUMBER_BYTES_MAX + 2];
    uint32_t n = 0, at = decimal_at(cfg, number);
    for (uint32_t i = 0; i < number.n; i++) {
        if (i == at)
            out[n++] = '.';
        else if (number.p[i] >= '0' && number.p[i] <= '9')
            out[n++] = number.p[i];
    }
    return ruby_to_f(slice_make(out, n));
}

static bool size_parse(const struct bytes_cfg *cfg, slice text, double *out)
{
    static const char prefixes[] = "kmgtpe";
    double step = cfg->method == 0 ? 1024 : 1000;
    text = slice_trim(text);
    uint32_t n = 0;
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || is_separator(text.p[n]))) n++;
    slice number = slice_trim(slice_part(text, 0, n)), unit = slice_trim(slice_from(text, n));
    bool digits = false;
    for (uint32_t i = 0; i < number.n; i++) digits = digits || !is_separator(number.p[i]);
    if (!digits || number.n > NUMBER_BYTES_MAX) return false;
    *out = number_read(cfg, number);
    if (unit.n > 0 && (unit.p[unit.n - 1] | 0x20) == 'b') unit.n--;
    if (unit.n == 0) return true;
    const char *prefix = strchr(prefixes, unit.p[0] | 0x20);
    if (unit.n != 1 || prefix == NULL || *prefix == '\0') return false;
    for (long i = prefix - prefixes; i >= 0; i--) *out *= step;
    return true;
}

static enum applied bytes_apply(void *state, const void *config, struct batch *b,
                                const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct bytes_cfg *cfg = config;
    (void)state, (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        struct value *v = event_get(b, ev, &cfg->source);
        double size;
        if (v != NULL && v->type == VALUE_STRING && size_parse(cfg, value_slice(v), &size) &&
            event_put(b, ev, &cfg->target, value_float(size)) == ERR_OK)
            sel_add(hit, in->at[i]);
        else
            event_tag_list(b, ev, cfg->tag_on_failure);
    }
    return APPLIED;
}

static err bytes_compile(void *config, struct compiler *c)
{
    struct bytes_cfg *cfg = config;
    if (!slice_equal(cfg->decimal, SLICE(".")) && !slice_equal(cfg->decimal, SLICE(","))) {
        compile_error(c, "decimal_separator", "\".\" or \",\"", "`%.*s` is no decimal separator",
                      SLICE_FMT(cfg->decimal));
        return ERR_CONFIG;
    }
    err e = compile_field_option(c, &cfg->source, "source", cfg->source_name);
    err e2 = compile_field_option(c, &cfg->target, "target", cfg->target_name);
    return e != ERR_OK ? e : e2;
}

/* clang-format off */
static const struct setting bytes_settings[] = {
    {.name = "source", SETTING_AT(struct bytes_cfg, source_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message", .doc = "The field with the size as text."},
    {.name = "target", SETTING_AT(struct bytes_cfg, target_name, STRING),
     .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field that receives the number of bytes."},
    {.name = "conversion_method", SETTING_AT(struct bytes_cfg, method, ENUM),
     .choices = methods, .default_text = "binary",
     .doc = "Whether a kilobyte is 1024 (binary) or 1000 (metric) bytes."},
    {.name = "decimal_separator", SETTING_AT(struct bytes_cfg, decimal, STRING),
     .default_text = ".", .doc = "What the only separator is when three digits follow it."},
    {.name = "tag_on_failure", SETTING_AT(struct bytes_cfg, tag_on_failure, LIST),
     .default_text = "[\"_bytesparsefailure\"]", .doc = "Tags of events whose text is no size."},
    {0}};
/* clang-format on */

const struct filter_ops filter_bytes = {
    .name = "bytes",
    .doc = "Reads sizes such as 5.3 GB.",
    .settings = bytes_settings,
    .cfg_size = sizeof(struct bytes_cfg),
    .compile = bytes_compile,
    .apply = bytes_apply,
};
