/*
 * process_yaml.h - what process_yaml.c needs of process_settings.c; nobody else includes it.
 */
#ifndef ENGINE_CONFIG_PROCESS_YAML_H
#define ENGINE_CONFIG_PROCESS_YAML_H
#include "engine/config/process_settings.h"

#define YAML_DEPTH_MAX 32u
#define YAML_VALUES_MAX 2000u /* aliases can make a small file expand without end */

/* The heap its values live in. */
struct heap *process_settings_heap(const struct process_settings *s);
/* A setting whose value is a YAML list. */
err process_settings_set_list(struct process_settings *s, slice name, struct config_list list,
                              struct pos pos, struct diag *diag) MUST_USE;

#endif
