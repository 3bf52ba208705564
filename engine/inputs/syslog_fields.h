/*
 * syslog_fields.h - times, numbers and structured data, for both ways of syslog_event.h.
 */
#ifndef ENGINE_INPUTS_SYSLOG_FIELDS_H
#define ENGINE_INPUTS_SYSLOG_FIELDS_H
#include "engine/inputs/syslog_event.h"

/* Reads a timestamp with the formats of the input; iso8601: try that one first. */
bool syslog_time(struct date_state date[SYSLOG_DATE_FORMATS], const struct syslog_event_cfg *cfg,
                 slice text, bool iso8601, int64_t now_ns, int64_t *out_ns);
/* An integer where it is one, else the text. */
struct value syslog_pid(slice text);
struct value syslog_version_text(uint32_t version, struct arena *arena);
/* {element: {name: value}}; a name given twice has a list. */
struct value syslog_structured_data(slice structured_data, struct arena *arena);

#endif
