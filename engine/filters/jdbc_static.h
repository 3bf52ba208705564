/*
 * jdbc_static.h - the configuration of jdbc_static, from options to compiled form.
 *
 * Made on the control thread, then shared and read-only, but for the loader, which has a thread.
 */
#ifndef ENGINE_FILTERS_JDBC_STATIC_H
#define ENGINE_FILTERS_JDBC_STATIC_H
#include "engine/filters/jdbc_loader.h"
#include "engine/plan/filter_kit.h"

#define STATIC_PARAMS_MAX 256u

/* How a parameter is found: a field, or a text with %{field} in it. */
struct static_param {
    slice name; /* of :name; empty: of a question mark */
    bool is_text;
    struct fieldref field;
    struct template text;
};

struct static_lookup {
    slice id, target_name;
    struct static_param *param; /* all that are given: each must be found in the event */
    uint32_t param_n;
    uint32_t *param_of; /* of each of the query's */
    struct key *key;    /* of each column */
    struct fieldref target;
    struct value default_rows;
    bool has_default, id_is_target;
    struct config_list failure_tags, default_tags;
};

struct static_cfg {
    slice connection, user, password, driver_class, driver_library, schedule_text, staging;
    struct config_list loader_list, table_list, lookup_list, failure_tags, default_tags;
    struct local_schema schema;
    struct loader_options loaders;
    struct static_lookup *lookup;
    struct local_query *query; /* of each lookup */
    uint32_t lookup_n;
    struct jdbc_loader *loader;
    const struct tz *zone; /* the host's */
};

extern const struct setting jdbc_static_settings[];
err jdbc_static_compile(void *config, struct compiler *c) MUST_USE;
void jdbc_static_release(void *config);

#endif
