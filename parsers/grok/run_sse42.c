/* run_sse42.c - see run_kernel.h; with what the whole program is compiled for. */
#include "parsers/grok/run_kernel.h"

const struct run_kernel run_sse42 = {search, find, is_ascii};
