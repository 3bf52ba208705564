/*
 * ruby_marshal.h - Ruby's Marshal format 4.8 for plain data.
 *
 * What Logstash's memcached filter stores and reads: nil, booleans, numbers, strings, symbols (read
 * as strings), lists and maps, with links to what came before. Objects of classes are not data and
 * not read. Strings that are no UTF-8 are scrubbed. Format: Ruby's own documentation,
 * doc/marshal.rdoc. Pure: any thread.
 */
#ifndef PARSERS_WIRE_RUBY_MARSHAL_H
#define PARSERS_WIRE_RUBY_MARSHAL_H
#include "engine/base/err.h"
#include "engine/event/map.h"

#define MARSHAL_DEPTH_MAX 100u
#define MARSHAL_OBJECTS_MAX 65536u

/* ERR_FRAME: not of the format, ERR_UNSUPPORTED: objects, ERR_LIMIT: too deep or too many. */
err marshal_read(slice in, struct arena *arena, struct value *out) MUST_USE;
/* Appends; times become ISO 8601 strings, exact big numbers their digits. */
void marshal_write(struct value *v, struct arena *arena, struct buf *out);

#endif
