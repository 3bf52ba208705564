/* keystore.c - entries in memory, and the file they are kept in. */
#define _GNU_SOURCE
#include "engine/config/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/assert.h"

#define MAGIC "spatekeystore 1\n"
#define SALT_BYTES 16u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define KEY_BYTES 32u
#define ROUNDS 600000 /* of PBKDF2: a third of a second per guess and core */
#define FILE_BYTES_MAX (64u << 20)

struct entry {
    char *name, *text; /* both NUL-terminated */
    uint32_t name_n, text_n;
};

struct keystore {
    struct entry *at; /* sorted by name */
    uint32_t n, cap;
};

struct header {
    char magic[sizeof(MAGIC) - 1];
    unsigned char by_password;
    unsigned char salt[SALT_BYTES], nonce[NONCE_BYTES];
};

static err fail(struct diag *diag, const char *expected, const char *path, const char *what)
{
    diag_error(diag, POS_NONE, expected, "keystore %s: %s", path, what);
    return ERR_CONFIG;
}

static err fail_errno(struct diag *diag, const char *path, const char *what)
{
    diag_error(diag, POS_NONE, NULL, "keystore: cannot %s %s: %s", what, path, strerror(errno));
    return ERR_CONFIG;
}

const char *keystore_password(void)
{
    static const char *const names[] = {"SPATE_KEYSTORE_PASS", "LOGSTASH_KEYSTORE_PASS"};
    for (int i = 0; i < 2; i++) {
        const char *text = getenv(names[i]);
        if (text != NULL && text[0] != '\0') return text;
    }
    return NULL;
}

/* ---- entries ---------------------------------------------------------------------------- */

struct keystore *keystore_new(void)
{
    struct keystore *ks = calloc(1, sizeof(*ks));
    ASSERT(ks != NULL);
    return ks;
}

static void entry_wipe(struct entry *e)
{
    OPENSSL_cleanse(e->text, e->text_n);
    free(e->text);
    free(e->name);
}

void keystore_free(struct keystore *ks)
{
    if (ks == NULL) return;
    for (uint32_t i = 0; i < ks->n; i++) entry_wipe(&ks->at[i]);
    free(ks->at);
    free(ks);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static int compare_names(slice a, slice b)
{
    for (uint32_t i = 0; i < a.n && i < b.n; i++)
        if (lower(a.p[i]) != lower(b.p[i])) return lower(a.p[i]) < lower(b.p[i]) ? -1 : 1;
    return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

/* Where the name is, or belongs. */
static uint32_t find(const struct keystore *ks, slice name, bool *found)
{
    uint32_t low = 0, high = ks->n;
    *found = false;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        int order = compare_names(slice_make(ks->at[mid].name, ks->at[mid].name_n), name);
        if (order == 0) return *found = true, mid;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool keystore_get(const struct keystore *ks, slice name, slice *out)
{
    bool found;
    uint32_t at = find(ks, name, &found);
    if (found) *out = slice_make(ks->at[at].text, ks->at[at].text_n);
    return found;
}

bool keystore_lookup(void *context, slice name, slice *out)
{
    return context != NULL && keystore_get(context, name, out);
}

static bool name_valid(slice name)
{
    if (name.n == 0 || name.n > KEYSTORE_NAME_MAX || (name.p[0] >= '0' && name.p[0] <= '9'))
        return false;
    for (uint32_t i = 0; i < name.n; i++) {
        unsigned char c = lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.'))
            return false;
    }
    return true;
}

static bool text_valid(slice text)
{
    return text.n > 0 && text.n <= KEYSTORE_VALUE_MAX && slice_find_byte(text, '\0') < 0;
}

static void insert(struct keystore *ks, slice name, slice text)
{
    bool found;
    uint32_t at = find(ks, name, &found);
    struct entry fresh = {slice_dup_cstr(name), slice_dup_cstr(text), name.n, text.n};
    ASSERT(fresh.name != NULL && fresh.text != NULL);
    if (found) {
        entry_wipe(&ks->at[at]);
        ks->at[at] = fresh;
        return;
    }
    if (ks->n == ks->cap) {
        ks->cap = ks->cap == 0 ? 16 : ks->cap * 2;
        ks->at = realloc(ks->at, ks->cap * sizeof(*ks->at));
        ASSERT(ks->at != NULL);
    }
    memmove(&ks->at[at + 1], &ks->at[at], (ks->n - at) * sizeof(*ks->at));
    ks->at[at] = fresh;
    ks->n++;
}

err keystore_set(struct keystore *ks, slice name, slice text, struct diag *diag)
{
    if (!name_valid(name)) {
        diag_error(diag, POS_NONE, "letters, digits, '_' and '.', not beginning with a digit",
                   "'%.*s' cannot be a name in the keystore", SLICE_FMT(name));
        return ERR_CONFIG;
    }
    if (!text_valid(text)) {
        diag_error(diag, POS_NONE, "1 to 65536 bytes without NUL",
                   "the value of '%.*s' is empty, too long or has a NUL byte", SLICE_FMT(name));
        return ERR_CONFIG;
    }
    if (ks->n == KEYSTORE_ENTRIES_MAX) {
        diag_error(diag, POS_NONE, NULL, "a keystore holds at most %u values",
                   KEYSTORE_ENTRIES_MAX);
        return ERR_CONFIG;
    }
    insert(ks, name, text);
    return ERR_OK;
}

bool keystore_remove(struct keystore *ks, slice name)
{
    bool found;
    uint32_t at = find(ks, name, &found);
    if (!found) return false;
    entry_wipe(&ks->at[at]);
    memmove(&ks->at[at], &ks->at[at + 1], (ks->n - at - 1) * sizeof(*ks->at));
    ks->n--;
    return true;
}

uint32_t keystore_n(const struct keystore *ks)
{
    return ks->n;
}

slice keystore_name(const struct keystore *ks, uint32_t index)
{
    ASSERT(index < ks->n);
    return slice_make(ks->at[index].name, ks->at[index].name_n);
}

/* ---- entries as bytes: u32 length (big endian) and bytes, name and value by turns ---------- */

static void add_text(struct buf *out, const char *p, uint32_t n)
{
    unsigned char length[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                               (unsigned char)(n >> 8), (unsigned char)n};
    buf_add(out, length, 4);
    buf_add(out, p, n);
}

static bool take_text(slice *in, slice *out)
{
    if (in->n < 4) return false;
    const unsigned char *p = (const unsigned char *)in->p;
    uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    if (n > in->n - 4) return false;
    *out = slice_part(*in, 4, n);
    *in = slice_from(*in, 4 + n);
    return true;
}

static bool entries_read(struct keystore *ks, slice in)
{
    slice name, text;
    while (in.n > 0) {
        if (!take_text(&in, &name) || !take_text(&in, &text)) return false;
        if (!name_valid(name) || !text_valid(text) || ks->n == KEYSTORE_ENTRIES_MAX) return false;
        insert(ks, name, text);
    }
    return true;
}

/* ---- keys ------------------------------------------------------------------------------- */

static void key_path(const char *path, char *out, size_t cap)
{
    snprintf(out, cap, "%s.key", path);
}

static err key_file_read(const char *path, unsigned char key[KEY_BYTES], struct diag *diag)
{
    char file[4096];
    struct stat st;
    key_path(path, file, sizeof(file));
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return fail(diag, "the password in SPATE_KEYSTORE_PASS, or the key file beside it", path,
                    "its key file is missing");
    if (fd < 0) return fail_errno(diag, file, "read");
    bool whole = read(fd, key, KEY_BYTES) == (ssize_t)KEY_BYTES;
    bool safe = fstat(fd, &st) == 0 && (st.st_mode & 077) == 0;
    close(fd);
    if (!safe) return fail(diag, "mode 0600", file, "others may read the key");
    return whole ? ERR_OK : fail(diag, "32 bytes", file, "the key is cut short");
}

static err write_new(const char *file, const void *p, size_t n, struct diag *diag)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return fail_errno(diag, file, "create");
    bool good = write(fd, p, n) == (ssize_t)n && fsync(fd) == 0;
    err e = good ? ERR_OK : fail_errno(diag, file, "write");
    close(fd);
    return e;
}

static err key_file_make(const char *path, unsigned char key[KEY_BYTES], struct diag *diag)
{
    char file[4096];
    key_path(path, file, sizeof(file));
    if (access(file, F_OK) == 0) return key_file_read(path, key, diag);
    if (RAND_bytes(key, KEY_BYTES) != 1) return fail(diag, NULL, path, "no random numbers");
    return write_new(file, key, KEY_BYTES, diag);
}

static void key_from_password(const char *password, const struct header *h,
                              unsigned char key[KEY_BYTES])
{
    int ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), h->salt, SALT_BYTES, ROUNDS,
                               EVP_sha256(), KEY_BYTES, key);
    ASSERT(ok == 1);
}

/* ---- sealing ---------------------------------------------------------------------------- */

/* `out` gets the text and then the tag. */
static void seal(const struct header *h, const unsigned char *key, slice plain, struct buf *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, ok = ctx != NULL;
    ok &= EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, h->nonce);
    ok &= EVP_EncryptUpdate(ctx, NULL, &n, (const unsigned char *)h, sizeof(*h));
    buf_room(out, plain.n + TAG_BYTES);
    unsigned char *to = (unsigned char *)buf_end(out);
    if (plain.n > 0)
        ok &= EVP_EncryptUpdate(ctx, to, &n, (const unsigned char *)plain.p, (int)plain.n);
    ok &= EVP_EncryptFinal_ex(ctx, to + plain.n, &n);
    ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, to + plain.n);
    ASSERT(ok == 1);
    out->n += plain.n + TAG_BYTES;
    EVP_CIPHER_CTX_free(ctx);
}

/* False when key or bytes are not those it was sealed with. */
static bool unseal(const struct header *h, const unsigned char *key, slice sealed,
                   struct buf *plain)
{
    if (sealed.n < TAG_BYTES) return false;
    uint32_t bytes = sealed.n - TAG_BYTES;
    unsigned char tag[TAG_BYTES];
    memcpy(tag, sealed.p + bytes, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, ok = ctx != NULL;
    ok &= EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, h->nonce);
    ok &= EVP_DecryptUpdate(ctx, NULL, &n, (const unsigned char *)h, sizeof(*h));
    buf_room(plain, (size_t)bytes + 1);
    unsigned char *to = (unsigned char *)buf_end(plain);
    if (bytes > 0)
        ok &= EVP_DecryptUpdate(ctx, to, &n, (const unsigned char *)sealed.p, (int)bytes);
    ok &= EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag);
    ASSERT(ok == 1);
    bool good = EVP_DecryptFinal_ex(ctx, to + bytes, &n) == 1;
    plain->n += bytes;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

static void wipe(struct buf *b)
{
    if (b->data != NULL) OPENSSL_cleanse(b->data, b->cap);
    buf_fini(b);
}

/* ---- the file ---------------------------------------------------------------------------- */

static err file_read(const char *path, struct buf *out, struct diag *diag)
{
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT) return ERR_MISSING;
    if (file == NULL) return fail_errno(diag, path, "read");
    size_t got = 1;
    while (got > 0 && out->n <= FILE_BYTES_MAX) {
        buf_room(out, 65536);
        got = fread(buf_end(out), 1, 65536, file);
        out->n += got;
    }
    bool good = ferror(file) == 0 && out->n <= FILE_BYTES_MAX;
    fclose(file);
    return good ? ERR_OK : fail(diag, NULL, path, "cannot be read, or is larger than 64 MiB");
}

static err check_magic(const char *path, slice bytes, struct diag *diag)
{
    if (bytes.n >= sizeof(struct header) && slice_starts(bytes, SLICE(MAGIC))) return ERR_OK;
    bool foreign = slice_ends(slice_from_cstr(path), SLICE("logstash.keystore"));
    return fail(diag, "a file made by `spate keystore create`", path,
                foreign ? "this is Logstash's own format; add its values anew with `spate "
                          "keystore add` (see docs/configuration.md)"
                        : "this is not a keystore, or it is damaged");
}

static err open_key(const char *path, const struct header *h, unsigned char *key, struct diag *diag)
{
    const char *password = keystore_password();
    if (!h->by_password) return key_file_read(path, key, diag);
    if (password == NULL)
        return fail(diag, "the password in SPATE_KEYSTORE_PASS or LOGSTASH_KEYSTORE_PASS", path,
                    "it has a password, and none is set");
    key_from_password(password, h, key);
    return ERR_OK;
}

err keystore_open(const char *path, struct keystore **out, struct diag *diag)
{
    struct buf bytes = {0}, plain = {0};
    unsigned char key[KEY_BYTES];
    struct header h;
    *out = NULL;
    err e = file_read(path, &bytes, diag);
    if (e == ERR_OK) e = check_magic(path, buf_slice(&bytes), diag);
    if (e != ERR_OK) goto out;
    memcpy(&h, bytes.data, sizeof(h));
    e = open_key(path, &h, key, diag);
    if (e != ERR_OK) goto out;
    if (!unseal(&h, key, slice_from(buf_slice(&bytes), sizeof(h)), &plain)) {
        e = fail(diag, h.by_password ? "the password it was made with" : "its own key file", path,
                 "the key does not fit, or the file is damaged");
        goto out;
    }
    *out = keystore_new();
    if (!entries_read(*out, buf_slice(&plain))) {
        keystore_free(*out);
        *out = NULL;
        e = fail(diag, NULL, path, "the file is damaged");
    }
out:
    OPENSSL_cleanse(key, sizeof(key));
    wipe(&plain);
    buf_fini(&bytes);
    return e;
}

static err save_key(const char *path, struct header *h, unsigned char *key, struct diag *diag)
{
    const char *password = keystore_password();
    memcpy(h->magic, MAGIC, sizeof(h->magic));
    h->by_password = password != NULL;
    if (RAND_bytes(h->salt, SALT_BYTES) != 1 || RAND_bytes(h->nonce, NONCE_BYTES) != 1)
        return fail(diag, NULL, path, "no random numbers");
    if (password == NULL) return key_file_make(path, key, diag);
    key_from_password(password, h, key);
    return ERR_OK;
}

err keystore_save(const struct keystore *ks, const char *path, struct diag *diag)
{
    struct buf plain = {0}, sealed = {0};
    unsigned char key[KEY_BYTES];
    struct header h = {0};
    char fresh[4096];
    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh) - 8)
        return fail(diag, NULL, path, "the path is too long");
    err e = save_key(path, &h, key, diag);
    if (e == ERR_OK) {
        for (uint32_t i = 0; i < ks->n; i++) {
            add_text(&plain, ks->at[i].name, ks->at[i].name_n);
            add_text(&plain, ks->at[i].text, ks->at[i].text_n);
        }
        buf_add(&sealed, &h, sizeof(h));
        seal(&h, key, buf_slice(&plain), &sealed);
        unlink(fresh); /* what an interrupted run left */
        e = write_new(fresh, sealed.data, sealed.n, diag);
    }
    if (e == ERR_OK && rename(fresh, path) != 0) e = fail_errno(diag, path, "replace");
    OPENSSL_cleanse(key, sizeof(key));
    wipe(&plain);
    buf_fini(&sealed);
    return e;
}
