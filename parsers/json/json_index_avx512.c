/* json_index_avx512.c - see json_index_kernel.h. */
#include "parsers/json/json_index_kernel.h"

const struct json_index_kernel json_index_avx512 = {json_index_vec};
