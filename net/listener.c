/* listener.c - getaddrinfo, bind, listen, and why not. */
#define _GNU_SOURCE
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/assert.h"

err address_resolve(slice host, uint16_t port, bool datagram, struct sockaddr_storage *out,
                    socklen_t *out_n, char why[LISTENER_WHY_BYTES])
{
    char name[256], service[8];
    slice_cstr(host, name, sizeof(name));
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV,
                             .ai_family = AF_UNSPEC,
                             .ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(name, service, &hints, &found);
    if (code != 0) {
        snprintf(why, LISTENER_WHY_BYTES, "cannot resolve host \"%s\": %s", name,
                 code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
        return ERR_SYSTEM;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *out_n = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

static void explain(const struct listener_config *c, int error, char why[LISTENER_WHY_BYTES])
{
    char host[256], help[192] = "";
    slice_cstr(c->host, host, sizeof(host));
    const char *proto = c->datagram ? "udp" : "tcp";
    const char *cause = strerror(error);
    if (error == EADDRINUSE) {
        cause = "the port is in use by another program";
        snprintf(help, sizeof(help), "; `ss -%slnp 'sport = :%u'` shows which",
                 c->datagram ? "u" : "t", c->port);
    } else if (error == EACCES && c->port < 1024) {
        cause = "ports below 1024 are for root";
        snprintf(help, sizeof(help),
                 "; give the program CAP_NET_BIND_SERVICE (AmbientCapabilities= in its systemd "
                 "unit) or use a port from 1024 on");
    } else if (error == EADDRNOTAVAIL) {
        cause = "no interface of this machine has that address";
    }
    snprintf(why, LISTENER_WHY_BYTES, "cannot listen on %s port %u/%s: %s%s", host, c->port, proto,
             cause, help);
}

static int socket_open(const struct listener_config *c, const struct sockaddr_storage *addr,
                       socklen_t addr_n, bool share)
{
    int fd = socket(addr->ss_family, (c->datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int yes = 1, no = 0;
    if (!c->datagram) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (share) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
    if (addr->ss_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (bind(fd, (const struct sockaddr *)addr, addr_n) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* Deals datagrams out to n sockets by a random number (linux/filter.h: SKF_AD_RANDOM). */
static int spread(int fd, uint32_t n)
{
    struct sock_filter code[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)},
        {BPF_ALU | BPF_MOD | BPF_K, 0, 0, n},
        {BPF_RET | BPF_A, 0, 0, 0},
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

/* SO_RCVBUFFORCE passes net.core.rmem_max where the process may; the kernel doubles what it is
 * told, for its own bookkeeping, and reports the double. */
static int64_t buffer_set(int fd, int64_t bytes)
{
    int want = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes, got = 0;
    socklen_t got_n = sizeof(got);
    if (want > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &want, sizeof(want)) != 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &got_n);
    return got / 2;
}

static int prepare(const struct listener_config *c, int fd, int64_t *got_bytes)
{
    int yes = 1;
    int64_t want = c->receive_buffer_bytes;
    if (want == 0 && c->datagram) want = LISTENER_DATAGRAM_BYTES;
    int64_t got = want > 0 ? buffer_set(fd, want) : 0;
    if (got_bytes != NULL) *got_bytes = got;
    if (c->datagram) return 0;
    if (c->keep_alive) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    return listen(fd, LISTENER_BACKLOG) == 0 ? 0 : -errno;
}

err listener_open(const struct listener_config *c, int *fd, uint32_t n, int64_t *got_bytes,
                  char why[LISTENER_WHY_BYTES])
{
    ASSERT(n > 0);
    struct sockaddr_storage addr;
    socklen_t addr_n;
    err e = address_resolve(c->host, c->port, c->datagram, &addr, &addr_n, why);
    if (e != ERR_OK) return e;
    /* Sharing sockets would join anybody else's that share, so ask for the port alone first. */
    int probe = socket_open(c, &addr, addr_n, false);
    if (probe < 0) {
        explain(c, -probe, why);
        return ERR_SYSTEM;
    }
    close(probe);
    int error = 0;
    uint32_t opened = 0;
    while (opened < n && error == 0) {
        int one = socket_open(c, &addr, addr_n, n > 1);
        if (one < 0) {
            error = -one;
            break;
        }
        fd[opened++] = one;
        error = -prepare(c, one, got_bytes);
    }
    if (error == 0 && c->datagram && n > 1 && spread(fd[0], n) != 0) error = errno;
    if (error == 0) return ERR_OK;
    listener_close(fd, opened);
    explain(c, error, why);
    return ERR_SYSTEM;
}

void listener_close(int *fd, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (fd[i] >= 0) close(fd[i]);
        fd[i] = -1;
    }
}

uint32_t address_text(const struct sockaddr *from, char out[ADDRESS_TEXT_BYTES])
{
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        inet_ntop(AF_INET, &v4->sin_addr, out, ADDRESS_TEXT_BYTES);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], out, ADDRESS_TEXT_BYTES);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, out, ADDRESS_TEXT_BYTES);
    } else {
        out[0] = '\0';
    }
    return (uint32_t)strlen(out);
}

uint16_t address_port(const struct sockaddr *from)
{
    if (from->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)from)->sin_port);
    if (from->sa_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)from)->sin6_port);
    return 0;
}
