/*
 * protobuf.c - one message of Protocol Buffers per message, with its class out of Ruby files.
 *
 * The files that protoc made for Ruby are read when the configuration is compiled, with those that
 * they require (parsers/wire/protobuf.h); no Ruby runs. A message that cannot be decoded becomes an
 * event with its bytes as text in `message` and the tag _protobufdecodefailure. An event that does
 * not fit its class is logged and not sent.
 * Facts: logstash-codec-protobuf 1.2 and 1.3.
 */
#include "parsers/wire/protobuf.h"

#include <errno.h>
#include <stdio.h>

#include "engine/base/log.h"
#include "engine/plan/codec_kit.h"
#include "engine/plan/filter_kit.h"
#include "engine/plan/text_event.h"

#define FILE_BYTES_MAX (16u * 1024 * 1024)

enum version { VERSION_2, VERSION_3 };

struct protobuf_cfg {
    slice class_name, class_file, root;
    struct config_list include_path;
    int version;
    bool stop_on_error, convert, oneof_info, drop_unknown;
    struct protobuf_schema schema;
    slice missing; /* a file that is required, and not there */
    const struct protobuf_message *message;
    struct fieldref info; /* [@metadata][pb_oneof] */
};

struct protobuf_state {
    struct log_gate read_gate, write_gate;
};

/* ---- messages ----------------------------------------------------------------- */

static void fail(struct protobuf_state *s, struct decode *d, slice data, const char *why)
{
    uint64_t held;
    if (log_gate_open(&s->read_gate, &held))
        log_warn("codecs.protobuf",
                 "couldn't decode protobuf: %s (%llu more since the last report)", why,
                 (unsigned long long)held);
    codec_failure(d, data, SLICE("_protobufdecodefailure"));
}

static uint32_t decode(void *state, const void *cfg_, slice in, struct decode *d)
{
    const struct protobuf_cfg *cfg = cfg_;
    struct batch *b = d->batch;
    struct value val, info;
    if (in.n == 0 || b->n >= d->events_max) return 0;
    slice data = decode_keep(d, in);
    struct protobuf_read_options opt = {.names = cfg->version == VERSION_3,
                                        .oneof_info = cfg->oneof_info};
    enum protobuf_status status = protobuf_read(cfg->message, data, opt, &b->arena, &val, &info);
    if (status != PROTOBUF_OK || val.type != VALUE_MAP) {
        fail(state, d, data, status != PROTOBUF_OK ? protobuf_status_text(status) : "it is no map");
        return in.n;
    }
    struct event *ev = codec_event(b, NULL, *val.u.map);
    if (ev != NULL && info.type == VALUE_MAP) {
        err e = event_put(b, ev, &cfg->info, info);
        ASSERT(e == ERR_OK);
    }
    return in.n;
}

static void encode(void *state, const void *cfg_, struct batch *b, struct event *ev,
                   struct buf *out)
{
    struct protobuf_state *s = state;
    const struct protobuf_cfg *cfg = cfg_;
    bool three = cfg->version == VERSION_3;
    struct protobuf_write_options opt = {.convert = three && cfg->convert,
                                         .drop_unknown = three && cfg->drop_unknown,
                                         .defaults = !three};
    struct map all = {0};
    slice misfit;
    uint64_t held;
    map_reserve(&all, &b->arena, ev->data.n + 1);
    map_append(&all, &b->arena, key_borrow(SLICE("@timestamp")), ev->time);
    for (uint32_t i = 0; i < ev->data.n; i++) {
        const struct member *m = &ev->data.at[i];
        struct key key = {slice_make(m->key, m->key_n), m->hash, m->val.key_flags};
        map_append(&all, &b->arena, key, m->val);
    }
    if (protobuf_write(cfg->message, &all, opt, &b->arena, out, &misfit)) return;
    if (log_gate_open(&s->write_gate, &held))
        log_warn("codecs.protobuf",
                 "an event does not fit %.*s%s%.*s and is not sent (%llu more since the last "
                 "report)",
                 SLICE_FMT(cfg->message->name), misfit.n > 0 ? " in " : "", SLICE_FMT(misfit),
                 (unsigned long long)held);
}

/* ---- files -------------------------------------------------------------------- */

static bool file_load(slice path, struct buf *out, const char **why)
{
    char name[4096];
    FILE *file = path.n < sizeof(name) ? fopen(slice_cstr(path, name, sizeof(name)), "re") : NULL;
    size_t n = 1;
    bool ok = file != NULL;
    while (ok && n > 0 && out->n <= FILE_BYTES_MAX) {
        buf_room(out, 65536);
        n = fread(buf_end(out), 1, 65536, file);
        out->n += n;
        ok = ferror(file) == 0;
    }
    *why = ok ? "it is too large" : strerror(errno);
    if (file != NULL) fclose(file);
    return ok && out->n <= FILE_BYTES_MAX;
}

/* The file's text stays as a source, so that errors show their place in it. */
static err file_read(struct protobuf_cfg *cfg, struct compiler *c, slice path, const char *option)
{
    struct buf text = {0};
    struct protobuf_error error;
    const char *why;
    err e = ERR_CONFIG;
    if (!file_load(path, &text, &why)) {
        compile_error(c, option, "a Ruby file that protoc made", "`%.*s` cannot be read: %s",
                      SLICE_FMT(path), why);
    } else {
        const struct source *source = source_new(c->heap, path, buf_slice(&text));
        e = protobuf_ruby_read(&cfg->schema, source->text, cfg->version == VERSION_2 ? 2 : 3,
                               &error);
        if (e != ERR_OK) {
            diag_error(c->diag, pos_make(source, error.at), "what protoc writes for Ruby", "%s",
                       error.text);
            e = ERR_CONFIG;
        }
    }
    buf_fini(&text);
    return e;
}

static slice below_root(const struct protobuf_cfg *cfg, struct compiler *c, slice name)
{
    bool ruby = slice_ends(name, SLICE(".rb"));
    if (cfg->root.n == 0 || slice_starts(name, SLICE("/")))
        return heap_printf(c->heap, "%.*s%s", SLICE_FMT(name), ruby ? "" : ".rb");
    return heap_printf(c->heap, "%.*s/%.*s%s", SLICE_FMT(cfg->root), SLICE_FMT(name),
                       ruby ? "" : ".rb");
}

static bool is_there(slice path)
{
    FILE *file = fopen(path.p, "re");
    if (file != NULL) fclose(file);
    return file != NULL;
}

static bool is_read(const struct protobuf_cfg *cfg, slice path, slice class_path)
{
    bool read = slice_equal(path, class_path);
    for (uint32_t i = 0; i < cfg->include_path.n; i++)
        read = read || slice_equal(path, cfg->include_path.at[i].text);
    return read;
}

/* What files require comes behind those that require it; the list grows on the way. A file that is
 * not there may be one that is not needed: what is missing shows when the schema is linked. */
static err required_read(struct protobuf_cfg *cfg, struct compiler *c, slice class_path)
{
    for (uint32_t i = 0; i < cfg->schema.require_n; i++) {
        slice name = cfg->schema.require[i];
        slice path = below_root(cfg, c, name);
        bool done = slice_equal(name, SLICE("protocol_buffers")) ||
                    protobuf_known_read(&cfg->schema, name) || is_read(cfg, path, class_path);
        if (!done && !is_there(path)) cfg->missing = path;
        if (done || !is_there(path)) continue;
        err e = file_read(cfg, c, path, "protobuf_root_directory");
        if (e != ERR_OK) return e;
    }
    return ERR_OK;
}

static err schema_read(struct protobuf_cfg *cfg, struct compiler *c)
{
    err e = ERR_OK;
    slice class_path = SLICE_NONE;
    cfg->schema.arena = c->arena;
    if (cfg->class_file.n > 0) {
        class_path = below_root(cfg, c, cfg->class_file);
        e = file_read(cfg, c, class_path, "class_file");
    }
    for (uint32_t i = 0; e == ERR_OK && i < cfg->include_path.n; i++)
        e = file_read(cfg, c, cfg->include_path.at[i].text, "include_path");
    return e == ERR_OK ? required_read(cfg, c, class_path) : e;
}

static err schema_link(struct protobuf_cfg *cfg, struct compiler *c)
{
    struct protobuf_error error;
    if (protobuf_schema_link(&cfg->schema, &error) == ERR_OK) return ERR_OK;
    bool missing = cfg->missing.n > 0;
    compile_error(c, cfg->class_file.n > 0 ? "class_file" : "include_path", NULL, "%s%s%.*s%s",
                  error.text, missing ? " (`" : "", SLICE_FMT(cfg->missing),
                  missing ? "` is required, and not there)" : "");
    return ERR_CONFIG;
}

/* ---- options ------------------------------------------------------------------ */

static err refuse(struct compiler *c, const char *name, const char *text)
{
    compile_error(c, name, NULL, "%s", text);
    return ERR_CONFIG;
}

static err check_options(const struct protobuf_cfg *cfg, struct compiler *c)
{
    bool file = slice_trim(cfg->class_file).n > 0, list = cfg->include_path.n > 0;
    if (file && list)
        return refuse(c, "include_path",
                      "`include_path` and `class_file` cannot be used at the same time");
    if (!file && !list) return refuse(c, "class_file", "`class_file` or `include_path` is needed");
    if (cfg->stop_on_error)
        return refuse(c, "stop_on_error", "one message does not stop a pipeline here");
    for (uint32_t i = 0; cfg->version == VERSION_2 && i < c->given.n; i++)
        if (strncmp(c->given.at[i]->name, "pb3_", 4) == 0)
            diag_warn(c->diag, settings_pos(c->plugin, c->given.at[i]->name), NULL,
                      "`%s` has no effect without protobuf_version => 3", c->given.at[i]->name);
    return ERR_OK;
}

static err compile(void *config, struct compiler *c)
{
    struct protobuf_cfg *cfg = config;
    err e = fieldref_parse(&cfg->info, SLICE("[@metadata][pb_oneof]"), c->arena);
    if (e == ERR_OK) e = check_options(cfg, c);
    if (e == ERR_OK) e = schema_read(cfg, c);
    if (e == ERR_OK) e = schema_link(cfg, c);
    if (e != ERR_OK) return e;
    cfg->message = protobuf_message_find(&cfg->schema, cfg->class_name);
    if (cfg->message != NULL) return ERR_OK;
    compile_error(c, "class_name",
                  cfg->version == VERSION_2 ? "a class such as Animals::Unicorn"
                                            : "a message such as Animals.Unicorn",
                  "the files have no `%.*s`", SLICE_FMT(cfg->class_name));
    return ERR_CONFIG;
}

#define PB_AT(member, kind) SETTING_AT(struct protobuf_cfg, member, kind)

static const char *const versions[] = {"2", "3", NULL};

/* clang-format off */
static const struct setting protobuf_settings[] = {
    {.name = "class_name", PB_AT(class_name, STRING), .flags = SETTING_REQUIRED,
     .doc = "Name of the message: Animals::Unicorn in version 2, Animals.Unicorn in version 3."},
    {.name = "class_file", PB_AT(class_file, STRING), .default_text = "",
     .doc = "The Ruby file that protoc made of the message, below protobuf_root_directory if it is "
            "no absolute path."},
    {.name = "protobuf_root_directory", PB_AT(root, STRING),
     .doc = "The folder that files which class files require are in."},
    {.name = "include_path", PB_AT(include_path, LIST), .default_text = "[]",
     .doc = "In place of class_file: all Ruby files."},
    {.name = "protobuf_version", PB_AT(version, ENUM), .choices = versions, .default_text = "2",
     .doc = "2: classes of ruby-protocol-buffers, enums are numbers, what is not there is left "
            "out. 3: files of google-protobuf, enums are names, all fields are there."},
    {.name = "stop_on_error", PB_AT(stop_on_error, BOOL), .default_text = "false",
     .doc = "Only false: a message that cannot be decoded becomes an event with the tag "
            "_protobufdecodefailure."},
    {.name = "pb3_encoder_autoconvert_types", PB_AT(convert, BOOL), .default_text = "true",
     .doc = "When encoding, convert what is of another type but says the same (\"12\" and 12)."},
    {.name = "pb3_set_oneof_metainfo", PB_AT(oneof_info, BOOL), .default_text = "false",
     .doc = "When decoding, say in [@metadata][pb_oneof] which field of each oneof there was."},
    {.name = "pb3_encoder_drop_unknown_fields", PB_AT(drop_unknown, BOOL), .default_text = "false",
     .doc = "When encoding, leave out fields that the message does not have, instead of not "
            "sending the event."},
    {0},
};
/* clang-format on */

const struct codec_ops codec_protobuf = {
    .name = "protobuf",
    .doc = "Messages of Protocol Buffers, with classes that protoc made for Ruby.",
    .flags = CODEC_MESSAGES | CODEC_MAY_REFUSE,
    .settings = protobuf_settings,
    .cfg_size = sizeof(struct protobuf_cfg),
    .state_size = sizeof(struct protobuf_state),
    .compile = compile,
    .decode = decode,
    .encode = encode,
};
