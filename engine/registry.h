/*
 * registry.h - the plugins this build has: the *.def lists as one struct registry.
 */
#ifndef ENGINE_REGISTRY_H
#define ENGINE_REGISTRY_H
#include "engine/plan/compiler.h"

extern const struct registry plugin_registry;

#endif
