/* cpu.c - feature detection by the compiler's builtins (they check OS support too). */
#include "engine/base/cpu.h"

#include <stdlib.h>
#include <string.h>

static enum cpu_level found;
static const char *const names[] = {"scalar", "sse42", "avx2", "avx512"};

static enum cpu_level detect(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512vbmi2"))
        return CPU_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) return CPU_AVX2;
    if (__builtin_cpu_supports("sse4.2")) return CPU_SSE42;
    return CPU_SCALAR;
}

enum cpu_level cpu_init(void)
{
    found = detect();
    const char *wanted = getenv("SPATE_CPU");
    for (int i = 0; wanted != NULL && i <= CPU_AVX512; i++)
        if (strcmp(wanted, names[i]) == 0 && (enum cpu_level)i < found) found = (enum cpu_level)i;
    return found;
}

enum cpu_level cpu_level(void)
{
    return found;
}
const char *cpu_level_name(enum cpu_level level)
{
    return names[level];
}
