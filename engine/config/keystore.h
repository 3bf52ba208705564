/*
 * keystore.h - named secrets in an encrypted file, for ${NAME} in configurations and settings.
 *
 * File: a header (magic, how the key is made, salt, nonce) and the entries under AES-256-GCM, the
 * header being authenticated too. The key comes from a password (SPATE_KEYSTORE_PASS or
 * LOGSTASH_KEYSTORE_PASS, PBKDF2-HMAC-SHA256) or else from a random key file beside the keystore,
 * mode 0600, which protects no better than the file's permissions do. Names are those that
 * placeholders can have; upper and lower case are the same. Saved by writing a new file and
 * renaming it. Control thread; errors go to a diag. Formats: NIST SP 800-38D, RFC 8018.
 */
#ifndef ENGINE_CONFIG_KEYSTORE_H
#define ENGINE_CONFIG_KEYSTORE_H
#include <stdbool.h>

#include "engine/base/err.h"
#include "engine/config/diag.h"
#include "engine/config/env.h"

#define KEYSTORE_FILE "spate.keystore"
#define KEYSTORE_ENTRIES_MAX 10000u
#define KEYSTORE_NAME_MAX 255u
#define KEYSTORE_VALUE_MAX (64u << 10)

struct keystore;

/* A new, empty one; not on disk before keystore_save. */
struct keystore *keystore_new(void);
void keystore_free(struct keystore *ks); /* wipes it; NULL is fine */
/* ERR_MISSING without a report when there is no such file; ERR_CONFIG after reporting. */
err keystore_open(const char *path, struct keystore **out, struct diag *diag) MUST_USE;
/* Makes the key file when no password is set and there is none yet. */
err keystore_save(const struct keystore *ks, const char *path, struct diag *diag) MUST_USE;

bool keystore_get(const struct keystore *ks, slice name, slice *out);
/* Adds or replaces; ERR_CONFIG after reporting a bad name or value. */
err keystore_set(struct keystore *ks, slice name, slice text, struct diag *diag) MUST_USE;
bool keystore_remove(struct keystore *ks, slice name);
uint32_t keystore_n(const struct keystore *ks);
slice keystore_name(const struct keystore *ks, uint32_t index); /* sorted */

/* The lookup of an environment whose context is a keystore. */
bool keystore_lookup(void *context, slice name, slice *out);

/* The password of the process's environment, or NULL. */
const char *keystore_password(void);

#endif
