/*
 * pattern_dict.h - the grok patterns a plugin may name: built in, from files, from its options.
 *
 * Definitions of the configuration win over files, files over the library, whose field names
 * follow the plugin's ECS mode. Needed only while patterns are compiled. Control thread; problems
 * are reported through the compiler at the option they come from.
 */
#ifndef ENGINE_PLAN_PATTERN_DICT_H
#define ENGINE_PLAN_PATTERN_DICT_H
#include "engine/plan/compiler.h"
#include "parsers/grok/grok.h"

struct pattern_dict {
    struct grok_dict *library, *own; /* patterns are looked up in `own` */
};

/* Opens it; pattern_dict_close is due whatever is returned. `definitions` may be NULL. */
err pattern_dict_open(struct pattern_dict *dict, struct compiler *c,
                      const struct config_list *patterns_dir, slice files_glob,
                      const struct config_hash *definitions) MUST_USE;
/* The library alone, without a configuration. */
void pattern_dict_open_library(struct pattern_dict *dict, bool ecs);
/* Reports why a pattern was refused, at the %{NAME} that is not defined when it stands there, with
 * the nearest name of the library. */
void pattern_report(struct compiler *c, const struct config_value *pattern,
                    const struct grok_error *error);
void pattern_dict_close(struct pattern_dict *dict);

#endif
