/*
 * model.h - what the simulated world should do, and the checks against what it did.
 *
 * Clients own numbered lines; every line is known here with where it has to go. Outputs report
 * what their far side has stored, the input reports what it has promised to its clients. One
 * world at a time, one thread. A broken rule prints the seed and ends the process.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

#define CLIENTS_MAX 6u
#define LINES_MAX 400u
#define OUTPUTS 2u
#define CONNECTIONS_MAX 4096u
/* Resets, and failed requests, of one world. */
#define FAULTS_MAX 100u

/* The kind of a line decides its way through the configuration. */
enum line_kind {
    LINE_KEEP = 'k',  /* to output 0 */
    LINE_DROP = 'd',  /* nowhere */
    LINE_BOTH = 'b',  /* to both outputs */
    LINE_CLONE = 'c', /* to output 0, with a twin */
    LINE_LARGE = 'l'  /* to output 0, some kilobytes long */
};

struct line_model {
    char kind;
    uint32_t stored[OUTPUTS], twins; /* so many times */
};

struct client_model {
    struct line_model line[LINES_MAX];
    uint32_t line_n;
};

/* A connection's descriptor: which client it is, and the number of the first line sent on it. */
struct connection_model {
    uint32_t client, first_line;
    uint32_t last_pushed[OUTPUTS]; /* line number + 1, for the order */
};

struct model {
    uint64_t seed;
    bool clean; /* nothing fails in this world: no line may arrive twice */
    struct client_model client[CLIENTS_MAX];
    uint32_t client_n;
    struct connection_model connection[CONNECTIONS_MAX];
    uint64_t lines_stored, lines_acked, requests, failed_requests, restarts, reloads, hangups,
        resets, pauses, parked;
};

extern struct model model;

#define CHECK(x, ...)                                                                              \
    do {                                                                                           \
        if (!(x)) model_broken(#x, __VA_ARGS__);                                                   \
    } while (0)
__attribute__((noreturn, format(printf, 2, 3))) void model_broken(const char *rule,
                                                                  const char *format, ...);

struct connection_model *model_connection(int fd);
/* An output took the line of this connection: order within a connection is kept. */
void model_pushed(uint32_t output, int fd, uint32_t client, uint32_t line, bool twin);
/* The far side of an output has it. */
void model_stored(uint32_t output, uint32_t client, uint32_t line, bool twin);
/* The input promised that the first `n` lines of this connection are safe. */
void model_acked(int fd, uint32_t from, uint32_t n);
/* Nothing is under way any more and every client is satisfied. */
void model_finished(void);

#endif
