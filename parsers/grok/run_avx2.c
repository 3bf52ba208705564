/* run_avx2.c - see run_kernel.h. */
#include "parsers/grok/run_kernel.h"

const struct run_kernel run_avx2 = {search, find, is_ascii};
