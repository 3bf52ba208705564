/*
 * main.c - sink: receives on loopback what an engine delivers, and says exactly what came.
 *
 * Listens on the ports asked for (0: any, printed as es=PORT, tcp=PORT, udp=PORT) and prints its
 * statistics as JSON on SIGUSR1 and at the end. SIGUSR2 takes the Elasticsearch port down
 * (connections closed, new ones refused, the port stays ours) and up again.
 * `sink --help` lists the options; script.h describes the fault language.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "tools/sink/http.h"

enum conn_kind { CONN_SIGNALS, CONN_ES_LISTEN, CONN_TCP_LISTEN, CONN_ES, CONN_TCP, CONN_UDP };

struct conn {
    enum conn_kind kind;
    int fd;
    bool writing; /* EPOLLOUT is asked for */
    struct conn *prev, *next;
    struct http http;
    struct buf line; /* TCP: an unfinished line, while markers are counted */
};

static struct conn *conns; /* ES and TCP connections */
static struct conn *fixed; /* listeners, datagram socket, signals: as long as the process */
static struct conn *es_listener;
static int es_port;

__attribute__((noreturn)) static void fail(const char *what)
{
    fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct conn *conn_make(enum conn_kind kind, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));
    ASSERT(c != NULL);
    c->kind = kind;
    c->fd = fd;
    if (kind == CONN_ES || kind == CONN_TCP) {
        c->next = conns;
        if (conns != NULL) conns->prev = c;
        conns = c;
    } else {
        c->next = fixed;
        fixed = c;
    }
    return c;
}

static struct conn *conn_new(struct sink *s, enum conn_kind kind, int fd)
{
    struct conn *c = conn_make(kind, fd);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
    return c;
}

static void conn_close(struct sink *s, struct conn *c)
{
    if (c->http.reset_now)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    close(c->fd);
    if (c->line.n > 0 && c->kind == CONN_TCP) {
        s->stats.lines++;
        if (s->opt.loss) markers_note(&s->markers, buf_slice(&c->line));
    }
    if (c->prev != NULL) c->prev->next = c->next;
    if (c->next != NULL) c->next->prev = c->prev;
    if (conns == c) conns = c->next;
    s->stats.connections_open--;
    http_fini(&c->http);
    buf_fini(&c->line);
    free(c);
}

static void conn_accept(struct sink *s, int listen_fd, enum conn_kind kind)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        conn_new(s, kind, fd);
        s->stats.connections++;
        s->stats.connections_open++;
    }
}

/* Binds to loopback; a socket that is bound and does not listen refuses connections. */
static int socket_bind(int type, int port, int *bound)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&at, n) < 0) fail("bind");
    getsockname(fd, (struct sockaddr *)&at, &n);
    *bound = ntohs(at.sin_port);
    return fd;
}

static struct conn *listen_on(struct sink *s, enum conn_kind kind, int fd)
{
    if (listen(fd, 1024) < 0) fail("listen");
    return conn_new(s, kind, fd);
}

static void es_down_toggle(struct sink *s)
{
    if (s->opt.es_port < 0) return;
    s->down = !s->down;
    if (s->down) {
        while (conns != NULL) conn_close(s, conns);
        close(es_listener->fd);
        es_listener->fd = socket_bind(SOCK_STREAM, es_port, &es_port);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = es_listener};
    if (listen(es_listener->fd, 1024) < 0) fail("listen");
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, es_listener->fd, &event) < 0) fail("epoll_ctl");
}

static void es_serve(struct sink *s, struct conn *c, bool readable)
{
    int state = readable ? http_read(s, &c->http, c->fd) : 0;
    bool ended = state < 0;
    if (c->http.out.n > 0 || c->http.close_after || c->http.reset_now)
        state = http_write(s, &c->http, c->fd, clock_mono_ns());
    if (state < 0 || ended) {
        conn_close(s, c);
        return;
    }
    /* A delayed answer is found by the sweep; a full socket by EPOLLOUT. */
    bool want = state == 1 && c->http.due_ns == 0;
    if (want == c->writing) return;
    c->writing = want;
    struct epoll_event event = {.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) < 0) fail("epoll_ctl");
}

static void tcp_lines(struct sink *s, struct conn *c, const char *p, size_t n)
{
    const char *end = p + n, *newline;
    while (p < end && (newline = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        s->stats.lines++;
        if (s->opt.loss || s->capture != NULL) {
            buf_add(&c->line, p, (size_t)(newline - p));
            if (s->opt.loss) markers_note(&s->markers, buf_slice(&c->line));
            if (s->capture != NULL) fprintf(s->capture, "%.*s\n", (int)c->line.n, c->line.data);
        }
        c->line.n = 0;
        p = newline + 1;
    }
    if (p < end) buf_add(&c->line, p, (size_t)(end - p));
    if (s->capture != NULL) fflush(s->capture);
}

static void tcp_serve(struct sink *s, struct conn *c)
{
    ssize_t n = recv(c->fd, s->scratch, SCRATCH_BYTES, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        conn_close(s, c);
        return;
    }
    s->stats.line_bytes += (uint64_t)n;
    stats_arrived(&s->stats);
    tcp_lines(s, c, s->scratch, (size_t)n);
}

#define DATAGRAMS 64u

static void udp_note(struct sink *s, struct mmsghdr *message)
{
    slice text = slice_make(message->msg_hdr.msg_iov->iov_base, message->msg_len);
    struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr);
    s->stats.datagrams++;
    s->stats.datagram_bytes += text.n;
    if (s->opt.loss) markers_note(&s->markers, text);
    if (s->capture != NULL) fprintf(s->capture, "%.*s\n", SLICE_FMT(text));
    if (control != NULL && control->cmsg_type == SO_RXQ_OVFL) {
        uint32_t dropped;
        memcpy(&dropped, CMSG_DATA(control), sizeof(dropped));
        s->stats.datagrams_dropped = dropped;
    }
}

static void udp_serve(struct sink *s, struct conn *c)
{
    static char control[DATAGRAMS][64];
    struct mmsghdr messages[DATAGRAMS];
    struct iovec parts[DATAGRAMS];
    uint32_t each = 65536;
    uint32_t most = SCRATCH_BYTES * 8 / each;
    int n;
    if (most > DATAGRAMS) most = DATAGRAMS;
    for (uint32_t i = 0; i < most; i++) {
        parts[i] = (struct iovec){s->scratch + i * each, each};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                              .msg_iovlen = 1,
                                              .msg_control = control[i],
                                              .msg_controllen = sizeof(control[i])};
    }
    while ((n = recvmmsg(c->fd, messages, most, MSG_DONTWAIT, NULL)) > 0) {
        for (int i = 0; i < n; i++) {
            udp_note(s, &messages[i]);
            messages[i].msg_hdr.msg_controllen = sizeof(control[i]);
        }
        stats_arrived(&s->stats);
        if ((uint32_t)n < most) break;
    }
    if (s->capture != NULL) fflush(s->capture);
}

static void stats_print(const struct sink *s)
{
    struct buf out = {0};
    stats_write(s, &out);
    printf("%s\n", buf_cstr(&out));
    fflush(stdout);
    buf_fini(&out);
}

static void signals_serve(struct sink *s, int fd)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGUSR1)
            stats_print(s);
        else if (info.ssi_signo == SIGUSR2)
            es_down_toggle(s);
        else
            s->stop = true;
    }
}

/* Sends the answers whose delay is over; returns milliseconds to the next, -1 when there is none.
 */
static int delayed_sweep(struct sink *s)
{
    int64_t now_ns = clock_mono_ns(), next_ns = INT64_MAX;
    struct conn *next;
    for (struct conn *c = conns; c != NULL; c = next) {
        next = c->next;
        if (c->kind != CONN_ES || c->http.due_ns == 0) continue;
        if (c->http.due_ns <= now_ns)
            es_serve(s, c, false);
        else if (c->http.due_ns < next_ns)
            next_ns = c->http.due_ns;
    }
    return next_ns == INT64_MAX ? -1 : (int)((next_ns - now_ns) / NS_PER_MS) + 1;
}

static void loop(struct sink *s)
{
    struct epoll_event events[128];
    bool delays = s->opt.answer_delay_ms > 0;
    int timeout_ms = -1;
    while (!s->stop) {
        int n = epoll_wait(s->epoll_fd, events, 128, timeout_ms);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            bool was_down = s->down;
            switch (c->kind) {
            case CONN_SIGNALS: signals_serve(s, c->fd); break;
            case CONN_ES_LISTEN: conn_accept(s, c->fd, CONN_ES); break;
            case CONN_TCP_LISTEN: conn_accept(s, c->fd, CONN_TCP); break;
            case CONN_ES: es_serve(s, c, (events[i].events & ~(uint32_t)EPOLLOUT) != 0); break;
            case CONN_TCP: tcp_serve(s, c); break;
            case CONN_UDP: udp_serve(s, c); break;
            }
            /* Going down closed connections that later events of this round may name. */
            if (s->down != was_down) break;
        }
        delays = delays || s->script.n > 0;
        timeout_ms = delays ? delayed_sweep(s) : -1;
    }
}

static const char usage[] =
    "usage: sink [options]\n"
    "  --es PORT --tcp PORT --udp PORT   what to listen on; 0: any port\n"
    "  --version V            of the fake Elasticsearch (8.19.0)\n"
    "  --opensearch           answer as OpenSearch\n"
    "  --answer KIND          minimal, status (default) or full items in bulk answers\n"
    "  --script FILE          scripted faults\n"
    "  --capture FILE         every bulk item, line or datagram as a line\n"
    "  --requests FILE        every request as a JSON line\n"
    "  --loss                 account for seq= markers\n"
    "  --discard              drop body bytes unread where X-Elastic-Event-Count tells the number\n"
    "  --delay MS             answer every bulk request this late\n"
    "  --down                 begin with the Elasticsearch port refusing connections\n"
    "  --prefix PATH          serve below this path\n"
    "  --user U --password P  ask for basic authentication\n"
    "  --rcvbuf BYTES         UDP receive buffer\n"
    "  --pin CPU              run on this processor\n"
    "Signals: USR1 prints statistics, USR2 takes the Elasticsearch port down or up.\n";

enum {
    OPT_ES = 1,
    OPT_TCP,
    OPT_UDP,
    OPT_VERSION,
    OPT_OPENSEARCH,
    OPT_ANSWER,
    OPT_SCRIPT,
    OPT_CAPTURE,
    OPT_REQUESTS,
    OPT_LOSS,
    OPT_DISCARD,
    OPT_DELAY,
    OPT_DOWN,
    OPT_PREFIX,
    OPT_USER,
    OPT_PASSWORD,
    OPT_RCVBUF,
    OPT_PIN,
    OPT_HELP
};

static const struct option long_options[] = {{"es", 1, NULL, OPT_ES},
                                             {"tcp", 1, NULL, OPT_TCP},
                                             {"udp", 1, NULL, OPT_UDP},
                                             {"version", 1, NULL, OPT_VERSION},
                                             {"opensearch", 0, NULL, OPT_OPENSEARCH},
                                             {"answer", 1, NULL, OPT_ANSWER},
                                             {"script", 1, NULL, OPT_SCRIPT},
                                             {"capture", 1, NULL, OPT_CAPTURE},
                                             {"requests", 1, NULL, OPT_REQUESTS},
                                             {"loss", 0, NULL, OPT_LOSS},
                                             {"discard", 0, NULL, OPT_DISCARD},
                                             {"delay", 1, NULL, OPT_DELAY},
                                             {"down", 0, NULL, OPT_DOWN},
                                             {"prefix", 1, NULL, OPT_PREFIX},
                                             {"user", 1, NULL, OPT_USER},
                                             {"password", 1, NULL, OPT_PASSWORD},
                                             {"rcvbuf", 1, NULL, OPT_RCVBUF},
                                             {"pin", 1, NULL, OPT_PIN},
                                             {"help", 0, NULL, OPT_HELP},
                                             {NULL, 0, NULL, 0}};

__attribute__((noreturn)) static void usage_exit(int code)
{
    fputs(usage, code == 0 ? stdout : stderr);
    exit(code);
}

static int number(const char *text)
{
    int64_t value;
    if (!slice_to_i64(slice_from_cstr(text), &value) || value < 0 || value > INT32_MAX)
        usage_exit(2);
    return (int)value;
}

static enum answer_kind answer_kind(const char *name)
{
    if (strcmp(name, "minimal") == 0) return ANSWER_MINIMAL;
    if (strcmp(name, "status") == 0) return ANSWER_STATUS;
    if (strcmp(name, "full") == 0) return ANSWER_FULL;
    usage_exit(2);
}

static void option_apply(int id, const char *arg, struct sink *s)
{
    struct sink_options *o = &s->opt;
    switch (id) {
    case OPT_ES: o->es_port = number(arg); break;
    case OPT_TCP: o->tcp_port = number(arg); break;
    case OPT_UDP: o->udp_port = number(arg); break;
    case OPT_VERSION: o->version = arg; break;
    case OPT_OPENSEARCH: o->opensearch = true; break;
    case OPT_ANSWER: o->answer = answer_kind(arg); break;
    case OPT_SCRIPT: o->script_path = arg; break;
    case OPT_CAPTURE: o->capture_path = arg; break;
    case OPT_REQUESTS: o->requests_path = arg; break;
    case OPT_LOSS: o->loss = true; break;
    case OPT_DISCARD: o->discard = true; break;
    case OPT_DELAY: o->answer_delay_ms = (uint32_t)number(arg); break;
    case OPT_DOWN: s->down = true; break;
    case OPT_PREFIX: o->prefix = arg; break;
    case OPT_USER: o->user = arg; break;
    case OPT_PASSWORD: o->password = arg; break;
    case OPT_RCVBUF: o->rcvbuf_bytes = number(arg); break;
    case OPT_PIN: o->cpu = number(arg); break;
    default: usage_exit(id == OPT_HELP ? 0 : 2);
    }
}

static FILE *open_or_fail(const char *path, const char *mode)
{
    FILE *file = path == NULL ? NULL : fopen(path, mode);
    if (path != NULL && file == NULL) fail(path);
    return file;
}

static void script_load(struct sink *s)
{
    FILE *file = open_or_fail(s->opt.script_path, "r");
    struct buf text = {0};
    uint32_t line;
    size_t n;
    if (file == NULL) return;
    do {
        buf_room(&text, 4096);
        n = fread(buf_end(&text), 1, 4096, file);
        text.n += n;
    } while (n > 0);
    fclose(file);
    if (script_parse(&s->script, buf_slice(&text), &line) != ERR_OK) {
        fprintf(stderr, "sink: %s line %u is not understood\n", s->opt.script_path, line);
        exit(2);
    }
    buf_fini(&text);
}

static void listeners_open(struct sink *s)
{
    int fd, port;
    if (s->opt.es_port >= 0) {
        fd = socket_bind(SOCK_STREAM, s->opt.es_port, &es_port);
        if (s->down) {
            es_listener = conn_make(CONN_ES_LISTEN, fd);
        } else {
            es_listener = listen_on(s, CONN_ES_LISTEN, fd);
        }
        printf("es=%d\n", es_port);
    }
    if (s->opt.tcp_port >= 0) {
        fd = socket_bind(SOCK_STREAM, s->opt.tcp_port, &port);
        listen_on(s, CONN_TCP_LISTEN, fd);
        printf("tcp=%d\n", port);
    }
    if (s->opt.udp_port >= 0) {
        fd = socket_bind(SOCK_DGRAM, s->opt.udp_port, &port);
        setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &(int){1}, sizeof(int));
        if (s->opt.rcvbuf_bytes > 0 &&
            setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &s->opt.rcvbuf_bytes, sizeof(int)) < 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &s->opt.rcvbuf_bytes, sizeof(int));
        conn_new(s, CONN_UDP, fd);
        printf("udp=%d\n", port);
    }
    printf("ready\n");
    fflush(stdout);
}

static void process_setup(struct sink *s)
{
    struct rlimit files;
    cpu_set_t set;
    sigset_t signals;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (s->opt.cpu >= 0) {
        CPU_ZERO(&set);
        CPU_SET((size_t)s->opt.cpu, &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0) fail("--pin");
    }
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    conn_new(s, CONN_SIGNALS, signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

int main(int argc, char **argv)
{
    static struct sink s;
    int id;
    s.opt = (struct sink_options){.es_port = -1,
                                  .tcp_port = -1,
                                  .udp_port = -1,
                                  .version = "8.19.0",
                                  .answer = ANSWER_STATUS,
                                  .password = "",
                                  .cpu = -1};
    while ((id = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        option_apply(id, optarg, &s);
    if (optind < argc || (s.opt.es_port < 0 && s.opt.tcp_port < 0 && s.opt.udp_port < 0))
        usage_exit(2);
    s.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s.scratch = malloc(SCRATCH_BYTES * 8);
    ASSERT(s.epoll_fd >= 0 && s.scratch != NULL);
    script_load(&s);
    s.capture = open_or_fail(s.opt.capture_path, "w");
    s.requests = open_or_fail(s.opt.requests_path, "w");
    process_setup(&s);
    listeners_open(&s);
    loop(&s);
    while (conns != NULL) conn_close(&s, conns);
    stats_print(&s);
    while (fixed != NULL) {
        struct conn *next = fixed->next;
        close(fixed->fd);
        free(fixed);
        fixed = next;
    }
    free(s.scratch);
    free(s.markers.bits);
    script_fini(&s.script);
    if (s.capture != NULL) fclose(s.capture);
    if (s.requests != NULL) fclose(s.requests);
    return 0;
}
