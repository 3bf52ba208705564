/*
 * agent_rules.h - what a User-Agent header says about browser, operating system and device.
 *
 * Rules are read from YAML in the format of uap-core (user_agent_parsers, os_parsers,
 * device_parsers): of each list the first expression that matches and gives a name counts; its
 * groups, or replacements that may refer to them as $1 to $9, are name and version. Facts: the
 * specification in uap-core and the parser of Logstash's useragent filter. Immutable once made; a
 * scratch per thread. Control thread reads.
 */
#ifndef ENGINE_PLAN_AGENT_RULES_H
#define ENGINE_PLAN_AGENT_RULES_H
#include "engine/base/pages.h"
#include "engine/base/slice.h"

#define AGENT_FILE_BYTES_MAX (64u * 1024 * 1024)
#define AGENT_RULES_MAX 100000u /* of one list */
#define AGENT_VERSIONS 4u
#define AGENT_ERROR_BYTES 512u

struct agent_rules;
struct agent_scratch;

/* A slice without p: nothing is known. */
struct agent_part {
    slice family;
    slice version[AGENT_VERSIONS]; /* major, minor, patch, and what follows */
};

struct agent {
    struct agent_part browser, system;
    slice device;
};

/* NULL with a reason. */
struct agent_rules *agent_rules_read(slice yaml, const char *cache_dir, char *reason);
struct agent_rules *agent_rules_read_file(const char *path, const char *cache_dir, char *reason);
/* Those of conf/useragents.yaml, which are compiled in. */
struct agent_rules *agent_rules_builtin(const char *cache_dir);
void agent_rules_free(struct agent_rules *rules);

struct agent_scratch *agent_scratch_new(const struct agent_rules *rules);
void agent_scratch_free(struct agent_scratch *scratch);
/* Everything in *out is in the arena, or constant. */
void agent_parse(const struct agent_rules *rules, struct agent_scratch *scratch, slice text,
                 struct arena *arena, struct agent *out);

#endif
