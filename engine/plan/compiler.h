/*
 * compiler.h - turns a parsed configuration into a plan.
 *
 * Everything that can be wrong with a configuration is found here (grok patterns, regexes, date
 * formats, field references, files), with its place. Memory: `heap` and `arena` live as long as
 * the plan. Control thread only.
 */
#ifndef ENGINE_PLAN_COMPILER_H
#define ENGINE_PLAN_COMPILER_H
#include "engine/config/ast.h"
#include "engine/config/common.h"
#include "engine/config/env.h"
#include "engine/config/process_settings.h"
#include "engine/event/template.h"
#include "engine/plan/plugin.h"

/* How the compiler finds plugins without naming one; engine/registry.c provides it. */
struct registry {
    const struct input_ops *const *inputs;
    const struct codec_ops *const *codecs;
    const struct filter_ops *const *filters;
    const struct output_ops *const *outputs; /* each list ends with NULL */
    /* Names Logstash has and spate has not yet, per kind: a clear error instead of a guess. */
    const char *const *unsupported;
};

struct plan_codec_use;

struct compiler {
    struct diag *diag;
    struct heap *heap;
    struct arena *arena;
    const struct registry *registry;
    const struct process_settings *settings; /* of this pipeline */
    const char *pipeline_id;
    const char *cache_dir; /* for compiled pattern databases; NULL: none */
    enum ecs_mode pipeline_ecs;
    /* Of the plugin being compiled: */
    const struct ast_plugin *plugin;
    const char *kind; /* "input" "filter" "output" "codec" */
    struct settings_given given;
    enum ecs_mode ecs; /* its ecs_compatibility, else the pipeline's */
    slice id;
    const struct common_input_cfg *common_input;   /* while an input is compiled */
    const struct common_output_cfg *common_output; /* while an output is compiled */
    bool codec_compiled;                           /* by this input or output */
    struct plan_codec_use *codec;                  /* every codec so far */
    uint32_t codec_n, codec_cap;
    slice *claimed; /* ids that the user gave to inputs, filters and outputs so far */
    uint32_t claimed_n, claimed_cap;
    uint32_t at; /* which input or output is being compiled */
    bool serial; /* a filter's compile() sets it: with these options it needs FILTER_SERIAL */
};

static inline bool compiler_is_ecs(const struct compiler *c)
{
    return c->ecs != ECS_DISABLED;
}

/* Helpers for compile(): each reports at the place of the option (or value) and returns
 * ERR_CONFIG when the text is bad. */
err compile_fieldref(struct compiler *c, struct fieldref *out, slice text, struct pos pos) MUST_USE;
err compile_template(struct compiler *c, struct template *out, slice text, struct pos pos) MUST_USE;
/* How the bytes of a codec come: on a stream, and where an input cuts lines itself, line takes the
 * place of plain and json_lines that of json. On a stream this is Logstash's own swap, for a new
 * codec that does not know the plugin's ECS mode. */
enum codec_bytes { BYTES_FRAMED, BYTES_STREAM, BYTES_LINES };

/* The codec of an input or output. */
err compile_codec(struct compiler *c, struct codec *out, const struct config_codec *cfg,
                  enum codec_bytes bytes) MUST_USE;
/* An error at option `name` of the plugin being compiled (at its name when not written). */
void compile_error(struct compiler *c, const char *name, const char *expected, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
/* Arena-kept key of a field name known now, laid out for the encoder. */
struct key compile_key(struct compiler *c, slice name);

struct plan;

/* NULL after reporting errors. `ast` and `heap` must outlive the plan, which takes ownership of
 * the heap (moved out of *heap) when it succeeds. */
struct plan *plan_compile(const struct ast *ast, struct heap *heap, struct diag *diag,
                          const struct registry *registry, const struct process_settings *settings,
                          const char *cache_dir);

#endif
