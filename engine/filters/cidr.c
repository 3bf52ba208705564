/*
 * cidr.c - whether an address lies in one of some networks.
 *
 * Events match when any address lies in any network. Addresses and networks may be %{field};
 * what is no address is skipped. Networks without fields are parsed once. A file of networks is
 * small: each shard reads it itself, between batches, when its interval is over; one that cannot
 * be read leaves the networks as they are. State: the file's networks.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/assert.h"
#include "engine/base/clock.h"
#include "engine/base/log.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/ip_net.h"

#define NETWORK_FILE_BYTES_MAX (64u << 20)

struct net_list {
    struct ip_net *at; /* heap */
    uint32_t n, cap;
};

struct cidr_cfg {
    struct config_list address_texts, network_texts;
    slice path, separator;
    double refresh_sec;
    struct template_list addresses, networks; /* networks: those with fields */
    struct net_list fixed;
};

struct cidr_state {
    struct net_list file;
    int64_t next_ns;
};

static void net_add(struct net_list *list, const struct ip_net *net)
{
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 16 : list->cap * 2;
        list->at = realloc(list->at, list->cap * sizeof(*list->at));
        ASSERT(list->at != NULL);
    }
    list->at[list->n++] = *net;
}

static bool net_list_has(const struct net_list *list, const struct ip_net *address)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (ip_net_has(&list->at[i], address)) return true;
    return false;
}

/* The next part of text that `separator` ends. */
static slice part_next(slice *text, slice separator)
{
    int64_t end = slice_find(*text, separator);
    slice part = end < 0 ? *text : slice_part(*text, 0, (uint32_t)end);
    *text = end < 0 ? SLICE_NONE : slice_from(*text, (uint32_t)end + separator.n);
    return slice_trim(part);
}

/* False when nothing could be read. */
static bool file_read(const struct cidr_cfg *cfg, struct net_list *out)
{
    FILE *file = fopen(cfg->path.p, "re");
    if (file == NULL) return false;
    struct buf text = {0};
    size_t n = 1;
    while (n > 0 && text.n < NETWORK_FILE_BYTES_MAX) {
        buf_room(&text, 65536);
        n = fread(buf_end(&text), 1, 65536, file);
        text.n += n;
    }
    fclose(file);
    slice rest = buf_slice(&text);
    bool any = rest.n > 0;
    uint32_t bad = 0;
    out->n = 0;
    while (rest.n > 0) {
        struct ip_net net;
        slice part = part_next(&rest, cfg->separator);
        if (ip_net_parse(part, &net))
            net_add(out, &net);
        else if (part.n > 0)
            bad++;
    }
    buf_fini(&text);
    if (bad > 0) log_warn("filters.cidr", "%u lines of %s are no network", bad, cfg->path.p);
    return any;
}

static bool in_rendered(const struct cidr_cfg *cfg, struct batch *b, struct event *ev,
                        const struct ip_net *address)
{
    for (uint32_t i = 0; i < cfg->networks.n; i++) {
        slice rest = template_render(&cfg->networks.at[i], b, ev, NULL);
        while (rest.n > 0) {
            struct ip_net net;
            if (ip_net_parse(part_next(&rest, SLICE(",")), &net) && ip_net_has(&net, address))
                return true;
        }
    }
    return false;
}

static bool cidr_one(struct cidr_state *s, const struct cidr_cfg *cfg, struct batch *b,
                     struct event *ev)
{
    for (uint32_t i = 0; i < cfg->addresses.n; i++) {
        struct ip_net address;
        if (!ip_net_parse(template_render(&cfg->addresses.at[i], b, ev, NULL), &address)) continue;
        if (net_list_has(&cfg->fixed, &address) || net_list_has(&s->file, &address) ||
            in_rendered(cfg, b, ev, &address))
            return true;
    }
    return false;
}

static enum applied cidr_apply(void *state, const void *cfg, struct batch *b, const struct sel *in,
                               struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++)
        if (cidr_one(state, cfg, b, &b->event[in->at[i]])) sel_add(hit, in->at[i]);
    return APPLIED;
}

static void cidr_tick(void *state, const void *config, struct batch *out, int64_t now_ns, bool last)
{
    const struct cidr_cfg *cfg = config;
    struct cidr_state *s = state;
    struct net_list fresh = {0};
    (void)out;
    if (cfg->path.p == NULL || last || cfg->refresh_sec <= 0 || now_ns < s->next_ns) return;
    s->next_ns = now_ns + (int64_t)(cfg->refresh_sec * 1e9);
    if (file_read(cfg, &fresh)) {
        free(s->file.at);
        s->file = fresh;
        return;
    }
    free(fresh.at);
    log_error("filters.cidr", "Error while opening/parsing the file %s", cfg->path.p);
}

static err cidr_start(void *state, const void *config, struct worker *worker)
{
    const struct cidr_cfg *cfg = config;
    struct cidr_state *s = state;
    (void)worker;
    if (cfg->path.p == NULL) return ERR_OK;
    s->next_ns = clock_mono_ns() + (int64_t)(cfg->refresh_sec * 1e9);
    file_read(cfg, &s->file);
    return ERR_OK;
}

static void cidr_stop(void *state, const void *cfg)
{
    (void)cfg;
    free(((struct cidr_state *)state)->file.at);
}

/* Constant texts are parsed now, the others become templates. */
static err compile_networks(struct cidr_cfg *cfg, struct compiler *c)
{
    struct config_list given = cfg->network_texts;
    cfg->networks.at = heap_alloc(c->heap, (given.n + 1) * sizeof(struct template));
    for (uint32_t i = 0; i < given.n; i++) {
        struct template t;
        if (compile_template(c, &t, given.at[i].text, given.at[i].pos) != ERR_OK) return ERR_CONFIG;
        if (!template_is_constant(&t)) {
            cfg->networks.at[cfg->networks.n++] = t;
            continue;
        }
        template_fini(&t);
        slice rest = given.at[i].text;
        while (rest.n > 0) {
            struct ip_net net;
            slice part = part_next(&rest, SLICE(","));
            if (ip_net_parse(part, &net))
                net_add(&cfg->fixed, &net);
            else
                diag_warn(c->diag, given.at[i].pos, "192.0.2.0/24 or 2001:db8::/32",
                          "Invalid IP network, skipping: %.*s", SLICE_FMT(part));
        }
    }
    return ERR_OK;
}

static err cidr_compile(void *config, struct compiler *c)
{
    struct cidr_cfg *cfg = config;
    if (cfg->path.p != NULL && cfg->network_texts.n > 0) {
        compile_error(c, "network_path", NULL,
                      "The configuration options 'network' and 'network_path' are mutually "
                      "exclusive");
        return ERR_CONFIG;
    }
    if (cfg->separator.n == 0) {
        compile_error(c, "separator", NULL, "the separator is empty");
        return ERR_CONFIG;
    }
    struct net_list probe = {0};
    bool readable = cfg->path.p == NULL || file_read(cfg, &probe);
    free(probe.at);
    if (!readable) {
        compile_error(c, "network_path", NULL,
                      "The file containing the network list is invalid, please check the separator "
                      "character or permissions for the file.");
        return ERR_CONFIG;
    }
    err e = compile_template_list(c, &cfg->addresses, cfg->address_texts);
    err e2 = compile_networks(cfg, c);
    return e != ERR_OK ? e : e2;
}

static void cidr_release(void *config)
{
    struct cidr_cfg *cfg = config;
    template_list_fini(&cfg->addresses);
    template_list_fini(&cfg->networks);
    free(cfg->fixed.at);
}

/* clang-format off */
static const struct setting cidr_settings[] = {
    {.name = "address", SETTING_AT(struct cidr_cfg, address_texts, LIST),
     .flags = SETTING_REQUIRED, .doc = "Addresses to look at; may contain %{field}."},
    {.name = "network", SETTING_AT(struct cidr_cfg, network_texts, LIST), .default_text = "[]",
     .doc = "Networks, also several with commas between them; may contain %{field}."},
    {.name = "network_path", SETTING_AT(struct cidr_cfg, path, PATH),
     .doc = "A file of networks, in place of `network`."},
    {.name = "refresh_interval", SETTING_AT(struct cidr_cfg, refresh_sec, FLOAT),
     .default_text = "600", .doc = "How often to read the file again, in seconds."},
    {.name = "separator", SETTING_AT(struct cidr_cfg, separator, STRING), .default_text = "\n",
     .doc = "What stands between the networks of the file."},
    {0}};
/* clang-format on */

const struct filter_ops filter_cidr = {
    .name = "cidr",
    .doc = "Finds addresses that lie in some networks.",
    .settings = cidr_settings,
    .cfg_size = sizeof(struct cidr_cfg),
    .state_size = sizeof(struct cidr_state),
    .compile = cidr_compile,
    .release = cidr_release,
    .start = cidr_start,
    .apply = cidr_apply,
    .tick = cidr_tick,
    .stop = cidr_stop,
};
