/*
 * log.h - spate's own log, in Logstash's shape.
 *
 * plain:  [2026-11-21T10:00:00,123][WARN ][outputs.elasticsearch][main] text
 * json:   {"level":"WARN","loggerName":"...","timeMillis":...,"thread":"...",
 *          "logEvent":{"message":"..."}}
 *
 * One write(2) per line, so lines of several threads never mix. Any thread. A hot path
 * never logs per event: it counts, and logs through log_limited.
 */
#ifndef ENGINE_BASE_LOG_H
#define ENGINE_BASE_LOG_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/err.h"

enum log_level { LOG_TRACE, LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_FATAL };
enum log_format { LOG_PLAIN, LOG_JSON };

/* Before threads start, and on the control thread later. Default: INFO, plain, stdout. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
void log_set_format(enum log_format format);
/* Also appends to this file (--path.logs); ERR_SYSTEM when it cannot be opened. */
err log_set_file(const char *path) MUST_USE;
/* Console lines go to stderr instead of stdout, e.g. while stdout carries events. */
void log_to_stderr(bool yes);
/* false when the name is none of trace debug info warn error fatal (any case). */
bool log_level_parse(const char *name, enum log_level *out);

#define log_on(level) ((level) >= log_get_level())
/* A line is one line: control characters in it, which may come from a sender or a server, are
 * written as escapes. */
void log_line(enum log_level level, const char *logger, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A text of our own with line breaks. */
void log_block(enum log_level level, const char *logger, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(logger, ...)                                                                     \
    do {                                                                                           \
        if (log_on(LOG_DEBUG)) log_line(LOG_DEBUG, (logger), __VA_ARGS__);                         \
    } while (0)
#define log_info(logger, ...) log_line(LOG_INFO, (logger), __VA_ARGS__)
#define log_warn(logger, ...) log_line(LOG_WARN, (logger), __VA_ARGS__)
#define log_error(logger, ...) log_line(LOG_ERROR, (logger), __VA_ARGS__)

/* A place that may want to speak often: at most one line a second, with how many were held
 * back. One instance per place and thread. */
struct log_gate {
    int64_t next_ns;
    uint64_t held;
};
/* Whether to log now; *held is how many calls since the last line said no. */
bool log_gate_open(struct log_gate *gate, uint64_t *held);

#endif
