/*
 * proxy_line.h - the first line of a connection in the PROXY protocol, version 1.
 *
 * "PROXY TCP4 client-address proxy-address client-port proxy-port CRLF", at most 107 bytes
 * (haproxy.org/download/1.8/doc/proxy-protocol.txt, section 2.1). Collected from however many
 * receives it takes. Owner: one connection.
 */
#ifndef NET_PROXY_LINE_H
#define NET_PROXY_LINE_H
#include "engine/base/err.h"
#include "engine/base/slice.h"

#define PROXY_LINE_MAX 107u

struct proxy_line {
    char text[PROXY_LINE_MAX];
    uint8_t n;
    bool done;
};

/* Takes the line off the front of *bytes. 1: done; 0: more is needed; ERR_FRAME: it is none. */
int proxy_line_take(struct proxy_line *line, slice *bytes) MUST_USE;

enum proxy_part { PROXY_CLIENT = 2, PROXY_HOST = 3, PROXY_CLIENT_PORT = 4, PROXY_PORT = 5 };
/* Empty when the line does not say ("PROXY UNKNOWN"). */
slice proxy_line_part(const struct proxy_line *line, enum proxy_part part);

#endif
