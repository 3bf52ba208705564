/* model.c - the rules. */
#include "tests/sim/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/sim/sim.h"

struct model model;

void model_broken(const char *rule, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sim: seed %llu: broken: %s: ", (unsigned long long)model.seed, rule);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    abort();
}

struct connection_model *model_connection(int fd)
{
    uint32_t at = (uint32_t)(fd - SIM_FD_FIRST);
    CHECK(at < CONNECTIONS_MAX, "descriptor %d", fd);
    return &model.connection[at];
}

static struct line_model *line_of(uint32_t client, uint32_t line)
{
    CHECK(client < model.client_n && line < model.client[client].line_n,
          "a line that nobody sent: client %u line %u", client, line);
    return &model.client[client].line[line];
}

void model_pushed(uint32_t output, int fd, uint32_t client, uint32_t line, bool twin)
{
    struct connection_model *c = model_connection(fd);
    CHECK(c->client == client && line >= c->first_line, "client %u line %u came from fd %d", client,
          line, fd);
    struct line_model *l = line_of(client, line);
    CHECK(l->kind != LINE_DROP, "client %u line %u should have been dropped", client, line);
    CHECK(output == 0 || l->kind == LINE_BOTH, "line %u at the wrong output", line);
    if (twin) {
        /* The twin follows its original at once. */
        CHECK(l->kind == LINE_CLONE && c->last_pushed[output] == line + 1, "twin of line %u", line);
        return;
    }
    CHECK(line + 1 > c->last_pushed[output], "fd %d: line %u after line %u", fd, line,
          c->last_pushed[output] - 1);
    c->last_pushed[output] = line + 1;
}

void model_stored(uint32_t output, uint32_t client, uint32_t line, bool twin)
{
    struct line_model *l = line_of(client, line);
    model.lines_stored++;
    if (twin)
        l->twins++;
    else
        l->stored[output]++;
}

/* At least once where it should be; in a clean world exactly once. */
static void check_line(uint32_t client, uint32_t line, bool exact)
{
    const struct line_model *l = line_of(client, line);
    uint32_t want[OUTPUTS] = {l->kind != LINE_DROP, l->kind == LINE_BOTH};
    for (uint32_t i = 0; i < OUTPUTS; i++) {
        CHECK(l->stored[i] >= want[i], "client %u line %u (%c) is lost at output %u", client, line,
              l->kind, i);
        CHECK(!exact || l->stored[i] == want[i], "client %u line %u (%c) arrived %u times", client,
              line, l->kind, l->stored[i]);
    }
    uint32_t twins = l->kind == LINE_CLONE;
    CHECK(l->twins >= twins && (!exact || l->twins == twins), "client %u line %u has %u twins",
          client, line, l->twins);
}

void model_acked(int fd, uint32_t from, uint32_t n)
{
    const struct connection_model *c = model_connection(fd);
    for (; from < n; from++) {
        check_line(c->client, c->first_line + from, false);
        model.lines_acked++;
    }
}

void model_finished(void)
{
    for (uint32_t i = 0; i < model.client_n; i++)
        for (uint32_t k = 0; k < model.client[i].line_n; k++) check_line(i, k, model.clean);
}
