/* workload.c - invented but realistic log lines. */
#include "tools/loadgen/workload.h"

#include <stdio.h>

#include "engine/base/assert.h"

#define MARKER "seq=000000000000"
#define SENT "sent=0000000000000000000"
#define PICK(random, list) (list)[prng_below((random), ARRAY_LEN(list))]

static const char *const roles[] = {"web",   "app",   "db", "mail", "lb",
                                    "cache", "queue", "ns", "fw",   "build"};
static const char *const sites[] = {"fra1", "ams2", "nyc3", "sgp1", "lon1"};
static const char *const users[] = {"root",     "alice",    "bob",    "deploy",
                                    "postgres", "www-data", "carol",  "dave",
                                    "backup",   "nagios",   "svc-ci", "maria.keller"};
static const char *const words[] = {"index",  "cart",  "login",  "search", "images",
                                    "static", "users", "order",  "api",    "report",
                                    "assets", "blog",  "health", "metrics"};
static const char *const agents[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/7.88.1",
    "Go-http-client/1.1",
    "python-requests/2.31.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "kube-probe/1.29"};

struct program {
    const char *name;
    uint8_t facility;
    const char *messages[3];
};

/* In a message: %a address, %u user, %n number, %p port, %x hexadecimal, %h host, %w path, %m
 * milliseconds. */
static const struct program programs[] = {
    {"sshd",
     10,
     {"Accepted publickey for %u from %a port %p ssh2: ED25519 SHA256:%x%x%x%x key id %n session "
      "opened by pam_unix",
      "Failed password for invalid user %u from %a port %p ssh2, %n attempts left before the "
      "connection is closed",
      "Received disconnect from %a port %p:11: disconnected by user %u after %m ms, session %x "
      "closed for good"}},
    {"postfix/smtpd",
     2,
     {"%x%x: client=%h.example.net[%a], sasl_method=PLAIN, sasl_username=%u@example.net, queue "
      "active in %m ms",
      "NOQUEUE: reject: RCPT from %h.example.org[%a]: 554 5.7.1 <%u@example.org>: Relay access "
      "denied; proto=ESMTP",
      "disconnect from %h.example.com[%a] ehlo=1 mail=1 rcpt=%n data=1 quit=1 commands=5 after %m "
      "milliseconds"}},
    {"nginx",
     16,
     {"%a - %u \"GET /%w/%w/%n HTTP/1.1\" 200 %n upstream=%a:8080 upstream_response_time=0.%n "
      "request_id=%x%x",
      "[error] 1293#1293: *%n upstream timed out (110: Connection timed out) while reading from "
      "%a, server: %h",
      "%a - - \"POST /api/v2/%w HTTP/2.0\" 201 %n upstream=%a:9000 upstream_response_time=0.%n "
      "request_id=%x%x"}},
    {"CRON",
     9,
     {"(%u) CMD (cd /srv/%w && /usr/local/bin/%w-rotate --keep %n --log /var/log/%w/%w.log --lock "
      "/run/%x.lock)",
      "pam_unix(cron:session): session opened for user %u(uid=%n) by (uid=0) on host %h for job "
      "%x, limit %m ms",
      "(%u) END (/usr/local/bin/%w-sync --from %h --to %h) status 0, %n files, %m ms, checksum "
      "%x%x"}},
    {"kernel",
     0,
     {"[%n.%n] IN=eth0 OUT= MAC=52:54:00:12:34:56 SRC=%a DST=%a LEN=60 TOS=0x00 TTL=51 ID=%n "
      "PROTO=TCP SPT=%p DPT=22",
      "[%n.%n] EXT4-fs (nvme0n1p2): mounted filesystem %x-%x with ordered data mode. Quota mode: "
      "none. %n inodes",
      "[%n.%n] TCP: request_sock_TCP: Possible SYN flooding on port %p from %a. Sending cookies, "
      "check counters %n"}},
    {"haproxy",
     18,
     {"%a:%p [frontend] www~ app/%h 0/0/1/%n/%n 200 %n - - ---- 312/308/14/3/0 0/0 \"GET "
      "/%w/%w?id=%n HTTP/1.1\"",
      "Server app/%h is UP, reason: Layer7 check passed, code: 200, check duration: %mms. %n "
      "active and 1 backup",
      "%a:%p [frontend] www~ api/%h 0/0/2/%n/%n 503 %n - - sC-- 298/291/9/2/3 0/0 \"POST /%w/%w "
      "HTTP/1.1\""}},
    {"app",
     17,
     {"level=info component=billing invoice=%n customer=%x amount=%n.99 currency=EUR "
      "duration_ms=%m trace=%x%x",
      "level=warn component=checkout slow query on %h took %m ms: SELECT * FROM orders WHERE id = "
      "%n trace=%x%x",
      "level=error component=auth user=%u source=%a reason=\"token expired\" token=%x%x%x retry=%n "
      "trace=%x"}},
};

static void add_v4(struct prng *random, struct buf *out)
{
    uint32_t a = (uint32_t)prng_below(random, 256), b = (uint32_t)prng_below(random, 256);
    uint32_t c = 1 + (uint32_t)prng_below(random, 254);
    switch (prng_below(random, 4)) {
    case 0: buf_printf(out, "10.%u.%u.%u", a, b, c); break;
    case 1: buf_printf(out, "192.168.%u.%u", a, c); break;
    case 2: buf_printf(out, "198.51.100.%u", c); break;
    default: buf_printf(out, "203.0.113.%u", c); break;
    }
}

static void add_host(struct prng *random, struct buf *out)
{
    buf_printf(out, "%s%02u-%s", PICK(random, roles), 1 + (uint32_t)prng_below(random, 40),
               PICK(random, sites));
}

static void add_part(char code, struct prng *random, struct buf *out)
{
    switch (code) {
    case 'a': add_v4(random, out); break;
    case 'u': buf_add_cstr(out, PICK(random, users)); break;
    case 'n': buf_printf(out, "%u", (uint32_t)prng_below(random, 100000)); break;
    case 'm': buf_printf(out, "%u", (uint32_t)prng_below(random, 3000)); break;
    case 'p': buf_printf(out, "%u", 1024 + (uint32_t)prng_below(random, 64000)); break;
    case 'x': buf_printf(out, "%08x", (uint32_t)prng_next(random)); break;
    case 'h': add_host(random, out); break;
    case 'w': buf_add_cstr(out, PICK(random, words)); break;
    default: PANIC("unknown code in a message");
    }
}

static void add_message(const char *text, struct prng *random, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            buf_add_byte(out, *text);
            continue;
        }
        add_part(*++text, random, out);
    }
}

static void add_marker(uint32_t wanted, const char *before, struct buf *out,
                       struct workload_line *marks)
{
    if ((wanted & MARK_NUMBER) == 0) return;
    buf_add_cstr(out, before);
    marks->number_at = out->n + 4;
    buf_add_cstr(out, MARKER);
    if ((wanted & MARK_SENT) == 0) return;
    buf_add_cstr(out, before);
    marks->sent_at = out->n + 5;
    buf_add_cstr(out, SENT);
}

/* Room for a stamp that the corpus fills in. */
static void add_stamp(uint32_t bytes, struct buf *out, struct workload_line *marks)
{
    marks->stamp_at = out->n;
    for (uint32_t i = 0; i < bytes; i++) buf_add_byte(out, '0');
}

static void line_rfc3164(struct prng *random, uint32_t wanted, struct buf *out,
                         struct workload_line *marks)
{
    const struct program *program = &PICK(random, programs);
    buf_printf(out, "<%u>", program->facility * 8u + 2 + (uint32_t)prng_below(random, 6));
    add_stamp(15, out, marks);
    buf_add_byte(out, ' ');
    add_host(random, out);
    if (program->facility == 0)
        buf_printf(out, " %s: ", program->name);
    else
        buf_printf(out, " %s[%u]: ", program->name, 300 + (uint32_t)prng_below(random, 32000));
    add_message(PICK(random, program->messages), random, out);
    add_marker(wanted, " ", out, marks);
}

static void line_rfc5424(struct prng *random, uint32_t wanted, struct buf *out,
                         struct workload_line *marks)
{
    const struct program *program = &PICK(random, programs);
    buf_printf(out, "<%u>1 ", program->facility * 8u + 2 + (uint32_t)prng_below(random, 6));
    add_stamp(19, out, marks);
    buf_printf(out, ".%06uZ ", (uint32_t)prng_below(random, 1000000));
    add_host(random, out);
    buf_printf(out, " %s %u ID%u ", program->name, 300 + (uint32_t)prng_below(random, 32000),
               (uint32_t)prng_below(random, 100));
    if (prng_below(random, 4) == 0)
        buf_printf(out, "[origin@32473 ip=\"192.0.2.%u\" software=\"%s\"] ",
                   (uint32_t)prng_below(random, 256), program->name);
    else
        buf_add_cstr(out, "- ");
    add_message(PICK(random, program->messages), random, out);
    add_marker(wanted, " ", out, marks);
}

/* 80 % IPv4, 10 % IPv6, 10 % names. */
static void add_client(struct prng *random, struct buf *out)
{
    uint64_t kind = prng_below(random, 10);
    if (kind < 8)
        add_v4(random, out);
    else if (kind == 8)
        buf_printf(out, "2001:db8:%x:%x::%x", (uint32_t)prng_below(random, 65536),
                   (uint32_t)prng_below(random, 65536), 1 + (uint32_t)prng_below(random, 65535));
    else
        buf_printf(out, "dsl-%u.pool%u.example.net", (uint32_t)prng_below(random, 100000),
                   (uint32_t)prng_below(random, 100));
}

/* One request in 200 is not "METHOD path HTTP/x": the pattern's other branch. */
static void add_request(struct prng *random, uint32_t wanted, struct buf *out,
                        struct workload_line *marks)
{
    static const char *const methods[] = {"GET", "GET", "GET", "GET", "POST", "HEAD", "PUT"};
    if (prng_below(random, 200) == 0) {
        buf_add_cstr(out, prng_below(random, 2) == 0 ? "\\x16\\x03\\x01" : "-");
        add_marker(wanted, " ", out, marks);
        return;
    }
    buf_printf(out, "%s /%s/%s/%u?page=%u", PICK(random, methods), PICK(random, words),
               PICK(random, words), (uint32_t)prng_below(random, 100000),
               (uint32_t)prng_below(random, 50));
    add_marker(wanted, "&", out, marks);
    buf_printf(out, " HTTP/1.%u", prng_below(random, 20) == 0 ? 0 : 1);
}

static void line_apache(struct prng *random, uint32_t wanted, struct buf *out,
                        struct workload_line *marks)
{
    static const uint16_t statuses[] = {200, 200, 200, 200, 200, 200, 304, 301, 404, 500, 403};
    add_client(random, out);
    buf_printf(out, " - %s [", prng_below(random, 5) == 0 ? PICK(random, users) : "-");
    add_stamp(20, out, marks);
    buf_add_cstr(out, " +0000] \"");
    add_request(random, wanted, out, marks);
    buf_printf(out, "\" %u ", PICK(random, statuses));
    if (prng_below(random, 12) == 0)
        buf_add_byte(out, '-');
    else
        buf_printf(out, "%u", (uint32_t)prng_below(random, 90000));
    if (prng_below(random, 3) == 0)
        buf_add_cstr(out, " \"-\"");
    else
        buf_printf(out, " \"https://www.example.com/%s/%s\"", PICK(random, words),
                   PICK(random, words));
    buf_printf(out, " \"%s\"", PICK(random, agents));
}

/* Ten top fields and a nested object of three; one line in ten has escapes. */
static void line_ndjson(struct prng *random, uint32_t wanted, struct buf *out,
                        struct workload_line *marks)
{
    static const char *const levels[] = {"INFO", "INFO", "INFO", "WARN", "ERROR", "DEBUG"};
    static const char *const plain[] = {
        "request served from the upstream pool without a retry and within its budget",
        "payment authorised by the provider, order handed over to fulfilment and shipping",
        "cache entry refreshed in the background because its time to live ran out early"};
    static const char *const escaped[] = {"parser said \\\"unexpected token\\\" at "
                                          "C:\\\\srv\\\\app\\\\main.js\\nretrying with defaults",
                                          "user typed \\u201cquotes\\u201d and a tab\\there, "
                                          "stored as written by the \\\"forms\\\" service"};
    buf_add_cstr(out, "{\"@timestamp\":\"");
    add_stamp(19, out, marks);
    buf_printf(
        out,
        ".%03uZ\",\"level\":\"%s\",\"logger\":\"com.example.%s.Service\",\"thread\":\"worker-%u\",",
        (uint32_t)prng_below(random, 1000), PICK(random, levels), PICK(random, words),
        (uint32_t)prng_below(random, 64));
    buf_add_cstr(out, "\"host\":\"");
    add_host(random, out);
    buf_printf(out, "\",\"message\":\"%s",
               prng_below(random, 10) == 0 ? PICK(random, escaped) : PICK(random, plain));
    add_marker(wanted, " ", out, marks);
    buf_printf(out, "\",\"status\":%u,\"duration\":%u.%03u,\"trace\":\"%08x%08x\",",
               200 + (uint32_t)prng_below(random, 4) * 100, (uint32_t)prng_below(random, 900),
               (uint32_t)prng_below(random, 1000), (uint32_t)prng_next(random),
               (uint32_t)prng_next(random));
    buf_printf(out, "\"user\":{\"name\":\"%s\",\"id\":%u,\"admin\":%s}}", PICK(random, users),
               (uint32_t)prng_below(random, 100000), prng_below(random, 9) == 0 ? "true" : "false");
}

static void line_short(struct prng *random, uint32_t wanted, struct buf *out,
                       struct workload_line *marks)
{
    buf_printf(out, "%s %s=%u", PICK(random, roles), PICK(random, words),
               (uint32_t)prng_below(random, 1000));
    add_marker(wanted, " ", out, marks);
}

/* An event as Filebeat 8 ships a line of a file. */
static void line_beats(struct prng *random, uint32_t wanted, struct buf *out,
                       struct workload_line *marks)
{
    const struct program *program = &PICK(random, programs);
    buf_add_cstr(out, "{\"@timestamp\":\"");
    add_stamp(19, out, marks);
    buf_printf(out,
               ".%03uZ\",\"@metadata\":{\"beat\":\"filebeat\",\"type\":\"_doc\",\"version\":"
               "\"8.13.0\"},\"log\":{\"offset\":%u,\"file\":{\"path\":\"/var/log/%s.log\"}},",
               (uint32_t)prng_below(random, 1000), (uint32_t)prng_below(random, 1000000000),
               PICK(random, words));
    buf_add_cstr(out, "\"message\":\"");
    add_host(random, out);
    buf_printf(out, " %s: request took %u ms for ", program->name,
               (uint32_t)prng_below(random, 3000));
    add_v4(random, out);
    add_marker(wanted, " ", out, marks);
    buf_add_cstr(out, "\",\"input\":{\"type\":\"filestream\"},\"ecs\":{\"version\":\"8.0.0\"},"
                      "\"host\":{\"name\":\"");
    add_host(random, out);
    buf_printf(out,
               "\"},\"agent\":{\"type\":\"filebeat\",\"version\":\"8.13.0\",\"ephemeral_id\":"
               "\"%08x-6f7e-4b3c-9d2a\",\"id\":\"0f3f8a52-71cc-4c5e-8f10\",\"name\":\"web\"}}",
               (uint32_t)prng_next(random));
}

const char *workload_stamp_format(enum workload_kind kind)
{
    switch (kind) {
    case WORKLOAD_RFC3164: return "%b %e %H:%M:%S";
    case WORKLOAD_RFC5424:
    case WORKLOAD_BEATS:
    case WORKLOAD_NDJSON: return "%Y-%m-%dT%H:%M:%S";
    case WORKLOAD_APACHE: return "%d/%b/%Y:%H:%M:%S";
    default: return NULL;
    }
}

void workload_line(enum workload_kind kind, struct prng *random, uint32_t wanted, struct buf *out,
                   struct workload_line *marks)
{
    marks->number_at = marks->stamp_at = marks->sent_at = SIZE_MAX;
    switch (kind) {
    case WORKLOAD_RFC3164: line_rfc3164(random, wanted, out, marks); break;
    case WORKLOAD_RFC5424: line_rfc5424(random, wanted, out, marks); break;
    case WORKLOAD_APACHE: line_apache(random, wanted, out, marks); break;
    case WORKLOAD_NDJSON: line_ndjson(random, wanted, out, marks); break;
    case WORKLOAD_SHORT: line_short(random, wanted, out, marks); break;
    case WORKLOAD_BEATS: line_beats(random, wanted, out, marks); break;
    case WORKLOAD_FILE: PANIC("a file's lines are not made");
    }
}
