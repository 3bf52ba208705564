/*
 * xml_raw.h - XML whose references a parser leaves alone.
 *
 * REXML, which Logstash's xml filter reads documents with, shows text between elements as it is
 * written, keeps line ends within attributes and leaves unknown entities as they are; libxml2
 * replaces them all. So references in text and attributes are escaped before libxml2 sees them,
 * and what it gives back is the source: to be shown as it is, or decoded here. Documents with a
 * DOCTYPE may define entities of their own and are not for this. Pure: any thread.
 */
#ifndef ENGINE_FILTERS_XML_RAW_H
#define ENGINE_FILTERS_XML_RAW_H
#include "engine/base/pages.h"
#include "engine/base/slice.h"

enum xml_raw {
    XML_RAW_SAME,    /* there is nothing to escape */
    XML_RAW_ESCAPED, /* *out is the document to parse */
    XML_RAW_DOCTYPE, /* parse it as it is, references and all */
    XML_RAW_BAD      /* a reference that is none: not well-formed */
};

enum xml_raw xml_raw_escape(slice text, struct arena *arena, slice *out);

/* Raw text with the references to characters and to the five known entities replaced. */
slice xml_raw_decode(slice raw, struct arena *arena);

#endif
