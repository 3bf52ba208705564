/*
 * units.h - texts with units, as the different corners of Logstash read them.
 *
 * They disagree: a plugin's :bytes option takes mb as 10^6, logstash.yml as 2^20; a plugin's
 * duration without unit is seconds, in logstash.yml nanoseconds. Any thread.
 */
#ifndef ENGINE_CONFIG_UNITS_H
#define ENGINE_CONFIG_UNITS_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* Plugins: [0-9.]+ ?(k|m|g|t|p|e)?i?b?, any case; "i" means 1024, else 1000. */
bool bytes_parse_plugin(slice text, int64_t *out);
/* logstash.yml: 64mb, 1gb; always 1024; a plain number is bytes. */
bool bytes_parse_settings(slice text, int64_t *out);
/* Plugins: "5", "0.5" seconds, "5 min", "250ms", "1 day", "2 weeks" -> nanoseconds. */
bool duration_parse_plugin(slice text, int64_t *ns);
/* logstash.yml: 3s, 500ms, 1m, 2h, 5d, 10micros, 7nanos; without unit nanoseconds. */
bool duration_parse_settings(slice text, int64_t *ns);
/* dead_letter_queue.retain.age: 30s 5m 2h 7d -> nanoseconds. */
bool age_parse(slice text, int64_t *ns);

#endif
