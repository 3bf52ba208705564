/* outputs.c - lints about where events go, and about what files of a folder make together. */
#include <string.h>

#include "engine/lint/checks.h"

/* ---- elasticsearch ------------------------------------------------------------------------ */

/* Whether a text has a part that names a field. */
static bool names_field(slice text)
{
    struct text_part part;
    for (uint32_t at = 0; text_part_next(text, &at, &part);)
        if (!part.joda && !part.java && !slice_equal(part.text, SLICE("@timestamp")) &&
            !slice_equal(part.text, SLICE("[@timestamp]")))
            return true;
    return false;
}

static void check_document_id(struct lint *l, const struct ast_plugin *p)
{
    const struct config_value *id = lint_option(p, "document_id");
    slice action = lint_option_text(p, "action"), index = lint_option_text(p, "index");
    if (id == NULL || id->type != CONFIG_STRING || names_field(id->text)) return;
    /* Updates of one document, the latest document of many indices: meant so. */
    if (slice_equal(action, SLICE("update")) || slice_equal(action, SLICE("delete")) ||
        slice_find(action, SLICE("%{")) >= 0 || names_field(index))
        return;
    struct text_part part;
    uint32_t at = 0;
    bool time = text_part_next(id->text, &at, &part);
    lint_warn(l, id->pos, "make it of something unique to the event, such as a fingerprint",
              time ? "events of the same time get the same document_id: they overwrite each other"
                   : "every event gets the same document_id: only the last one is kept");
}

void lint_document_id(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++)
        if (lint_is(&l->plugin[i], SECTION_OUTPUT, "elasticsearch"))
            check_document_id(l, l->plugin[i].plugin);
}

/* Whether the output goes to a data stream without saying so. */
static bool is_silent_data_stream(const struct lint *l, const struct ast_plugin *p)
{
    static const char *const others[] = {"index",
                                         "data_stream",
                                         "data_stream_type",
                                         "data_stream_dataset",
                                         "template",
                                         "data_stream_namespace",
                                         "data_stream_auto_routing",
                                         "data_stream_sync_fields",
                                         "template_name",
                                         "template_overwrite",
                                         "ilm_enabled",
                                         "ilm_rollover_alias",
                                         "ilm_pattern",
                                         "ilm_policy",
                                         "document_type",
                                         "upsert",
                                         "doc_as_upsert",
                                         "script",
                                         "parent",
                                         "version",
                                         "version_type",
                                         NULL};
    for (int i = 0; others[i] != NULL; i++)
        if (lint_option(p, others[i]) != NULL) return false;
    slice action = lint_option_text(p, "action");
    return lint_is_ecs(l, p) && (action.p == NULL || slice_equal(action, SLICE("create"))) &&
           !lint_option_true(p, "manage_template");
}

void lint_data_stream(struct lint *l)
{
    static const char *const signs[] = {
        "document_id", "cacert", "ssl", "keystore", "ssl_certificate_verification", NULL};
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct ast_plugin *p = l->plugin[i].plugin;
        const char *sign = NULL;
        if (!lint_is(&l->plugin[i], SECTION_OUTPUT, "elasticsearch")) continue;
        for (int k = 0; signs[k] != NULL && sign == NULL; k++)
            if (lint_option(p, signs[k]) != NULL) sign = signs[k];
        if (sign == NULL || !is_silent_data_stream(l, p)) continue;
        lint_warn(l, settings_pos(p, sign),
                  "write index => \"...\" to have an index, or data_stream => \"true\" if the data "
                  "stream is meant",
                  "without index this output creates documents in the data stream "
                  "logs-generic-default: none is ever replaced, a document_id that is there "
                  "already is refused");
    }
}

/* ---- outputs that stand twice --------------------------------------------------------------- */

static bool same_plugin(const struct ast_plugin *a, const struct ast_plugin *b)
{
    if (!slice_equal(a->name, b->name) || a->n != b->n) return false;
    for (uint32_t i = 0; i < a->n; i++) {
        if (slice_equal(a->options[i].name, SLICE("id"))) continue;
        const struct ast_option *other = ast_plugin_option(b, a->options[i].name);
        if (other == NULL || !config_value_equal(&a->options[i].val, &other->val)) return false;
    }
    return true;
}

void lint_duplicate_output(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        for (uint32_t k = 0; p->section == SECTION_OUTPUT && k < p->at; k++) {
            const struct ast_statement *st = &p->block->at[k];
            if (st->type != STATEMENT_PLUGIN || !same_plugin(st->plugin, p->plugin)) continue;
            struct pos_place at = pos_place(st->pos);
            lint_warn(l, p->plugin->pos, "remove one of the two",
                      "the same output stands in %.*s, line %u: every event is delivered twice",
                      SLICE_FMT(at.name), at.line);
            break;
        }
    }
}

/* ---- files of a folder ---------------------------------------------------------------------- */

static uint32_t part_of(const struct source *source, uint32_t at)
{
    uint32_t part = source->n - 1;
    while (part > 0 && source->parts[part].start > at) part--;
    return part;
}

static const struct lint_plugin *first_of(struct lint *l, enum section section, uint32_t part)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (p->section == section && p->scope == NULL &&
            part_of(l->ast->source, p->plugin->pos.at) == part)
            return p;
    }
    return NULL;
}

void lint_joined_pipelines(struct lint *l)
{
    const struct source *source = l->ast->source;
    slice first = SLICE_NONE;
    for (uint32_t i = 0; i < source->n; i++) {
        const struct lint_plugin *output = first_of(l, SECTION_OUTPUT, i);
        if (output == NULL || first_of(l, SECTION_INPUT, i) == NULL) continue;
        if (first.p != NULL)
            lint_warn(l, output->plugin->pos,
                      "make them pipelines of their own (pipelines.yml), or put outputs and "
                      "filters into if [type] == ...",
                      "all files of a folder are one pipeline: this output gets the events of %.*s "
                      "too, and the outputs there get the events of this file",
                      SLICE_FMT(first));
        else
            first = source->parts[i].name;
    }
}

void lint_backup_file(struct lint *l)
{
    static const char *const endings[] = {".bak",      ".orig",      ".old",      ".save",
                                          ".swp",      ".rpmsave",   ".rpmnew",   ".dpkg-old",
                                          ".dpkg-new", ".dpkg-dist", ".disabled", ".tmp"};
    const struct source *source = l->ast->source;
    for (uint32_t i = 0; source->n > 1 && i < source->n; i++)
        for (uint32_t k = 0; k < sizeof(endings) / sizeof(endings[0]); k++)
            if (slice_ends(source->parts[i].name, slice_from_cstr(endings[k])))
                lint_warn(l, pos_make(source, source->parts[i].start),
                          "move it out of the folder, or name the files: -f 'conf.d/*.conf'",
                          "every file of the folder is a part of the configuration, this copy too");
}

/* ---- formats and time ----------------------------------------------------------------------- */

void lint_output_newline(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        bool tcp = lint_is(p, SECTION_OUTPUT, "tcp"), file = lint_is(p, SECTION_OUTPUT, "file");
        slice codec = lint_codec(p->plugin);
        bool json = slice_equal(codec, SLICE("json")) || (tcp && codec.p == NULL);
        if ((!tcp && !file) || !json) continue;
        lint_warn(l, settings_pos(p->plugin, "codec"), "write codec => json_lines",
                  "the json codec%s writes no newline: events stand one behind the other and no "
                  "line ends",
                  codec.p == NULL ? ", the default here," : "");
    }
}

static bool dates_output(struct lint *l)
{
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        if (p->section != SECTION_OUTPUT || p->scope != NULL) continue;
        for (uint32_t k = 0; k < p->plugin->n; k++) {
            struct text_part part;
            slice text = p->plugin->options[k].val.text;
            for (uint32_t at = 0; text.p != NULL && text_part_next(text, &at, &part);)
                if (part.joda || part.java) return true;
        }
    }
    return false;
}

void lint_no_timestamp(struct lint *l)
{
    if (!dates_output(l)) return;
    for (uint32_t i = 0; i < l->plugin_n; i++) {
        const struct lint_plugin *p = &l->plugin[i];
        uint32_t n;
        const struct config_value *items = lint_items(lint_option(p->plugin, "remove_field"), &n);
        for (uint32_t k = 0; p->scope == NULL && k < n; k++)
            if (field_is(l, items[k].text, "[@timestamp]"))
                lint_warn(l, items[k].pos,
                          "keep @timestamp, or copy it and name the output by that",
                          "an output of this configuration has a date in its name, which is empty "
                          "without @timestamp");
    }
}

void lint_incomplete(struct lint *l)
{
    static const enum section needed[] = {SECTION_INPUT, SECTION_OUTPUT};
    static const char *const why[] = {"there is no input: no event ever comes",
                                      "there is no output: every event is lost"};
    for (int i = 0; i < 2; i++)
        if (l->ast->sections[needed[i]].n == 0)
            lint_warn(l, pos_make(l->ast->source, 0),
                      i == 0 ? "add an input { ... }, or the file that has it"
                             : "add an output { ... }, or the file that has it",
                      "%s", why[i]);
}
