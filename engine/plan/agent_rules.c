/* agent_rules.c - reading and applying rules. */
#include "engine/plan/agent_rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "engine/base/assert.h"
#include "engine/base/buf.h"
#include "engine/base/utf8.h"
#include "parsers/grok/regex_list.h"

enum list_kind { BROWSERS, SYSTEMS, DEVICES, LISTS };

/* What takes the place of groups; without p: the group itself. */
struct rule {
    slice family, version[AGENT_VERSIONS];
};

struct list {
    struct rule *rule;
    uint32_t n;
    struct regex_list *regexes;
};

struct agent_rules {
    struct page_pool pool;
    struct arena arena;
    struct list list[LISTS];
};

struct agent_scratch {
    struct regex_list_scratch *list[LISTS];
};

/* Names in the file. */
struct list_names {
    const char *list, *family, *version[AGENT_VERSIONS];
};

static const struct list_names names[LISTS] = {
    [BROWSERS] = {"user_agent_parsers",
                  "family_replacement",
                  {"v1_replacement", "v2_replacement", "v3_replacement", "v4_replacement"}},
    [SYSTEMS] = {"os_parsers",
                 "os_replacement",
                 {"os_v1_replacement", "os_v2_replacement", "os_v3_replacement",
                  "os_v4_replacement"}},
    [DEVICES] = {"device_parsers", "device_replacement", {NULL, NULL, NULL, NULL}}};

/* ---- reading ---------------------------------------------------------------------------- */

struct reader {
    struct agent_rules *rules;
    yaml_document_t *document;
    const char *cache_dir;
    char *reason;
};

static bool refuse(struct reader *r, const yaml_node_t *node, const char *why)
{
    size_t line = node == NULL ? 1 : node->start_mark.line + 1;
    snprintf(r->reason, AGENT_ERROR_BYTES, "line %zu: %s", line, why);
    return false;
}

static slice scalar_text(const yaml_node_t *node)
{
    if (node == NULL || node->type != YAML_SCALAR_NODE) return SLICE_NONE;
    return slice_make((const char *)node->data.scalar.value, node->data.scalar.length);
}

static const yaml_node_t *member(struct reader *r, const yaml_node_t *map, const char *name)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++)
        if (slice_equal(scalar_text(yaml_document_get_node(r->document, p->key)),
                        slice_from_cstr(name)))
            return yaml_document_get_node(r->document, p->value);
    return NULL;
}

/* A text of the rule, kept; no p when it has none of that name. */
static bool text_of(struct reader *r, const yaml_node_t *map, const char *name, slice *out)
{
    const yaml_node_t *node = name == NULL ? NULL : member(r, map, name);
    *out = SLICE_NONE;
    if (node == NULL) return true;
    slice text = scalar_text(node);
    if (text.p == NULL) return refuse(r, node, "a text was expected");
    if (!utf8_valid(text)) return refuse(r, node, "the text is no UTF-8");
    *out = arena_copy(&r->rules->arena, text);
    if (out->p == NULL) *out = SLICE("");
    return true;
}

static bool rule_read(struct reader *r, enum list_kind kind, const yaml_node_t *node,
                      struct rule *rule, slice *pattern, uint32_t *flags)
{
    slice flag;
    if (node == NULL || node->type != YAML_MAPPING_NODE)
        return refuse(r, node, "a rule was expected");
    if (!text_of(r, node, "regex", pattern)) return false;
    if (pattern->p == NULL) return refuse(r, node, "a rule without regex");
    if (!text_of(r, node, names[kind].family, &rule->family)) return false;
    for (uint32_t i = 0; i < AGENT_VERSIONS; i++)
        if (!text_of(r, node, names[kind].version[i], &rule->version[i])) return false;
    if (!text_of(r, node, "regex_flag", &flag)) return false;
    *flags = slice_equal(flag, SLICE("i")) ? REGEX_NO_CASE : 0;
    return true;
}

static bool expressions_make(struct reader *r, const yaml_node_t *node, struct list *list,
                             const slice *patterns, const uint32_t *flags)
{
    struct grok_error error = {0};
    char why[AGENT_ERROR_BYTES];
    list->regexes = regex_list_new_flags(patterns, flags, list->n, r->cache_dir, &error);
    if (list->regexes != NULL) return true;
    const yaml_node_t *bad =
        yaml_document_get_node(r->document, node->data.sequence.items.start[error.pattern]);
    snprintf(why, sizeof(why), "bad regular expression, at byte %u: %s", error.at, error.text);
    return refuse(r, bad, why);
}

static bool list_read(struct reader *r, enum list_kind kind, const yaml_node_t *root)
{
    struct list *list = &r->rules->list[kind];
    const yaml_node_t *node = member(r, root, names[kind].list);
    char why[64];
    snprintf(why, sizeof(why), "%s is missing, or no list", names[kind].list);
    if (node == NULL || node->type != YAML_SEQUENCE_NODE) return refuse(r, root, why);
    const yaml_node_item_t *items = node->data.sequence.items.start;
    size_t n = (size_t)(node->data.sequence.items.top - items);
    if (n > AGENT_RULES_MAX) return refuse(r, node, "too many rules");
    slice *patterns = calloc(n + 1, sizeof(*patterns));
    uint32_t *flags = calloc(n + 1, sizeof(*flags));
    list->rule = calloc(n + 1, sizeof(*list->rule));
    ASSERT(patterns != NULL && flags != NULL && list->rule != NULL);
    bool ok = true;
    for (; ok && list->n < n; list->n++)
        ok = rule_read(r, kind, yaml_document_get_node(r->document, items[list->n]),
                       &list->rule[list->n], &patterns[list->n], &flags[list->n]);
    ok = ok && expressions_make(r, node, list, patterns, flags);
    free(patterns);
    free(flags);
    return ok;
}

static bool document_read(struct reader *r)
{
    const yaml_node_t *root = yaml_document_get_root_node(r->document);
    if (root == NULL || root->type != YAML_MAPPING_NODE)
        return refuse(r, root, "the lists of rules were expected");
    for (int kind = 0; kind < LISTS; kind++)
        if (!list_read(r, (enum list_kind)kind, root)) return false;
    return true;
}

struct agent_rules *agent_rules_read(slice yaml, const char *cache_dir, char *reason)
{
    yaml_parser_t parser;
    yaml_document_t document;
    struct agent_rules *rules = calloc(1, sizeof(*rules));
    ASSERT(rules != NULL);
    page_pool_init(&rules->pool, SIZE_MAX);
    arena_init(&rules->arena, &rules->pool);
    bool ok = yaml_parser_initialize(&parser);
    ASSERT(ok);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.p, yaml.n);
    if (yaml_parser_load(&parser, &document)) {
        struct reader r = {rules, &document, cache_dir, reason};
        ok = document_read(&r);
        yaml_document_delete(&document);
    } else {
        ok = false;
        snprintf(reason, AGENT_ERROR_BYTES, "line %zu: %s", parser.problem_mark.line + 1,
                 parser.problem == NULL ? "it is no YAML" : parser.problem);
    }
    yaml_parser_delete(&parser);
    if (ok) return rules;
    agent_rules_free(rules);
    return NULL;
}

struct agent_rules *agent_rules_read_file(const char *path, const char *cache_dir, char *reason)
{
    struct agent_rules *rules = NULL;
    struct buf text = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        snprintf(reason, AGENT_ERROR_BYTES, "cannot be read: %s", strerror(errno));
        return NULL;
    }
    while (text.n <= AGENT_FILE_BYTES_MAX && !feof(file) && !ferror(file)) {
        buf_room(&text, 65536);
        text.n += fread(buf_end(&text), 1, 65536, file);
    }
    if (ferror(file))
        snprintf(reason, AGENT_ERROR_BYTES, "cannot be read");
    else if (text.n > AGENT_FILE_BYTES_MAX)
        snprintf(reason, AGENT_ERROR_BYTES, "is longer than %u bytes", AGENT_FILE_BYTES_MAX);
    else
        rules = agent_rules_read(buf_slice(&text), cache_dir, reason);
    fclose(file);
    buf_fini(&text);
    return rules;
}

/* Made from conf/useragents.yaml by agent_rules_embed.sh. */
extern const char agent_rules_text[];
extern const uint32_t agent_rules_text_n;

struct agent_rules *agent_rules_builtin(const char *cache_dir)
{
    char reason[AGENT_ERROR_BYTES];
    slice text = {agent_rules_text, agent_rules_text_n};
    struct agent_rules *rules = agent_rules_read(text, cache_dir, reason);
    ASSERT(rules != NULL);
    return rules;
}

void agent_rules_free(struct agent_rules *rules)
{
    if (rules == NULL) return;
    for (uint32_t i = 0; i < LISTS; i++) {
        regex_list_free(rules->list[i].regexes);
        free(rules->list[i].rule);
    }
    arena_fini(&rules->arena);
    page_pool_fini(&rules->pool);
    free(rules);
}

/* ---- applying --------------------------------------------------------------------------- */

struct agent_scratch *agent_scratch_new(const struct agent_rules *rules)
{
    struct agent_scratch *scratch = calloc(1, sizeof(*scratch));
    ASSERT(scratch != NULL);
    for (uint32_t i = 0; i < LISTS; i++)
        scratch->list[i] = regex_list_scratch_new(rules->list[i].regexes);
    return scratch;
}

void agent_scratch_free(struct agent_scratch *scratch)
{
    if (scratch == NULL) return;
    for (uint32_t i = 0; i < LISTS; i++) regex_list_scratch_free(scratch->list[i]);
    free(scratch);
}

/* A match being turned into words. */
struct match {
    slice text;
    const struct regex_span *spans;
    uint32_t groups;
    struct arena *arena;
};

static slice group(const struct match *m, uint32_t i)
{
    if (i > m->groups || m->spans[i].from == REGEX_UNSET) return SLICE_NONE;
    return slice_part(m->text, m->spans[i].from, m->spans[i].to - m->spans[i].from);
}

static slice kept(const struct match *m, slice text)
{
    if (text.p == NULL) return SLICE_NONE;
    return text.n == 0 ? SLICE("") : arena_copy(m->arena, text);
}

/* The replacement with its $1 to $9, of which nothing may be left, or else the group. */
static slice word(const struct match *m, slice replacement, uint32_t index)
{
    if (replacement.p == NULL) return kept(m, group(m, index));
    if (slice_find_byte(replacement, '$') < 0) return replacement;
    struct buf out = {0};
    for (uint32_t i = 0; i < replacement.n; i++) {
        char next = i + 1 < replacement.n ? replacement.p[i + 1] : '\0';
        if (replacement.p[i] != '$' || next < '1' || next > '9') {
            buf_add_byte(&out, replacement.p[i]);
            continue;
        }
        buf_add_slice(&out, group(m, (uint32_t)(next - '0')));
        i++;
    }
    slice text = out.n == 0 ? SLICE_NONE : slice_trim(buf_slice(&out));
    text = text.n == 0 ? SLICE_NONE : kept(m, text);
    buf_fini(&out);
    return text;
}

/* False: it matches, but gives no name. */
static bool part_make(const struct match *m, const struct rule *rule, struct agent_part *out)
{
    out->family = word(m, rule->family, 1);
    if (out->family.p == NULL) return false;
    for (uint32_t i = 0; i < AGENT_VERSIONS; i++)
        out->version[i] = word(m, rule->version[i], i + 2);
    return true;
}

static void list_apply(const struct list *list, struct regex_list_scratch *scratch, struct match *m,
                       struct agent_part *out)
{
    *out = (struct agent_part){.family = SLICE("Other")};
    regex_list_begin(list->regexes, scratch, m->text);
    int64_t i = -1;
    while ((i = regex_list_next(list->regexes, scratch, m->text, (uint32_t)(i + 1), &m->spans)) >=
           0) {
        m->groups = regex_list_groups(list->regexes, (uint32_t)i);
        struct agent_part part;
        if (!part_make(m, &list->rule[i], &part)) continue;
        *out = part;
        return;
    }
}

void agent_parse(const struct agent_rules *rules, struct agent_scratch *scratch, slice text,
                 struct arena *arena, struct agent *out)
{
    struct match m = {.text = text, .arena = arena};
    struct agent_part device;
    list_apply(&rules->list[BROWSERS], scratch->list[BROWSERS], &m, &out->browser);
    list_apply(&rules->list[SYSTEMS], scratch->list[SYSTEMS], &m, &out->system);
    list_apply(&rules->list[DEVICES], scratch->list[DEVICES], &m, &device);
    out->device = device.family;
}
