/*
 * patterns.h - the grok pattern libraries that come with spate.
 *
 * Two libraries with the names that configurations use: legacy (fields as in ecs_compatibility
 * disabled) and ecs_v1. The texts are written in conf/patterns/<library>/<group>, one "NAME regex"
 * per line, and compiled in, so that no path is needed at run time. A text may refer to other names
 * with %{NAME}, %{NAME:field} and %{NAME:field:type}; names that start with SPATE_ are building
 * blocks of our own. Constant data: any thread, nothing to free, no errors.
 */
#ifndef PARSERS_GROK_PATTERNS_H
#define PARSERS_GROK_PATTERNS_H
#include <stdint.h>

#include "engine/base/slice.h"

struct grok_pattern {
    const char *name;
    const char *text; /* Ruby regex syntax before expansion */
};

enum grok_library { GROK_LEGACY, GROK_ECS_V1 };

/* Sorted by name, bytewise. */
extern const struct grok_pattern grok_patterns_legacy[];
extern const uint32_t grok_patterns_legacy_n;
extern const struct grok_pattern grok_patterns_ecs_v1[];
extern const uint32_t grok_patterns_ecs_v1_n;

/* The text of the pattern called `name`, or NULL. */
const char *grok_pattern_find(enum grok_library lib, slice name);

#endif
