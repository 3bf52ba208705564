/*
 * xml_simple.h - an XML element as a value, by the rules of Ruby's XmlSimple.
 *
 * Attributes and children become members, text is the member "content" where there is something
 * else, or the value itself. Members that come again become lists. Facts: XmlSimple 1.1's xml_in.
 * Pure: any thread; the value is in the arena given.
 */
#ifndef ENGINE_FILTERS_XML_SIMPLE_H
#define ENGINE_FILTERS_XML_SIMPLE_H
#include "engine/event/map.h"

struct _xmlNode; /* libxml2's xmlNode */

struct xml_simple {
    bool force_array;    /* a single child is a list of one */
    bool force_content;  /* text is always below "content" */
    bool suppress_empty; /* empty elements are left out */
    bool raw;            /* text and attributes are as in the source (xml_raw.h) */
    struct arena *arena;
};

struct value xml_simple_value(const struct xml_simple *rules, struct _xmlNode *element);

#endif
