/* newline_avx512.c - see newline_kernel.h. */
#include "parsers/scan/newline_kernel.h"

const struct newline_kernel newline_avx512 = {newline_collect_vec, newline_count_vec};
