/*
 * log_file.h - path.logs: the file that the log is written to besides the console.
 *
 * spate-plain.log or spate-json.log in that folder. Opened again on SIGHUP, so that logrotate can
 * move it away. Control thread.
 */
#ifndef ENGINE_APP_LOG_FILE_H
#define ENGINE_APP_LOG_FILE_H
#include "engine/config/process_settings.h"

/* Nothing without path.logs. ERR_SYSTEM after a message to stderr. */
err log_file_open(const struct process_settings *s) MUST_USE;

#endif
