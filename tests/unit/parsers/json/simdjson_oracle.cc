// simdjson_oracle.cc - see simdjson_oracle.h.
#include "tests/unit/parsers/json/simdjson_oracle.h"

#include <cstdio>
#include <cstring>
#include <string>

#include <simdjson.h>

namespace dom = simdjson::dom;

static void add_hex(std::string &out, std::string_view s)
{
    for (unsigned char c : s) {
        char text[4];
        snprintf(text, sizeof(text), "%02x", c);
        out += text;
    }
}

static void add_value(std::string &out, dom::element e);

static void add_object(std::string &out, dom::object object)
{
    out += '{';
    for (auto field : object) {
        bool first = true;
        for (auto other : object) {
            if (&*other.key.data() == &*field.key.data()) break;
            if (other.key == field.key) first = false;
        }
        if (!first) continue;
        dom::element last = field.value;
        for (auto other : object)
            if (other.key == field.key) last = other.value;
        add_hex(out, field.key);
        out += ':';
        add_value(out, last);
    }
    out += '}';
}

static void add_value(std::string &out, dom::element e)
{
    char text[40];
    switch (e.type()) {
    case dom::element_type::ARRAY:
        out += '[';
        for (auto item : dom::array(e)) add_value(out, item);
        out += ']';
        break;
    case dom::element_type::OBJECT: add_object(out, dom::object(e)); break;
    case dom::element_type::INT64: out += 'i' + std::to_string(int64_t(e)); break;
    case dom::element_type::UINT64: out += 'i' + std::to_string(uint64_t(e)); break;
    case dom::element_type::DOUBLE:
        snprintf(text, sizeof(text), "d%.17g", double(e));
        out += text;
        break;
    case dom::element_type::STRING:
        out += 's';
        add_hex(out, std::string_view(e));
        break;
    case dom::element_type::BOOL: out += bool(e) ? 't' : 'f'; break;
    case dom::element_type::NULL_VALUE: out += 'n'; break;
    }
    out += ' ';
}

extern "C" enum oracle_answer simdjson_oracle(const char *text, size_t n, char **out)
{
    static dom::parser parser;
    dom::element root;
    auto error = parser.parse(text, n, true).get(root);
    if (error == simdjson::NUMBER_ERROR) return ORACLE_NUMBER;
    if (error == simdjson::STRING_ERROR) return ORACLE_STRING;
    if (error == simdjson::DEPTH_ERROR) return ORACLE_DEPTH;
    if (error != simdjson::SUCCESS) return ORACLE_NO;
    std::string canonical;
    add_value(canonical, root);
    *out = strdup(canonical.c_str());
    return ORACLE_YES;
}
