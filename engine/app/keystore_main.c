/*
 * keystore_main.c - spate keystore create, add, list, remove.
 *
 * Values come from standard input, a line each: typed without echo at a terminal, or piped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "engine/app/commands.h"
#include "engine/config/keystore.h"

#define NAMES_MAX 256u

struct keystore_args {
    const char *command, *folder, *file;
    const char *names[NAMES_MAX];
    uint32_t n;
    bool force;
};

static int usage(void)
{
    fprintf(stderr,
            "usage: spate keystore create [--force] --path.settings FOLDER\n"
            "       spate keystore add [--force] NAME... --path.settings FOLDER   (values from "
            "standard input, a line each)\n"
            "       spate keystore list --path.settings FOLDER\n"
            "       spate keystore remove NAME... --path.settings FOLDER\n"
            "--keystore.file FILE names the file itself. With SPATE_KEYSTORE_PASS (or "
            "LOGSTASH_KEYSTORE_PASS) set, it is encrypted with that password, else with a key "
            "file beside it.\n");
    return 1;
}

/* --name VALUE or --name=VALUE; NULL when `arg` is not that flag. */
static const char *flag_value(const char *name, int argc, char **argv, int *at)
{
    size_t n = strlen(name);
    if (strncmp(argv[*at], name, n) != 0) return NULL;
    if (argv[*at][n] == '=') return argv[*at] + n + 1;
    if (argv[*at][n] != '\0' || *at + 1 >= argc) return NULL;
    return argv[++*at];
}

static bool read_args(int argc, char **argv, struct keystore_args *out)
{
    for (int i = 0; i < argc; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "--force") == 0) {
            out->force = true;
        } else if (strcmp(argv[i], "--stdin") == 0) {
            continue; /* values come from there anyway */
        } else if ((value = flag_value("--path.settings", argc, argv, &i)) != NULL) {
            out->folder = value;
        } else if ((value = flag_value("--keystore.file", argc, argv, &i)) != NULL) {
            out->file = value;
        } else if (argv[i][0] == '-' || out->n == NAMES_MAX) {
            return false;
        } else if (out->command == NULL) {
            out->command = argv[i];
        } else {
            out->names[out->n++] = argv[i];
        }
    }
    return out->command != NULL && (out->folder != NULL || out->file != NULL);
}

/* ---- values ------------------------------------------------------------------------------ */

/* One line without its end; false at the end of input. */
static bool read_line(struct buf *out)
{
    int c;
    out->n = 0;
    while ((c = getchar()) != EOF && c != '\n')
        if (out->n <= KEYSTORE_VALUE_MAX) buf_add_byte(out, (char)c);
    if (out->n > 0 && out->data[out->n - 1] == '\r') out->n--;
    return c != EOF || out->n > 0;
}

static bool ask(const char *name, struct buf *out)
{
    struct termios shown, hidden;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &shown) != 0) return read_line(out);
    fprintf(stderr, "Enter value for %s: ", name);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool good = read_line(out);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    fputc('\n', stderr);
    return good;
}

/* ---- commands ---------------------------------------------------------------------------- */

static err open_store(const char *path, struct keystore **out, struct diag *diag)
{
    err e = keystore_open(path, out, diag);
    if (e == ERR_MISSING)
        diag_error(diag, POS_NONE, "`spate keystore create` first", "there is no keystore %s",
                   path);
    return e;
}

static err create(const struct keystore_args *a, const char *path, struct diag *diag)
{
    if (a->n > 0) return ERR_SYNTAX;
    if (access(path, F_OK) == 0 && !a->force) {
        diag_error(diag, POS_NONE, "--force to begin an empty one",
                   "the keystore %s exists already", path);
        return ERR_CONFIG;
    }
    struct keystore *ks = keystore_new();
    err e = keystore_save(ks, path, diag);
    keystore_free(ks);
    if (e != ERR_OK) return e;
    printf("Created the keystore %s\n", path);
    if (keystore_password() == NULL)
        printf("It is encrypted with the key in %s.key: who can read both can read its values. "
               "Set SPATE_KEYSTORE_PASS to have a password instead.\n",
               path);
    return ERR_OK;
}

static err add_one(const struct keystore_args *a, struct keystore *ks, const char *name,
                   struct diag *diag)
{
    struct buf text = {0};
    slice old;
    err e = ERR_CONFIG;
    if (keystore_get(ks, slice_from_cstr(name), &old) && !a->force)
        diag_error(diag, POS_NONE, "--force to replace it", "'%s' is in the keystore already",
                   name);
    else if (!ask(name, &text))
        diag_error(diag, POS_NONE, "a line with the value of each name", "no value for '%s'", name);
    else
        e = keystore_set(ks, slice_from_cstr(name), buf_slice(&text), diag);
    if (text.data != NULL) OPENSSL_cleanse(text.data, text.cap);
    buf_fini(&text);
    return e;
}

static err add(const struct keystore_args *a, const char *path, struct diag *diag)
{
    struct keystore *ks = NULL;
    if (a->n == 0) return ERR_SYNTAX;
    err e = open_store(path, &ks, diag);
    for (uint32_t i = 0; e == ERR_OK && i < a->n; i++) e = add_one(a, ks, a->names[i], diag);
    if (e == ERR_OK) e = keystore_save(ks, path, diag);
    for (uint32_t i = 0; e == ERR_OK && i < a->n; i++)
        printf("Added '%s' to the keystore\n", a->names[i]);
    keystore_free(ks);
    return e;
}

static err list(const struct keystore_args *a, const char *path, struct diag *diag)
{
    struct keystore *ks = NULL;
    if (a->n > 0) return ERR_SYNTAX;
    err e = open_store(path, &ks, diag);
    for (uint32_t i = 0; e == ERR_OK && i < keystore_n(ks); i++)
        printf("%.*s\n", SLICE_FMT(keystore_name(ks, i)));
    keystore_free(ks);
    return e;
}

static err remove_names(const struct keystore_args *a, const char *path, struct diag *diag)
{
    struct keystore *ks = NULL;
    if (a->n == 0) return ERR_SYNTAX;
    err e = open_store(path, &ks, diag);
    for (uint32_t i = 0; e == ERR_OK && i < a->n; i++) {
        if (keystore_remove(ks, slice_from_cstr(a->names[i]))) continue;
        diag_error(diag, POS_NONE, "a name that `spate keystore list` shows",
                   "'%s' is not in the keystore", a->names[i]);
        e = ERR_CONFIG;
    }
    if (e == ERR_OK) e = keystore_save(ks, path, diag);
    for (uint32_t i = 0; e == ERR_OK && i < a->n; i++)
        printf("Removed '%s' from the keystore\n", a->names[i]);
    keystore_free(ks);
    return e;
}

int keystore_main(int argc, char **argv)
{
    static const struct {
        const char *name;
        err (*run)(const struct keystore_args *, const char *path, struct diag *);
    } commands[] = {{"create", create}, {"add", add}, {"list", list}, {"remove", remove_names}};
    struct keystore_args args = {0};
    struct diag diag = DIAG_INIT;
    char path[4096];
    err e = ERR_SYNTAX;
    if (!read_args(argc, argv, &args)) return usage();
    if (args.file != NULL)
        snprintf(path, sizeof(path), "%s", args.file);
    else
        snprintf(path, sizeof(path), "%s/%s", args.folder, KEYSTORE_FILE);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(args.command, commands[i].name) == 0) e = commands[i].run(&args, path, &diag);
    if (e == ERR_SYNTAX) return usage();
    diag_print_file(&diag, stderr);
    diag_fini(&diag);
    return e == ERR_OK ? 0 : 1;
}
