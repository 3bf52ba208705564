/*
 * uuid.c - a random UUID (version 4, RFC 9562 section 5.4) in a field.
 *
 * Random bytes come from the kernel in blocks, so that an event costs no system call of its own.
 * State: the block, one per shard.
 */
#include <errno.h>
#include <sys/random.h>

#include "engine/base/assert.h"
#include "engine/plan/common_options.h"

#define UUID_BYTES 16u
#define UUID_TEXT_BYTES 36u
#define UUID_BLOCK_BYTES 4096u

struct uuid_cfg {
    slice target_name;
    bool overwrite;
    struct fieldref target;
};

struct uuid_state {
    uint8_t block[UUID_BLOCK_BYTES];
    uint32_t left; /* bytes of it that were not used yet, at its end */
};

/* The kernel's generator is ready long before any pipeline is: this only waits at boot. */
static void block_fill(struct uuid_state *s)
{
    for (uint32_t at = 0; at < UUID_BLOCK_BYTES;) {
        ssize_t n = getrandom(s->block + at, UUID_BLOCK_BYTES - at, 0);
        ASSERT(n > 0 || errno == EINTR);
        if (n > 0) at += (uint32_t)n;
    }
    s->left = UUID_BLOCK_BYTES;
}

static slice uuid_text(struct uuid_state *s, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    if (s->left == 0) block_fill(s);
    uint8_t *bytes = s->block + UUID_BLOCK_BYTES - s->left;
    s->left -= UUID_BYTES;
    bytes[6] = (bytes[6] & 0x0f) | 0x40; /* version 4 */
    bytes[8] = (bytes[8] & 0x3f) | 0x80; /* variant of the RFC */
    char *text = arena_alloc(arena, UUID_TEXT_BYTES, 1), *out = text;
    for (uint32_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *out++ = '-';
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return slice_make(text, UUID_TEXT_BYTES);
}

static enum applied uuid_apply(void *state, const void *config, struct batch *b,
                               const struct sel *in, struct sel *hit, struct plan_run *run)
{
    const struct uuid_cfg *cfg = config;
    (void)run;
    for (uint32_t i = 0; i < in->n; i++) {
        struct event *ev = &b->event[in->at[i]];
        const struct value *old = cfg->overwrite ? NULL : event_get(b, ev, &cfg->target);
        if (old == NULL || old->type == VALUE_NIL) {
            struct value text = value_string(uuid_text(state, &b->arena));
            text.flags = VALUE_CLEAN;
            if (event_put(b, ev, &cfg->target, text) != ERR_OK) continue;
        }
        sel_add(hit, in->at[i]);
    }
    return APPLIED;
}

static err uuid_compile(void *config, struct compiler *c)
{
    struct uuid_cfg *cfg = config;
    return compile_fieldref(c, &cfg->target, cfg->target_name, settings_pos(c->plugin, "target"));
}

/* clang-format off */
static const struct setting uuid_settings[] = {
    {.name = "target", SETTING_AT(struct uuid_cfg, target_name, STRING),
     .flags = SETTING_REQUIRED | SETTING_FIELD, .doc = "The field that receives the UUID."},
    {.name = "overwrite", SETTING_AT(struct uuid_cfg, overwrite, BOOL), .default_text = "false",
     .doc = "Replace a value that is there already."},
    {0}};
/* clang-format on */

const struct filter_ops filter_uuid = {
    .name = "uuid",
    .doc = "Gives each event a random UUID.",
    .settings = uuid_settings,
    .cfg_size = sizeof(struct uuid_cfg),
    .state_size = sizeof(struct uuid_state),
    .compile = uuid_compile,
    .apply = uuid_apply,
};
