/*
 * elasticsearch_template.c - the index templates that come with the output.
 *
 * Texts get a keyword beside them, message does not; addresses, coordinates and numbers of the
 * usual fields get their types. The composable form (Elasticsearch 7.8 and later) wraps settings
 * and mappings in "template" and has a priority.
 */
#include "engine/outputs/elasticsearch.h"

#include "engine/base/assert.h"

/* Fields of the disabled ECS mode. */
static const char mappings_plain[] =
    "\"dynamic_templates\":["
    "{\"message_field\":{\"path_match\":\"message\",\"match_mapping_type\":\"string\","
    "\"mapping\":{\"type\":\"text\",\"norms\":false}}},"
    "{\"string_fields\":{\"match\":\"*\",\"match_mapping_type\":\"string\","
    "\"mapping\":{\"type\":\"text\",\"norms\":false,"
    "\"fields\":{\"keyword\":{\"type\":\"keyword\",\"ignore_above\":256}}}}}],"
    "\"properties\":{\"@timestamp\":{\"type\":\"date\"},\"@version\":{\"type\":\"keyword\"},"
    "\"geoip\":{\"dynamic\":true,\"properties\":{\"ip\":{\"type\":\"ip\"},"
    "\"location\":{\"type\":\"geo_point\"},\"latitude\":{\"type\":\"half_float\"},"
    "\"longitude\":{\"type\":\"half_float\"}}}}";

/* ECS: texts are keywords but for the few that are meant to be searched, and fields that ECS
 * gives another type are found by their place in its tree. */
#define ECS_TEXT(name) "\"" name "\":{\"type\":\"text\",\"norms\":false}"
#define ECS_TYPED(label, pattern, type)                                                            \
    "{\"" label "\":{\"path_match\":\"" pattern "\",\"mapping\":{\"type\":\"" type "\"}}},"
#define ECS_PEER(name)                                                                             \
    "\"" name "\":{\"properties\":{\"ip\":{\"type\":\"ip\"},\"port\":{\"type\":\"long\"},"         \
    "\"bytes\":{\"type\":\"long\"},\"packets\":{\"type\":\"long\"},"                               \
    "\"geo\":{\"properties\":{\"location\":{\"type\":\"geo_point\"}}},"                            \
    "\"as\":{\"properties\":{\"number\":{\"type\":\"long\"}}},"                                    \
    "\"nat\":{\"properties\":{\"ip\":{\"type\":\"ip\"},\"port\":{\"type\":\"long\"}}}}}"
static const char mappings_ecs[] = "\"date_detection\":false,\"dynamic_templates\":[" ECS_TYPED(
    "geo_points", "*.geo.location",
    "geo_point") "{\"addresses\":{\"path_match\":\"*.ip\",\"match_mapping_type\":\"string\","
                 "\"mapping\":{\"type\":\"ip\"}}},"
                 "{\"strings_as_keyword\":{\"match_mapping_type\":\"string\","
                 "\"mapping\":{\"type\":\"keyword\",\"ignore_above\":1024}}}],"
                 "\"properties\":{\"@timestamp\":{\"type\":\"date\"},\"@version\":{\"type\":"
                 "\"keyword\"}," ECS_TEXT("message") "," ECS_PEER("client") "," ECS_PEER(
                     "destinati"
                     "on") "," ECS_PEER("server") "," ECS_PEER("source") ","
                                                                         "\"event\":{"
                                                                         "\"properties\":{"
                                                                         "\"created\":{"
                                                                         "\"type\":\"date\"},"
                                                                         "\"start\":{\"type\":"
                                                                         "\"date\"},"
                                                                         "\"end\":{\"type\":"
                                                                         "\"date\"},\"ingested\":{"
                                                                         "\"type\":\"date\"},"
                                                                         "\"duration\":{\"type\":"
                                                                         "\"long\"},"
                                                                         "\"severity\":{\"type\":"
                                                                         "\"long\"},"
                                                                         "\"sequence\":{\"type\":"
                                                                         "\"long\"},"
                                                                         "\"risk_score\":{\"type\":"
                                                                         "\"float\"},"
                                                                         "\"original\":{\"type\":"
                                                                         "\"keyword\","
                                                                         "\"index\":false,\"doc_"
                                                                         "values\":false}}},"
                                                                         "\"http\":{\"properties\":"
                                                                         "{\"request\":{"
                                                                         "\"properties\":{"
                                                                         "\"bytes\":{\"type\":"
                                                                         "\"long\"},"
                                                                         "\"body\":{\"properties\":"
                                                                         "{\"bytes\":{"
                                                                         "\"type\":\"long\"}}}}},"
                                                                         "\"response\":{"
                                                                         "\"properties\":{"
                                                                         "\"bytes\":{"
                                                                         "\"type\":\"long\"},"
                                                                         "\"status_code\":{"
                                                                         "\"type\":\"long\"},"
                                                                         "\"body\":{\"properties\":"
                                                                         "{\"bytes\":{"
                                                                         "\"type\":\"long\"}}}}}}},"
                                                                         "\"log\":{\"properties\":{"
                                                                         "\"syslog\":{"
                                                                         "\"properties\":{"
                                                                         "\"priority\":{\"type\":"
                                                                         "\"long\"},"
                                                                         "\"facility\":{"
                                                                         "\"properties\":{\"code\":"
                                                                         "{"
                                                                         "\"type\":\"long\"}}},"
                                                                         "\"severity\":{"
                                                                         "\"properties\":{\"code\":"
                                                                         "{"
                                                                         "\"type\":\"long\"}}}}}}},"
                                                                         "\"network\":{"
                                                                         "\"properties\":{"
                                                                         "\"bytes\":{"
                                                                         "\"type\":\"long\"},"
                                                                         "\"packets\":{\"type\":"
                                                                         "\"long\"}}},"
                                                                         "\"process\":{"
                                                                         "\"properties\":{\"pid\":{"
                                                                         "\"type\":\"long\"}}},"
                                                                         "\"error\":{"
                                                                         "\"properties\":"
                                                                         "{" ECS_TEXT(
                                                                             "message") "}},"
                                                                                        "\"url\":{"
                                                                                        "\"properti"
                                                                                        "es\":{"
                                                                                        "\"port\":{"
                                                                                        "\"type\":"
                                                                                        "\"long\"}}"
                                                                                        "}}";

static void write_built_in(const struct es_cfg *cfg, const struct es_server *server,
                           bool composable, struct buf *out)
{
    bool new = composable && (server->opensearch || server->major >= 8);
    buf_printf(out, "{\"index_patterns\":\"%slogstash-*\",\"version\":%u,", cfg->ecs ? "ecs-" : "",
               new ? 80001u : 60001u);
    if (composable) buf_add_cstr(out, "\"template\":{");
    buf_add_cstr(out, "\"settings\":{\"index.refresh_interval\":\"5s\"");
    if (!server->serverless) buf_add_cstr(out, ",\"number_of_shards\":1");
    if (cfg->ecs) buf_add_cstr(out, ",\"index.mapping.total_fields.limit\":10000");
    buf_add_cstr(out, "},\"mappings\":{");
    /* Elasticsearch 6 names the type. */
    if (server->major == 6 && !server->opensearch) buf_add_cstr(out, "\"_default_\":{");
    buf_add_cstr(out, cfg->ecs ? mappings_ecs : mappings_plain);
    if (server->major == 6 && !server->opensearch) buf_add_byte(out, '}');
    buf_add_byte(out, '}');
    if (composable)
        buf_add_cstr(out, "},\"priority\":200,\"_meta\":{\"description\":"
                          "\"index template of the elasticsearch output\"}");
    buf_add_byte(out, '}');
}

static struct map *map_under(struct map *map, struct arena *arena, slice name)
{
    struct key key = key_borrow(name);
    struct member *m = map_find(map, name, key.hash);
    if (m != NULL && m->val.type == VALUE_MAP) return m->val.u.map;
    struct map *made = map_new(arena);
    map_put(map, arena, key, value_map(made));
    return made;
}

/* The pattern becomes the alias', and new indices get the policy. */
static void add_lifecycle(struct es_shared *s, bool composable, struct buf *text)
{
    const struct es_cfg *cfg = s->cfg;
    struct arena *arena = &s->arena;
    struct value v;
    struct time_iso_cache iso = {0};
    if (json_decode_copy(&s->reader, buf_slice(text), JSON_WHOLE, arena, &v) < 0 ||
        v.type != VALUE_MAP)
        return;
    struct map *map = v.u.map;
    if (!composable) map_remove(map, SLICE("template"), hash_key("template", 8));
    slice pattern = arena_join(arena, cfg->ilm_alias, SLICE("-*"));
    map_put(map, arena, key_borrow(SLICE("index_patterns")), value_string(pattern));
    /* As in Logstash, a file of the user's says by its own form where settings belong. */
    bool wrapped =
        map_find(map, SLICE("template"), hash_key("template", 8)) != NULL ||
        (composable && map_find(map, SLICE("settings"), hash_key("settings", 8)) == NULL);
    if (wrapped) map = map_under(map, arena, SLICE("template"));
    map = map_under(map, arena, SLICE("settings"));
    map_put(map, arena, key_borrow(SLICE("index.lifecycle.name")),
            value_string(cfg->opt.ilm_policy));
    map_put(map, arena, key_borrow(SLICE("index.lifecycle.rollover_alias")),
            value_string(cfg->ilm_alias));
    text->n = 0;
    json_write_value(text, &v, &iso);
}

void es_template_write(struct es_shared *s, const struct es_server *server, bool composable,
                       bool ilm, struct buf *out)
{
    out->n = 0;
    if (s->cfg->template_text != NULL)
        buf_add_cstr(out, s->cfg->template_text);
    else
        write_built_in(s->cfg, server, composable, out);
    if (ilm) add_lifecycle(s, composable, out);
    arena_reset(&s->arena);
}
