/*
 * filters.c - what filters take for an event, a field or an operation, beside their budgets.
 *
 * Each case is a filter section run over a batch as inputs make them; making the events is not
 * measured. "a field", "a pair": the time of the whole filter divided by them. Run it from the
 * source folder. What ruby takes is time on the wall: its work is done by another process.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/harness/harness.h"
#include "bench/harness/plan_rig.h"
#include "engine/base/assert.h"
#include "engine/registry.h"

/* Events of a batch: as many as a full one has, see engine/shard/worker.h. */
#define EVENTS 1024u
#define RUBY_EVENTS 500u

struct filter_case {
    const char *name, *config;
    uint32_t units; /* fields, pairs, operations of one event */
    double budget_ns;
    const char *message; /* NULL: the line of a web server; its # becomes a number */
    uint32_t numbers;    /* how many different ones; 0: always another */
};

struct running {
    struct plan_rig rig;
    const struct filter_case *c;
    uint32_t events, at;
};

enum name { MESSAGE, HOST, TYPE, STATUS, BYTES, DURATION, PADDED, WORDS, LIST, METHOD, NAMES };
static const char *const names[NAMES] = {"message",  "host",   "type",  "status", "bytes",
                                         "duration", "padded", "words", "list",   "method"};
static struct page_pool pool;
static struct arena arena;
static struct key keys[NAMES];

static slice numbered(struct arena *to, const char *format, uint32_t number)
{
    char text[512];
    const char *mark = strchr(format, '#');
    if (mark == NULL) return arena_copy(to, slice_from_cstr(format));
    int n =
        snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - format), format, number, mark + 1);
    return arena_copy(to, slice_make(text, (size_t)n));
}

static void put(struct batch *b, struct event *ev, enum name name, struct value val)
{
    map_append(&ev->data, &b->arena, keys[name], val);
}

static void put_text(struct batch *b, struct event *ev, enum name name, const char *format,
                     uint32_t number)
{
    put(b, ev, name, value_string(numbered(&b->arena, format, number)));
}

static void fields_make(struct batch *b, struct event *ev, uint32_t number)
{
    static const char *const types[] = {"syslog", "apache", "app"};
    struct value *items = arena_alloc(&b->arena, 3 * sizeof(*items), 16);
    for (uint32_t i = 0; i < 3; i++)
        items[i] = value_string(numbered(&b->arena, "item #", number + i));
    put_text(b, ev, MESSAGE, "GET /shop/item/#.html?session=17 HTTP/1.1 done", number);
    put_text(b, ev, HOST, "web-#.example.com", number % 100);
    put_text(b, ev, TYPE, types[number % 3], 0);
    put(b, ev, STATUS, value_int(200 + number % 300));
    put_text(b, ev, BYTES, "#", number % 100000);
    put_text(b, ev, DURATION, "0.#25", number % 1000);
    put_text(b, ev, PADDED, "  some text #  ", number);
    put_text(b, ev, WORDS, "red,green,blue,#", number);
    put(b, ev, LIST, value_list(items, 3));
    put_text(b, ev, METHOD, "Get Item #", number);
}

static void events_make(void *opaque)
{
    struct running *r = opaque;
    struct batch *b = &r->rig.batch;
    batch_reset(b);
    for (uint32_t i = 0; i < r->events; i++) {
        struct event *ev = batch_add(b);
        uint32_t numbers = r->c->numbers == 0 ? 1u << 30 : r->c->numbers;
        uint32_t number = (uint32_t)(r->at++ * 7919ull % numbers);
        map_reserve(&ev->data, &b->arena, batch_fields_room(b, MAP_CAP_FIRST));
        event_add_version(b, ev);
        if (r->c->message == NULL)
            fields_make(b, ev, number);
        else
            put_text(b, ev, MESSAGE, r->c->message, number);
    }
}

static uint64_t step(void *opaque)
{
    struct running *r = opaque;
    plan_rig_step(&r->rig);
    return r->rig.batch.n;
}

static void measure(const struct filter_case *c, const char *config, uint32_t events, bool wall)
{
    struct running r = {.c = c, .events = events};
    plan_rig_init(&r.rig, &plugin_registry, config);
    bench_run(&(struct bench_case){.name = c->name,
                                   .body = step,
                                   .prepare = events_make,
                                   .opaque = &r,
                                   .events = (uint64_t)events * c->units,
                                   .wall = wall,
                                   .budget_ns = c->budget_ns});
    plan_rig_fini(&r.rig);
}

/* ---- cases ------------------------------------------------------------------------------- */

#define MUTATE(option) "filter { mutate { " option " } }"
#define IF(condition) "filter { if " condition " { drop { } } }"
#define CITY "database => 'tests/spec/geoip/city.mmdb' target => 'g'"
#define CHROME                                                                                     \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.71 Safari/537.36"
#define ANDROID                                                                                    \
    "Mozilla/5.0 (Linux; Android 13; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "            \
    "Chrome/#.0.6099.43 Mobile Safari/537.36"
#define ROBOT "Mozilla/5.0 (compatible; AcmeBot/#; +https://acme.example/bot.html)"
#define ACCESS                                                                                     \
    "10.1.2.3 - frank [05/Mar/2024:06:07:08 +0200] \"GET /shop/item/#.html?session=17 HTTP/1.1\" " \
    "200 4711 \"http://www.example.com/shop/17\" \"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) "     \
    "Gecko/20100101 Firefox/115.0\""
#define GROK(mode)                                                                                 \
    "filter { grok { ecs_compatibility => " mode                                                   \
    " match => { 'message' => '%{COMBINEDAPACHELOG}' } } }"
#define TEXT_200                                                                                   \
    "Mar  5 06:07:08 web-1 sshd[4711]: connection # from 10.1.2.3 accepted for user frank, "       \
    "session timeout 3600 seconds, worker request closed, and the rest of a line that is two "     \
    "hundred bytes long in all"

/* clang-format off */
static const struct filter_case cases[] = {
    {"csv, a field of 10", "filter { csv { } }", 10, 40,
     "2024-03-05,web-1,GET,/index.html,200,#,eu-west,1.5,yes,end", 0},
    {"csv, a field of 6, quoted", "filter { csv { } }", 6, 40,
     "#,\"a, b\",\"say \"\"hi\"\" to\",\"plain\",17,\"end\"", 0},
    {"kv, a pair of 10", "filter { kv { } }", 10, 35,
     "IN=eth0 OUT=eth1 SRC=10.0.1.2 DST=192.168.1.7 LEN=60 PROTO=TCP SPT=# DPT=443 WINDOW=29200 "
     "MARK=0x1", 0},
    {"kv, a pair of 5, quoted", "filter { kv { } }", 5, 35,
     "time=\"2024-03-05 06:07:08\" level=\"info\" msg=\"all is well\" user='frank' id=\"#\"", 0},
    {"kv, a pair of 10, target", "filter { kv { target => 't' } }", 10, 35,
     "IN=eth0 OUT=eth1 SRC=10.0.1.2 DST=192.168.1.7 LEN=60 PROTO=TCP SPT=# DPT=443 WINDOW=29200 "
     "MARK=0x1", 0},
    {"grok, COMBINEDAPACHELOG", GROK("disabled"), 1, 300, ACCESS, 0},
    {"grok, ECS COMBINEDAPACHELOG", GROK("v8"), 1, 350, ACCESS, 0},
    {"dissect, a field of 8",
     "filter { dissect { mapping => { 'message' => "
     "'<%{pri}>%{month} %{day} %{time} %{host} %{prog}[%{pid}]: %{text}' } } }", 8, 20,
     "<13>Mar 5 06:07:08 web-1 app[#]: it works: yes", 0},
    {"dissect, a field of 8, web server",
     "filter { dissect { mapping => { 'message' => "
     "'%{ip} %{} %{user} [%{ts}] \"%{verb} %{path} %{proto}\" %{code} %{bytes}' } } }", 8, 20,
     "10.0.0.1 - ann# [05/Mar/2024:06:07:08 +0000] \"GET /x?y=z HTTP/1.1\" 200 17", 0},
    {"geoip, known", "filter { geoip { source => 'message' " CITY " } }", 1, 60, "192.0.2.#", 100},
    {"geoip, known, no ECS",
     "filter { geoip { source => 'message' ecs_compatibility => disabled " CITY " } }", 1, 60,
     "192.0.2.#", 100},
    {"geoip, new", "filter { geoip { source => 'message' " CITY " } }", 1, 2000,
     "2001:db8:a::#", 9999},
    {"useragent, known", "filter { useragent { source => 'message' } }", 1, 80, CHROME, 100},
    {"useragent, known, no ECS",
     "filter { useragent { source => 'message' target => 'u' ecs_compatibility => disabled } }", 1,
     80, CHROME, 100},
    {"useragent, known, no ECS, no target",
     "filter { useragent { source => 'message' ecs_compatibility => disabled } }", 1, 80, CHROME,
     100},
    {"useragent, new desktop", "filter { useragent { source => 'message' } }", 1, 15000, CHROME, 0},
    {"useragent, new phone", "filter { useragent { source => 'message' } }", 1, 15000, ANDROID, 0},
    {"useragent, new robot", "filter { useragent { source => 'message' } }", 1, 15000, ROBOT, 0},
    {"useragent, new tool", "filter { useragent { source => 'message' } }", 1, 15000, "curl/#.4",
     0},
    {"fingerprint, SHA-256 of 200 bytes", "filter { fingerprint { method => 'SHA256' } }", 1, 150,
     TEXT_200, 0},
    {"fingerprint, SHA-256 of 200 bytes, keyed",
     "filter { fingerprint { method => 'SHA256' key => 'secret' } }", 1, 0, TEXT_200, 0},
    {"fingerprint, MURMUR3 of 200 bytes", "filter { fingerprint { method => 'MURMUR3' } }", 1, 0,
     TEXT_200, 0},
    {"mutate, rename", MUTATE("rename => { 'host' => 'hostname' }"), 1, 30, NULL, 0},
    {"mutate, convert to integer", MUTATE("convert => { 'bytes' => 'integer' }"), 1, 30, NULL, 0},
    {"mutate, convert to float", MUTATE("convert => { 'duration' => 'float' }"), 1, 30, NULL, 0},
    {"mutate, convert to boolean", MUTATE("convert => { 'bytes' => 'boolean' }"), 1, 30, NULL, 0},
    {"mutate, convert integer to string", MUTATE("convert => { 'status' => 'string' }"), 1, 30,
     NULL, 0},
    {"mutate, gsub literal", MUTATE("gsub => [ 'message', 'session', 's' ]"), 1, 30, NULL, 0},
    {"mutate, gsub one character", MUTATE("gsub => [ 'message', '/', '_' ]"), 1, 30, NULL, 0},
    {"mutate, gsub literal, not found", MUTATE("gsub => [ 'message', 'nothing', 's' ]"), 1, 30,
     NULL, 0},
    {"mutate, remove_field", MUTATE("remove_field => [ 'words' ]"), 1, 30, NULL, 0},
    {"mutate, remove_field, one of 5",
     MUTATE("remove_field => [ 'message', 'host', 'words', 'list', 'method' ]"), 5, 30, NULL, 0},
    {"mutate, add_field", MUTATE("add_field => { 'env' => 'production' }"), 1, 30, NULL, 0},
    {"mutate, add_field %{field}", MUTATE("add_field => { 'env' => 'on %{host}' }"), 1, 0, NULL, 0},
    {"mutate, add_tag", MUTATE("add_tag => [ 'web' ]"), 1, 30, NULL, 0},
    {"mutate, lowercase", MUTATE("lowercase => [ 'method' ]"), 1, 30, NULL, 0},
    {"mutate, uppercase", MUTATE("uppercase => [ 'host' ]"), 1, 30, NULL, 0},
    {"mutate, strip", MUTATE("strip => [ 'padded' ]"), 1, 30, NULL, 0},
    {"mutate, split in 4", MUTATE("split => { 'words' => ',' }"), 1, 30, NULL, 0},
    {"mutate, join of 3", MUTATE("join => { 'list' => ', ' }"), 1, 30, NULL, 0},
    {"mutate, replace", MUTATE("replace => { 'type' => 'web' }"), 1, 30, NULL, 0},
    {"mutate, update", MUTATE("update => { 'type' => 'web' }"), 1, 30, NULL, 0},
    {"mutate, copy", MUTATE("copy => { 'host' => 'hostname' }"), 1, 30, NULL, 0},
    {"mutate, one of 5",
     MUTATE("rename => { 'host' => '[host][name]' } convert => { 'bytes' => 'integer' } "
            "lowercase => [ 'method' ] strip => [ 'padded' ] replace => { 'type' => 'web' }"), 5,
     30, NULL, 0},
    {"if [type] == text", IF("[type] == 'never'"), 1, 10, NULL, 0},
    {"if [status] >= number", IF("[status] >= 1000"), 1, 10, NULL, 0},
    {"if [nothing]", IF("[nothing]"), 1, 10, NULL, 0},
    {"if one of 2 joined by and", IF("[type] == 'app' and [status] > 1000"), 2, 10, NULL, 0},
    {"if one of 2 joined by or", IF("[nothing] or [status] > 1000"), 2, 10, NULL, 0},
    {"if [type] in list of four", IF("[type] in ['a', 'bb', 'ccc', 'dddd']"), 1, 10, NULL, 0},
    {"if text in [message]", IF("'never' in [message]"), 1, 10, NULL, 0},
    {"if [message] =~ /literal/", IF("[message] =~ /never/"), 1, 0, NULL, 0},
};
/* clang-format on */

/* ---- what needs more than a line ----------------------------------------------------------- */

/* A dictionary as a file, as big ones are. */
static void measure_translate(const struct filter_case *c, const char *options, uint32_t entries,
                              const char *key)
{
    char path[] = "/tmp/bench-XXXXXX.csv", config[400];
    if (!bench_wanted(c->name)) return;
    int fd = mkstemps(path, 4);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    ASSERT(file != NULL);
    const char *mark = strchr(key, '#');
    for (uint32_t i = 0; i < entries; i++)
        fprintf(file, "%.*s%u%s,value %u\n", (int)(mark - key), key, i, mark + 1, i);
    fclose(file);
    snprintf(
        config, sizeof(config),
        "filter { translate { source => 'message' target => 't' %s dictionary_path => '%s' } }",
        options, path);
    measure(c, config, EVENTS, false);
    unlink(path);
}

static void measure_ruby(const struct filter_case *c)
{
    if (!bench_wanted(c->name)) return;
    /* NOLINTNEXTLINE(cert-env33-c): a fixed command */
    if (system("ruby -e 0 >/dev/null 2>&1") != 0) {
        fprintf(stderr, "filters: %s: skipped: there is no program `ruby`\n", c->name);
        return;
    }
    measure(c, c->config, RUBY_EVENTS, true);
}

int main(int argc, char **argv)
{
    static const struct filter_case
        exact = {"translate, exact, of 100,000", NULL, 1, 60, "host-#.example", 100000},
        regex = {"translate, regex, of 1,000", NULL, 1, 1000, "code-#: text", 1000},
        ruby = {"ruby, two lines, batch of 500",
                "filter { ruby { code => 'n = event.get(\"status\")\n"
                "event.set(\"failed\", n >= 400)' } }",
                1,
                4000,
                NULL,
                0};
    bench_begin(argc, argv, "filters");
    page_pool_init(&pool, SIZE_MAX);
    arena_init(&arena, &pool);
    for (uint32_t i = 0; i < NAMES; i++) keys[i] = key_make(&arena, slice_from_cstr(names[i]));
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (bench_wanted(cases[i].name)) measure(&cases[i], cases[i].config, EVENTS, false);
    measure_translate(&exact, "", 100000, "host-#.example");
    measure_translate(&regex, "regex => true", 1000, "^code-#: ");
    measure_ruby(&ruby);
    arena_fini(&arena);
    page_pool_fini(&pool);
    return bench_end();
}
