/* log.c - formatting and writing of log lines. */
#define _GNU_SOURCE
#include "engine/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"

/* Read by every thread, written by the control thread: relaxed is enough, a line more or
 * less at the moment of a change does no harm. */
static _Atomic int level_now = LOG_INFO;
static _Atomic int format_now = LOG_PLAIN;
static _Atomic int console_fd = STDOUT_FILENO;
static _Atomic int file_fd = -1;

static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

void log_set_level(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}
enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&level_now, memory_order_relaxed);
}
void log_set_format(enum log_format format)
{
    atomic_store(&format_now, (int)format);
}
void log_to_stderr(bool yes)
{
    atomic_store(&console_fd, yes ? STDERR_FILENO : STDOUT_FILENO);
}

err log_set_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return ERR_SYSTEM;
    int before = atomic_load(&file_fd);
    if (before < 0) {
        atomic_store(&file_fd, fd);
        return ERR_OK;
    }
    /* Under the same number: another thread may be writing to it just now. */
    err e = dup3(fd, before, O_CLOEXEC) < 0 ? ERR_SYSTEM : ERR_OK;
    close(fd);
    return e;
}

bool log_level_parse(const char *name, enum log_level *out)
{
    for (int i = LOG_TRACE; i <= LOG_FATAL; i++)
        if (strcasecmp(name, names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

static void line_plain(struct buf *b, enum log_level level, const char *logger, int64_t now_ns)
{
    time_t sec = (time_t)(now_ns / NS_PER_SEC);
    struct tm tm;
    localtime_r(&sec, &tm);
    buf_printf(b, "[%04d-%02d-%02dT%02d:%02d:%02d,%03d][%-5s][%s] ", tm.tm_year + 1900,
               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
               (int)(now_ns % NS_PER_SEC / NS_PER_MS), names[level], logger);
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, p, n);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) return; /* Nobody is left to tell. */
        p += wrote;
        n -= (size_t)wrote;
    }
}

static void add_escaped(struct buf *b, slice text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\n')
            buf_add_cstr(b, "\\n");
        else if (c == '\r')
            buf_add_cstr(b, "\\r");
        else if (c == '\t')
            buf_add_cstr(b, "\\t");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02X", c);
        else
            buf_add_byte(b, (char)c);
    }
}

static void write_entry(enum log_level level, const char *logger, slice text, bool lines)
{
    struct buf line = {0};
    int64_t now_ns = clock_real_ns();
    if (atomic_load(&format_now) == LOG_JSON) {
        char thread[16] = "";
        pthread_getname_np(pthread_self(), thread, sizeof(thread));
        buf_printf(&line, "{\"level\":\"%s\",\"loggerName\":", names[level]);
        buf_add_json(&line, slice_from_cstr(logger));
        buf_printf(&line, ",\"timeMillis\":%lld,\"thread\":", (long long)(now_ns / NS_PER_MS));
        buf_add_json(&line, slice_from_cstr(thread));
        buf_add_cstr(&line, ",\"logEvent\":{\"message\":");
        buf_add_json(&line, text);
        buf_add_cstr(&line, "}}\n");
    } else {
        line_plain(&line, level, logger, now_ns);
        if (lines)
            buf_add_slice(&line, text);
        else
            add_escaped(&line, text);
        buf_add_byte(&line, '\n');
    }
    write_all(atomic_load(&console_fd), line.data, line.n);
    int fd = atomic_load(&file_fd);
    if (fd >= 0) write_all(fd, line.data, line.n);
    buf_fini(&line);
}

static void __attribute__((format(printf, 3, 0)))
write_formatted(enum log_level level, const char *logger, const char *format, va_list args,
                bool lines)
{
    struct buf text = {0};
    buf_vprintf(&text, format, args);
    write_entry(level, logger, buf_slice(&text), lines);
    buf_fini(&text);
}

void log_line(enum log_level level, const char *logger, const char *format, ...)
{
    if (!log_on(level)) return;
    va_list args;
    va_start(args, format);
    write_formatted(level, logger, format, args, false);
    va_end(args);
}

void log_block(enum log_level level, const char *logger, const char *format, ...)
{
    if (!log_on(level)) return;
    va_list args;
    va_start(args, format);
    write_formatted(level, logger, format, args, true);
    va_end(args);
}

bool log_gate_open(struct log_gate *gate, uint64_t *held)
{
    int64_t now_ns = clock_mono_ns();
    if (now_ns < gate->next_ns) {
        gate->held++;
        return false;
    }
    *held = gate->held;
    gate->held = 0;
    gate->next_ns = now_ns + NS_PER_SEC;
    return true;
}
