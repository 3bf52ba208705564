/* files.c - finds, reads and joins configuration files. */
#define _GNU_SOURCE
#include "engine/config/files.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/utf8.h"
#include "engine/config/ast.h"

struct joiner {
    struct heap *heap;
    struct diag *diag;
    struct buf text;
    struct source_part *parts;
    uint32_t n, cap;
};

/* Reads to the end, one byte past the bound at most; false with errno set. */
static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) return false;
    size_t got = 1;
    while (got > 0 && out->n <= CONFIG_BYTES_MAX) {
        buf_room(out, 65536);
        got = fread(buf_end(out), 1, 65536, file);
        out->n += got;
    }
    bool ok = ferror(file) == 0;
    int saved = errno;
    fclose(file);
    errno = saved;
    return ok;
}

static err report_encoding(struct joiner *j, const char *path, slice text)
{
    uint32_t at = 0, n;
    while (at < text.n && (n = utf8_valid_at(text, at)) > 0) at += n;
    const struct source *source = source_new(j->heap, slice_from_cstr(path), text);
    diag_error(j->diag, pos_make(source, at), NULL,
               "the configuration file is not valid UTF-8: there is a byte 0x%02X here",
               at < text.n ? (unsigned)(unsigned char)text.p[at] : 0u);
    diag_fix(j->diag, "save it as UTF-8; if it is Latin-1: iconv -f latin1 -t utf-8 %s", path);
    return ERR_CONFIG;
}

static err file_add(struct joiner *j, const char *path)
{
    if (j->n == CONFIG_FILES_MAX || j->text.n > CONFIG_BYTES_MAX) {
        diag_error(j->diag, POS_NONE, NULL, "%s: more than %u files or %u MiB of configuration",
                   path, CONFIG_FILES_MAX, CONFIG_BYTES_MAX >> 20);
        return ERR_CONFIG;
    }
    if (j->n == j->cap) {
        j->cap = j->cap == 0 ? 8 : j->cap * 2;
        j->parts = heap_grow(j->heap, j->parts, j->n, j->cap, sizeof(*j->parts));
    }
    if (j->n > 0) buf_add_byte(&j->text, '\n');
    size_t start = j->text.n;
    if (!read_file(path, &j->text)) {
        diag_error(j->diag, POS_NONE, NULL, "%s: cannot read the configuration file: %s", path,
                   strerror(errno));
        return ERR_CONFIG;
    }
    j->parts[j->n++] =
        (struct source_part){heap_dup(j->heap, slice_from_cstr(path)), (uint32_t)start};
    slice text = slice_make(j->text.data + start, j->text.n - start);
    return utf8_valid(text) ? ERR_OK : report_encoding(j, path, text);
}

/* Editors leave name~ behind; folders and devices are no configuration. */
static bool is_config_file(const char *path)
{
    struct stat st;
    size_t n = strlen(path);
    if (n > 0 && path[n - 1] == '~') return false;
    return stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

static err files_add(struct joiner *j, const char *pattern)
{
    glob_t found = {0};
    err e = ERR_OK;
    if (glob(pattern, GLOB_BRACE, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && e == ERR_OK; i++)
            if (is_config_file(found.gl_pathv[i])) e = file_add(j, found.gl_pathv[i]);
    globfree(&found);
    return e;
}

/* The folder's name is taken as it is, whatever glob characters it has. */
static slice folder_pattern(struct heap *heap, slice folder)
{
    struct buf pattern = {0};
    for (uint32_t i = 0; i < folder.n; i++) {
        if (strchr("*?[]{}\\,", folder.p[i]) != NULL) buf_add_byte(&pattern, '\\');
        buf_add_byte(&pattern, folder.p[i]);
    }
    if (!slice_ends(folder, SLICE("/"))) buf_add_byte(&pattern, '/');
    buf_add_byte(&pattern, '*');
    slice out = heap_dup(heap, buf_slice(&pattern));
    buf_fini(&pattern);
    return out;
}

static err joiner_load(struct joiner *j, slice path)
{
    struct stat st;
    if (stat(path.p, &st) != 0) return files_add(j, path.p);
    if (S_ISDIR(st.st_mode)) return files_add(j, folder_pattern(j->heap, path).p);
    return is_config_file(path.p) ? file_add(j, path.p) : ERR_OK;
}

err config_files_load(slice path, struct heap *heap, struct diag *diag, const struct source **out)
{
    struct joiner j = {.heap = heap, .diag = diag};
    *out = NULL;
    if (slice_starts(path, SLICE("http://")) || slice_starts(path, SLICE("https://"))) {
        diag_error(diag, POS_NONE, "a local path",
                   "%.*s: spate does not load configurations over the network", SLICE_FMT(path));
        return ERR_CONFIG;
    }
    if (slice_starts(path, SLICE("file://"))) path = slice_from(path, 7);
    path = heap_dup(heap, path);
    err e = joiner_load(&j, path);
    if (e == ERR_OK && j.n == 0) {
        diag_error(diag, POS_NONE, "a file, a folder with files or a glob that matches some",
                   "No config files found in path: %.*s", SLICE_FMT(path));
        e = ERR_CONFIG;
    }
    if (e == ERR_OK) {
        struct source *source = heap_alloc(heap, sizeof(*source));
        *source = (struct source){heap_dup(heap, buf_slice(&j.text)), j.parts, j.n};
        *out = source;
    }
    buf_fini(&j.text);
    return e;
}

/* name, white space, "{" anywhere in the text, comments included: as Logstash looks for it. */
static bool mentions_section(slice text, slice name)
{
    for (;;) {
        int64_t at = slice_find(text, name);
        if (at < 0) return false;
        text = slice_from(text, (uint32_t)at + name.n);
        slice rest = text;
        while (rest.n > 0 && (rest.p[0] == ' ' || (rest.p[0] >= '\t' && rest.p[0] <= '\r')))
            rest = slice_from(rest, 1);
        if (rest.n > 0 && rest.p[0] == '{') return true;
    }
}

err config_string_load(slice text, bool complete, struct heap *heap, struct diag *diag,
                       const struct source **out)
{
    *out = NULL;
    if (!utf8_valid(text)) {
        diag_error(diag, POS_NONE, "UTF-8 text", "the config string is not valid UTF-8");
        return ERR_CONFIG;
    }
    struct buf whole = {0};
    buf_add_slice(&whole, text);
    if (complete && !mentions_section(text, SLICE("input")))
        buf_add_cstr(&whole, "\ninput { stdin { type => stdin } }");
    if (complete && !mentions_section(text, SLICE("output")))
        buf_add_cstr(&whole, "\noutput { stdout { codec => rubydebug } }");
    *out = source_new(heap, SLICE("config string"), buf_slice(&whole));
    buf_fini(&whole);
    return ERR_OK;
}
