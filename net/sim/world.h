/*
 * world.h - what the two halves of the simulated kernel share. Private to net/sim.
 *
 * sim.c owns the objects (a listener, a stream, ...) and the peers' side of them; sim_io.c is
 * the io.h backend that completes operations on them. One thread.
 */
#ifndef NET_SIM_WORLD_H
#define NET_SIM_WORLD_H
#include "engine/base/assert.h"
#include "net/sim/sim.h"

enum object_kind { OBJECT_LISTENER, OBJECT_STREAM, OBJECT_SERVER, OBJECT_DATAGRAM, OBJECT_FILE };

struct datagram {
    struct datagram *next;
    struct sockaddr_storage from;
    uint32_t n;
    char data[];
};

struct object {
    enum object_kind kind;
    int fd;
    bool closed;    /* by the engine */
    bool finished;  /* by the peer: end of the stream behind `in` */
    bool reset;     /* by the peer */
    bool connected; /* a stream that leads somewhere */
    uint16_t port;
    uint32_t sends; /* in the kernel's hands */
    struct buf in;  /* to the engine; a file's content */
    struct buf out; /* from the engine */
    uint64_t position, bytes_max;
    int *backlog;
    uint32_t backlog_n, backlog_cap;
    struct datagram *first, *last;
    uint32_t queued, dropped;
};

struct sim {
    struct prng random;
    struct sim_faults faults;
    int64_t now_ns;
    struct object **object;
    uint32_t n, cap;
    uint32_t ios;
};

struct object *sim_object(struct sim *sim, int fd);
struct object *sim_server(struct sim *sim, uint16_t port); /* NULL: nobody serves it */
void sim_server_add(struct object *server, int fd);
int sim_backlog_take(struct object *o); /* -1 when empty */

#endif
