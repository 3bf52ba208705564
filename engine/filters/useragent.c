/*
 * useragent.c - browser, operating system and device from a User-Agent header.
 *
 * engine/plan/agent_rules applies the rules; this file names the fields and keeps what a header
 * means, because few headers make most of the traffic. State: scratch, answers.
 */
#include "engine/base/log.h"
#include "engine/plan/agent_rules.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/memo.h"
#include "engine/plan/subtree.h"

struct useragent_cfg {
    slice source_name, target_name, rules_path, prefix;
    int64_t cache_size;
    struct fieldref source, target, versions; /* versions: [@metadata][filter][user_agent] */
    bool ecs, at_root, replaces_source;
    struct agent_rules *rules;
};

struct useragent_state {
    struct agent_scratch *scratch;
    struct memo memo;
    struct log_gate gate;
    struct counter failures;
};

struct useragent_answer {
    struct subtree fields, versions; /* versions: ECS */
    bool has_versions;
};

/* One answer being made. */
struct making {
    const struct useragent_cfg *cfg;
    struct arena *arena;
    struct map *fields, *versions;
};

/* ---- version texts ------------------------------------------------------------------------ */

/* What Ruby's to_i and to_s leave as it is. */
static bool is_integer(slice text)
{
    if (text.n > 1 && text.p[0] == '-' && text.p[1] != '0') text = slice_from(text, 1);
    if (text.n == 0 || (text.p[0] == '0' && text.n > 1)) return false;
    for (uint32_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9') return false;
    return true;
}

static slice join(struct arena *arena, slice a, slice separator, slice b)
{
    return arena_join(arena, arena_join(arena, a, separator), b);
}

/* A fourth number that stands behind the version, before a blank, but was not matched. */
static slice version_completed(struct arena *arena, slice text, slice version)
{
    int64_t at = slice_find(text, version);
    if (at < 0) return version;
    slice rest = slice_from(text, (uint32_t)at + version.n);
    if (rest.n == 0 || rest.p[0] != '.') return version;
    rest = slice_from(rest, 1);
    int64_t blank = slice_find_byte(rest, ' ');
    if (blank < 0 || !is_integer(slice_part(rest, 0, (uint32_t)blank))) return version;
    return join(arena, version, SLICE("."), slice_part(rest, 0, (uint32_t)blank));
}

/* The numbers up to the first that is not known. */
static slice version_text(struct arena *arena, const struct agent_part *part, slice separator)
{
    slice text = part->version[0];
    for (uint32_t i = 1; i < AGENT_VERSIONS && part->version[i].p != NULL; i++)
        text = join(arena, text, i == 1 ? separator : SLICE("."), part->version[i]);
    return text;
}

static slice browser_version(struct arena *arena, slice text, const struct agent_part *part)
{
    slice version = version_text(arena, part, SLICE("."));
    bool three = version.p != NULL && part->version[1].p != NULL && part->version[2].p != NULL;
    if (three && part->version[3].p == NULL) return version_completed(arena, text, version);
    return version;
}

static slice system_version(struct arena *arena, const struct agent_part *part)
{
    if (part->version[0].p == NULL) return SLICE_NONE;
    return version_text(arena, part, is_integer(part->version[0]) ? SLICE(".") : SLICE(" "));
}

/* ---- fields --------------------------------------------------------------------------------- */

static void put(struct making *m, struct map *map, slice name, slice text)
{
    if (text.p == NULL) return;
    if (!m->cfg->ecs && m->cfg->prefix.n > 0) name = arena_join(m->arena, m->cfg->prefix, name);
    map_put(map, m->arena, key_make(m->arena, name), value_string(text));
}

static struct map *below(struct making *m, struct map *map, slice name)
{
    struct map *out = map_new(m->arena);
    map_put(map, m->arena, key_make(m->arena, name), value_map(out));
    return out;
}

static void fields_legacy(struct making *m, const struct agent *agent, slice version,
                          slice os_version, slice os_full)
{
    const struct agent_part *ua = &agent->browser, *os = &agent->system;
    put(m, m->fields, SLICE("name"), ua->family);
    put(m, m->fields, SLICE("device"), agent->device);
    put(m, m->fields, SLICE("major"), ua->version[0]);
    put(m, m->fields, SLICE("minor"), ua->version[1]);
    put(m, m->fields, SLICE("patch"), ua->version[2]);
    put(m, m->fields, SLICE("version"), version);
    put(m, m->fields, SLICE("os_major"), os->version[0]);
    put(m, m->fields, SLICE("os_minor"), os->version[1]);
    put(m, m->fields, SLICE("os_patch"), os->version[2]);
    put(m, m->fields, SLICE("os_version"), os_version);
    put(m, m->fields, SLICE("os_name"), os->family);
    put(m, m->fields, SLICE("os"), os->family);
    put(m, m->fields, SLICE("os_full"), os_full);
}

/* major, minor and patch, when there are any. */
static void numbers(struct making *m, struct map *map, const struct agent_part *part)
{
    static const char *const names[] = {"major", "minor", "patch"};
    struct map *out = NULL;
    for (uint32_t i = 0; i < 3; i++) {
        if (part->version[i].p == NULL) continue;
        if (out == NULL) out = below(m, map, SLICE("version"));
        put(m, out, slice_from_cstr(names[i]), part->version[i]);
    }
}

static void fields_ecs(struct making *m, const struct agent *agent, slice version, slice os_version,
                       slice os_full)
{
    const struct agent_part *os = &agent->system;
    put(m, m->fields, SLICE("name"), agent->browser.family);
    put(m, below(m, m->fields, SLICE("device")), SLICE("name"), agent->device);
    put(m, m->fields, SLICE("version"), version);
    struct map *system = below(m, m->fields, SLICE("os"));
    put(m, system, SLICE("version"), os_version);
    put(m, system, SLICE("name"), os->family);
    put(m, system, SLICE("full"), os_full);
    numbers(m, m->versions, &agent->browser);
    if (os->version[0].p != NULL || os->version[1].p != NULL || os->version[2].p != NULL)
        numbers(m, below(m, m->versions, SLICE("os")), os);
}

static const struct useragent_answer *find_out(struct useragent_state *s,
                                               const struct useragent_cfg *cfg, struct batch *b,
                                               slice text, uint64_t hash)
{
    struct arena *arena = memo_arena(&s->memo, b, text), *scratch = &b->arena;
    struct making m = {cfg, scratch, map_new(scratch), map_new(scratch)};
    struct useragent_answer *answer = arena_alloc(arena, sizeof(*answer), 16);
    struct agent agent;
    agent_parse(cfg->rules, s->scratch, text, scratch, &agent);
    slice version = browser_version(scratch, text, &agent.browser);
    slice os_version = system_version(scratch, &agent.system), os_full = agent.system.family;
    if (os_version.p != NULL) os_full = join(scratch, os_full, SLICE(" "), os_version);
    (cfg->ecs ? fields_ecs : fields_legacy)(&m, &agent, version, os_version, os_full);
    subtree_make(&answer->fields, m.fields, arena);
    answer->has_versions = m.versions->n > 0;
    if (answer->has_versions) subtree_make(&answer->versions, m.versions, arena);
    memo_put(&s->memo, text, hash, answer);
    return answer;
}

/* ---- events --------------------------------------------------------------------------------- */

static bool useragent_one(struct useragent_state *s, const struct useragent_cfg *cfg,
                          struct batch *b, struct event *ev)
{
    struct value *v = event_get(b, ev, &cfg->source);
    if (v != NULL && v->type == VALUE_LIST) {
        if (v->n == 0) return false;
        v = &v->u.list[0];
        value_resolve(v, &b->arena);
    }
    if (v == NULL || v->type != VALUE_STRING || v->n == 0) return false;
    slice text = value_slice(v);
    uint64_t hash = memo_hash(text), held;
    const struct useragent_answer *answer = memo_find(&s->memo, b, text, hash);
    if (answer == NULL) answer = find_out(s, cfg, b, text, hash);
    if (cfg->replaces_source) event_remove(b, ev, &cfg->source);
    bool ok = subtree_put(&answer->fields, b, ev, cfg->at_root ? NULL : &cfg->target, SLICE_NONE);
    if (ok && answer->has_versions)
        ok = subtree_put(&answer->versions, b, ev, &cfg->versions, SLICE_NONE);
    if (ok) return true;
    counter_add(&s->failures, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("filters.useragent",
                 "The target `%.*s` cannot be set: another value is in the way (%llu more since "
                 "the last report)",
                 SLICE_FMT(cfg->target.text), (unsigned long long)held);
    return false;
}

static enum applied useragent_apply(void *state, const void *cfg, struct batch *b,
                                    const struct sel *in, struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++)
        if (useragent_one(state, cfg, b, &b->event[in->at[i]])) sel_add(hit, in->at[i]);
    return APPLIED;
}

/* ---- life ----------------------------------------------------------------------------------- */

static err useragent_start(void *state, const void *config, struct worker *worker)
{
    const struct useragent_cfg *cfg = config;
    struct useragent_state *s = state;
    (void)worker;
    s->scratch = agent_scratch_new(cfg->rules);
    memo_init(&s->memo, (uint64_t)cfg->cache_size);
    return ERR_OK;
}

static void useragent_stop(void *state, const void *cfg)
{
    struct useragent_state *s = state;
    (void)cfg;
    agent_scratch_free(s->scratch);
    memo_fini(&s->memo);
}

static void useragent_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct useragent_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu,\"cache_hits\":%llu,\"cache_misses\":%llu",
               (unsigned long long)counter_read(&s->failures),
               (unsigned long long)counter_read(&s->memo.hits),
               (unsigned long long)counter_read(&s->memo.misses));
}

static err compile_rules(struct useragent_cfg *cfg, struct compiler *c)
{
    char reason[AGENT_ERROR_BYTES] = "";
    if (cfg->rules_path.p == NULL)
        cfg->rules = agent_rules_builtin(c->cache_dir);
    else
        cfg->rules = agent_rules_read_file(cfg->rules_path.p, c->cache_dir, reason);
    if (cfg->rules != NULL) return ERR_OK;
    compile_error(c, "regexes", NULL, "%.*s: %s", SLICE_FMT(cfg->rules_path), reason);
    return ERR_CONFIG;
}

static err compile_names(struct useragent_cfg *cfg, struct compiler *c)
{
    slice target = cfg->target_name;
    if (target.p == NULL && cfg->ecs) target = SLICE("user_agent");
    cfg->at_root = target.n == 0;
    cfg->replaces_source = !cfg->at_root && slice_equal(target, cfg->source_name);
    if (cfg->ecs && cfg->prefix.n > 0)
        diag_warn(c->diag, settings_pos(c->plugin, "prefix"), NULL,
                  "`prefix` has no effect with ECS names: remove it");
    if (!cfg->ecs && cfg->prefix.n > 0 && !field_is_plain(cfg->prefix)) {
        compile_error(c, "prefix", "text without brackets, and no @ in front",
                      "`prefix` cannot begin the name of a field");
        return ERR_CONFIG;
    }
    if (cfg->at_root) return ERR_OK;
    return compile_fieldref(c, &cfg->target, target, settings_pos(c->plugin, "target"));
}

static err useragent_compile(void *config, struct compiler *c)
{
    struct useragent_cfg *cfg = config;
    cfg->ecs = compiler_is_ecs(c);
    err e[] = {
        compile_field_option(c, &cfg->source, "source", cfg->source_name),
        compile_field_option(c, &cfg->versions, "source", SLICE("[@metadata][filter][user_agent]")),
        compile_names(cfg, c), compile_rules(cfg, c)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

static void useragent_release(void *config)
{
    agent_rules_free(((struct useragent_cfg *)config)->rules);
}

#define UA_AT(member, kind) SETTING_AT(struct useragent_cfg, member, kind)

/* clang-format off */
static const struct setting useragent_settings[] = {
    {.name = "source", UA_AT(source_name, STRING), .flags = SETTING_REQUIRED | SETTING_FIELD,
     .doc = "The field with the User-Agent header; of a list, its first item."},
    {.name = "target", UA_AT(target_name, STRING), .flags = SETTING_FIELD,
     .doc = "The field that receives what is known; by default the event itself, or user_agent "
            "with ECS names. The source is replaced when it is the target."},
    {.name = "regexes", UA_AT(rules_path, PATH),
     .doc = "A file with rules in the format of uap-core's regexes.yaml; by default those of "
            "conf/useragents.yaml, which are compiled in."},
    {.name = "prefix", UA_AT(prefix, STRING),
     .doc = "Put in front of the fields' names; not with ECS names."},
    {.name = "lru_cache_size", UA_AT(cache_size, INT), .default_text = "100000", .min = 1,
     .max = INT64_MAX, .doc = "How many headers each worker remembers."},
    {0}};
/* clang-format on */

const struct filter_ops filter_useragent = {
    .name = "useragent",
    .doc = "Takes browser, operating system and device from a User-Agent header.",
    .settings = useragent_settings,
    .cfg_size = sizeof(struct useragent_cfg),
    .state_size = sizeof(struct useragent_state),
    .compile = useragent_compile,
    .release = useragent_release,
    .start = useragent_start,
    .apply = useragent_apply,
    .stop = useragent_stop,
    .stats = useragent_stats,
};
