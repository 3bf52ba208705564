/*
 * geoip.c - where in the world an address is, from a MaxMind database.
 *
 * geoip_record reads the database; this file keeps what it said about an address and puts it into
 * events: whole, shared and already encoded, where nothing is in the way, else part by part. Names
 * of hosts are not resolved. State: the shard's view of the database, answers.
 */
#include <stdio.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "engine/filters/geoip_record.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/memo.h"
#include "engine/plan/subtree.h"

static const char *const standard_types[] = {"City", "ASN", NULL};

struct geoip_cfg {
    slice source_name, target_name, path;
    struct config_list field_names, tag_on_failure;
    int standard_type;
    int64_t cache_size;
    struct fieldref source, target;
    uint32_t fields;
    bool ecs;
    struct mmdb_file *file;
};

struct geoip_state {
    const struct geoip_cfg *cfg;
    const struct mmdb *db;
    struct geoip_question question;
    struct memo memo;
    struct counter failures;
};

/* What is known about one text. */
struct geoip_answer {
    bool found;
    struct subtree tree;
};

struct geoip_run {
    struct geoip_state *state;
    const struct geoip_cfg *cfg;
    struct batch *batch;
    struct event *ev;
};

/* ---- asking ----------------------------------------------------------------------------- */

static const struct geoip_answer *ask(struct geoip_run *r, slice text, uint64_t hash)
{
    struct memo *memo = &r->state->memo;
    struct arena *arena = memo_arena(memo, r->batch, text);
    struct geoip_answer *answer = arena_alloc(arena, sizeof(*answer), 16);
    struct geoip_address address;
    *answer = (struct geoip_answer){0};
    struct map *map = NULL;
    if (geoip_address_parse(text, &address))
        map = geoip_record(&r->state->question, &address, &r->batch->arena);
    answer->found = map != NULL && map->n > 0;
    if (answer->found) subtree_make(&answer->tree, map, arena);
    memo_put(memo, text, hash, answer);
    return answer;
}

/* ---- putting ---------------------------------------------------------------------------- */

/* A failure leaves an empty map where nothing is. */
static bool put(struct geoip_run *r, const struct geoip_answer *answer)
{
    const struct fieldref *target = &r->cfg->target;
    if (answer->found)
        return subtree_put(&answer->tree, r->batch, r->ev, target, SLICE("location"));
    if (target->root == FIELD_META && target->depth == 0) return false;
    struct value *v = event_get(r->batch, r->ev, target);
    if (v != NULL && v->type != VALUE_NIL) return false;
    err e = event_put(r->batch, r->ev, target, value_map(map_new(&r->batch->arena)));
    (void)e; /* the tag says it, too */
    return false;
}

static bool is_blank(slice text)
{
    for (uint32_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] > ' ') return false;
    return true;
}

static bool geoip_one(struct geoip_run *r)
{
    struct value *v = event_get(r->batch, r->ev, &r->cfg->source);
    if (v != NULL && v->type == VALUE_LIST) {
        if (v->n == 0) return false;
        v = &v->u.list[0];
        value_resolve(v, &r->batch->arena);
    }
    if (v == NULL || v->type != VALUE_STRING) return false;
    slice text = value_slice(v);
    if (is_blank(text)) return false;
    uint64_t hash = memo_hash(text);
    const struct geoip_answer *answer = memo_find(&r->state->memo, r->batch, text, hash);
    if (answer == NULL) answer = ask(r, text, hash);
    return put(r, answer);
}

static enum applied geoip_apply(void *state, const void *config, struct batch *b,
                                const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct geoip_cfg *cfg = config;
    struct geoip_state *s = state;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct geoip_run r = {s, cfg, b, &b->event[in->at[i]]};
        if (geoip_one(&r)) {
            sel_add(hit, in->at[i]);
            continue;
        }
        counter_add(&s->failures, 1);
        event_tag_list(b, r.ev, cfg->tag_on_failure);
    }
    return APPLIED;
}

/* ---- life --------------------------------------------------------------------------------- */

static void question_make(struct geoip_state *s, const struct geoip_cfg *cfg)
{
    s->question = geoip_question_make(s->db, cfg->fields, cfg->ecs);
}

static void geoip_tick(void *state, const void *config, struct batch *out, int64_t now_ns,
                       bool last)
{
    const struct geoip_cfg *cfg = config;
    struct geoip_state *s = state;
    (void)out, (void)now_ns, (void)last;
    const struct mmdb *db = mmdb_file_follow(cfg->file, s->db);
    if (db == s->db) return;
    s->db = db;
    question_make(s, cfg);
    memo_clear(&s->memo);
}

static err geoip_start(void *state, const void *config, struct worker *worker)
{
    const struct geoip_cfg *cfg = config;
    struct geoip_state *s = state;
    (void)worker;
    s->db = mmdb_file_take(cfg->file);
    question_make(s, cfg);
    memo_init(&s->memo, (uint64_t)cfg->cache_size);
    return ERR_OK;
}

static void geoip_stop(void *state, const void *config)
{
    const struct geoip_cfg *cfg = config;
    struct geoip_state *s = state;
    memo_fini(&s->memo);
    mmdb_file_give(cfg->file, s->db);
}

static void geoip_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct geoip_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu,\"cache_hits\":%llu,\"cache_misses\":%llu",
               (unsigned long long)counter_read(&s->failures),
               (unsigned long long)counter_read(&s->memo.hits),
               (unsigned long long)counter_read(&s->memo.misses));
}

static err compile_target(struct geoip_cfg *cfg, struct compiler *c)
{
    static const char *const homes[] = {"client", "destination", "host", "observer",
                                        "server", "source",      NULL};
    slice target = cfg->target_name, source = cfg->source_name;
    if (target.p == NULL && !cfg->ecs) target = SLICE("geoip");
    if (target.p == NULL && source.n > 4 && slice_ends(source, SLICE("[ip]")))
        target = slice_part(source, 0, source.n - 4);
    if (target.p == NULL) {
        compile_error(c, "source", "target => ... or a source such as [client][ip]",
                      "GeoIP Filter in ECS-Compatibility mode requires a `target` when `source` is "
                      "not an `ip` sub-field");
        return ERR_CONFIG;
    }
    slice home = target;
    if (home.n > 2 && home.p[0] == '[') home = slice_part(target, 1, target.n - 2);
    bool known = !cfg->ecs;
    for (uint32_t i = 0; homes[i] != NULL; i++)
        known = known || slice_equal(home, slice_from_cstr(homes[i]));
    if (!known)
        diag_warn(c->diag, settings_pos(c->plugin, "target"), NULL,
                  "ECS expects the `target` %.*s to be one of client, destination, host, observer, "
                  "server, source",
                  SLICE_FMT(target));
    return compile_fieldref(c, &cfg->target, target, settings_pos(c->plugin, "target"));
}

static err compile_fields(struct geoip_cfg *cfg, struct compiler *c)
{
    err e = ERR_OK;
    for (uint32_t i = 0; i < cfg->field_names.n; i++) {
        slice name = cfg->field_names.at[i].text;
        uint32_t bit = geoip_field_bit(name);
        cfg->fields |= bit;
        if (bit != 0) continue;
        struct buf names = {0};
        geoip_field_names(&names);
        compile_error(c, "fields", NULL, "illegal field value %.*s. valid values are [%.*s]",
                      SLICE_FMT(name), SLICE_FMT(buf_slice(&names)));
        buf_fini(&names);
        e = ERR_CONFIG;
    }
    return e;
}

/* Where geoipupdate puts databases when nobody tells it otherwise. */
static slice standard_path(struct geoip_cfg *cfg, struct compiler *c)
{
    static const char *const folders[] = {"/usr/share/GeoIP", "/var/lib/GeoIP",
                                          "/usr/local/share/GeoIP", NULL};
    const char *type = standard_types[cfg->standard_type];
    char path[64];
    for (uint32_t i = 0; folders[i] != NULL; i++) {
        snprintf(path, sizeof(path), "%s/GeoLite2-%s.mmdb", folders[i], type);
        if (access(path, R_OK) == 0) return heap_dup(c->heap, slice_from_cstr(path));
    }
    compile_error(c, "database", "database => \"/path/to/a.mmdb\"",
                  "there is no database: spate does not download any, and GeoLite2-%s.mmdb is not "
                  "in /usr/share/GeoIP, /var/lib/GeoIP or /usr/local/share/GeoIP",
                  type);
    return SLICE_NONE;
}

static err compile_database(struct geoip_cfg *cfg, struct compiler *c)
{
    char reason[MMDB_FILE_ERROR_BYTES] = "";
    if (cfg->path.p == NULL) cfg->path = standard_path(cfg, c);
    if (cfg->path.p == NULL) return ERR_CONFIG;
    cfg->file = mmdb_file_open(cfg->path.p, reason);
    if (cfg->file == NULL) {
        compile_error(c, "database", NULL, "%.*s: %s", SLICE_FMT(cfg->path), reason);
        return ERR_CONFIG;
    }
    slice kind = mmdb_file_first(cfg->file)->kind;
    if (geoip_kind_of(kind) == GEOIP_CUSTOM)
        diag_warn(c->diag, settings_pos(c->plugin, "database"), NULL,
                  "the database type %.*s is not known: those of the fields are set that its "
                  "records have",
                  SLICE_FMT(kind));
    return ERR_OK;
}

static err geoip_compile(void *config, struct compiler *c)
{
    struct geoip_cfg *cfg = config;
    cfg->ecs = compiler_is_ecs(c);
    err e[] = {compile_field_option(c, &cfg->source, "source", cfg->source_name),
               compile_target(cfg, c), compile_fields(cfg, c), compile_database(cfg, c)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void geoip_release(void *config)
{
    mmdb_file_close(((struct geoip_cfg *)config)->file);
}

#define GEO_AT(member, kind) SETTING_AT(struct geoip_cfg, member, kind)

/* clang-format off */
static const struct setting geoip_settings[] = {
    {.name = "source", GEO_AT(source_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field with the address; of a list, its first item. Host names are not resolved."},
    {.name = "target", GEO_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives what is known; by default geoip. With ECS names the field "
            "that the source is the [ip] of, else it is required."},
    {.name = "database", GEO_AT(path, PATH),
     .doc = "A database in MaxMind's format, read again when it changes: City, Country, ASN, ISP, "
            "Domain, Enterprise, Anonymous-IP, Connection-Type, or any other with the same fields. "
            "By default GeoLite2 as geoipupdate installs it in /usr/share/GeoIP, /var/lib/GeoIP or "
            "/usr/local/share/GeoIP; nothing is downloaded."},
    {.name = "default_database_type", GEO_AT(standard_type, ENUM), .choices = standard_types,
     .default_text = "City", .doc = "Which GeoLite2 database to take without `database`."},
    {.name = "fields", GEO_AT(field_names, LIST), .default_text = "[]",
     .doc = "What to set, as far as the kind of database has it; by default what is usual for it. "
            "dma_code is taken, but has had no value since Logstash's geoip 8.0."},
    {.name = "cache_size", GEO_AT(cache_size, INT), .default_text = "1000", .min = 1,
     .max = INT64_MAX, .doc = "How many addresses each worker remembers."},
    {.name = "tag_on_failure", GEO_AT(tag_on_failure, LIST),
     .default_text = "[\"_geoip_lookup_failure\"]",
     .doc = "Tags of events whose address is missing, wrong or not in the database."},
    {0}};
/* clang-format on */

const struct filter_ops filter_geoip = {
    .name = "geoip",
    .doc = "Adds what a MaxMind database knows about an IP address.",
    .settings = geoip_settings,
    .cfg_size = sizeof(struct geoip_cfg),
    .state_size = sizeof(struct geoip_state),
    .compile = geoip_compile,
    .release = geoip_release,
    .start = geoip_start,
    .apply = geoip_apply,
    .tick = geoip_tick,
    .stop = geoip_stop,
    .stats = geoip_stats,
};
