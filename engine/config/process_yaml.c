/* process_yaml.c - logstash.yml, spate.yml and pipelines.yml through libyaml. */
#include "engine/config/process_yaml.h"

#include <errno.h>
#include <yaml.h>

#define SETTINGS_FILE_BYTES_MAX (1u << 20)

struct reader {
    struct process_settings *settings;
    const struct source *source;
    const struct env *env;
    struct heap *heap;
    struct diag *diag;
    yaml_document_t *document;
    uint32_t values;
    bool pipeline; /* only settings that pipelines.yml may have */
};

/* libyaml counts lines and characters, a position counts bytes. */
static struct pos mark_pos(const struct source *source, const yaml_mark_t *mark)
{
    const char *text = source->text.p;
    uint32_t at = 0;
    for (size_t line = 0; line < mark->line && at < source->text.n; at++)
        if (text[at] == '\n') line++;
    for (size_t column = 0; column < mark->column && at < source->text.n; column++) {
        at++;
        while (at < source->text.n && ((unsigned char)text[at] & 0xC0) == 0x80) at++;
    }
    return pos_make(source, at);
}

static slice node_text(const yaml_node_t *node)
{
    return slice_make((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* YAML's null: the key is as if it were not there. */
static bool node_is_null(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) return node->type == YAML_NO_NODE;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    slice text = node_text(node);
    return text.n == 0 || slice_equal(text, SLICE("~")) || slice_equal(text, SLICE("null"));
}

static err report(const struct reader *r, const yaml_node_t *node, const char *expected,
                  const char *what)
{
    diag_error(r->diag, mark_pos(r->source, &node->start_mark), expected, "%s", what);
    return ERR_CONFIG;
}

static err scalar_value(const struct reader *r, const yaml_node_t *node, struct config_value *out)
{
    *out = (struct config_value){.type = CONFIG_STRING, .flags = CONFIG_BARE};
    out->pos = mark_pos(r->source, &node->start_mark);
    out->text = heap_dup(r->heap, node_text(node));
    return env_expand_value(r->env, out, r->heap, r->diag);
}

static bool known_setting(slice name, bool pipeline_only)
{
    for (const struct process_setting *s = process_setting_table; s->name != NULL; s++)
        if (slice_equal(slice_from_cstr(s->name), name))
            return !pipeline_only || (s->flags & PROCESS_PIPELINE);
    return false;
}

static err check_pipeline_key(const struct reader *r, slice name, struct pos pos)
{
    if (!r->pipeline || known_setting(name, true)) return ERR_OK;
    if (known_setting(name, false)) {
        diag_error(r->diag, pos, NULL,
                   "setting \"%.*s\" belongs into logstash.yml, not into pipelines.yml",
                   SLICE_FMT(name));
        return ERR_CONFIG;
    }
    const char *names[256];
    uint32_t n = 0;
    for (const struct process_setting *s = process_setting_table; s->name != NULL; s++)
        if ((s->flags & PROCESS_PIPELINE) && n < 256) names[n++] = s->name;
    diag_error(r->diag, pos, NULL, "\"%.*s\" is not a pipeline setting", SLICE_FMT(name));
    diag_suggest(r->diag, name, names, n);
    return ERR_CONFIG;
}

static err set_list(struct reader *r, slice name, struct pos pos, const yaml_node_t *node)
{
    const yaml_node_item_t *start = node->data.sequence.items.start;
    uint32_t n = (uint32_t)(node->data.sequence.items.top - start);
    if (n > YAML_VALUES_MAX || (r->values += n) > YAML_VALUES_MAX)
        return report(r, node, NULL, "the file has too many values");
    struct config_value *items = heap_alloc(r->heap, n * sizeof(*items));
    for (uint32_t i = 0; i < n; i++) {
        const yaml_node_t *item = yaml_document_get_node(r->document, start[i]);
        if (item == NULL || item->type != YAML_SCALAR_NODE)
            return report(r, node, "strings", "only simple values may stand in this list");
        if (scalar_value(r, item, &items[i]) != ERR_OK) return ERR_CONFIG;
        if (items[i].type != CONFIG_STRING)
            return report(r, item, "one value", "a variable in a list may not be a list itself");
    }
    return process_settings_set_list(r->settings, name, (struct config_list){items, n}, pos,
                                     r->diag);
}

static err set_setting(struct reader *r, slice name, struct pos pos, const yaml_node_t *node)
{
    if (node_is_null(node)) return ERR_OK;
    if (r->pipeline && slice_starts(name, SLICE("config.reload.")) && known_setting(name, false)) {
        diag_warn(r->diag, pos, "it in logstash.yml or spate.yml, for all pipelines",
                  "setting \"%.*s\" has no effect for one pipeline", SLICE_FMT(name));
        return ERR_OK;
    }
    if (check_pipeline_key(r, name, pos) != ERR_OK) return ERR_CONFIG;
    if (node->type == YAML_SEQUENCE_NODE) return set_list(r, name, pos, node);
    struct config_value val;
    if (scalar_value(r, node, &val) != ERR_OK) return ERR_CONFIG;
    if (val.type == CONFIG_LIST)
        return process_settings_set_list(r->settings, name, (struct config_list){val.u.list, val.n},
                                         pos, r->diag);
    /* What is wrong with a known setting is its value. */
    if (known_setting(name, false)) pos = val.pos;
    return process_settings_set(r->settings, name, val.text, pos, r->diag);
}

/* pipeline: { batch: { size: 5 } } and pipeline.batch.size: 5 are the same. */
static err read_mapping(struct reader *r, const yaml_node_t *mapping, slice prefix, uint32_t depth)
{
    err e = ERR_OK;
    if (depth > YAML_DEPTH_MAX) return report(r, mapping, NULL, "the settings are nested too deep");
    for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
         pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);
        const yaml_node_t *val = yaml_document_get_node(r->document, pair->value);
        if (key == NULL || val == NULL) continue;
        if (key->type != YAML_SCALAR_NODE) return report(r, key, "a name", "not a setting's name");
        if (++r->values > YAML_VALUES_MAX)
            return report(r, key, NULL, "the file has too many settings");
        slice name = heap_printf(r->heap, "%.*s%s%.*s", SLICE_FMT(prefix), prefix.n > 0 ? "." : "",
                                 SLICE_FMT(node_text(key)));
        struct pos pos = mark_pos(r->source, &key->start_mark);
        err one = val->type == YAML_MAPPING_NODE ? read_mapping(r, val, name, depth + 1)
                                                 : set_setting(r, name, pos, val);
        if (one != ERR_OK) e = ERR_CONFIG;
        if (r->values > YAML_VALUES_MAX) break;
    }
    return e;
}

/* ---- documents ------------------------------------------------------------------------- */

static err document_load(const struct source *source, struct diag *diag, yaml_document_t *document)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) return ERR_SYSTEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->text.p, source->text.n);
    err e = ERR_OK;
    if (yaml_parser_load(&parser, document) == 0) {
        diag_error(diag, mark_pos(source, &parser.problem_mark), NULL, "not valid YAML: %s",
                   parser.problem == NULL ? "unknown problem" : parser.problem);
        e = ERR_CONFIG;
    }
    yaml_parser_delete(&parser);
    return e;
}

err process_settings_load_text(struct process_settings *s, const struct source *source,
                               const struct env *env, struct diag *diag)
{
    yaml_document_t document;
    err e = document_load(source, diag, &document);
    if (e != ERR_OK) return e;
    struct reader r = {.settings = s,
                       .source = source,
                       .env = env,
                       .heap = process_settings_heap(s),
                       .diag = diag,
                       .document = &document};
    yaml_node_t *root = yaml_document_get_root_node(&document);
    if (root != NULL && root->type == YAML_MAPPING_NODE)
        e = read_mapping(&r, root, SLICE_NONE, 0);
    else if (root != NULL && !node_is_null(root))
        e = report(&r, root, "lines of the form name: value", "the settings file is not a mapping");
    yaml_document_delete(&document);
    return e;
}

static err file_source(slice path, struct heap *heap, struct diag *diag, const struct source **out)
{
    FILE *file = fopen(path.p, "re");
    if (file == NULL) {
        if (errno == ENOENT) return ERR_MISSING;
        diag_error(diag, POS_NONE, NULL, "%s: cannot read: %s", path.p, strerror(errno));
        return ERR_CONFIG;
    }
    struct buf text = {0};
    buf_room(&text, SETTINGS_FILE_BYTES_MAX + 1);
    text.n = fread(text.data, 1, SETTINGS_FILE_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    err e = ERR_OK;
    if (failed || text.n > SETTINGS_FILE_BYTES_MAX) {
        diag_error(diag, POS_NONE, NULL, "%s: %s", path.p,
                   failed ? "cannot read" : "larger than 1 MiB");
        e = ERR_CONFIG;
    } else {
        *out = source_new(heap, path, buf_slice(&text));
    }
    buf_fini(&text);
    return e;
}

err process_settings_load(struct process_settings *s, const char *folder, const struct env *env,
                          struct diag *diag)
{
    static const char *const names[] = {"spate.yml", "logstash.yml"};
    struct heap *heap = process_settings_heap(s);
    for (int i = 0; i < 2; i++) {
        const struct source *source;
        err e = file_source(heap_printf(heap, "%s/%s", folder, names[i]), heap, diag, &source);
        if (e == ERR_MISSING) continue;
        return e != ERR_OK ? e : process_settings_load_text(s, source, env, diag);
    }
    return ERR_OK;
}

/* ---- pipelines.yml --------------------------------------------------------------------- */

static err check_pipeline(const struct reader *r, const yaml_node_t *node,
                          const struct pipeline_list *list)
{
    const struct process_settings *s = r->settings;
    slice id = process_settings_text(s, "pipeline.id");
    for (uint32_t i = 0; i < list->n; i++)
        if (slice_equal(process_settings_text(list->at[i], "pipeline.id"), id)) {
            diag_error(r->diag, mark_pos(r->source, &node->start_mark), "every pipeline.id once",
                       "Pipelines YAML file contains duplicate pipeline ids: %.*s", SLICE_FMT(id));
            return ERR_CONFIG;
        }
    bool path = process_settings_text(s, "path.config").p != NULL;
    bool text = process_settings_text(s, "config.string").p != NULL;
    if (path != text) return ERR_OK;
    diag_error(r->diag, mark_pos(r->source, &node->start_mark), NULL,
               path ? "pipeline %.*s has both path.config and config.string"
                    : "pipeline %.*s has neither path.config nor config.string",
               SLICE_FMT(id));
    return ERR_CONFIG;
}

static err read_pipelines(struct reader *r, const struct process_settings *base,
                          const yaml_node_t *root, struct pipeline_list *out)
{
    static const char expected[] = "a list: - pipeline.id: main ...";
    if (root == NULL || node_is_null(root) ||
        (root->type == YAML_SEQUENCE_NODE &&
         root->data.sequence.items.start == root->data.sequence.items.top)) {
        diag_error(r->diag, pos_make(r->source, 0), expected, "Pipelines YAML file is empty");
        return ERR_CONFIG;
    }
    if (root->type != YAML_SEQUENCE_NODE)
        return report(r, root, expected, "Pipelines YAML file must contain a list of pipelines");
    const yaml_node_item_t *start = root->data.sequence.items.start;
    uint32_t n = (uint32_t)(root->data.sequence.items.top - start);
    if (n > PIPELINES_MAX) return report(r, root, NULL, "too many pipelines");
    out->at = heap_alloc(r->heap, n * sizeof(*out->at));
    err e = ERR_OK;
    for (uint32_t i = 0; i < n; i++) {
        const yaml_node_t *item = yaml_document_get_node(r->document, start[i]);
        if (item->type != YAML_MAPPING_NODE)
            return report(r, item, expected, "a pipeline is a mapping of settings");
        r->settings = process_settings_copy(base, r->heap);
        if (read_mapping(r, item, SLICE_NONE, 0) != ERR_OK) e = ERR_CONFIG;
        if (check_pipeline(r, item, out) != ERR_OK) e = ERR_CONFIG;
        out->at[out->n++] = r->settings;
    }
    return e;
}

err pipelines_load_text(const struct process_settings *base, const struct source *source,
                        const struct env *env, struct heap *heap, struct diag *diag,
                        struct pipeline_list *out)
{
    *out = (struct pipeline_list){0};
    yaml_document_t document;
    err e = document_load(source, diag, &document);
    if (e != ERR_OK) return e;
    struct reader r = {.source = source,
                       .env = env,
                       .heap = heap,
                       .diag = diag,
                       .document = &document,
                       .pipeline = true};
    e = read_pipelines(&r, base, yaml_document_get_root_node(&document), out);
    yaml_document_delete(&document);
    return e;
}

err pipelines_load(const struct process_settings *base, const char *path, const struct env *env,
                   struct heap *heap, struct diag *diag, struct pipeline_list *out)
{
    const struct source *source;
    err e = file_source(heap_printf(heap, "%s", path), heap, diag, &source);
    if (e == ERR_MISSING) {
        diag_error(diag, POS_NONE, NULL, "%s: no such file", path);
        return ERR_CONFIG;
    }
    return e != ERR_OK ? e : pipelines_load_text(base, source, env, heap, diag, out);
}
