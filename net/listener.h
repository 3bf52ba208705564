/*
 * listener.h - bound sockets, and the text that helps when binding fails.
 *
 * Several sockets on one port share its traffic (SO_REUSEPORT): TCP connections by the kernel's
 * hash, datagrams by a small filter program that deals them out at random, so that one fat flow
 * spreads over all shards. A port somebody else holds is an error even when he would share it.
 * Control thread; the caller owns the descriptors.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

#define LISTENER_BACKLOG 1024
#define LISTENER_DATAGRAM_BYTES (8 << 20)
#define LISTENER_WHY_BYTES 512u

struct listener_config {
    slice host; /* a name or address to bind to */
    uint16_t port;
    bool datagram;
    bool keep_alive; /* connections inherit it */
    /* 0: the kernel's default; for datagrams LISTENER_DATAGRAM_BYTES, or what the kernel allows */
    int64_t receive_buffer_bytes;
};

/* Opens n sockets on one address. ERR_SYSTEM with an English sentence in `why`. A smaller receive
 * buffer than asked for is no error; the size that was got is in *got_bytes (may be NULL). */
err listener_open(const struct listener_config *config, int *fd, uint32_t n, int64_t *got_bytes,
                  char why[LISTENER_WHY_BYTES]) MUST_USE;
void listener_close(int *fd, uint32_t n);

/* Resolves for a client; ERR_SYSTEM with a sentence. May block: not on a shard. */
err address_resolve(slice host, uint16_t port, bool datagram, struct sockaddr_storage *out,
                    socklen_t *out_n, char why[LISTENER_WHY_BYTES]) MUST_USE;

#define ADDRESS_TEXT_BYTES 64u
/* The address without its port, IPv4 in IPv6 as IPv4; returns its length. */
uint32_t address_text(const struct sockaddr *from, char out[ADDRESS_TEXT_BYTES]);
uint16_t address_port(const struct sockaddr *from);

#endif
