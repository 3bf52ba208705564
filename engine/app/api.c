/* api.c - sockets, requests, answers. */
#define _GNU_SOURCE
#include "engine/app/api.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/app/data_dir.h"
#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"

#define API_LINGER_NS (2 * NS_PER_SEC)

/* ---- connections ------------------------------------------------------------------------ */

static void connection_close(struct api_connection *c)
{
    close(c->fd);
    buf_fini(&c->in);
    buf_fini(&c->out);
    *c = (struct api_connection){.fd = -1};
}

static void connection_accept(struct api *api)
{
    for (;;) {
        int fd = accept4(api->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        uint32_t i = 0;
        while (i < API_CONNECTIONS_MAX && api->connection[i].fd >= 0) i++;
        if (i == API_CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        api->connection[i] = (struct api_connection){.fd = fd, .last_ns = clock_mono_ns()};
    }
}

static const char *reason(int status)
{
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Error";
    }
}

static void answer(struct api_connection *c, int status, const char *type, slice body, bool head)
{
    buf_printf(&c->out,
               "HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %u\r\n"
               "x-content-type-options: nosniff\r\n%s%s\r\n",
               status, reason(status), type, body.n,
               status == 401 ? "www-authenticate: Basic realm=\"spate\"\r\n" : "",
               c->closing ? "connection: close\r\n" : "");
    if (!head) buf_add_slice(&c->out, body);
}

/* A request that cannot be read is answered, and then its connection ends. */
static void refuse(struct api_connection *c, int status)
{
    char body[128];
    c->closing = true;
    c->in.n = 0;
    snprintf(body, sizeof(body), "{\"status\":%d,\"error\":{\"message\":\"%s\"}}", status,
             reason(status));
    answer(c, status, "application/json", slice_from_cstr(body), false);
}

/* The time taken does not depend on where the texts differ. */
static bool equal_secret(slice a, slice b)
{
    unsigned char different = a.n != b.n;
    for (uint32_t i = 0; i < a.n && b.n > 0; i++)
        different |= (unsigned char)(a.p[i] ^ b.p[i % b.n]);
    return different == 0;
}

static bool is_allowed(const struct api *api, const struct http1_request *r)
{
    if (api->authorization == NULL) return true;
    slice given = http1_header_find(r, SLICE("authorization"));
    return given.p != NULL && equal_secret(given, slice_from_cstr(api->authorization));
}

static void handle(struct api *api, struct api_connection *c, const struct http1_request *r)
{
    struct buf body = {0}, pretty = {0};
    struct api_call call = {.api = api,
                            .request = r,
                            .body = slice_make(c->in.data + r->head_bytes, r->content_bytes),
                            .status = 200,
                            .type = "application/json",
                            .j = {&body, false}};
    if (!r->keep_alive) c->closing = true;
    if (is_allowed(api, r))
        api_route(&call);
    else
        api_error(&call, 401, "credentials are needed");
    slice value, text = buf_slice(&body);
    if (call.type[0] == 'a' && http1_query_find(r->query, SLICE("pretty"), &value) &&
        !slice_equal(value, SLICE("false"))) {
        json_pretty(text, &pretty);
        text = buf_slice(&pretty);
    }
    answer(c, call.status, call.type, text, slice_equal(r->method, SLICE("HEAD")));
    buf_fini(&body);
    buf_fini(&pretty);
}

/* Answers the first request of what was received; false when it is not complete. */
static bool handle_next(struct api *api, struct api_connection *c)
{
    struct http1_request r;
    if (c->in.n == 0 || c->closing) return false;
    switch (http1_request_parse(buf_slice(&c->in), &r)) {
    case HTTP1_MORE: return false;
    case HTTP1_BAD: refuse(c, 400); return false;
    case HTTP1_TOO_LARGE: refuse(c, 431); return false;
    case HTTP1_VERSION: refuse(c, 505); return false;
    case HTTP1_DONE: break;
    }
    if (r.chunked || r.content_bytes > API_BODY_BYTES_MAX) {
        refuse(c, r.chunked ? 411 : 413);
        return false;
    }
    size_t need = r.head_bytes + r.content_bytes;
    if (c->in.n < need) {
        if (r.expects_continue && !c->continued)
            buf_add_cstr(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
        c->continued = true;
        return false;
    }
    c->continued = false;
    handle(api, c, &r);
    memmove(c->in.data, c->in.data + need, c->in.n - need);
    c->in.n -= need;
    return true;
}

static void connection_read(struct api *api, struct api_connection *c)
{
    if (c->lingering) c->in.n = 0; /* what comes after the last answer is not looked at */
    buf_room(&c->in, 8192);
    ssize_t n = recv(c->fd, buf_end(&c->in), 8192, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        connection_close(c);
        return;
    }
    if (c->lingering) return;
    c->in.n += (size_t)n;
    c->last_ns = clock_mono_ns();
    while (c->out.n - c->sent < API_BODY_BYTES_MAX && handle_next(api, c)) continue;
}

static void connection_write(struct api *api, struct api_connection *c)
{
    while (c->fd >= 0 && c->sent < c->out.n) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            connection_close(c);
            return;
        }
        c->sent += (size_t)n;
        c->last_ns = clock_mono_ns();
        if (c->sent < c->out.n) continue;
        c->out.n = c->sent = 0;
        handle_next(api, c); /* pipelined requests that waited for room */
    }
    if (c->fd < 0 || !c->closing || c->lingering || c->sent < c->out.n) return;
    /* Closing with bytes unread resets the connection, and the answer may be lost with it: wait
     * for the peer to close (RFC 9112, section 9.6). */
    shutdown(c->fd, SHUT_WR);
    c->lingering = true;
}

/* ---- the thread ---------------------------------------------------------------------------- */

static void sample(struct api *api)
{
    pthread_mutex_lock(&api->engine->view);
    flows_sample(&api->flows, api->engine, clock_mono_ns());
    pthread_mutex_unlock(&api->engine->view);
}

static void turn(struct api *api, struct pollfd *fds)
{
    int64_t now_ns = clock_mono_ns();
    for (uint32_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        struct api_connection *c = &api->connection[i];
        short got = fds[2 + i].revents;
        if (c->fd < 0 || fds[2 + i].fd != c->fd) continue;
        if (got & (POLLIN | POLLHUP | POLLERR)) connection_read(api, c);
        if (c->fd >= 0) connection_write(api, c);
        int64_t patience_ns = c->lingering ? API_LINGER_NS : API_IDLE_NS;
        if (c->fd >= 0 && now_ns - c->last_ns > patience_ns) connection_close(c);
    }
    if (fds[1].revents & POLLIN) connection_accept(api);
}

static void *api_main(void *arg)
{
    struct api *api = arg;
    struct pollfd fds[2 + API_CONNECTIONS_MAX];
    for (;;) {
        fds[0] = (struct pollfd){api->stop_fd, POLLIN, 0};
        fds[1] = (struct pollfd){api->listen_fd, POLLIN, 0};
        for (uint32_t i = 0; i < API_CONNECTIONS_MAX; i++) {
            const struct api_connection *c = &api->connection[i];
            short want = c->sent < c->out.n ? POLLOUT : POLLIN;
            fds[2 + i] = (struct pollfd){c->fd, want, 0};
        }
        if (poll(fds, 2 + API_CONNECTIONS_MAX, 1000) < 0 && errno != EINTR) break;
        if (fds[0].revents & POLLIN) break;
        sample(api);
        turn(api, fds);
    }
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static int listen_on(const char *host, uint16_t port)
{
    char service[8];
    snprintf(service, sizeof(service), "%u", port);
    struct addrinfo hints = {.ai_flags = AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        errno = code == EAI_SYSTEM ? errno : EADDRNOTAVAIL;
        return -1;
    }
    int yes = 1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (fd >= 0 && (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 64) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage addr = {0};
    socklen_t n = sizeof(addr);
    if (getsockname(fd, (struct sockaddr *)&addr, &n) != 0) return 0;
    return addr.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&addr)->sin6_port)
                                      : ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

/* The first free port of the range. */
static err api_listen(struct api *api)
{
    uint16_t first, last;
    const char *host = process_settings_text(api->settings, "api.http.host").p;
    process_settings_ports(api->settings, "api.http.port", &first, &last);
    api->listen_fd = -1;
    for (uint32_t port = first; port <= last && api->listen_fd < 0; port++) {
        api->listen_fd = listen_on(host, (uint16_t)port);
        if (api->listen_fd < 0 && errno != EADDRINUSE) break;
    }
    if (api->listen_fd < 0) {
        log_error("agent", "the monitoring API cannot listen on %s, port %u to %u: %s", host, first,
                  last, strerror(errno));
        return ERR_SYSTEM;
    }
    snprintf(api->address, sizeof(api->address), "%s:%u", host, bound_port(api->listen_fd));
    return ERR_OK;
}

static char *basic_header(slice user, slice password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct buf plain = {0}, out = {0};
    buf_printf(&plain, "%.*s:%.*s", SLICE_FMT(user), SLICE_FMT(password));
    buf_add_cstr(&out, "Basic ");
    for (size_t i = 0; i < plain.n; i += 3) {
        size_t left = plain.n - i;
        const unsigned char *p = (const unsigned char *)plain.data + i;
        uint32_t bits =
            (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        buf_add_byte(&out, digits[bits >> 18]);
        buf_add_byte(&out, digits[bits >> 12 & 63]);
        buf_add_byte(&out, left > 1 ? digits[bits >> 6 & 63] : '=');
        buf_add_byte(&out, left > 2 ? digits[bits & 63] : '=');
    }
    char *text = slice_dup_cstr(buf_slice(&out));
    buf_fini(&plain);
    buf_fini(&out);
    return text;
}

static void api_free(struct api *api)
{
    for (uint32_t i = 0; i < API_CONNECTIONS_MAX; i++)
        if (api->connection[i].fd >= 0) connection_close(&api->connection[i]);
    flows_fini(&api->flows);
    if (api->listen_fd >= 0) close(api->listen_fd);
    if (api->stop_fd >= 0) close(api->stop_fd);
    free(api->authorization);
    free(api);
}

struct api *api_start(struct engine *engine, const struct process_settings *settings,
                      const char *uuid)
{
    struct api *api = calloc(1, sizeof(*api));
    ASSERT(api != NULL);
    api->engine = engine;
    api->settings = settings;
    api->level_at_start = log_get_level();
    api->started_ns = clock_mono_ns();
    snprintf(api->uuid, sizeof(api->uuid), "%s", uuid);
    uuid_make(api->ephemeral_id);
    for (uint32_t i = 0; i < API_CONNECTIONS_MAX; i++) api->connection[i].fd = -1;
    api->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (slice_equal(process_settings_text(settings, "api.auth.type"), SLICE("basic")))
        api->authorization =
            basic_header(process_settings_text(settings, "api.auth.basic.username"),
                         process_settings_text(settings, "api.auth.basic.password"));
    if (api_listen(api) != ERR_OK) {
        api_free(api);
        return NULL;
    }
    sigset_t all, was;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &was);
    int failed = pthread_create(&api->thread, NULL, api_main, api);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    if (failed != 0) {
        log_error("agent", "cannot start a thread: %s", strerror(failed));
        api_free(api);
        return NULL;
    }
    pthread_setname_np(api->thread, "api");
    return api;
}

void api_stop(struct api *api)
{
    uint64_t one = 1;
    ssize_t n = write(api->stop_fd, &one, sizeof(one));
    ASSERT(n == sizeof(one));
    pthread_join(api->thread, NULL);
    api_free(api);
}
