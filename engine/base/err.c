/* err.c - names of the error codes. */
#include "engine/base/err.h"

const char *err_text(err e)
{
    switch (e) {
    case ERR_OK: return "ok";
    case ERR_SYNTAX: return "syntax error";
    case ERR_LIMIT: return "limit reached";
    case ERR_CONFIG: return "configuration error";
    case ERR_SYSTEM: return "system error";
    case ERR_FRAME: return "protocol error";
    case ERR_TYPE: return "wrong type";
    case ERR_PERMISSION: return "permission denied";
    case ERR_CLOSED: return "closed";
    case ERR_UNSUPPORTED: return "not supported";
    case ERR_MISSING: return "not found";
    case ERR_BUSY: return "in use by another";
    default: return "unknown error";
    }
}
