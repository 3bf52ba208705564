/* lines.c - synthetic log lines. */
#include "bench/harness/lines.h"

#include <stdlib.h>

#include "engine/base/assert.h"

static uint32_t below(struct prng *r, uint32_t n)
{
    return (uint32_t)prng_below(r, n);
}

static void add_words(struct prng *r, size_t until, struct buf *out)
{
    static const char *const words[] = {"connection", "from",   "accepted", "user",   "session",
                                        "timeout",    "worker", "request",  "closed", "10.1.2.3"};
    while (out->n < until) buf_printf(out, "%s ", words[below(r, 10)]);
}

static const char *program(struct prng *r)
{
    static const char *const programs[] = {"sshd", "nginx", "postfix/smtpd", "kernel", "systemd"};
    return programs[below(r, 5)];
}

void line_rfc3164(struct prng *r, struct buf *out)
{
    size_t until = out->n + 165 + below(r, 80);
    buf_printf(out, "<%u>Mar %2u ", 1 + below(r, 190), 1 + below(r, 28));
    buf_printf(out, "06:07:%02u ", below(r, 60));
    buf_printf(out, "web-%02u.example.com %s", below(r, 100), program(r));
    if (below(r, 4) > 0) buf_printf(out, "[%u]", 1 + below(r, 30000));
    buf_add_cstr(out, ": ");
    add_words(r, until, out);
}

void line_rfc5424(struct prng *r, struct buf *out)
{
    size_t until = out->n + 186 + below(r, 80);
    buf_printf(out, "<%u>1 2024-03-%02uT06:07:", 1 + below(r, 190), 1 + below(r, 28));
    buf_printf(out, "%02u.123Z web-%02u.example.com ", below(r, 60), below(r, 100));
    buf_printf(out, "%s %u ID47 [x@1 a=\"b\" c=\"d\"] ", program(r), 1 + below(r, 30000));
    add_words(r, until, out);
}

void line_access(struct prng *r, struct buf *out)
{
    static const char *const agents[] = {
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36", "curl/7.88.1"};
    for (int i = 0; i < 4; i++) buf_printf(out, "%u%s", below(r, 256), i < 3 ? "." : " - ");
    buf_printf(out, "%s [%02u/Oct/2023:", below(r, 2) ? "-" : "frank", 1 + below(r, 28));
    buf_printf(out, "%02u:%02u:", below(r, 24), below(r, 60));
    buf_printf(out, "%02u +0200] \"GET /images/%u/", below(r, 60), below(r, 1000));
    buf_printf(out, "product-%u.html?session=", below(r, 100000));
    buf_printf(out, "%u HTTP/1.1\" %u ", below(r, 1000000), below(r, 9) ? 200 : 404);
    buf_printf(out, "%u \"http://www.example.com/", below(r, 100000));
    buf_printf(out, "shop/%u\" \"%s\"", below(r, 1000), agents[below(r, 3)]);
}

void line_firewall(struct prng *r, struct buf *out)
{
    buf_printf(out, "Mar %2u 04:05:%02u ", 1 + below(r, 28), below(r, 60));
    buf_printf(out, "fw-%u kernel: [%u.", below(r, 10), below(r, 100000));
    buf_printf(out, "%06u] DROP IN=eth0 OUT= SRC=10.0.", below(r, 1000000));
    buf_printf(out, "%u.%u DST=192.168.1.", below(r, 256), below(r, 256));
    buf_printf(out, "%u LEN=60 PROTO=TCP SPT=%u DPT=443", below(r, 256), below(r, 65536));
}

void line_json(struct prng *r, const char *word, struct buf *out)
{
    static const char *const verb[] = {"GET", "POST", "PUT", "HEAD"};
    static const char *const level[] = {"info", "warn", "error", "debug"};
    buf_printf(out, "{\"time\":\"2024-03-05T06:%02u:%02u.", below(r, 60), below(r, 60));
    buf_printf(out, "%03uZ\",\"level\":\"%s\",", below(r, 1000), level[below(r, 4)]);
    buf_printf(out, "\"service\":\"checkout-%u\",", below(r, 20));
    buf_printf(out, "\"host\":\"web-%02u.example.net\",", below(r, 100));
    buf_printf(out, "\"method\":\"%s\",\"path\":", verb[below(r, 4)]);
    buf_printf(out, "\"/api/v1/orders/%u\",\"status\":", below(r, 1000000));
    buf_printf(out, "%u,\"bytes\":%u,", 200 + below(r, 300), below(r, 100000));
    buf_printf(out, "\"duration_ms\":%u.%03u,", below(r, 1000), below(r, 1000));
    buf_printf(out, "\"client\":\"10.%u.%u.", below(r, 256), below(r, 256));
    buf_printf(out, "%u\",\"user_id\":%u,", below(r, 256), below(r, 1000000));
    buf_printf(out, "\"ok\":%s,\"trace\":\"", below(r, 2) ? "true" : "false");
    buf_printf(out, "%016llx", (unsigned long long)prng_next(r));
    buf_printf(out, "%016llx\",", (unsigned long long)prng_next(r));
    buf_printf(out, "\"message\":\"%s %u done\"}", word, below(r, 100000));
}

void lines_make(struct lines *l, uint32_t n, void (*write)(struct prng *, struct buf *))
{
    struct prng r;
    uint32_t *end = calloc(n, sizeof(*end));
    prng_seed(&r, 1);
    *l = (struct lines){.n = n, .line = calloc(n, sizeof(slice))};
    ASSERT(end != NULL && l->line != NULL);
    for (uint32_t i = 0; i < n; i++) {
        write(&r, &l->text);
        end[i] = (uint32_t)l->text.n;
        buf_add_byte(&l->text, '\n');
    }
    /* Vectors may be loaded behind the last one. */
    buf_room(&l->text, 256);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t from = i == 0 ? 0 : end[i - 1] + 1;
        l->line[i] = slice_make(l->text.data + from, end[i] - from);
    }
    free(end);
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->text);
    free(l->line);
}
