/* input_rig.c - a compiler of its own, loadgen's lines. */
#include "bench/harness/input_rig.h"

#include <string.h>

#include "engine/base/assert.h"

void input_rig_init(struct input_rig *rig, const struct registry *registry)
{
    static const struct ast_plugin plugin;
    *rig = (struct input_rig){.common = {.codec = {.name = SLICE("plain")}}};
    page_pool_init(&rig->pool, SIZE_MAX);
    arena_init(&rig->arena, &rig->pool);
    rig->compiler = (struct compiler){.diag = &rig->diag,
                                      .heap = &rig->heap,
                                      .arena = &rig->arena,
                                      .registry = registry,
                                      .pipeline_ecs = ECS_V8,
                                      .plugin = &plugin,
                                      .kind = "input",
                                      .ecs = ECS_V8,
                                      .common_input = &rig->common};
}

/* What the line being written must contain; lines_make hands nothing through. */
static enum workload_kind wanted_kind;
static const char *wanted_part;

static void line_load(struct prng *random, struct buf *out)
{
    static const char *const stamps[] = {[WORKLOAD_RFC3164] = "Mar  5 06:07:08",
                                         [WORKLOAD_RFC5424] = "2024-03-05T06:07:08",
                                         [WORKLOAD_NDJSON] = "2024-03-05T06:07:08",
                                         [WORKLOAD_BEATS] = "2024-03-05T06:07:08"};
    static struct buf line;
    struct workload_line marks;
    do {
        line.n = 0;
        workload_line(wanted_kind, random, 0, &line, &marks);
        buf_room(&line, 1);
        line.data[line.n] = '\0';
    } while (wanted_part != NULL && strstr(line.data, wanted_part) == NULL);
    memcpy(line.data + marks.stamp_at, stamps[wanted_kind], strlen(stamps[wanted_kind]));
    buf_add(out, line.data, line.n);
}

void lines_load(struct lines *l, uint32_t n, enum workload_kind kind, const char *part)
{
    ASSERT(kind == WORKLOAD_RFC3164 || kind == WORKLOAD_RFC5424 || kind == WORKLOAD_NDJSON ||
           kind == WORKLOAD_BEATS);
    wanted_kind = kind;
    wanted_part = part;
    lines_make(l, n, line_load);
}
