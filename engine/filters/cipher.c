/*
 * cipher.c - encrypts or decrypts a field.
 *
 * The key is cut or padded to key_size. With iv_random_length each text gets an initialisation
 * vector of its own, which stands in front of what was encrypted; else `iv` is used for all.
 * Text that cannot be processed leaves its field as it is, counted, and tags the event; so does
 * decrypted text that is no UTF-8. max_cipher_reuse is accepted: a context is set up anew for each
 * text in any case. State: OpenSSL's context.
 */
#include <openssl/evp.h>
#include <sys/random.h>

#include "engine/base/assert.h"
#include "engine/base/log.h"
#include "engine/base/utf8.h"
#include "engine/plan/digest.h"
#include "engine/plan/filter_kit.h"

static const char *const modes[] = {"encrypt", "decrypt", NULL};

struct cipher_cfg {
    slice source_name, target_name, key_text, key_pad, algorithm, padding_text, iv_text;
    int64_t key_size, iv_random_length, reuse_max;
    bool base64, pads, decrypts;
    int mode;
    struct fieldref source, target;
    const EVP_CIPHER *cipher;
    unsigned char key[EVP_MAX_KEY_LENGTH], iv[EVP_MAX_IV_LENGTH];
};

struct cipher_state {
    EVP_CIPHER_CTX *context;
    struct log_gate gate;
    struct counter failures;
};

/* Writes behind `out`; the bytes written, or -1. */
static int64_t run_cipher(struct cipher_state *s, const struct cipher_cfg *cfg,
                          const unsigned char *iv, slice in, unsigned char *out)
{
    int n = 0, last = 0;
    if (in.n > INT32_MAX / 2 ||
        EVP_CipherInit_ex(s->context, cfg->cipher, NULL, cfg->key, iv, !cfg->decrypts) != 1)
        return -1;
    EVP_CIPHER_CTX_set_padding(s->context, cfg->pads);
    if (EVP_CipherUpdate(s->context, out, &n, (const unsigned char *)in.p, (int)in.n) != 1 ||
        EVP_CipherFinal_ex(s->context, out + n, &last) != 1)
        return -1;
    return (int64_t)n + last;
}

static bool encrypt(struct cipher_state *s, const struct cipher_cfg *cfg, slice in,
                    struct arena *arena, slice *text)
{
    uint32_t iv_n = (uint32_t)cfg->iv_random_length;
    unsigned char *out = arena_alloc(arena, (size_t)in.n + iv_n + EVP_MAX_BLOCK_LENGTH, 1);
    if (iv_n > 0 && getrandom(out, iv_n, 0) != (ssize_t)iv_n) return false;
    int64_t n = run_cipher(s, cfg, iv_n > 0 ? out : cfg->iv, in, out + iv_n);
    if (n < 0) return false;
    *text = slice_make((const char *)out, (size_t)n + iv_n);
    if (cfg->base64) *text = base64_text(out, text->n, arena);
    return true;
}

static bool decrypt(struct cipher_state *s, const struct cipher_cfg *cfg, slice in,
                    struct arena *arena, slice *text)
{
    uint32_t iv_n = (uint32_t)cfg->iv_random_length;
    if (cfg->base64 && !base64_bytes(in, arena, &in)) return false;
    if (in.n < iv_n) return false;
    const unsigned char *iv = iv_n > 0 ? (const unsigned char *)in.p : cfg->iv;
    unsigned char *out = arena_alloc(arena, (size_t)in.n + EVP_MAX_BLOCK_LENGTH, 1);
    int64_t n = run_cipher(s, cfg, iv, slice_from(in, iv_n), out);
    if (n < 0) return false;
    *text = slice_make((const char *)out, (size_t)n);
    return true;
}

static bool is_empty(const struct value *v)
{
    return v->type == VALUE_NIL || (v->type == VALUE_MAP && v->u.map->n == 0) ||
           ((v->type == VALUE_STRING || v->type == VALUE_LIST) && v->n == 0);
}

static bool cipher_one(struct cipher_state *s, const struct cipher_cfg *cfg, struct batch *b,
                       struct event *ev)
{
    struct value *v = event_get(b, ev, &cfg->source);
    slice text;
    if (v == NULL || is_empty(v)) return false;
    bool ok = v->type == VALUE_STRING &&
              (cfg->decrypts ? decrypt(s, cfg, value_slice(v), &b->arena, &text)
                             : encrypt(s, cfg, value_slice(v), &b->arena, &text));
    if (ok && utf8_valid(text) && event_put(b, ev, &cfg->target, value_string(text)) == ERR_OK)
        return true;
    uint64_t held;
    counter_add(&s->failures, 1);
    if (log_gate_open(&s->gate, &held))
        log_warn("filters.cipher", "`%.*s` cannot be %s (%llu more since the last report)",
                 SLICE_FMT(cfg->source.text), cfg->decrypts ? "decrypted" : "encrypted",
                 (unsigned long long)held);
    event_tag(b, ev, SLICE("_cipherfiltererror"), true);
    return false;
}

static enum applied cipher_apply(void *state, const void *cfg, struct batch *b,
                                 const struct sel *in, struct sel *hit, struct plan_run *run)
{
    (void)run;
    for (uint32_t i = 0; i < in->n; i++)
        if (cipher_one(state, cfg, b, &b->event[in->at[i]])) sel_add(hit, in->at[i]);
    return APPLIED;
}

static err cipher_start(void *state, const void *cfg, struct worker *worker)
{
    struct cipher_state *s = state;
    (void)cfg, (void)worker;
    s->context = EVP_CIPHER_CTX_new();
    ASSERT(s->context != NULL);
    return ERR_OK;
}

static void cipher_stop(void *state, const void *cfg)
{
    (void)cfg;
    EVP_CIPHER_CTX_free(((struct cipher_state *)state)->context);
}

static void cipher_stats(const void *state, const void *cfg, struct buf *out)
{
    const struct cipher_state *s = state;
    (void)cfg;
    buf_printf(out, ",\"failures\":%llu", (unsigned long long)counter_read(&s->failures));
}

static err compile_key_text(struct cipher_cfg *cfg, struct compiler *c)
{
    int need = EVP_CIPHER_get_key_length(cfg->cipher);
    if (cfg->key_pad.p == NULL) cfg->key_pad = SLICE("\0");
    if (cfg->key_text.p == NULL || cfg->key_pad.n != 1) {
        compile_error(c, cfg->key_text.p == NULL ? "key" : "key_pad", NULL,
                      cfg->key_text.p == NULL ? "the key is missing"
                                              : "key_pad must be one character");
        return ERR_CONFIG;
    }
    if (cfg->key_size != need) {
        compile_error(c, "key_size", NULL, "%.*s needs a key of %d bytes, key_size is %lld",
                      SLICE_FMT(cfg->algorithm), need, (long long)cfg->key_size);
        return ERR_CONFIG;
    }
    memset(cfg->key, cfg->key_pad.p[0], sizeof(cfg->key));
    memcpy(cfg->key, cfg->key_text.p,
           cfg->key_text.n < (uint32_t)need ? cfg->key_text.n : (uint32_t)need);
    return ERR_OK;
}

static err compile_iv(struct cipher_cfg *cfg, struct compiler *c)
{
    int need = EVP_CIPHER_get_iv_length(cfg->cipher);
    bool random = settings_given(&c->given, "iv_random_length");
    if (!random && cfg->iv_text.n == 0) {
        compile_error(c, "algorithm", NULL,
                      "cipher plugin: either 'iv' or 'iv_random_length' must be configured");
        return ERR_CONFIG;
    }
    int64_t have = random ? cfg->iv_random_length : (int64_t)cfg->iv_text.n;
    if (have < need || (random && have != need)) {
        compile_error(c, random ? "iv_random_length" : "iv", NULL,
                      "%.*s needs an initialization vector of %d bytes, not %lld",
                      SLICE_FMT(cfg->algorithm), need, (long long)have);
        return ERR_CONFIG;
    }
    if (random) return ERR_OK;
    diag_warn(c->diag, settings_pos(c->plugin, "iv"), NULL,
              "iv is the same for every event: use iv_random_length");
    memcpy(cfg->iv, cfg->iv_text.p, (size_t)need);
    return ERR_OK;
}

static err cipher_compile(void *config, struct compiler *c)
{
    struct cipher_cfg *cfg = config;
    cfg->decrypts = cfg->mode == 1;
    cfg->pads = !slice_equal(cfg->padding_text, SLICE("0"));
    cfg->cipher = EVP_get_cipherbyname(cfg->algorithm.p);
    int kind = cfg->cipher == NULL ? 0 : EVP_CIPHER_get_mode(cfg->cipher);
    if (cfg->cipher == NULL || kind == EVP_CIPH_GCM_MODE || kind == EVP_CIPH_CCM_MODE) {
        compile_error(c, "algorithm", "a name such as aes-256-cbc", "unknown cipher `%.*s`",
                      SLICE_FMT(cfg->algorithm));
        return ERR_CONFIG;
    }
    if (!cfg->base64 && !cfg->decrypts) {
        compile_error(c, "base64", "true",
                      "encrypted bytes are no text: fields hold UTF-8, so base64 is needed");
        return ERR_CONFIG;
    }
    err e[] = {compile_key_text(cfg, c), compile_iv(cfg, c),
               compile_field_option(c, &cfg->source, "source", cfg->source_name),
               compile_field_option(c, &cfg->target, "target", cfg->target_name)};
    for (uint32_t i = 0; i < sizeof(e) / sizeof(e[0]); i++)
        if (e[i] != ERR_OK) return ERR_CONFIG;
    return ERR_OK;
}

#define CI_AT(member, kind) SETTING_AT(struct cipher_cfg, member, kind)

/* clang-format off */
static const struct setting cipher_settings[] = {
    {.name = "source", CI_AT(source_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field to process."},
    {.name = "target", CI_AT(target_name, STRING), .flags = SETTING_FIELD,
     .default_text = "message",
     .doc = "The field that receives the result."},
    {.name = "mode", CI_AT(mode, ENUM), .choices = modes, .flags = SETTING_REQUIRED,
     .doc = "Encrypt or decrypt."},
    {.name = "algorithm", CI_AT(algorithm, STRING), .flags = SETTING_REQUIRED,
     .doc = "OpenSSL's name of the cipher, e.g. aes-256-cbc; modes with a tag are not possible."},
    {.name = "key", CI_AT(key_text, PASSWORD), .flags = SETTING_SECRET,
     .doc = "The key, cut or padded to key_size."},
    {.name = "key_size", CI_AT(key_size, INT), .default_text = "16", .min = 1, .max = 64,
     .doc = "Bytes of the key, as the cipher wants them."},
    {.name = "key_pad", CI_AT(key_pad, STRING),
     .doc = "The character that fills a short key up; by default a zero byte."},
    {.name = "iv_random_length", CI_AT(iv_random_length, INT), .min = 1, .max = 16,
     .doc = "Bytes of a random initialisation vector in front of each encrypted text."},
    {.name = "iv", CI_AT(iv_text, STRING),
     .doc = "One initialisation vector for all texts; iv_random_length is better."},
    {.name = "base64", CI_AT(base64, BOOL), .default_text = "true",
     .doc = "Encrypted text is in base64."},
    {.name = "cipher_padding", CI_AT(padding_text, STRING),
     .doc = "\"0\" turns the padding of blocks off."},
    {.name = "max_cipher_reuse", CI_AT(reuse_max, INT), .default_text = "1",
     .doc = "Without effect here: every text starts from the key anew."},
    {0}};
/* clang-format on */

const struct filter_ops filter_cipher = {
    .name = "cipher",
    .doc = "Encrypts or decrypts a field.",
    .settings = cipher_settings,
    .cfg_size = sizeof(struct cipher_cfg),
    .state_size = sizeof(struct cipher_state),
    .compile = cipher_compile,
    .start = cipher_start,
    .apply = cipher_apply,
    .stop = cipher_stop,
    .stats = cipher_stats,
};
