/* docs.c - every plugin, option and setting as Markdown. */
#include <stdio.h>
#include <string.h>

#include "engine/app/commands.h"
#include "engine/lint/lint.h"
#include "engine/registry.h"

static void add_common(const struct setting *settings, const char *kind, struct buf *out)
{
    buf_printf(out, "Every %s has these options:\n\n", kind);
    settings_markdown(settings, out);
}

/* A plugin may have another default for an option that all have. */
static void add_defaults(const struct setting *settings, struct buf *out)
{
    for (const struct setting *s = settings; s != NULL && s->name != NULL; s++)
        if (s->type == SETTING_DEFAULT)
            buf_printf(out, "\nThe default of `%s` is `%s` here.\n", s->name, s->default_text);
}

static bool has_options(const struct setting *settings)
{
    for (const struct setting *s = settings; s != NULL && s->name != NULL; s++)
        if (s->type != SETTING_DEFAULT) return true;
    return false;
}

static void add_plugin(const char *name, const char *doc, const struct setting *settings,
                       struct buf *out)
{
    buf_printf(out, "\n### %s\n\n%s\n", name, doc);
    if (has_options(settings)) {
        buf_add_byte(out, '\n');
        settings_markdown(settings, out);
    } else {
        buf_add_cstr(out, "\nNo options of its own.\n");
    }
    add_defaults(settings, out);
}

static void add_unsupported(const char *kind, struct buf *out)
{
    size_t n = strlen(kind);
    bool any = false;
    for (const char *const *at = plugin_registry.unsupported; *at != NULL; at++) {
        if (strncmp(*at, kind, n) != 0 || (*at)[n] != '/') continue;
        buf_printf(out, any ? ", `%s`" : "\nKnown and not supported (a clear error): `%s`",
                   *at + n + 1);
        any = true;
    }
    if (any) buf_add_cstr(out, ".\n");
}

#define ADD_PLUGINS(list)                                                                          \
    for (uint32_t i = 0; plugin_registry.list[i] != NULL; i++)                                     \
    add_plugin(plugin_registry.list[i]->name, plugin_registry.list[i]->doc,                        \
               plugin_registry.list[i]->settings, out)

static void add_all(struct buf *out)
{
    buf_add_cstr(out,
                 "# Plugins and settings\n\n"
                 "Made by `spate --docs` from the tables that configurations are read with; do "
                 "not edit. What has no \"Since\" in\nthe last column is there since 0.1.0.\n\n"
                 "[Inputs](#inputs) | [Codecs](#codecs) | [Filters](#filters) | "
                 "[Outputs](#outputs) | [Settings](#settings)\n");
    buf_add_cstr(out, "\n## Inputs\n\n");
    add_common(common_input_settings, "input", out);
    ADD_PLUGINS(inputs);
    add_unsupported("input", out);
    buf_add_cstr(out, "\n## Codecs\n\n");
    add_common(common_codec_settings, "codec", out);
    ADD_PLUGINS(codecs);
    add_unsupported("codec", out);
    buf_add_cstr(out, "\n## Filters\n\n");
    add_common(common_filter_settings, "filter", out);
    ADD_PLUGINS(filters);
    add_unsupported("filter", out);
    buf_add_cstr(out, "\n## Outputs\n\n");
    add_common(common_output_settings, "output", out);
    ADD_PLUGINS(outputs);
    add_unsupported("output", out);
    buf_add_cstr(out,
                 "\n## Settings\n\n"
                 "In `spate.yml` or `logstash.yml` of the folder that `--path.settings` names, "
                 "in `pipelines.yml`, or as `-S NAME=VALUE`.\n\n");
    process_settings_markdown(out);
}

int docs_main(const char *part)
{
    struct buf out = {0};
    if (part == NULL) {
        add_all(&out);
    } else if (strcmp(part, "settings") == 0) {
        process_settings_markdown(&out);
    } else if (strcmp(part, "lints") == 0) {
        lint_markdown(&out);
    } else if (strcmp(part, "json") == 0) {
        docs_json(&out);
    } else {
        fprintf(stderr, "usage: spate --docs [settings | lints | json]\n");
        return 1;
    }
    bool good = fwrite(out.data, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_fini(&out);
    return good ? 0 : 1;
}
