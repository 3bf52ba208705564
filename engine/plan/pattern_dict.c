/* pattern_dict.c - layers of pattern names for grok. */
#include "engine/plan/pattern_dict.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "parsers/grok/patterns.h"

static bool library_lookup(void *opaque, slice name, slice *pattern)
{
    const enum grok_library *library = opaque;
    const char *text = grok_pattern_find(*library, name);
    if (text == NULL) return false;
    *pattern = slice_from_cstr(text);
    return true;
}

static err add_file(struct compiler *c, struct grok_dict *dict, const char *path, struct pos pos)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return ERR_OK;
    err e = grok_dict_add_file(dict, path);
    if (e == ERR_OK) return ERR_OK;
    diag_error(c->diag, pos, NULL, "cannot read the pattern file %s: %s", path,
               e == ERR_SYSTEM ? strerror(errno) : err_text(e));
    return ERR_CONFIG;
}

/* A folder (its files that match patterns_files_glob), a file or a glob. */
static err add_path(struct compiler *c, struct grok_dict *dict, slice files_glob,
                    const struct config_value *path)
{
    struct stat st;
    slice pattern = heap_printf(c->heap, "%.*s", SLICE_FMT(path->text));
    if (stat(pattern.p, &st) == 0 && S_ISDIR(st.st_mode))
        pattern = heap_printf(c->heap, "%.*s/%.*s", SLICE_FMT(path->text), SLICE_FMT(files_glob));
    glob_t found;
    int status = glob(pattern.p, GLOB_BRACE, NULL, &found);
    if (status == GLOB_NOMATCH) {
        diag_warn(c->diag, path->pos, NULL, "patterns_dir: no file matches %s", pattern.p);
        return ERR_OK;
    }
    if (status != 0) {
        diag_error(c->diag, path->pos, NULL, "patterns_dir: cannot read %s", pattern.p);
        return ERR_CONFIG;
    }
    err result = ERR_OK;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (add_file(c, dict, found.gl_pathv[i], path->pos) != ERR_OK) result = ERR_CONFIG;
    globfree(&found);
    return result;
}

static err add_definitions(struct compiler *c, struct grok_dict *dict,
                           const struct config_hash *definitions)
{
    err result = ERR_OK;
    for (uint32_t i = 0; i < definitions->n; i++) {
        const struct config_pair *pair = &definitions->at[i];
        if (!config_is_scalar(&pair->val)) {
            diag_error(c->diag, pair->val.pos, "a pattern", "pattern_definitions needs text here");
            result = ERR_CONFIG;
            continue;
        }
        slice text = pair->val.text;
        if (slice_ends(text, SLICE("\n"))) text.n--;
        if (slice_ends(text, SLICE("\r"))) text.n--;
        grok_dict_set(dict, pair->key.text, text);
    }
    return result;
}

void pattern_dict_open_library(struct pattern_dict *dict, bool ecs)
{
    static enum grok_library libraries[] = {GROK_LEGACY, GROK_ECS_V1};
    dict->library = grok_dict_new(NULL);
    dict->own = grok_dict_new(dict->library);
    grok_dict_lookup(dict->library, library_lookup, &libraries[ecs]);
}

err pattern_dict_open(struct pattern_dict *dict, struct compiler *c,
                      const struct config_list *patterns_dir, slice files_glob,
                      const struct config_hash *definitions)
{
    err result = ERR_OK;
    pattern_dict_open_library(dict, compiler_is_ecs(c));
    for (uint32_t i = 0; i < patterns_dir->n; i++)
        if (add_path(c, dict->own, files_glob, &patterns_dir->at[i]) != ERR_OK) result = ERR_CONFIG;
    if (definitions != NULL && add_definitions(c, dict->own, definitions) != ERR_OK)
        result = ERR_CONFIG;
    return result;
}

/* "%{NAME:field}" in "pattern %{NAME:field} not defined"; empty when that is not the text. */
static slice undefined_token(slice text)
{
    if (!slice_starts(text, SLICE("pattern %{")) || !slice_ends(text, SLICE(" not defined")))
        return SLICE_NONE;
    return slice_part(text, 8, text.n - 8 - 12);
}

void pattern_report(struct compiler *c, const struct config_value *pattern,
                    const struct grok_error *error)
{
    slice token = undefined_token(slice_from_cstr(error->text));
    int64_t at = token.n == 0 ? -1 : slice_find(pattern->text, token);
    struct pos pos = at < 0 ? pattern->pos : config_value_pos_in(pattern, (uint32_t)at);
    diag_error(c->diag, pos, NULL, "grok: %s", error->text);
    if (token.n == 0) return;
    uint32_t n = 2, end = compiler_is_ecs(c) ? grok_patterns_ecs_v1_n : grok_patterns_legacy_n;
    const struct grok_pattern *list =
        compiler_is_ecs(c) ? grok_patterns_ecs_v1 : grok_patterns_legacy;
    while (n < token.n && token.p[n] != ':' && token.p[n] != '=' && token.p[n] != '}') n++;
    const char **names = heap_alloc(c->heap, (end + 1) * sizeof(*names));
    uint32_t names_n = 0;
    for (uint32_t i = 0; i < end; i++) /* SPATE_ names are building blocks, not for people */
        if (strncmp(list[i].name, "SPATE_", 6) != 0) names[names_n++] = list[i].name;
    diag_fix(c->diag, "name a pattern of the library, or define it in pattern_definitions or a "
                      "file of patterns_dir");
    diag_suggest(c->diag, slice_part(token, 2, n - 2), names, names_n);
}

void pattern_dict_close(struct pattern_dict *dict)
{
    grok_dict_free(dict->own);
    grok_dict_free(dict->library);
}
