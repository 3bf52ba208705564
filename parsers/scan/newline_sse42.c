/* newline_sse42.c - see newline_kernel.h. */
#include "parsers/scan/newline_kernel.h"

const struct newline_kernel newline_sse42 = {newline_collect_vec, newline_count_vec};
