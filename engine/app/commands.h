/*
 * commands.h - what spate does besides running: printing its documentation, explaining patterns,
 * looking for mistakes, keeping secrets.
 *
 * Control thread; texts of argv. Output goes to stdout, complaints to stderr.
 */
#ifndef ENGINE_APP_COMMANDS_H
#define ENGINE_APP_COMMANDS_H
#include <stdbool.h>

#include "engine/base/buf.h"

/* Whether argv asks for one of them; then it was done and *code is the exit code. */
bool commands_run(int argc, char **argv, int *code);

/* --docs: docs/plugins.md, made from the tables that the configuration is read with; or one table
 * of docs/configuration.md, `part` being "settings" or "lints"; or all plugins and options for
 * tools, `part` being "json". */
int docs_main(const char *part);
/* What `--docs json` prints (docs_json.c). */
void docs_json(struct buf *out);
/* grok explain: see grok_explain.c. `argv` begins behind these two words. */
int grok_explain_main(int argc, char **argv);
/* lint: like -t, and warnings count. argv[0] is the word itself. */
int lint_main(int argc, char **argv);
/* keystore: see keystore_main.c. `argv` begins behind the word. */
int keystore_main(int argc, char **argv);

#endif
