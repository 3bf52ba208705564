/* docs_json.c - every plugin with its options as JSON, for tools. */
#include "engine/app/commands.h"
#include "engine/app/json_out.h"
#include "engine/registry.h"

/* "a,b" as ["a","b"]. */
static void add_names(struct json_out *j, const char *key, const char *names)
{
    json_array(j, key);
    slice rest = slice_from_cstr(names);
    while (rest.n > 0) {
        int64_t comma = slice_find_byte(rest, ',');
        uint32_t n = comma < 0 ? rest.n : (uint32_t)comma;
        json_text(j, NULL, slice_trim(slice_part(rest, 0, n)));
        rest = slice_from(rest, n < rest.n ? n + 1 : n);
    }
    json_array_end(j);
}

static void add_choices(struct json_out *j, const char *const *choices)
{
    json_array(j, "choices");
    for (uint32_t i = 0; choices != NULL && choices[i] != NULL; i++) json_cstr(j, NULL, choices[i]);
    json_array_end(j);
}

/* Whether, and how, the option can be used. */
static const char *state_text(const struct setting *s)
{
    if (s->flags & SETTING_UNSUPPORTED) return "unsupported";
    if (s->flags & SETTING_OBSOLETE) return "obsolete";
    return s->flags & SETTING_OLD ? "deprecated" : "current";
}

static void add_option(struct json_out *j, const struct setting *s)
{
    json_open(j, NULL);
    json_cstr(j, "name", s->name);
    json_cstr(j, "type", setting_type_text(s->type));
    json_cstr(j, "default", s->default_text);
    add_choices(j, s->choices);
    json_bool(j, "required", s->flags & SETTING_REQUIRED);
    json_bool(j, "names_fields", s->flags & SETTING_FIELD);
    json_cstr(j, "state", state_text(s));
    json_cstr(j, "instead", s->instead);
    add_names(j, "old_names", s->old_names);
    json_cstr(j, "since", s->since);
    json_cstr(j, "doc", s->doc);
    json_close(j);
}

static void add_plugin(struct json_out *j, const char *kind, const char *name, const char *doc,
                       const struct setting *settings)
{
    json_open(j, NULL);
    json_cstr(j, "kind", kind);
    json_cstr(j, "name", name);
    json_cstr(j, "doc", doc);
    json_array(j, "options");
    for (const struct setting *s = settings; s != NULL && s->name != NULL; s++)
        if (s->type != SETTING_DEFAULT) add_option(j, s);
    json_array_end(j);
    json_open(j, "defaults_of_common_options");
    for (const struct setting *s = settings; s != NULL && s->name != NULL; s++)
        if (s->type == SETTING_DEFAULT) json_cstr(j, s->name, s->default_text);
    json_close(j);
    json_close(j);
}

#define ADD_PLUGINS(kind, list)                                                                    \
    for (uint32_t i = 0; plugin_registry.list[i] != NULL; i++)                                     \
    add_plugin(&j, kind, plugin_registry.list[i]->name, plugin_registry.list[i]->doc,              \
               plugin_registry.list[i]->settings)

void docs_json(struct buf *out)
{
    struct buf compact = {0};
    struct json_out j = {.out = &compact};
    json_open(&j, NULL);
    json_array(&j, "common");
    add_plugin(&j, "input", NULL, NULL, common_input_settings);
    add_plugin(&j, "codec", NULL, NULL, common_codec_settings);
    add_plugin(&j, "filter", NULL, NULL, common_filter_settings);
    add_plugin(&j, "output", NULL, NULL, common_output_settings);
    json_array_end(&j);
    json_array(&j, "plugins");
    ADD_PLUGINS("input", inputs);
    ADD_PLUGINS("codec", codecs);
    ADD_PLUGINS("filter", filters);
    ADD_PLUGINS("output", outputs);
    json_array_end(&j);
    json_close(&j);
    json_pretty(buf_slice(&compact), out);
    buf_fini(&compact);
}
