/*
 * common.h - the options that every plugin of a kind has.
 *
 * Read as the second table of settings_read, applied by the plan (filters, inputs) so that no
 * plugin repeats them. A plugin changes a default with a SETTING_DEFAULT entry in its own table.
 */
#ifndef ENGINE_CONFIG_COMMON_H
#define ENGINE_CONFIG_COMMON_H
#include "engine/config/settings.h"

enum ecs_mode { ECS_DISABLED, ECS_V1, ECS_V8 };
extern const char *const ecs_choices[]; /* "disabled" "v1" "v8", NULL */

struct common_input_cfg {
    struct config_hash add_field;
    struct config_list tags;
    slice type, id;
    struct config_codec codec;
    bool enable_metric;
    int ecs; /* enum ecs_mode, -1: as the pipeline */
};

struct common_filter_cfg {
    struct config_hash add_field;
    struct config_list add_tag, remove_field, remove_tag;
    slice id;
    bool enable_metric, periodic_flush;
    int ecs;
};

struct common_output_cfg {
    struct config_codec codec;
    int64_t workers; /* read for old configurations; has no effect, as in today's Logstash */
    slice id;
    bool enable_metric;
    int ecs;
};

struct common_codec_cfg {
    slice id;
    bool enable_metric;
    int ecs;
};

extern const struct setting common_input_settings[];
extern const struct setting common_filter_settings[];
extern const struct setting common_output_settings[];
extern const struct setting common_codec_settings[];

#endif
