/* common.c - the option tables of every input, filter, output and codec. */
#include "engine/config/common.h"

const char *const ecs_choices[] = {"disabled", "v1", "v8", NULL};

#define COMMON_ID(cfg)                                                                             \
    {.name = "id",                                                                                 \
     SETTING_AT(cfg, id, STRING),                                                                  \
     .doc = "Name of this instance in the monitoring API and in logs."},                           \
        {.name = "enable_metric",                                                                  \
         SETTING_AT(cfg, enable_metric, BOOL),                                                     \
         .default_text = "true",                                                                   \
         .doc = "Count this instance's events in the monitoring API."},                            \
    {                                                                                              \
        .name = "ecs_compatibility", SETTING_AT(cfg, ecs, ENUM), .choices = ecs_choices,           \
        .doc = "Field naming of this plugin; by default that of its pipeline."                     \
    }

#define COMMON_ADD_FIELD(cfg, more)                                                                \
    {                                                                                              \
        .name = "add_field", SETTING_AT(cfg, add_field, HASH), .default_text = "{}",               \
        .flags = (more), .doc = "Fields to add; names and values may contain %{field}."            \
    }

/* clang-format would put each brace of these on a line of its own. */
/* clang-format off */
const struct setting common_input_settings[] = {
    COMMON_ADD_FIELD(struct common_input_cfg, 0),
    {.name = "codec", SETTING_AT(struct common_input_cfg, codec, CODEC), .default_text = "plain",
     .doc = "How bytes become events."},
    {.name = "tags", SETTING_AT(struct common_input_cfg, tags, LIST),
     .doc = "Tags to add to every event."},
    {.name = "type", SETTING_AT(struct common_input_cfg, type, STRING),
     .doc = "Sets the field type where an event has none."},
    COMMON_ID(struct common_input_cfg),
    {0},
};

const struct setting common_filter_settings[] = {
    COMMON_ADD_FIELD(struct common_filter_cfg, SETTING_FIELD),
    {.name = "add_tag", SETTING_AT(struct common_filter_cfg, add_tag, LIST), .default_text = "[]",
     .doc = "Tags to add when the filter succeeded; may contain %{field}."},
    {.name = "remove_field", SETTING_AT(struct common_filter_cfg, remove_field, LIST),
     .flags = SETTING_FIELD,
     .default_text = "[]", .doc = "Fields to remove when the filter succeeded."},
    {.name = "remove_tag", SETTING_AT(struct common_filter_cfg, remove_tag, LIST),
     .default_text = "[]", .doc = "Tags to remove when the filter succeeded."},
    {.name = "periodic_flush", SETTING_AT(struct common_filter_cfg, periodic_flush, BOOL),
     .default_text = "false", .doc = "Let the filter emit what it holds at regular intervals."},
    COMMON_ID(struct common_filter_cfg),
    {0},
};

const struct setting common_output_settings[] = {
    {.name = "codec", SETTING_AT(struct common_output_cfg, codec, CODEC), .default_text = "plain",
     .doc = "How events become bytes."},
    {.name = "workers", SETTING_AT(struct common_output_cfg, workers, INT), .default_text = "1",
     .flags = SETTING_OLD, .instead = "It has no effect: outputs share the pipeline's threads.",
     .doc = "Workers of this output."},
    COMMON_ID(struct common_output_cfg),
    {0},
};

const struct setting common_codec_settings[] = {
    COMMON_ID(struct common_codec_cfg),
    {0},
};
/* clang-format on */
