/* compiler.c - AST to plan: plugins, branches, inputs. */
#include "engine/plan/compiler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/plan/plan.h"

#define STATE_ALIGN 64u /* states of different plugins do not share cache lines */

/* ---- helpers for plugins -------------------------------------------------- */

err compile_fieldref(struct compiler *c, struct fieldref *out, slice text, struct pos pos)
{
    err e = fieldref_parse(out, text, c->arena);
    if (e == ERR_OK) {
        for (uint32_t i = 0; i < out->depth; i++) out->step[i].key.flags |= KEY_STATIC;
        return ERR_OK;
    }
    if (e == ERR_LIMIT)
        diag_error(c->diag, pos, "at most 16 steps", "field reference `%.*s` is too deep",
                   SLICE_FMT(text));
    else
        diag_error(c->diag, pos, "name, [name] or [outer][inner]", "Invalid FieldReference: `%.*s`",
                   SLICE_FMT(text));
    return ERR_CONFIG;
}

err compile_template(struct compiler *c, struct template *out, slice text, struct pos pos)
{
    struct template_error error = {0};
    if (template_compile(out, text, c->arena, &error) == ERR_OK) return ERR_OK;
    diag_error(c->diag, pos, NULL, "bad time format in `%.*s` at byte %u: %s", SLICE_FMT(text),
               error.at + 1, error.expected);
    return ERR_CONFIG;
}

void compile_error(struct compiler *c, const char *name, const char *expected, const char *format,
                   ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    struct pos pos = name == NULL ? c->plugin->pos : settings_pos(c->plugin, name);
    diag_error(c->diag, pos, expected, "%s", text);
}

struct key compile_key(struct compiler *c, slice name)
{
    struct key key = key_make(c->arena, name);
    key.flags |= KEY_STATIC;
    return key;
}

/* ---- finding plugins ------------------------------------------------------- */

/* Every ops table starts with its name, which is all that a look-up needs. */
static const void *find(const void *const *list, slice name, const char **names, uint32_t *n)
{
    *n = 0;
    for (; *list != NULL; list++) {
        const char *candidate = *(const char *const *)*list;
        if (slice_equal(slice_from_cstr(candidate), name)) return *list;
        if (*n < 64) names[(*n)++] = candidate;
    }
    return NULL;
}

static bool known_elsewhere(const struct registry *r, const char *kind, slice name)
{
    char text[128];
    snprintf(text, sizeof(text), "%s/%.*s", kind, SLICE_FMT(name));
    for (const char *const *at = r->unsupported; at != NULL && *at != NULL; at++)
        if (strcmp(*at, text) == 0) return true;
    return false;
}

/* What a name stands for when it is in the wrong place. */
static const char *kind_of(const struct registry *r, slice name)
{
    const char *names[64];
    uint32_t n;
    if (find((const void *const *)r->inputs, name, names, &n) != NULL) return "an input";
    if (find((const void *const *)r->filters, name, names, &n) != NULL) return "a filter";
    if (find((const void *const *)r->outputs, name, names, &n) != NULL) return "an output";
    return find((const void *const *)r->codecs, name, names, &n) != NULL ? "a codec" : NULL;
}

static const void *find_plugin(struct compiler *c, const char *kind, const void *const *list,
                               slice name, struct pos pos)
{
    const char *names[64];
    uint32_t n;
    const void *ops = find(list, name, names, &n);
    if (ops != NULL) return ops;
    if (known_elsewhere(c->registry, kind, name)) {
        diag_error(c->diag, pos, NULL, "the %s plugin `%.*s` exists in Logstash but not in spate",
                   kind, SLICE_FMT(name));
        return NULL;
    }
    diag_error(c->diag, pos, NULL, "Couldn't find any %s plugin named '%.*s'", kind,
               SLICE_FMT(name));
    const char *other = kind_of(c->registry, name);
    if (other != NULL)
        diag_fix(c->diag, "%.*s is %s: put it %s", SLICE_FMT(name), other,
                 slice_starts(slice_from_cstr(other), SLICE("a codec"))
                     ? "behind codec => of an input or output"
                     : "into the section of that name");
    else
        diag_suggest(c->diag, name, names, n);
    return NULL;
}

/* ---- one plugin -------------------------------------------------------------- */

/* What is saved while a nested plugin (a codec) is compiled. */
struct compiling {
    const struct ast_plugin *plugin;
    const char *kind;
    struct settings_given given;
    enum ecs_mode ecs;
    slice id;
};

static struct compiling compiler_enter(struct compiler *c, const struct ast_plugin *plugin,
                                       const char *kind, int ecs, slice id)
{
    struct compiling outer = {c->plugin, c->kind, c->given, c->ecs, c->id};
    c->plugin = plugin;
    c->kind = kind;
    c->ecs = ecs < 0 ? c->pipeline_ecs : (enum ecs_mode)ecs;
    c->id = id;
    return outer;
}

static void compiler_leave(struct compiler *c, struct compiling outer)
{
    c->plugin = outer.plugin;
    c->kind = outer.kind;
    c->given = outer.given;
    c->ecs = outer.ecs;
    c->id = outer.id;
}

/* The id the user gave, or one that is stable for this place in the configuration. */
static slice plugin_id(struct compiler *c, slice given, const char *kind, slice name, uint32_t at)
{
    if (given.p != NULL) return given;
    return heap_printf(c->heap, "%.*s_%s_%u", SLICE_FMT(name), kind, at + 1);
}

/* Of two plugins that were given the same id, the second one is an error. */
static err id_claim(struct compiler *c, slice given)
{
    if (given.p == NULL) return ERR_OK;
    for (uint32_t i = 0; i < c->claimed_n; i++) {
        if (!slice_equal(c->claimed[i], given)) continue;
        compile_error(c, "id", "another id: each plugin needs its own",
                      "Config has duplicate Ids: ID: %.*s", SLICE_FMT(given));
        return ERR_CONFIG;
    }
    if (c->claimed_n == c->claimed_cap) {
        c->claimed_cap = c->claimed_cap == 0 ? 8 : c->claimed_cap * 2;
        c->claimed =
            heap_grow(c->heap, c->claimed, c->claimed_n, c->claimed_cap, sizeof(*c->claimed));
    }
    c->claimed[c->claimed_n++] = given;
    return ERR_OK;
}

static void note_codec(struct compiler *c, struct codec *codec, slice given)
{
    if (c->codec_n == c->codec_cap) {
        c->codec_cap = c->codec_cap == 0 ? 8 : c->codec_cap * 2;
        c->codec = heap_grow(c->heap, c->codec, c->codec_n, c->codec_cap, sizeof(*c->codec));
    }
    slice name = slice_from_cstr(codec->ops->name);
    codec->id = plugin_id(c, given, "codec", name, c->codec_n);
    c->codec[c->codec_n++] = (struct plan_codec_use){
        .id = codec->id, .name = name, .of = c->at, .decodes = c->common_input != NULL};
}

err compile_codec(struct compiler *c, struct codec *out, const struct config_codec *cfg,
                  enum codec_bytes bytes)
{
    slice name = cfg->name;
    c->codec_compiled = true;
    const struct codec_ops *ops =
        find_plugin(c, "codec", (const void *const *)c->registry->codecs, name, cfg->pos);
    if (ops == NULL) return ERR_CONFIG;
    static const struct {
        uint32_t flag;
        const char *name;
    } swaps[] = {{CODEC_STREAM_LINE, "line"}, {CODEC_STREAM_JSON_LINES, "json_lines"}};
    bool swapped = false;
    for (uint32_t i = 0; bytes != BYTES_FRAMED && i < ARRAY_LEN(swaps); i++) {
        if (!(ops->flags & swaps[i].flag)) continue;
        name = slice_from_cstr(swaps[i].name);
        ops = find_plugin(c, "codec", (const void *const *)c->registry->codecs, name, cfg->pos);
        if (ops == NULL) return ERR_CONFIG;
        swapped = bytes == BYTES_STREAM;
        break;
    }
    struct common_codec_cfg common = {.ecs = -1};
    out->ops = ops;
    out->cfg = heap_alloc(c->heap, ops->cfg_size + 1);
    struct settings_table tables[] = {{ops->settings, out->cfg}, {common_codec_settings, &common}};
    static const struct ast_plugin none = {0};
    const struct ast_plugin *plugin = cfg->plugin != NULL ? cfg->plugin : &none;
    struct settings_given given = {0};
    err e = cfg->plugin != NULL
                ? settings_read(plugin, "codec", tables, 2, c->heap, c->diag, &given)
                : settings_defaults(name, cfg->pos, "codec", tables, 2, c->heap, c->diag);
    if (e != ERR_OK) return e;
    note_codec(c, out, common.id);
    /* A codec without a mode of its own follows the plugin it sits in; but one that was swapped in
     * is new and knows nothing of it, so it has Logstash's default. */
    int ecs = swapped ? (int)ECS_V8 : common.ecs < 0 ? (int)c->ecs : common.ecs;
    out->id = plugin_id(c, common.id, "codec", name, 0);
    struct ast_plugin here = *plugin;
    here.pos = cfg->pos.source != NULL ? cfg->pos : c->plugin->pos;
    struct compiling outer = compiler_enter(c, &here, "codec", ecs, out->id);
    c->given = given;
    if (ops->compile != NULL) e = ops->compile(out->cfg, c);
    compiler_leave(c, outer);
    if (e == ERR_OK && ops->frame_bytes_max != NULL)
        out->frame_bytes_max = ops->frame_bytes_max(out->cfg);
    if (e == ERR_OK && ops->ends_at_newline != NULL)
        out->ends_at_newline = ops->ends_at_newline(out->cfg);
    if (e == ERR_OK && ops->idle_ns != NULL) out->idle_ns = ops->idle_ns(out->cfg);
    return e;
}

/* A codec that the plugin has no use for, or did not come to after a mistake: what is wrong with
 * it is said all the same. */
static err check_codec(struct compiler *c, const struct config_codec *cfg)
{
    if (c->codec_compiled || cfg->pos.source == NULL) return ERR_OK;
    struct codec codec = {0};
    uint32_t codec_n = c->codec_n;
    err e = compile_codec(c, &codec, cfg, BYTES_FRAMED);
    codec_release(&codec);
    c->codec_n = codec_n;
    return e;
}

static uint64_t hash_value(const struct config_value *v, uint64_t seed);

static uint64_t hash_plugin(const struct ast_plugin *p, uint64_t seed)
{
    seed = hash_bytes(p->name.p, p->name.n, seed);
    for (uint32_t i = 0; i < p->n; i++) {
        seed = hash_bytes(p->options[i].name.p, p->options[i].name.n, seed);
        seed = hash_value(&p->options[i].val, seed);
    }
    return seed;
}

static uint64_t hash_value(const struct config_value *v, uint64_t seed)
{
    seed = hash_bytes(v->text.p, v->text.p == NULL ? 0 : v->text.n, seed + v->type + 1);
    for (uint32_t i = 0; v->type == CONFIG_LIST && i < v->n; i++)
        seed = hash_value(&v->u.list[i], seed);
    for (uint32_t i = 0; v->type == CONFIG_HASH && i < v->n; i++) {
        seed = hash_value(&v->u.pairs[i].key, seed);
        seed = hash_value(&v->u.pairs[i].val, seed);
    }
    return v->type == CONFIG_PLUGIN ? hash_plugin(v->u.plugin, seed) : seed;
}

static err compile_input(struct compiler *c, struct plan *plan, const struct ast_plugin *plugin)
{
    const struct input_ops *ops = find_plugin(c, "input", (const void *const *)c->registry->inputs,
                                              plugin->name, plugin->pos);
    if (ops == NULL) return ERR_CONFIG;
    struct plan_input *in = &plan->input[plan->input_n];
    struct common_input_cfg common = {.ecs = -1};
    in->ops = ops;
    in->name = plugin->name;
    in->cfg = heap_alloc(c->heap, ops->cfg_size + 1);
    in->fingerprint = hash_plugin(plugin, c->pipeline_ecs + 1);
    struct settings_table tables[] = {{ops->settings, in->cfg}, {common_input_settings, &common}};
    struct settings_given given = {0};
    err e = settings_read(plugin, "input", tables, 2, c->heap, c->diag, &given);
    if (e != ERR_OK) return e;
    in->id = plugin_id(c, common.id, "input", plugin->name, plan->input_n);
    struct compiling outer = compiler_enter(c, plugin, "input", common.ecs, in->id);
    c->given = given;
    c->common_input = &common;
    c->at = plan->input_n;
    c->codec_compiled = false;
    e = id_claim(c, common.id);
    if (e == ERR_OK) e = decoration_compile(&in->decoration, &common, c);
    if (e == ERR_OK) e = ops->compile(in->cfg, c);
    err codec_e = check_codec(c, &common.codec);
    c->common_input = NULL;
    compiler_leave(c, outer);
    plan->input_n++;
    return e != ERR_OK ? e : codec_e;
}

static size_t state_place(struct plan *plan, size_t size)
{
    size_t at = plan->state_bytes;
    plan->state_bytes += (size + STATE_ALIGN - 1) & ~(size_t)(STATE_ALIGN - 1);
    return at;
}

static err compile_filter(struct compiler *c, struct plan *plan, const struct ast_plugin *plugin)
{
    const struct filter_ops *ops = find_plugin(
        c, "filter", (const void *const *)c->registry->filters, plugin->name, plugin->pos);
    if (ops == NULL) return ERR_CONFIG;
    struct plan_filter *f = &plan->filter[plan->filter_n];
    struct common_filter_cfg common = {.ecs = -1};
    f->ops = ops;
    f->name = plugin->name;
    f->cfg = heap_alloc(c->heap, ops->cfg_size + 1);
    f->node = plan->node_n;
    struct settings_table tables[] = {{ops->settings, f->cfg}, {common_filter_settings, &common}};
    struct settings_given given = {0};
    err e = settings_read(plugin, "filter", tables, 2, c->heap, c->diag, &given);
    if (e != ERR_OK) return e;
    f->id = plugin_id(c, common.id, "filter", plugin->name, plan->filter_n);
    struct compiling outer = compiler_enter(c, plugin, "filter", common.ecs, f->id);
    c->given = given;
    e = id_claim(c, common.id);
    if (e == ERR_OK) e = common_options_compile(&f->common, &common, c);
    if (e == ERR_OK && ops->compile != NULL) e = ops->compile(f->cfg, c);
    compiler_leave(c, outer);
    f->state_at = state_place(plan, ops->state_size);
    if ((ops->flags & FILTER_SERIAL) || c->serial) plan->serial = true;
    if ((ops->flags & FILTER_STATE_SHARED) && ++plan->state_shared_n > 1)
        plan->singly =
            !slice_equal(process_settings_text(c->settings, "pipeline.ordered"), SLICE("false"));
    plan->node[plan->node_n++] = (struct plan_node){.kind = NODE_FILTER, .index = plan->filter_n++};
    return e;
}

static err compile_output(struct compiler *c, struct plan *plan, const struct ast_plugin *plugin)
{
    const struct output_ops *ops = find_plugin(
        c, "output", (const void *const *)c->registry->outputs, plugin->name, plugin->pos);
    if (ops == NULL) return ERR_CONFIG;
    struct plan_output *o = &plan->output[plan->output_n];
    struct common_output_cfg common = {.ecs = -1};
    o->ops = ops;
    o->name = plugin->name;
    o->cfg = heap_alloc(c->heap, ops->cfg_size + 1);
    o->node = plan->node_n;
    struct settings_table tables[] = {{ops->settings, o->cfg}, {common_output_settings, &common}};
    struct settings_given given = {0};
    err e = settings_read(plugin, "output", tables, 2, c->heap, c->diag, &given);
    if (e != ERR_OK) return e;
    o->id = plugin_id(c, common.id, "output", plugin->name, plan->output_n);
    struct compiling outer = compiler_enter(c, plugin, "output", common.ecs, o->id);
    c->given = given;
    c->common_output = &common;
    c->at = plan->output_n;
    c->codec_compiled = false;
    e = id_claim(c, common.id);
    if (e == ERR_OK) e = ops->compile(o->cfg, c);
    err codec_e = check_codec(c, &common.codec);
    c->common_output = NULL;
    compiler_leave(c, outer);
    o->state_at = state_place(plan, ops->state_size);
    plan->node[plan->node_n++] = (struct plan_node){.kind = NODE_OUTPUT, .index = plan->output_n++};
    return e != ERR_OK ? e : codec_e;
}

/* ---- blocks and branches -------------------------------------------------------- */

static err compile_block(struct compiler *c, struct plan *plan, const struct ast_block *block,
                         enum section section);

static err compile_branch(struct compiler *c, struct plan *plan, const struct ast_branch *branch,
                          enum section section)
{
    err result = ERR_OK;
    uint32_t before = UINT32_MAX; /* the previous arm's node, whose jump leads here */
    for (uint32_t i = 0; i < branch->n; i++) {
        const struct ast_arm *arm = &branch->arms[i];
        enum node_kind kind = i == 0 ? NODE_IF : arm->cond == NULL ? NODE_ELSE : NODE_ELSE_IF;
        uint32_t at = plan->node_n++;
        if (before != UINT32_MAX) plan->node[before].jump = at;
        plan->node[at] = (struct plan_node){.kind = kind};
        if (arm->cond != NULL) {
            plan->node[at].cond = condition_compile(c, arm->cond);
            if (plan->node[at].cond == NULL) result = ERR_CONFIG;
        }
        before = at;
        err e = compile_block(c, plan, arm->body, section);
        if (e != ERR_OK) result = e;
    }
    plan->node[before].jump = plan->node_n;
    plan->node[plan->node_n++] = (struct plan_node){.kind = NODE_FI};
    return result;
}

static err compile_block(struct compiler *c, struct plan *plan, const struct ast_block *block,
                         enum section section)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast_statement *st = &block->at[i];
        err e;
        if (st->type == STATEMENT_BRANCH)
            e = compile_branch(c, plan, st->branch, section);
        else if (section == SECTION_FILTER)
            e = compile_filter(c, plan, st->plugin);
        else
            e = compile_output(c, plan, st->plugin);
        if (e != ERR_OK) result = e;
    }
    return result;
}

struct counts {
    uint32_t nodes, plugins;
};

static void count(const struct ast_block *block, struct counts *n)
{
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast_statement *st = &block->at[i];
        n->nodes++;
        if (st->type == STATEMENT_PLUGIN) {
            n->plugins++;
            continue;
        }
        n->nodes += st->branch->n;
        for (uint32_t k = 0; k < st->branch->n; k++) count(st->branch->arms[k].body, n);
    }
}

static enum ecs_mode pipeline_ecs(const struct process_settings *settings)
{
    slice mode = process_settings_text(settings, "pipeline.ecs_compatibility");
    for (int i = 0; ecs_choices[i] != NULL; i++)
        if (slice_equal(mode, slice_from_cstr(ecs_choices[i]))) return (enum ecs_mode)i;
    return ECS_V8;
}

static err compile_all(struct compiler *c, struct plan *plan, const struct ast *ast)
{
    struct counts in = {0}, filters = {0}, outputs = {0};
    count(&ast->sections[SECTION_INPUT], &in);
    count(&ast->sections[SECTION_FILTER], &filters);
    count(&ast->sections[SECTION_OUTPUT], &outputs);
    plan->input = heap_alloc(c->heap, (in.plugins + 1) * sizeof(*plan->input));
    plan->filter = heap_alloc(c->heap, (filters.plugins + 1) * sizeof(*plan->filter));
    plan->output = heap_alloc(c->heap, (outputs.plugins + 1) * sizeof(*plan->output));
    plan->node = heap_alloc(c->heap, (filters.nodes + outputs.nodes + 2) * sizeof(*plan->node));
    err result = ERR_OK, e;
    for (uint32_t i = 0; i < ast->sections[SECTION_INPUT].n; i++) {
        const struct ast_statement *st = &ast->sections[SECTION_INPUT].at[i];
        if (st->type == STATEMENT_BRANCH) {
            diag_error(c->diag, st->pos, "an input plugin", "an input section has no conditions");
            diag_fix(c->diag, "put the condition into the filter section, on a type or tags of "
                              "the input");
            result = ERR_CONFIG;
        } else if ((e = compile_input(c, plan, st->plugin)) != ERR_OK) {
            result = e;
        }
    }
    e = compile_block(c, plan, &ast->sections[SECTION_FILTER], SECTION_FILTER);
    if (e != ERR_OK) result = e;
    plan->node[plan->node_n++] = (struct plan_node){.kind = NODE_FILTERS_END};
    e = compile_block(c, plan, &ast->sections[SECTION_OUTPUT], SECTION_OUTPUT);
    if (e != ERR_OK) result = e;
    plan->node[plan->node_n++] = (struct plan_node){.kind = NODE_END};
    return result;
}

struct plan *plan_compile(const struct ast *ast, struct heap *heap, struct diag *diag,
                          const struct registry *registry, const struct process_settings *settings,
                          const char *cache_dir)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    ASSERT(plan != NULL);
    page_pool_init(&plan->pool, SIZE_MAX);
    arena_init(&plan->arena, &plan->pool);
    plan->pipeline_id = slice_dup_cstr(process_settings_text(settings, "pipeline.id"));
    plan->settings = settings;
    plan->text = ast->source->text;
    plan->hash = hash_bytes(ast->source->text.p, ast->source->text.n, 0);
    struct compiler c = {.diag = diag,
                         .heap = heap,
                         .arena = &plan->arena,
                         .registry = registry,
                         .settings = settings,
                         .pipeline_id = plan->pipeline_id,
                         .cache_dir = cache_dir,
                         .pipeline_ecs = pipeline_ecs(settings)};
    c.ecs = c.pipeline_ecs;
    plan->ecs = c.pipeline_ecs != ECS_DISABLED;
    err e = compile_all(&c, plan, ast);
    plan->codec = c.codec;
    plan->codec_n = c.codec_n;
    if (e == ERR_OK && diag->errors == 0) {
        plan->heap = *heap;
        *heap = HEAP_INIT;
        return plan;
    }
    ASSERT(diag->errors > 0);
    plan_free(plan);
    return NULL;
}

void plan_free(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->input_n; i++) {
        decoration_fini(&plan->input[i].decoration);
        if (plan->input[i].ops->release != NULL) plan->input[i].ops->release(plan->input[i].cfg);
    }
    for (uint32_t i = 0; i < plan->filter_n; i++) {
        common_options_fini(&plan->filter[i].common);
        if (plan->filter[i].ops->release != NULL) plan->filter[i].ops->release(plan->filter[i].cfg);
    }
    for (uint32_t i = 0; i < plan->output_n; i++)
        if (plan->output[i].ops->release != NULL) plan->output[i].ops->release(plan->output[i].cfg);
    for (uint32_t i = 0; i < plan->node_n; i++)
        if (plan->node[i].cond != NULL) condition_free(plan->node[i].cond);
    arena_fini(&plan->arena);
    page_pool_fini(&plan->pool);
    heap_fini(&plan->heap);
    free((char *)(uintptr_t)plan->pipeline_id);
    free(plan);
}
