/* utf8_scan_avx512.c - see utf8_scan_kernel.h. */
#include "parsers/scan/utf8_scan_kernel.h"

const struct utf8_scan_kernel utf8_scan_avx512 = {utf8_scan_vec};
