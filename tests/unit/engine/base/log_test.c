/* log_test.c - a line of the log is one line, whatever is in it. */
#include "engine/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/slice.h"
#include "tests/unit/t.h"

static char path[] = "/tmp/spate-log-XXXXXX";
static char text[4096];

static const char *logged(void)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    assert_int_equal(truncate(path, 0), 0);
    return text;
}

static int open_log(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    close(fd);
    log_to_stderr(true);
    return log_set_file(path) == ERR_OK ? 0 : -1;
}

static int remove_log(void **state)
{
    (void)state;
    return unlink(path);
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    log_set_format(LOG_PLAIN);
    log_warn("a", "said \"%s\"",
             "x\n[2026-11-21T00:00:00,000][FATAL][b] y\r\t\x1b[31m\x7f \xc3\xa9");
    const char *line = logged();
    assert_non_null(strstr(line, "[WARN ][a] said \"x\\n[2026"));
    assert_non_null(strstr(line, " y\\r\\t\\x1B[31m\\x7F \xc3\xa9\"\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void blocks_keep_their_lines(void **state)
{
    (void)state;
    log_set_format(LOG_PLAIN);
    log_block(LOG_ERROR, "a", "one\n  %s", "two");
    assert_non_null(strstr(logged(), "[ERROR][a] one\n  two\n"));
}

static void json_is_one_line(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    log_block(LOG_INFO, "a", "one\n\"two\"");
    const char *line = logged();
    slice head = SLICE("{\"level\":\"INFO\",\"loggerName\":\"a\",\"timeMillis\":");
    assert_true(slice_starts(slice_from_cstr(line), head));
    assert_non_null(strstr(line, ",\"thread\":\""));
    assert_non_null(strstr(line, ",\"logEvent\":{\"message\":\"one\\n\\\"two\\\"\"}}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(blocks_keep_their_lines),
        cmocka_unit_test(json_is_one_line),
    };
    return cmocka_run_group_tests(tests, open_log, remove_log);
}
