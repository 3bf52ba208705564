/* dictionary_read.c - YAML, JSON and CSV files as dictionaries. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"
#include "engine/base/utf8.h"
#include "engine/plan/dictionary.h"
#include "engine/plan/yaml_scalar.h"
#include "parsers/json/json_decode.h"
#include "parsers/text/csv.h"
#include "parsers/text/ruby_number.h"

static bool refuse(char *reason, const char *why)
{
    snprintf(reason, DICTIONARY_ERROR_BYTES, "%s", why);
    return false;
}

/* ---- YAML ------------------------------------------------------------------------ */

struct yaml_reader {
    yaml_document_t *document;
    struct arena *arena;
    uint64_t nodes_left; /* aliases repeat nodes: bounds what they grow into */
    char *reason;
    struct buf scratch;
};

#define YAML_NODES_MAX 50000000u

static slice scalar_text(const yaml_node_t *node)
{
    return slice_make((const char *)node->data.scalar.value, node->data.scalar.length);
}

/* Quoted ones are text, unless they have a tag. */
static struct value yaml_scalar(struct yaml_reader *r, const yaml_node_t *node)
{
    slice text = scalar_text(node);
    bool tagged = node->tag != NULL && strcmp((const char *)node->tag, YAML_STR_TAG) != 0;
    if (!tagged && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return value_string(text);
    struct value val = yaml_scalar_read(text, r->arena);
    if (val.type == VALUE_INT && tagged && strcmp((const char *)node->tag, YAML_FLOAT_TAG) == 0)
        return value_float((double)val.u.num);
    return val;
}

static bool yaml_value(struct yaml_reader *r, int id, uint32_t depth, struct value *out);

static bool yaml_list(struct yaml_reader *r, const yaml_node_t *node, uint32_t depth,
                      struct value *out)
{
    const yaml_node_item_t *from = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - from);
    *out = value_list(arena_alloc(r->arena, (n + 1) * sizeof(struct value), 16), (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        if (!yaml_value(r, from[i], depth + 1, &out->u.list[i])) return false;
    return true;
}

static bool yaml_map(struct yaml_reader *r, const yaml_node_t *node, uint32_t depth,
                     struct value *out)
{
    *out = value_map(map_new(r->arena));
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start;
         p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(r->document, p->key);
        struct value val;
        if (key == NULL || key->type != YAML_SCALAR_NODE)
            return refuse(r->reason, "a key is no scalar");
        if (!yaml_value(r, p->value, depth + 1, &val)) return false;
        /* Names are text: that of a number is the number's. */
        struct value name = yaml_scalar(r, key);
        slice text = value_to_slice(&name, r->arena, &r->scratch);
        map_put(out->u.map, r->arena, key_make(r->arena, text), val);
    }
    return true;
}

static bool yaml_value(struct yaml_reader *r, int id, uint32_t depth, struct value *out)
{
    const yaml_node_t *node = yaml_document_get_node(r->document, id);
    if (depth > DICTIONARY_DEPTH_MAX) return refuse(r->reason, "values are nested too deep");
    if (node == NULL || r->nodes_left-- == 0) return refuse(r->reason, "too many values");
    if (node->type == YAML_SEQUENCE_NODE) return yaml_list(r, node, depth, out);
    if (node->type == YAML_MAPPING_NODE) return yaml_map(r, node, depth, out);
    if (node->type != YAML_SCALAR_NODE) return refuse(r->reason, "an empty node");
    *out = yaml_scalar(r, node);
    return true;
}

static bool yaml_entries(struct dictionary *d, struct yaml_reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (root == NULL) return true;
    if (root->type != YAML_MAPPING_NODE) return refuse(r->reason, "the file is no mapping");
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start;
         p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *node = yaml_document_get_node(r->document, p->key);
        struct value val;
        if (node == NULL || node->type != YAML_SCALAR_NODE)
            return refuse(r->reason, "a key is no scalar");
        struct value key = yaml_scalar(r, node);
        if (!yaml_value(r, p->value, 0, &val)) return false;
        char digits[NUMBER_TEXT_MAX];
        /* Keys of other types equal no text and no integer; neither do Ruby's symbols. */
        if (key.type == VALUE_STRING && yaml_is_symbol(scalar_text(node)) &&
            node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
            continue;
        if (key.type == VALUE_STRING)
            dictionary_put(d, value_slice(&key), false, &val);
        else if (key.type == VALUE_INT)
            dictionary_put(d, slice_make(digits, number_i64_text(key.u.num, digits)), true, &val);
    }
    return true;
}

bool dictionary_read_yaml(struct dictionary *d, slice text, char *reason)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct page_pool pool;
    struct arena arena;
    if (yaml_parser_initialize(&parser) == 0) return refuse(reason, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
    if (yaml_parser_load(&parser, &document) == 0) {
        snprintf(reason, DICTIONARY_ERROR_BYTES, "%s at line %zu",
                 parser.problem == NULL ? "bad YAML" : parser.problem,
                 parser.problem_mark.line + 1);
        yaml_parser_delete(&parser);
        return false;
    }
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    struct yaml_reader r = {
        .document = &document, .arena = &arena, .nodes_left = YAML_NODES_MAX, .reason = reason};
    bool ok = yaml_entries(d, &r);
    buf_fini(&r.scratch);
    arena_fini(&arena);
    page_pool_fini(&pool);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return ok;
}

/* ---- JSON ------------------------------------------------------------------------- */

static bool resolve_all(struct value *v, struct arena *arena, uint32_t depth)
{
    if (depth > DICTIONARY_DEPTH_MAX) return false;
    value_resolve(v, arena);
    for (uint32_t i = 0; v->type == VALUE_LIST && i < v->n; i++)
        if (!resolve_all(&v->u.list[i], arena, depth + 1)) return false;
    for (uint32_t i = 0; v->type == VALUE_MAP && i < v->u.map->n; i++)
        if (!resolve_all(&v->u.map->at[i].val, arena, depth + 1)) return false;
    return true;
}

bool dictionary_read_json(struct dictionary *d, slice text, char *reason)
{
    struct json_reader reader;
    struct page_pool pool;
    struct arena arena;
    struct value out;
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    json_reader_init(&reader);
    reader.members_max = reader.fields_max = UINT32_MAX / 64;
    int64_t used = json_decode_copy(&reader, text, JSON_WHOLE, &arena, &out);
    bool ok = used >= 0 && out.type == VALUE_MAP && resolve_all(&out, &arena, 0);
    if (used < 0)
        snprintf(reason, DICTIONARY_ERROR_BYTES, "%s at byte %u", json_status_text((int)used),
                 reader.error_at + 1);
    else if (!ok)
        refuse(reason,
               out.type == VALUE_MAP ? "values are nested too deep" : "the file is no object");
    for (uint32_t i = 0; ok && i < out.u.map->n; i++) {
        const struct member *m = &out.u.map->at[i];
        dictionary_put(d, slice_make(m->key, m->key_n), false, &m->val);
    }
    json_reader_fini(&reader);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return ok;
}

/* ---- CSV -------------------------------------------------------------------------- */

bool dictionary_read_csv(struct dictionary *d, slice text, char *reason)
{
    struct csv_format format;
    struct csv_row row = {0};
    err e = csv_format_init(&format, SLICE(","), SLICE("\""));
    ASSERT(e == ERR_OK);
    if (slice_starts(text, SLICE("\xef\xbb\xbf"))) text = slice_from(text, 3);
    uint32_t line_number = 0;
    bool ok = true;
    while (ok && text.n > 0) {
        int64_t end = slice_find_byte(text, '\n');
        slice line = end < 0 ? text : slice_part(text, 0, (uint32_t)end + 1);
        text = slice_from(text, line.n);
        line_number++;
        enum csv_status status = csv_row_read(&format, line, &d->arena, &row);
        ok = status == CSV_ROW;
        if (!ok)
            snprintf(reason, DICTIONARY_ERROR_BYTES, "%s in line %u", csv_status_text(status),
                     line_number);
        if (!ok || row.n == 0 || row.at[0].nil) continue;
        struct value val = row.n < 2 || row.at[1].nil ? value_nil() : value_string(row.at[1].text);
        dictionary_put(d, row.at[0].text, false, &val);
    }
    csv_row_fini(&row);
    return ok;
}

/* ---- files ------------------------------------------------------------------------- */

static bool file_load(const char *path, struct buf *out, char *reason)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return refuse(reason, strerror(errno));
    size_t n = 1;
    while (n > 0 && out->n <= DICTIONARY_FILE_BYTES_MAX) {
        buf_room(out, 65536);
        n = fread(buf_end(out), 1, 65536, file);
        out->n += n;
    }
    bool ok = ferror(file) == 0;
    fclose(file);
    if (!ok) return refuse(reason, "the file cannot be read");
    if (out->n > DICTIONARY_FILE_BYTES_MAX) return refuse(reason, "the file is too large");
    return true;
}

bool dictionary_read(struct dictionary *d, const char *path, uint64_t yaml_chars_max, char *reason)
{
    slice name = slice_from_cstr(path);
    struct buf text = {0};
    bool yaml = slice_ends(name, SLICE(".yml")) || slice_ends(name, SLICE(".yaml"));
    bool json = slice_ends(name, SLICE(".json"));
    if (!yaml && !json && !slice_ends(name, SLICE(".csv")))
        return refuse(reason, "the file's name must end in .yml, .yaml, .json or .csv");
    bool ok = file_load(path, &text, reason);
    slice all = buf_slice(&text);
    if (ok && !utf8_valid(all)) ok = refuse(reason, "the file is not UTF-8");
    if (ok && yaml && utf8_length(all) > yaml_chars_max)
        ok = refuse(reason, "the file is longer than yaml_dictionary_code_point_limit");
    if (ok)
        ok = yaml   ? dictionary_read_yaml(d, all, reason)
             : json ? dictionary_read_json(d, all, reason)
                    : dictionary_read_csv(d, all, reason);
    buf_fini(&text);
    return ok;
}
