/* logstash.yml, flags, pipelines.yml. */
#include "engine/config/process_settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/engine/config/fixture.h"

static const struct env env = ENV_PROCESS;

struct loaded {
    struct fixture f;
    struct process_settings *s;
    struct pipeline_list list;
    err e;
};

static void load(struct loaded *l, const char *yaml)
{
    *l = (struct loaded){0};
    l->s = process_settings_new(&l->f.heap);
    const struct source *source =
        source_new(&l->f.heap, SLICE("logstash.yml"), slice_from_cstr(yaml));
    l->e = process_settings_load_text(l->s, source, &env, &l->f.diag);
}

static void load_pipelines(struct loaded *l, const char *yaml)
{
    *l = (struct loaded){0};
    l->s = process_settings_new(&l->f.heap);
    const struct source *source =
        source_new(&l->f.heap, SLICE("pipelines.yml"), slice_from_cstr(yaml));
    l->e = pipelines_load_text(l->s, source, &env, &l->f.heap, &l->f.diag, &l->list);
}

static void has_defaults(void **state)
{
    (void)state;
    struct loaded l;
    uint16_t first, last;
    load(&l, "");
    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(process_settings_finish(l.s, &l.f.diag), ERR_OK);
    assert_int_equal(process_settings_int(l.s, "pipeline.batch.size"), 125);
    assert_true(process_settings_int(l.s, "pipeline.workers") >= 1);
    assert_int_equal(process_settings_int(l.s, "spate.shards"),
                     process_settings_int(l.s, "pipeline.workers"));
    assert_int_equal(process_settings_int(l.s, "queue.max_bytes"), 1 << 30);
    assert_true(process_settings_int(l.s, "config.reload.interval") == INT64_C(3000000000));
    assert_slice_equal(process_settings_text(l.s, "path.queue"), SLICE("data/queue"));
    assert_slice_equal(process_settings_text(l.s, "pipeline.ecs_compatibility"), SLICE("v8"));
    process_settings_ports(l.s, "api.http.port", &first, &last);
    assert_int_equal(first, 9600);
    assert_int_equal(last, 9700);
    assert_false(process_settings_given(l.s, "pipeline.workers"));
    assert_null(process_settings_text(l.s, "config.string").p);
    fixture_fini(&l.f);
}

static void reads_nested_and_dotted(void **state)
{
    (void)state;
    struct loaded l;
    setenv("SPATE_W", "3", 1);
    load(&l, "# comment\npipeline:\n  batch:\n    size: 250\n    delay: 5\n  workers: ${SPATE_W}\n"
             "queue.max_bytes: 2gb\npath.data: /var/x\napi.http.port: 9600\n"
             "spate.cpu_affinity: [0, 1]\nhttp.host: 0.0.0.0\nnode.name:\n"
             "xpack.monitoring.elasticsearch.hosts: [ \"http://e:9200\" ]\n");
    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(process_settings_int(l.s, "pipeline.batch.size"), 250);
    assert_int_equal(process_settings_int(l.s, "pipeline.batch.delay"), 5);
    assert_int_equal(process_settings_int(l.s, "pipeline.workers"), 3);
    assert_true(process_settings_int(l.s, "queue.max_bytes") == INT64_C(2) << 30);
    assert_int_equal(process_settings_list(l.s, "spate.cpu_affinity").n, 2);
    assert_slice_equal(process_settings_text(l.s, "api.http.host"), SLICE("0.0.0.0"));
    assert_true(process_settings_given(l.s, "api.http.host"));
    assert_false(process_settings_given(l.s, "node.name"));
    assert_int_equal(l.f.diag.warnings, 4);
    assert_int_equal(process_settings_finish(l.s, &l.f.diag), ERR_OK);
    assert_slice_equal(process_settings_text(l.s, "path.queue"), SLICE("/var/x/queue"));
    fixture_fini(&l.f);
}

struct bad {
    const char *yaml, *says;
};

static const struct bad bad[] = {
    {"a: 1\npipeline.wokers: 2\n",
     "logstash.yml:2:1: error: Setting \"pipeline.wokers\" doesn't exist"},
    {"pipeline.wokers: 2\n", "did you mean 'pipeline.workers'?"},
    {"pipeline.workers: 0\n", "at least 1"},
    {"pipeline.workers: x\n", "logstash.yml:1:19: error"},
#ifndef SPATE_DPDK
    {"dpdk.mtu: 1500\n", "the setting \"dpdk.mtu\" is for poll-mode ports"},
    {"dpdk: { idle_sleep: 1ms }\n", "-DSPATE_DPDK=ON"},
#endif
    {"queue.type: disk\n", "one of the choices: memory, persisted"},
    {"queue.drain: maybe\n", "true or false"},
    {"config.reload.interval: soon\n", "3s, 500ms"},
    {"path.plugins: [/x]\n", "spate does not support the setting \"path.plugins\""},
    {"otel.metrics.enabled: true\n", "spate does not support"},
    {"xpack.management.enabled: true\n", "spate does not support"},
    {"api.http.port: 99999\n", "a port or a range"},
    {"pipeline.workers: [1, 2]\n", "invalid value \"1,2\""},
    {"node.name: ${SPATE_NO_SUCH}\n", "Cannot evaluate `${SPATE_NO_SUCH}`"},
    {"a: [unclosed\n", "not valid YAML"},
    {"- a\n- b\n", "not a mapping"},
};

static void reports_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct loaded l;
        load(&l, bad[i].yaml);
        if (l.e != ERR_CONFIG) print_error("accepted: %s\n", bad[i].yaml);
        assert_int_equal(l.e, ERR_CONFIG);
        assert_says(&l.f, bad[i].says);
        fixture_fini(&l.f);
    }
}

static void warns_about_nanoseconds(void **state)
{
    (void)state;
    struct loaded l;
    load(&l, "config.reload.interval: 60\nqueue.checkpoint.interval: 5\n");
    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(process_settings_int(l.s, "config.reload.interval"), 60);
    assert_says(&l.f, "has no unit and so is 60 nanoseconds");
    assert_says(&l.f, "\"queue.checkpoint.interval\" has no effect");
    fixture_fini(&l.f);
}

static void takes_flags(void **state)
{
    (void)state;
    struct loaded l;
    load(&l, "pipeline.workers: 2\n");
    assert_int_equal(
        process_settings_set(l.s, SLICE("pipeline.workers"), SLICE("4"), POS_NONE, &l.f.diag),
        ERR_OK);
    assert_int_equal(process_settings_int(l.s, "pipeline.workers"), 4);
    assert_int_equal(process_settings_set(l.s, SLICE("spate.cpu_affinity"), SLICE("[1, 3-4]"),
                                          POS_NONE, &l.f.diag),
                     ERR_OK);
    assert_slice_equal(process_settings_list(l.s, "spate.cpu_affinity").at[1].text, SLICE("3-4"));
    assert_int_equal(
        process_settings_set(l.s, SLICE("log.level"), SLICE("loud"), POS_NONE, &l.f.diag),
        ERR_CONFIG);
    assert_int_equal(
        process_settings_set(l.s, SLICE("queue.page_capacity"), SLICE("2gb"), POS_NONE, &l.f.diag),
        ERR_OK);
    assert_int_equal(process_settings_finish(l.s, &l.f.diag), ERR_CONFIG);
    assert_says(&l.f, "queue.page_capacity must not be larger");
    fixture_fini(&l.f);
}

static void masks_secrets(void **state)
{
    (void)state;
    struct loaded l;
    load(&l, "api.auth.basic.password: hush\n");
    struct buf json = {0};
    process_settings_json(l.s, &json);
    assert_null(strstr(buf_cstr(&json), "hush"));
    assert_non_null(strstr(json.data, "\"api.auth.basic.password\":\"<password>\""));
    assert_non_null(strstr(json.data, "\"queue.drain\":false"));
    json.n = 0;
    process_settings_markdown(&json);
    assert_non_null(strstr(buf_cstr(&json),
                           "| `queue.type` | one of the choices: memory, persisted | `memory` |"));
    buf_fini(&json);
    fixture_fini(&l.f);
}

static void reads_pipelines(void **state)
{
    (void)state;
    struct loaded l;
    load_pipelines(&l, "- pipeline.id: a\n  path.config: \"/x/*.conf\"\n  pipeline.workers: 7\n"
                       "- pipeline:\n    id: b\n  config.string: \"input { }\"\n");
    assert_int_equal(l.e, ERR_OK);
    assert_int_equal(l.list.n, 2);
    assert_int_equal(process_settings_int(l.list.at[0], "pipeline.workers"), 7);
    assert_slice_equal(process_settings_text(l.list.at[1], "pipeline.id"), SLICE("b"));
    assert_slice_equal(process_settings_text(l.list.at[1], "config.string"), SLICE("input { }"));
    assert_null(process_settings_text(l.s, "config.string").p);
    fixture_fini(&l.f);
}

static const struct bad bad_pipelines[] = {
    {"", "Pipelines YAML file is empty"},
    {"[]", "Pipelines YAML file is empty"},
    {"pipeline.id: a", "must contain a list"},
    {"- a", "a pipeline is a mapping"},
    {"- path.config: a\n- path.config: b\n", "duplicate pipeline ids: main"},
    {"- pipeline.id: a\n", "neither path.config nor config.string"},
    {"- path.config: a\n  config.string: b\n", "both path.config and config.string"},
    {"- path.config: a\n  log.level: debug\n", "belongs into logstash.yml"},
    {"- path.config: a\n  queue.typ: memory\n", "did you mean 'queue.type'?"},
};

static void reports_pipeline_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_pipelines) / sizeof(bad_pipelines[0]); i++) {
        struct loaded l;
        load_pipelines(&l, bad_pipelines[i].yaml);
        if (l.e != ERR_CONFIG) print_error("accepted: %s\n", bad_pipelines[i].yaml);
        assert_int_equal(l.e, ERR_CONFIG);
        assert_says(&l.f, bad_pipelines[i].says);
        fixture_fini(&l.f);
    }
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void finds_the_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/spate_settings_XXXXXX", path[256];
    assert_non_null(mkdtemp(folder));
    struct loaded l;
    load(&l, "");
    assert_int_equal(process_settings_load(l.s, folder, &env, &l.f.diag), ERR_OK);
    write_text(folder, "logstash.yml", "pipeline.workers: 5\n");
    assert_int_equal(process_settings_load(l.s, folder, &env, &l.f.diag), ERR_OK);
    assert_int_equal(process_settings_int(l.s, "pipeline.workers"), 5);
    write_text(folder, "spate.yml", "pipeline.workers: 6\n");
    assert_int_equal(process_settings_load(l.s, folder, &env, &l.f.diag), ERR_OK);
    assert_int_equal(process_settings_int(l.s, "pipeline.workers"), 6);
    fixture_fini(&l.f);
    snprintf(path, sizeof(path), "%s/logstash.yml", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/spate.yml", folder);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_defaults),    cmocka_unit_test(reads_nested_and_dotted),
        cmocka_unit_test(reports_errors),  cmocka_unit_test(warns_about_nanoseconds),
        cmocka_unit_test(takes_flags),     cmocka_unit_test(masks_secrets),
        cmocka_unit_test(reads_pipelines), cmocka_unit_test(reports_pipeline_errors),
        cmocka_unit_test(finds_the_file),
    };
    return T_RUN(tests);
}
