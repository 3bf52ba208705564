/* cpu.c - feature detection by the compiler's builtins (they check OS support too). */
#include "engine/base/cpu.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static enum cpu_level found;
static bool sha;
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

/* Leaf 7, EBX bit 29; compilers have no name for it. Its registers are those of SSE. */
static bool detect_sha(void)
{
#if defined(__x86_64__)
    unsigned int a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) != 0;
#else
    return false;
#endif
}

enum cpu_level cpu_init(void)
{
    found = detect();
    const char *wanted = getenv("SPATE_CPU");
    for (int i = 0; wanted != NULL && i <= CPU_AVX512; i++)
        if (strcmp(wanted, names[i]) == 0 && (enum cpu_level)i < found) found = (enum cpu_level)i;
    sha = found > CPU_SCALAR && detect_sha();
    return found;
}

bool cpu_has_sha(void)
{
    return sha;
}

enum cpu_level cpu_level(void)
{
    return found;
}
const char *cpu_level_name(enum cpu_level level)
{
    return names[level];
}
