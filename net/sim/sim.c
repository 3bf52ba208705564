/* sim.c - the world: clock, descriptors, the other ends. */
#include "net/sim/sim.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "net/sim/world.h"

/* The engine's clock functions take no argument: one world at a time. */
static struct sim *current;

static int64_t mono_ns(void)
{
    return current->now_ns;
}

/* 2024-03-05T06:07:08Z when the world begins. */
#define REAL_BEGIN_NS (1709618828 * NS_PER_SEC)

static int64_t real_ns(void)
{
    return current->now_ns + REAL_BEGIN_NS;
}

struct sim *sim_new(uint64_t seed, struct sim_faults faults)
{
    ASSERT(current == NULL);
    struct sim *sim = calloc(1, sizeof(*sim));
    ASSERT(sim != NULL);
    prng_seed(&sim->random, seed);
    sim->faults = faults;
    sim->now_ns = NS_PER_SEC;
    current = sim;
    clock_simulate(real_ns, mono_ns);
    return sim;
}

void sim_free(struct sim *sim)
{
    ASSERT(sim == current && sim->ios == 0);
    clock_simulate(NULL, NULL);
    current = NULL;
    for (uint32_t i = 0; i < sim->n; i++) {
        struct object *o = sim->object[i];
        while (o->first != NULL) {
            struct datagram *d = o->first;
            o->first = d->next;
            free(d);
        }
        buf_fini(&o->in);
        buf_fini(&o->out);
        free(o->backlog);
        free(o);
    }
    free(sim->object);
    free(sim);
}

struct prng *sim_prng(struct sim *sim)
{
    return &sim->random;
}

bool sim_chance(struct sim *sim, uint32_t in_thousand)
{
    return in_thousand > 0 && prng_below(&sim->random, 1000) < in_thousand;
}

void sim_set_faults(struct sim *sim, struct sim_faults faults)
{
    sim->faults = faults;
}

int64_t sim_now_ns(const struct sim *sim)
{
    return sim->now_ns;
}

void sim_advance(struct sim *sim, int64_t ns)
{
    ASSERT(ns >= 0);
    sim->now_ns += ns;
}

/* ---- descriptors ---------------------------------------------------------------------- */

static struct object *object_new(struct sim *sim, enum object_kind kind, int fd)
{
    if (sim->n == sim->cap) {
        sim->cap = sim->cap == 0 ? 64 : sim->cap * 2;
        sim->object = realloc(sim->object, sim->cap * sizeof(*sim->object));
        ASSERT(sim->object != NULL);
    }
    struct object *o = calloc(1, sizeof(*o));
    ASSERT(o != NULL);
    o->kind = kind;
    o->fd = fd < 0 ? SIM_FD_FIRST + (int)sim->n : fd;
    sim->object[sim->n++] = o;
    return o;
}

struct object *sim_object(struct sim *sim, int fd)
{
    if (fd == 0) {
        for (uint32_t i = 0; i < sim->n; i++)
            if (sim->object[i]->fd == 0) return sim->object[i];
        PANIC("standard input was not made in this world");
    }
    ASSERT(fd >= SIM_FD_FIRST && (uint32_t)(fd - SIM_FD_FIRST) < sim->n);
    return sim->object[fd - SIM_FD_FIRST];
}

static struct object *object_of(struct sim *sim, int fd, enum object_kind kind)
{
    struct object *o = sim_object(sim, fd);
    ASSERT(o->kind == kind);
    return o;
}

static void backlog_add(struct object *o, int fd)
{
    if (o->backlog_n == o->backlog_cap) {
        o->backlog_cap = o->backlog_cap == 0 ? 16 : o->backlog_cap * 2;
        o->backlog = realloc(o->backlog, o->backlog_cap * sizeof(*o->backlog));
        ASSERT(o->backlog != NULL);
    }
    o->backlog[o->backlog_n++] = fd;
}

int sim_backlog_take(struct object *o)
{
    if (o->backlog_n == 0) return -1;
    int fd = o->backlog[0];
    o->backlog_n--;
    memmove(o->backlog, o->backlog + 1, o->backlog_n * sizeof(*o->backlog));
    return fd;
}

/* ---- streams ------------------------------------------------------------------------------ */

int sim_listen(struct sim *sim)
{
    return object_new(sim, OBJECT_LISTENER, -1)->fd;
}

int sim_peer_connect(struct sim *sim, int listener)
{
    struct object *l = object_of(sim, listener, OBJECT_LISTENER);
    if (l->closed) return -ECONNREFUSED;
    struct object *o = object_new(sim, OBJECT_STREAM, -1);
    o->connected = true;
    backlog_add(l, o->fd);
    return o->fd;
}

int sim_stdin(struct sim *sim)
{
    struct object *o = object_new(sim, OBJECT_STREAM, 0);
    o->connected = true;
    return o->fd;
}

int sim_socket(struct sim *sim)
{
    return object_new(sim, OBJECT_STREAM, -1)->fd;
}

void sim_serve(struct sim *sim, uint16_t port)
{
    object_new(sim, OBJECT_SERVER, -1)->port = port;
}

struct object *sim_server(struct sim *sim, uint16_t port)
{
    for (uint32_t i = 0; i < sim->n; i++)
        if (sim->object[i]->kind == OBJECT_SERVER && sim->object[i]->port == port)
            return sim->object[i];
    return NULL;
}

void sim_server_add(struct object *server, int fd)
{
    backlog_add(server, fd);
}

int sim_server_accept(struct sim *sim, uint16_t port)
{
    struct object *server = sim_server(sim, port);
    ASSERT(server != NULL);
    return sim_backlog_take(server);
}

uint32_t sim_peer_send(struct sim *sim, int fd, slice bytes)
{
    struct object *o = object_of(sim, fd, OBJECT_STREAM);
    ASSERT(!o->finished);
    if (o->closed || o->reset) return 0;
    uint32_t room = SIM_STREAM_BYTES_MAX - (uint32_t)o->in.n;
    slice part = slice_part(bytes, 0, room);
    buf_add_slice(&o->in, part);
    return part.n;
}

void sim_peer_finish(struct sim *sim, int fd)
{
    object_of(sim, fd, OBJECT_STREAM)->finished = true;
}

void sim_peer_reset(struct sim *sim, int fd)
{
    struct object *o = object_of(sim, fd, OBJECT_STREAM);
    o->reset = true;
    o->in.n = o->out.n = 0;
}

uint32_t sim_peer_receive(struct sim *sim, int fd, struct buf *out)
{
    struct object *o = object_of(sim, fd, OBJECT_STREAM);
    uint32_t n = (uint32_t)o->out.n;
    buf_add_slice(out, buf_slice(&o->out));
    o->out.n = 0;
    return n;
}

bool sim_peer_hung_up(struct sim *sim, int fd)
{
    const struct object *o = object_of(sim, fd, OBJECT_STREAM);
    return (o->closed && o->sends == 0 && o->out.n == 0) || o->reset;
}

/* ---- datagrams and files -------------------------------------------------------------------- */

int sim_datagram_socket(struct sim *sim)
{
    return object_new(sim, OBJECT_DATAGRAM, -1)->fd;
}

bool sim_datagram_send(struct sim *sim, int fd, const struct sockaddr *from, socklen_t from_n,
                       slice bytes)
{
    struct object *o = object_of(sim, fd, OBJECT_DATAGRAM);
    ASSERT(from_n <= sizeof(struct sockaddr_storage));
    if (o->queued >= SIM_DATAGRAMS_MAX || o->closed) {
        o->dropped++;
        return false;
    }
    struct datagram *d = malloc(sizeof(*d) + bytes.n);
    ASSERT(d != NULL);
    *d = (struct datagram){.n = bytes.n};
    memcpy(&d->from, from, from_n);
    if (bytes.n > 0) memcpy(d->data, bytes.p, bytes.n);
    if (o->first == NULL)
        o->first = d;
    else
        o->last->next = d;
    o->last = d;
    o->queued++;
    return true;
}

int sim_file(struct sim *sim, slice content, uint64_t bytes_max)
{
    struct object *o = object_new(sim, OBJECT_FILE, -1);
    buf_add_slice(&o->in, content);
    o->bytes_max = bytes_max;
    return o->fd;
}

slice sim_file_content(struct sim *sim, int fd)
{
    return buf_slice(&object_of(sim, fd, OBJECT_FILE)->in);
}
