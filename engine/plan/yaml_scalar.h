/*
 * yaml_scalar.h - what a YAML scalar without quotes is, as Ruby's Psych reads it.
 *
 * YAML 1.1 with Psych's own ways: yes and off are booleans, 1:30 is a number of base 60 (and then
 * 5400), 1.5e3 is text, :name is a symbol. Dates alone stay text; with a time they are times.
 * Facts: Psych's scalar scanner. Pure: any thread; big numbers are in the arena.
 */
#ifndef ENGINE_PLAN_YAML_SCALAR_H
#define ENGINE_PLAN_YAML_SCALAR_H
#include <stdbool.h>

#include "engine/event/value.h"

struct value yaml_scalar_read(slice text, struct arena *arena);

/* Whether it is a symbol, whose value here is its name. */
bool yaml_is_symbol(slice text);

#endif
