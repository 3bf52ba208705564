/*
 * syslog_event.h - a syslog text becomes an event: the syslog input's own part.
 *
 * Two ways with the same result. Texts that come with no codec of their own and are read by the
 * built-in parsers are written straight into a new event (syslog_event_add); events that a codec
 * made, and custom grok patterns, go by field references (syslog_event_read). RFC 3164 is what
 * Logstash's input reads; RFC 5424 is read natively, which Logstash does not do. The state belongs
 * to one shard.
 */
#ifndef ENGINE_INPUTS_SYSLOG_EVENT_H
#define ENGINE_INPUTS_SYSLOG_EVENT_H
#include "engine/plan/text_event.h"
#include "parsers/grok/grok.h"
#include "parsers/text/date_parse.h"
#include "parsers/wire/syslog.h"

#define SYSLOG_DATE_FORMATS 4u
#define SYSLOG_LABELS_MAX 256u
/* 24 facilities of 8 severities (RFC 5424 section 6.2.1); larger priorities are taken as well. */
#define SYSLOG_PRIORITIES 192u
#define SYSLOG_FACILITIES 24u
#define SYSLOG_SEVERITIES 8u
/* Members of [log][syslog] that the priority alone decides, where there are more. */
#define SYSLOG_LOG_HEAD 4u

/* Everything that is set, by name or by reference. */
enum syslog_at {
    SYSLOG_HOST,
    SYSLOG_PRIORITY,
    SYSLOG_SEVERITY,
    SYSLOG_FACILITY,
    SYSLOG_SEVERITY_LABEL,
    SYSLOG_FACILITY_LABEL,
    SYSLOG_TIMESTAMP,
    SYSLOG_TIMESTAMP8601,
    SYSLOG_LOGSOURCE,
    SYSLOG_PROGRAM,
    SYSLOG_PID,
    SYSLOG_SERVICE,
    SYSLOG_VERSION,
    SYSLOG_MSGID,
    SYSLOG_STRUCTURED_DATA,
    SYSLOG_PROCID,
    SYSLOG_AT_N
};

struct syslog_labels {
    struct value *at;
    uint32_t n;
};

struct syslog_event_cfg {
    bool ecs, use_labels, rfc5424;
    struct syslog_labels facility, severity;
    struct fieldref ref[SYSLOG_AT_N], text_field;
    /* The last step of each ref as a text, and the maps on the way, for the direct way. */
    struct member field[SYSLOG_AT_N];
    struct member log, syslog, severity_field, facility_field, host_field, process, service;
    struct text_event_cfg text;
    struct date_format *date[SYSLOG_DATE_FORMATS];
    const struct tz *zone;
    struct value service_type;
    /* What depends on the priority alone, made once: numbers as text, [log] and its parts. */
    struct value number[SYSLOG_PRIORITIES];
    struct member *log_of, (*log_head_of)[SYSLOG_LOG_HEAD]; /* ECS only */
    struct grok_set *grok;                                  /* NULL: the built-in parsers */
    struct fieldref *capture;
    const struct grok_capture *captures;
    uint32_t capture_n;
};

/* The options, as the plugin read them. */
struct syslog_event_options {
    bool use_labels, rfc5424;
    struct config_list facility_labels, severity_labels;
    slice timezone, locale, grok_pattern, text_field, service_type;
};

struct syslog_event_state {
    struct text_event_state text;
    struct date_state date[SYSLOG_DATE_FORMATS];
    struct grok_scratch *scratch;
    uint64_t unparsed;
};

err syslog_event_compile(struct syslog_event_cfg *cfg, const struct syslog_event_options *options,
                         struct compiler *c) MUST_USE;
/* The end of syslog_event_compile: fills number and the maps. */
void syslog_event_prepare(struct syslog_event_cfg *cfg, struct arena *arena);
void syslog_event_release(struct syslog_event_cfg *cfg);
err syslog_event_start(struct syslog_event_state *s, const struct syslog_event_cfg *cfg) MUST_USE;
/* The same configuration at another place. */
void syslog_event_move(struct syslog_event_state *s, const struct syslog_event_cfg *cfg);
void syslog_event_stop(struct syslog_event_state *s);

/* A new event from `raw`, which lives as long as the batch, as does `host`. known_good: it is
 * valid UTF-8. */
void syslog_event_add(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                      struct batch *b, slice raw, bool known_good, slice host);
/* Reads the text field of an event that a codec made. */
void syslog_event_read(struct syslog_event_state *s, const struct syslog_event_cfg *cfg,
                       struct batch *b, struct event *ev, slice host);

#endif
