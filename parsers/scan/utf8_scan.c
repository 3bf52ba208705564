/* utf8_scan.c - choice of the UTF-8 scan. */
#include "parsers/scan/utf8_scan.h"

#include "engine/base/assert.h"
#include "engine/base/utf8.h"
#include "parsers/scan/utf8_scan_kernel.h"

bool (*utf8_scan_valid)(slice s) = utf8_valid;

void utf8_scan_init(enum cpu_level level)
{
    static const struct utf8_scan_kernel scalar = {utf8_valid};
    static const struct utf8_scan_kernel *const kernels[] = {&scalar, &utf8_scan_sse42,
                                                             &utf8_scan_avx2, &utf8_scan_avx512};
    ASSERT(level < ARRAY_LEN(kernels));
    utf8_scan_valid = kernels[level]->valid;
}
