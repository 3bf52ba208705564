/*
 * hazard.h - what is dangerous about a regular expression, told from its tree.
 *
 * Two questions, both answered conservatively ("no" when in doubt): can backtracking take time
 * exponential in the line's length (a loop over a loop that can cut the same text in many ways,
 * followed by something that can fail), and is there a part that no text can match (an anchor
 * where no line begins or ends)? Pure; control thread.
 */
#ifndef PARSERS_GROK_HAZARD_H
#define PARSERS_GROK_HAZARD_H
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/slice.h"

/* Stands for a part whose text is not known (a %{NAME} that is not expanded): it matches
 * something, nobody knows what. */
#define HAZARD_OPAQUE '\x01'

struct regex_hazard {
    bool exponential, impossible;
    uint32_t exponential_at, impossible_at; /* offsets of the loop, of the anchor */
};

/* Nothing dangerous when the expression is wrong: that is somebody else's error. */
struct regex_hazard regex_hazard_find(slice pattern, uint32_t regex_flags);

#endif
