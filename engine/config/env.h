/*
 * env.h - ${VAR} and ${VAR:default} in configurations and settings files.
 *
 * Rules of Logstash: in options every string is expanded, in lists and hashes too, but not hash
 * keys; what was expanded loses one layer of quotes, and "[a, b]" becomes a list. In conditions
 * only a string that is nothing but one placeholder is expanded. Looked up in order: keystore,
 * environment, default; else it is an error at that place. Control thread.
 */
#ifndef ENGINE_CONFIG_ENV_H
#define ENGINE_CONFIG_ENV_H
#include <stdbool.h>

#include "engine/base/err.h"
#include "engine/config/ast.h"

struct env {
    /* True and *out (borrowed until the next call) when the name is known. NULL: getenv only. */
    bool (*lookup)(void *context, slice name, slice *out);
    void *context;
};

#define ENV_PROCESS ((struct env){0})

/* The name in the keystore (`lookup`) or else the process environment. */
bool env_lookup(const struct env *env, slice name, slice *out);
/* Replaces all placeholders of a text; *found says whether there were any (then *out is a copy in
 * the heap, else the text itself). ERR_CONFIG when a variable is not defined. */
err env_expand_text(const struct env *env, slice text, struct pos pos, struct heap *heap,
                    struct diag *diag, slice *out, bool *found) MUST_USE;
/* A value and everything in it, in place, with quotes and lists refined. */
err env_expand_value(const struct env *env, struct config_value *val, struct heap *heap,
                     struct diag *diag) MUST_USE;
/* All options and conditions of a configuration, in place. */
err env_expand_ast(const struct env *env, struct ast *ast, struct heap *heap,
                   struct diag *diag) MUST_USE;

#endif
