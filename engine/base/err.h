/*
 * err.h - operating errors.
 *
 * 0 is success, everything else a negative code. Bad data is never an err (it is a
 * tag and a counter); a programmer error is an ASSERT. Any thread.
 */
#ifndef ENGINE_BASE_ERR_H
#define ENGINE_BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))

typedef int err;

enum err_code {
    ERR_OK = 0,
    ERR_SYNTAX = -1, /* the text given is not of the grammar */
    ERR_LIMIT = -2,  /* a named bound was hit */
    ERR_CONFIG = -3, /* reported through a struct diag already */
    ERR_SYSTEM = -4, /* errno says why */
    ERR_FRAME = -5,  /* the peer broke its protocol */
    ERR_TYPE = -6,   /* a value of another type is in the way */
    ERR_PERMISSION = -7,
    ERR_CLOSED = -8,
    ERR_UNSUPPORTED = -9,
    ERR_MISSING = -10,
    ERR_BUSY = -11 /* somebody else holds it */
};

/* A short English text for a code, for log lines. Never NULL. */
const char *err_text(err e);

#endif
