/* units.c - bytes and durations. */
#include "engine/config/units.h"

#include <math.h>

#include "engine/base/assert.h"
#include "engine/base/number.h"

#define NS_PER_MS 1000000.0
#define NS_PER_S (1000 * NS_PER_MS)

struct unit {
    const char *names; /* separated by blanks */
    double factor;
};

/* Splits "10.5 MiB" into number and unit; false without digits in front. */
static bool number_split(slice text, double *number, slice *unit)
{
    text = slice_trim(text);
    uint32_t n = 0;
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || text.p[n] == '.')) n++;
    if (n == 0 || !number_f64_parse(slice_part(text, 0, n), number)) return false;
    *unit = slice_trim(slice_from(text, n));
    return true;
}

static bool unit_find(const struct unit *units, uint32_t n, slice name, double *factor)
{
    for (uint32_t i = 0; i < n; i++) {
        slice names = slice_from_cstr(units[i].names);
        while (names.n > 0) {
            int64_t blank = slice_find_byte(names, ' ');
            uint32_t word = blank < 0 ? names.n : (uint32_t)blank;
            if (slice_equal_nocase(slice_part(names, 0, word), name)) {
                *factor = units[i].factor;
                return true;
            }
            names = slice_from(names, word + 1);
        }
    }
    return false;
}

static bool scale(double number, double factor, int64_t *out)
{
    double product = number * factor;
    if (!(product < 9.2e18)) return false;
    *out = (int64_t)llround(product);
    return true;
}

bool bytes_parse_plugin(slice text, int64_t *out)
{
    double number, base = 1000, factor = 1;
    slice unit;
    if (!number_split(text, &number, &unit)) return false;
    static const char letters[] = "kmgtpe";
    if (unit.n > 0 && (unit.p[0] | 0x20) != 'b') {
        uint32_t power = 0;
        while (power < 6 && letters[power] != (unit.p[0] | 0x20)) power++;
        if (power == 6) return false;
        unit = slice_from(unit, 1);
        if (unit.n > 0 && (unit.p[0] | 0x20) == 'i') {
            base = 1024;
            unit = slice_from(unit, 1);
        }
        factor = pow(base, power + 1);
    }
    if (unit.n > 0 && !slice_equal_nocase(unit, SLICE("b"))) return false;
    return scale(number, factor, out);
}

bool bytes_parse_settings(slice text, int64_t *out)
{
    static const struct unit units[] = {
        {"b", 1},         {"k kb", 1024.0}, {"m mb", 1048576.0}, {"g gb", 1073741824.0},
        {"t tb", 0x1p40}, {"p pb", 0x1p50},
    };
    double number, factor = 1;
    slice unit;
    if (!number_split(text, &number, &unit)) return false;
    if (unit.n > 0 && !unit_find(units, ARRAY_LEN(units), unit, &factor)) return false;
    return scale(number, factor, out);
}

bool duration_parse_plugin(slice text, int64_t *ns)
{
    static const struct unit units[] = {
        {"s sec secs second seconds", NS_PER_S},
        {"ms msec msecs", NS_PER_MS},
        {"us usec usecs", 1000},
        {"m min mins minute minutes", 60 * NS_PER_S},
        {"h hour hours", 3600 * NS_PER_S},
        {"d day days", 86400 * NS_PER_S},
        {"w week weeks", 7 * 86400 * NS_PER_S},
    };
    double number, factor = NS_PER_S;
    slice unit;
    if (!number_split(text, &number, &unit)) return false;
    if (unit.n > 0 && !unit_find(units, ARRAY_LEN(units), unit, &factor)) return false;
    return scale(number, factor, ns);
}

bool duration_parse_settings(slice text, int64_t *ns)
{
    static const struct unit units[] = {
        {"nanos", 1},         {"micros", 1000},       {"ms", NS_PER_MS},       {"s", NS_PER_S},
        {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S},
    };
    /* "-1" switches slow logs off. */
    if (slice_equal(slice_trim(text), SLICE("-1"))) return *ns = -1, true;
    double number, factor = 1;
    slice unit;
    if (!number_split(text, &number, &unit)) return false;
    if (unit.n > 0 && !unit_find(units, ARRAY_LEN(units), unit, &factor)) return false;
    return scale(number, factor, ns);
}

bool age_parse(slice text, int64_t *ns)
{
    static const struct unit units[] = {
        {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S}};
    double number, factor;
    slice unit;
    return number_split(text, &number, &unit) &&
           unit_find(units, ARRAY_LEN(units), unit, &factor) && scale(number, factor, ns);
}
