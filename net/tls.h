/*
 * tls.h - TLS on OpenSSL, over memory: bytes in from the wire, bytes out for the wire.
 *
 * A tls_context is made by the control thread from files and is read-only and shared afterwards;
 * a tls_session is one connection's, owned by its shard and used by net/stream.c. Nothing here
 * touches a socket. Errors carry OpenSSL's reason as text.
 */
#ifndef NET_TLS_H
#define NET_TLS_H
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/err.h"
#include "engine/base/slice.h"

struct stream;

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_OPTIONAL, TLS_VERIFY_REQUIRED };
enum tls_protocol { TLS_1_1 = 1, TLS_1_2 = 2, TLS_1_3 = 4 }; /* bits, in this order */

/* All texts are file names unless said otherwise; p == NULL: not given. */
struct tls_config {
    bool client;
    slice certificate, key, key_passphrase /* text */;
    slice keystore, keystore_password /* text */; /* PKCS#12, in place of certificate and key */
    const slice *authorities;
    uint32_t authority_n;
    const slice *chain; /* sent behind the certificate */
    uint32_t chain_n;
    slice truststore, truststore_password /* text */; /* PKCS#12 */
    enum tls_verify verify;
    bool verify_host;     /* client: the certificate must name the host */
    uint64_t protocols;   /* enum tls_protocol; 0: 1.2 and 1.3 */
    const slice *ciphers; /* IANA or OpenSSL names; 0: OpenSSL's choice */
    uint32_t cipher_n;
};

#define TLS_WHY_BYTES 512u
struct tls_context;
/* NULL with a sentence in `why`. */
struct tls_context *tls_context_new(const struct tls_config *config, char why[TLS_WHY_BYTES]);
void tls_context_free(struct tls_context *context);

struct tls_session;
/* `host` is the name a client asks for; empty for servers. */
struct tls_session *tls_session_new(struct tls_context *context, slice host);
void tls_session_free(struct tls_session *t);
/* A client speaks first. */
void tls_session_hello(struct tls_session *t, struct stream *s);
/* Wire bytes in; plain bytes go to the stream's data(). 0: go on; -1: the peer said goodbye;
 * otherwise an errno, tls_session_why has the text. */
int tls_session_take(struct tls_session *t, struct stream *s, slice bytes) MUST_USE;
/* Plain bytes out; those before the handshake's end wait for it. */
bool tls_session_send(struct tls_session *t, struct stream *s, slice bytes) MUST_USE;
void tls_session_bye(struct tls_session *t, struct stream *s);
/* After the handshake: the subject of the peer's certificate (RFC 2253), empty without one. */
slice tls_session_subject(const struct tls_session *t);
/* "TLSv1.3", and the cipher's IANA name; empty before the handshake. */
slice tls_session_protocol(const struct tls_session *t);
slice tls_session_cipher(const struct tls_session *t);
bool tls_session_ready(const struct tls_session *t);
bool tls_session_verified(const struct tls_session *t);
const char *tls_session_why(const struct tls_session *t);

#endif
