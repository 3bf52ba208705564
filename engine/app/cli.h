/*
 * cli.h - the command line, as Logstash's, and the life of the process.
 */
#ifndef ENGINE_APP_CLI_H
#define ENGINE_APP_CLI_H

/* Runs the process and returns its exit code: 0 for -V, -t OK, all inputs finished and a graceful
 * signal; 1 for wrong flags, settings or configuration, and a second SIGINT. */
int cli_main(int argc, char **argv);

#ifndef SPATE_VERSION
#define SPATE_VERSION "0.1.0"
#endif

#endif
