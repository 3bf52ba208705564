/* avro_test.c - datums in base64 and plain, failures, events that fit and do not, schemas from
 * files and over HTTP, and what is said about bad ones. */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/engine/codecs/codec_rig.h"

static const char person[] =
    "{\"type\":\"record\",\"name\":\"person\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"},"
    "{\"name\":\"age\",\"type\":[\"null\",\"int\"]}]}";

/* A file with the schema and a codec with it and these options; both texts live until the next. */
static const char *schema_file(const char *schema)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/avro_test_%d.avsc", (int)getpid());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(schema, file);
    fclose(file);
    return path;
}

static const char *avro(const char *schema, const char *options)
{
    static char text[512];
    snprintf(text, sizeof(text), "avro { schema_uri => \"%s\" %s }", schema_file(schema), options);
    return text;
}

static void test_decode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, avro(person, ""), "disabled");
    assert_decodes(&r, "BkFubgJU", "{\"name\":\"Ann\",\"age\":42}\n");
    assert_decodes(&r, "BkFubgA=", "{\"name\":\"Ann\",\"age\":null}\n");
    assert_decodes(&r, "\x06\x41nn\x02T", "{\"name\":\"Ann\",\"age\":42}\n"); /* no base64 */
    assert_decodes(&r, "", "");
    assert_decodes(&r, "BkFubgI=", ""); /* cut */
    codec_rig_fini(&r);
    codec_rig_init(&r, avro(person, "encoding => binary tag_on_failure => true"), "disabled");
    assert_decodes(&r, "\x06\x41nn\x02T", "{\"name\":\"Ann\",\"age\":42}\n");
    assert_decodes(&r, "\x06\x41nn\x02",
                   "{\"message\":\"\\u0006Ann\\u0002\",\"tags\":[\"_avroparsefailure\"]}\n");
    assert_decodes(&r, "\xff", "{\"message\":\"\xEF\xBF\xBD\",\"tags\":[\"_avroparsefailure\"]}\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, avro("\"string\"", "encoding => binary tag_on_failure => true"), "disabled");
    assert_decodes(&r, "\x02x", "{\"message\":\"\\u0002x\",\"tags\":[\"_avroparsefailure\"]}\n");
    codec_rig_fini(&r);
    unlink(schema_file(person));
}

static void test_target_and_original(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, avro(person, "target => \"[p][q]\""), "v8");
    assert_decodes(&r, "BkFubgA=",
                   "{\"p\":{\"q\":{\"name\":\"Ann\",\"age\":null}},\"event\":{\"original\":"
                   "\"BkFubgA=\"}}\n");
    codec_rig_fini(&r);
    codec_rig_init(&r, avro(person, "ecs_compatibility => disabled"), "v8");
    assert_decodes(&r, "BkFubgA=", "{\"name\":\"Ann\",\"age\":null}\n");
    codec_rig_fini(&r);
    unlink(schema_file(person));
}

static void test_encode(void **unused)
{
    (void)unused;
    struct codec_rig r;
    codec_rig_init(&r, avro(person, ""), "disabled");
    assert_encodes(&r, "{\"name\":\"Ann\",\"age\":42,\"more\":1}", "BkFubgJU");
    assert_encodes(&r, "{\"name\":\"Ann\"}", "BkFubgA=");
    assert_encodes(&r, "{\"age\":42}", "");
    assert_encodes(&r, "{\"name\":\"Ann\",\"age\":\"42\"}", "");
    codec_rig_fini(&r);
    codec_rig_init(&r,
                   avro("{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"@timestamp\","
                        "\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
                        "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"string\"}}]}",
                        "encoding => binary"),
                   "disabled");
    slice got = codec_rig_encode(&r, "{\"m\":{\"k\":\"a\\n\"}}");
    static const char want[] = "\xc0\xcb\xc8\xd3\xc1\x63\x02\x02k\x04"
                               "a\n";
    assert_slice_equal(got, slice_make(want, sizeof(want))); /* ends with a zero */
    char copy[64];
    memcpy(copy, got.p, got.n);
    r.time = true;
    assert_decodes_slice(&r, slice_make(copy, got.n),
                         "{\"m\":{\"k\":\"a\\n\"}} #\"2024-03-05T06:07:08.000Z\"\n");
    codec_rig_fini(&r);
    unlink(schema_file(person));
}

/* ---- what is said ------------------------------------------------------------------ */

static void assert_said(const char *codec, const char *want)
{
    FILE *old = stderr;
    char *text = NULL;
    size_t n = 0;
    stderr = open_memstream(&text, &n);
    struct codec_rig r = {0};
    struct plan *plan = codec_rig_plan(&r, codec, "disabled");
    fclose(stderr);
    stderr = old;
    heap_fini(&r.settings_heap);
    assert_null(plan);
    if (strstr(text, want) == NULL) fail_msg("got:\n%s\nwanted:\n%s", text, want);
    free(text);
}

static void assert_schema_said(const char *schema, const char *want)
{
    char all[1024];
    snprintf(all, sizeof(all), "%s:%s", schema_file(schema), want);
    assert_said(avro(schema, ""), all);
}

static void test_bad_schemas(void **unused)
{
    (void)unused;
    assert_schema_said("{\"type\": \"record\",\n \"name\" \"r\"}", "2:9: error: bad Avro schema: ");
    assert_schema_said("{\"type\": \"record\", \"name\": \"r\", \"fields\": [\n"
                       "  {\"name\": \"a\", \"type\": \"strng\"}]}\n",
                       "2:26: error: bad Avro schema: unknown type `strng`\n"
                       "    2 |   {\"name\": \"a\", \"type\": \"strng\"}]}\n"
                       "      |                          ^\n"
                       "  expected a primitive type, or a name that was defined before\n");
    unlink(schema_file(person));
    assert_said("avro { schema_uri => \"/tmp/no such file.avsc\" }",
                "1:47: error: the schema `/tmp/no such file.avsc` cannot be read: No such file");
    assert_said("avro { }", "schema_uri");
    assert_said("avro { schema_uri => \"/tmp\" }", "the schema `/tmp` cannot be read: ");
    assert_said(avro(person, "ssl_enabled => true"), "needs a schema_uri that is https");
    assert_said(avro(person, "username => \"u\""), "username and password go together");
    assert_said(avro(person, "ssl_truststore_path => \"/tmp\""), "ssl_certificate_authorities");
    assert_said("avro { schema_uri => \"https://127.0.0.1/s\" ssl_enabled => false }",
                "needs ssl_enabled => true");
    assert_said("avro { schema_uri => \"https://127.0.0.1/s\" ssl_keystore_type => jks }",
                "PKCS12");
    assert_said("nmap { }", "the codec plugin `nmap` exists in Logstash but not in spate");
    assert_said("nmap", "the codec plugin `nmap` exists in Logstash but not in spate");
    unlink(schema_file(person));
}

/* ---- over HTTP --------------------------------------------------------------------- */

struct server {
    int fd;
    uint16_t port;
    const char *answer;
    char request[2048];
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct server *s = arg;
    int fd = accept(s->fd, NULL, NULL);
    size_t n = 0;
    while (n < sizeof(s->request) - 1 && strstr(s->request, "\r\n\r\n") == NULL) {
        ssize_t got = read(fd, s->request + n, sizeof(s->request) - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    ssize_t sent = write(fd, s->answer, strlen(s->answer));
    (void)sent;
    close(fd);
    return NULL;
}

static void server_start(struct server *s, const char *status, const char *body)
{
    static char answer[2048];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    memset(s, 0, sizeof(*s));
    snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), body);
    s->answer = answer;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(s->fd, 1), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &n), 0);
    s->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    pthread_join(s->thread, NULL);
    close(s->fd);
}

static const char *avro_at(const struct server *s, const char *options)
{
    static char text[256];
    snprintf(text, sizeof(text), "avro { schema_uri => \"http://127.0.0.1:%u/s?v=1\" %s }", s->port,
             options);
    return text;
}

static void test_http(void **unused)
{
    (void)unused;
    struct server s;
    struct codec_rig r;
    server_start(&s, "200 OK", person);
    codec_rig_init(&r, avro_at(&s, ""), "disabled");
    server_stop(&s);
    assert_non_null(strstr(s.request, "GET /s?v=1 HTTP/1.1\r\n"));
    assert_null(strstr(s.request, "Authorization"));
    assert_decodes(&r, "BkFubgJU", "{\"name\":\"Ann\",\"age\":42}\n");
    codec_rig_fini(&r);
    /* As a registry answers. */
    server_start(&s, "200 OK",
                 "{\"subject\":\"x\",\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":"
                 "\\\"r\\\",\\\"fields\\\":[]}\"}");
    codec_rig_init(&r, avro_at(&s, "username => \"u\" password => \"pw\""), "disabled");
    server_stop(&s);
    assert_non_null(strstr(s.request, "Authorization: Basic dTpwdw==\r\n"));
    assert_decodes(&r, "x", "{}\n");
    codec_rig_fini(&r);
    server_start(&s, "404 Not Found", "{}");
    assert_said(avro_at(&s, ""), "the server answered with status 404");
    server_stop(&s);
    server_start(&s, "200 OK", "{\"type\":\"x\"}");
    assert_said(avro_at(&s, ""), "/s?v=1:1:10: error: bad Avro schema: unknown type `x`");
    server_stop(&s);
    assert_said(avro_at(&s, ""), "cannot be fetched from `http://127.0.0.1:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode), cmocka_unit_test(test_target_and_original),
        cmocka_unit_test(test_encode), cmocka_unit_test(test_bad_schemas),
        cmocka_unit_test(test_http)};
    return T_RUN(tests);
}
