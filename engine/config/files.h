/*
 * files.h - configuration text from -f, -e, path.config and config.string.
 *
 * A path is a file, a folder (every regular file or fifo in it, sorted by name) or a glob with
 * * ? [] and {a,b}; names ending in ~ are skipped. Files are joined with a newline into one
 * source that remembers which byte came from which file. Control thread.
 */
#ifndef ENGINE_CONFIG_FILES_H
#define ENGINE_CONFIG_FILES_H
#include "engine/base/err.h"
#include "engine/config/diag.h"

#define CONFIG_FILES_MAX 4096u

/* ERR_CONFIG after reporting: no file found, unreadable, not UTF-8, too large. */
err config_files_load(slice path, struct heap *heap, struct diag *diag,
                      const struct source **out) MUST_USE;
/* A configuration given as text, named "config string". With `complete` (the -e flag) a missing
 * input becomes stdin with type stdin, a missing output stdout with the rubydebug codec. */
err config_string_load(slice text, bool complete, struct heap *heap, struct diag *diag,
                       const struct source **out) MUST_USE;

#endif
