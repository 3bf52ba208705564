/* ruby_worker.c - the script process of a shard: start, requests, end. */
#define _GNU_SOURCE
#include "engine/filters/ruby_worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/shard/worker.h"

/* Where the process finds its descriptors. */
enum child_fd { CHILD_SOCKET = 3, CHILD_REQUESTS, CHILD_ANSWERS, CHILD_DRIVER, CHILD_FDS_END };
/* Our own descriptors are moved above the child's, so that placing one hits no other. */
#define OWN_FD_MIN 16
/* Memory files that one huge batch blew up are not kept. */
#define FILE_KEEP_BYTES (8u * 1024 * 1024)

struct note { /* in both directions */
    uint32_t op_or_status, filter;
    uint64_t bytes, serial; /* an answer has the serial of its request */
};

struct definition {
    char *text; /* NULL: removed */
    uint32_t n;
};

struct ruby_worker {
    pid_t pid; /* 0: none */
    int socket, requests, answers;
    struct definition *filter;
    uint32_t filter_n, filter_cap, users;
    struct ruby_worker **holder;
    struct script_request request;
    uint64_t serial;
    struct ruby_worker_counters counters;
    struct log_gate gate;
    struct page_pool pool;
    struct arena arena; /* of answers that no batch needs */
};

extern char **environ;

/* ---- the process ------------------------------------------------------------------------- */

static void fd_close(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int fd_high(int fd)
{
    if (fd < 0) return fd;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, OWN_FD_MIN);
    close(fd);
    return high;
}

static void worker_end(struct ruby_worker *w, bool kill_it)
{
    fd_close(&w->socket);
    fd_close(&w->requests);
    fd_close(&w->answers);
    if (w->pid == 0) return;
    if (kill_it) kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) continue;
    w->pid = 0;
}

void ruby_worker_kill(struct ruby_worker *w)
{
    worker_end(w, true);
}

/* The driver is read from a memory file; the name in front is what `ps` shows until it has set its
 * own. */
static int driver_open(void)
{
    int fd = memfd_create("spate-ruby", MFD_CLOEXEC);
    if (fd >= 0 && pwrite(fd, ruby_driver, ruby_driver_n, 0) != (ssize_t)ruby_driver_n)
        fd_close(&fd);
    return fd_high(fd);
}

/* The environment without what would make Ruby another one, and with its compiler where that is
 * ready for use: versions before 3.2 do not know the name. */
static char **environment(void)
{
    uint32_t n = 0, k = 0;
    while (environ[n] != NULL) n++;
    char **env = calloc(n + 2, sizeof(*env));
    ASSERT(env != NULL);
    for (uint32_t i = 0; i < n; i++)
        if (!slice_starts(slice_from_cstr(environ[i]), SLICE("RUBYOPT="))) env[k++] = environ[i];
    env[k] = (char *)(uintptr_t) "RUBY_YJIT_ENABLE=1";
    return env;
}

/* posix_spawn's answer. */
static int spawn(struct ruby_worker *w, int theirs, int driver)
{
    char bytes_max[16];
    snprintf(bytes_max, sizeof(bytes_max), "%u", RUBY_REPLY_BYTES_MAX);
    char *argv[] = {(char[]){"ruby"},
                    (char[]){"--disable-gems"},
                    (char[]){"-W0"},
                    (char[]){"-EUTF-8"},
                    (char[]){"/dev/fd/6"},
                    bytes_max,
                    NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, theirs, CHILD_SOCKET);
    posix_spawn_file_actions_adddup2(&files, w->requests, CHILD_REQUESTS);
    posix_spawn_file_actions_adddup2(&files, w->answers, CHILD_ANSWERS);
    posix_spawn_file_actions_adddup2(&files, driver, CHILD_DRIVER);
    posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FDS_END);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    char **env = environment();
    int error = posix_spawnp(&w->pid, "ruby", &files, &attr, argv, env);
    if (error != 0) w->pid = 0;
    free(env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static err process_start(struct ruby_worker *w, struct buf *why)
{
    int pair[2] = {-1, -1};
    int error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? errno : 0;
    w->socket = fd_high(pair[0]);
    int theirs = fd_high(pair[1]);
    w->requests = fd_high(memfd_create("spate-ruby-requests", MFD_CLOEXEC));
    w->answers = fd_high(memfd_create("spate-ruby-answers", MFD_CLOEXEC));
    int driver = driver_open();
    if (error == 0 &&
        (w->socket < 0 || theirs < 0 || w->requests < 0 || w->answers < 0 || driver < 0))
        error = errno == 0 ? EMFILE : errno;
    if (error == 0) error = spawn(w, theirs, driver);
    fd_close(&theirs);
    fd_close(&driver);
    script_request_forget(&w->request);
    if (error == 0) {
        counter_add(&w->counters.starts, 1);
        return ERR_OK;
    }
    worker_end(w, false);
    if (error == ENOENT) {
        buf_add_cstr(why, "the program `ruby` is not installed (package `ruby`)");
        return ERR_MISSING;
    }
    buf_printf(why, "ruby cannot be started: %s", strerror(error));
    return ERR_SYSTEM;
}

/* ---- one request ------------------------------------------------------------------------- */

static bool file_write(int fd, slice bytes)
{
    for (uint32_t at = 0; at < bytes.n;) {
        ssize_t n = pwrite(fd, bytes.p + at, bytes.n - at, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += (uint32_t)n;
    }
    return true;
}

static bool file_read(int fd, char *out, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes;) {
        ssize_t n = pread(fd, out + at, bytes - at, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += (uint32_t)n;
    }
    return true;
}

/* The message that answers, within wait_ns. */
static err answer_wait(struct ruby_worker *w, int64_t wait_ns, struct note *out)
{
    int64_t until_ns = clock_mono_ns() + wait_ns;
    for (uint32_t at = 0; at < sizeof(*out);) {
        int64_t left_ns = until_ns - clock_mono_ns();
        struct pollfd poller = {.fd = w->socket, .events = POLLIN};
        if (left_ns <= 0) return ERR_BUSY;
        int ready = poll(&poller, 1, (int)(left_ns / NS_PER_MS) + 1);
        if (ready < 0 && errno != EINTR) return ERR_CLOSED;
        if (ready <= 0) continue;
        ssize_t n = recv(w->socket, (char *)out + at, sizeof(*out) - at, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) return ERR_CLOSED;
        at += (uint32_t)n;
    }
    return ERR_OK;
}

static void files_trim(struct ruby_worker *w, size_t request_bytes, size_t answer_bytes)
{
    /* A file that cannot be cut stays long. */
    if (request_bytes > FILE_KEEP_BYTES && ftruncate(w->requests, 0) != 0) return;
    if (answer_bytes > FILE_KEEP_BYTES && ftruncate(w->answers, 0) != 0) return;
}

/* One exchange with a process that runs. ERR_CONFIG: *reply is the text of an error. */
static err exchange(struct ruby_worker *w, struct note message, slice request, int64_t wait_ns,
                    struct arena *arena, slice *reply)
{
    message.bytes = request.n;
    message.serial = ++w->serial;
    if (!file_write(w->requests, request)) return ERR_CLOSED;
    ssize_t sent = send(w->socket, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)sizeof(message)) return ERR_CLOSED;
    err e = answer_wait(w, wait_ns, &message);
    if (e != ERR_OK) return e;
    if (message.serial != w->serial) return ERR_FRAME;
    if (message.bytes > (uint64_t)RUBY_REPLY_BYTES_MAX * 2) return ERR_LIMIT;
    uint32_t n = (uint32_t)message.bytes;
    char *bytes = arena_alloc(arena, (size_t)n + 1, 1);
    if (!file_read(w->answers, bytes, n)) return ERR_CLOSED;
    files_trim(w, request.n, n);
    *reply = slice_make(bytes, n);
    return message.op_or_status == 0 ? ERR_OK : ERR_CONFIG;
}

static void lost(struct ruby_worker *w, err e, int64_t wait_ns)
{
    uint64_t held;
    counter_add(e == ERR_BUSY ? &w->counters.timeouts : &w->counters.crashes, 1);
    if (!log_gate_open(&w->gate, &held)) return;
    if (e == ERR_BUSY)
        log_error("filters.ruby", "the script process did not answer within %lld ms and was killed",
                  (long long)(wait_ns / NS_PER_MS));
    else
        log_error("filters.ruby", "the script process %s; it is started again",
                  e == ERR_LIMIT   ? "gave too long an answer"
                  : e == ERR_FRAME ? "answered what was not asked"
                                   : "has ended");
}

static err add_one(struct ruby_worker *w, uint32_t id, enum ruby_op op, struct buf *why)
{
    slice reply = SLICE_NONE;
    struct note message = {.op_or_status = op, .filter = id};
    const struct definition *d = &w->filter[id];
    err e = exchange(w, message, slice_make(d->text, d->n), RUBY_START_NS_MAX, &w->arena, &reply);
    if (e == ERR_CONFIG)
        buf_add_slice(why, reply);
    else if (e != ERR_OK)
        buf_add_cstr(why, e == ERR_BUSY ? "the script takes too long to start"
                                        : "the script ends the process it runs in");
    arena_reset(&w->arena);
    if (e != ERR_OK && e != ERR_CONFIG) worker_end(w, true);
    return e;
}

/* Starts the process when there is none, with all filters. */
static err worker_wake(struct ruby_worker *w, struct buf *why)
{
    if (w->pid != 0) return ERR_OK;
    err e = process_start(w, why);
    for (uint32_t i = 0; e == ERR_OK && i < w->filter_n; i++)
        if (w->filter[i].text != NULL) e = add_one(w, i, RUBY_ADD, why);
    if (e != ERR_OK) worker_end(w, true);
    return e;
}

err ruby_worker_call(struct ruby_worker *w, enum ruby_op op, uint32_t id, slice request,
                     int64_t wait_ns, struct arena *arena, slice *reply)
{
    uint64_t held;
    ASSERT(w->pid != 0);
    struct note message = {.op_or_status = op, .filter = id};
    err e = exchange(w, message, request, wait_ns, arena, reply);
    if (e == ERR_CONFIG && log_gate_open(&w->gate, &held))
        log_error("filters.ruby", "%.*s", SLICE_FMT(*reply));
    if (e == ERR_OK || e == ERR_CONFIG) return e;
    worker_end(w, true);
    lost(w, e, wait_ns);
    return e;
}

/* A process must run before the request is built: names are numbered per process. */
struct script_request *ruby_worker_request(struct ruby_worker *w)
{
    struct buf why = {0};
    uint64_t held;
    err e = worker_wake(w, &why);
    if (e != ERR_OK && log_gate_open(&w->gate, &held))
        log_error("filters.ruby", "no script process: %s", buf_cstr(&why));
    buf_fini(&why);
    return e == ERR_OK ? &w->request : NULL;
}

const struct ruby_worker_counters *ruby_worker_counters(const struct ruby_worker *w)
{
    return &w->counters;
}

/* ---- filters and users ------------------------------------------------------------------- */

static struct ruby_worker *worker_make(void)
{
    struct ruby_worker *w = calloc(1, sizeof(*w));
    ASSERT(w != NULL);
    w->socket = w->requests = w->answers = -1;
    page_pool_init(&w->pool, SIZE_MAX);
    arena_init(&w->arena, &w->pool);
    return w;
}

static void worker_free_all(struct ruby_worker *w)
{
    /* Closing the socket ends a process that waits; one that does not wait is stuck. */
    worker_end(w, true);
    for (uint32_t i = 0; i < w->filter_n; i++) free(w->filter[i].text);
    free(w->filter);
    script_request_fini(&w->request);
    arena_fini(&w->arena);
    page_pool_fini(&w->pool);
    free(w);
}

struct ruby_worker *ruby_worker_hold(struct worker *worker)
{
    static _Thread_local struct ruby_worker *without_shard;
    struct ruby_worker **holder = worker != NULL ? &worker->shard->ruby : &without_shard;
    if (*holder == NULL) {
        *holder = worker_make();
        (*holder)->holder = holder;
    }
    (*holder)->users++;
    return *holder;
}

void ruby_worker_release(struct ruby_worker *w)
{
    ASSERT(w->users > 0);
    if (--w->users > 0) return;
    *w->holder = NULL;
    worker_free_all(w);
}

static uint32_t definition_keep(struct ruby_worker *w, slice definition)
{
    if (w->filter_n == w->filter_cap) {
        w->filter_cap = w->filter_cap == 0 ? 8 : w->filter_cap * 2;
        w->filter = realloc(w->filter, w->filter_cap * sizeof(*w->filter));
        ASSERT(w->filter != NULL);
    }
    w->filter[w->filter_n] = (struct definition){slice_dup_cstr(definition), definition.n};
    return w->filter_n++;
}

static void definition_drop(struct ruby_worker *w, uint32_t id)
{
    free(w->filter[id].text);
    w->filter[id].text = NULL;
    while (w->filter_n > 0 && w->filter[w->filter_n - 1].text == NULL) w->filter_n--;
}

err ruby_worker_add(struct ruby_worker *w, slice definition, uint32_t *id, struct buf *why)
{
    err e = worker_wake(w, why);
    if (e != ERR_OK) return e;
    *id = definition_keep(w, definition);
    e = add_one(w, *id, RUBY_ADD, why);
    if (e != ERR_OK) definition_drop(w, *id);
    return e;
}

void ruby_worker_remove(struct ruby_worker *w, uint32_t id)
{
    slice reply;
    if (w->pid != 0) {
        err e =
            ruby_worker_call(w, RUBY_REMOVE, id, SLICE(" "), RUBY_TICK_NS_MAX, &w->arena, &reply);
        (void)e; /* Logged; the filter is gone either way. */
        arena_reset(&w->arena);
    }
    definition_drop(w, id);
}

/* ---- checks ------------------------------------------------------------------------------ */

err ruby_check(slice definition, struct buf *why)
{
    struct ruby_worker *w = worker_make();
    err e = process_start(w, why);
    if (e == ERR_OK) e = add_one(w, definition_keep(w, definition), RUBY_CHECK, why);
    worker_free_all(w);
    return e;
}

err ruby_compile_check(struct compiler *c, const char *option, slice definition)
{
    struct buf why = {0};
    err e = ruby_check(definition, &why);
    if (e == ERR_MISSING)
        compile_error(c, NULL, "the package `ruby` (Debian and Ubuntu: apt-get install ruby)",
                      "the filter `%.*s` needs the program `ruby`, which is not installed",
                      SLICE_FMT(c->plugin->name));
    else if (e != ERR_OK)
        compile_error(c, option, NULL, "%s", buf_cstr(&why));
    buf_fini(&why);
    return e == ERR_OK ? ERR_OK : ERR_CONFIG;
}
