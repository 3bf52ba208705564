/*
 * replay.c - runs a fuzz target over files instead of under libFuzzer.
 *
 * Makes the committed corpus a unit test with any compiler: every file of the folders and
 * every file named on the command line goes once through LLVMFuzzerTestOneInput.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return perror(path), 1;
    static uint8_t data[1 << 20];
    size_t n = fread(data, 1, sizeof(data), file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, n);
    return 0;
}

static int replay_folder(const char *path, unsigned *ran)
{
    DIR *dir = opendir(path);
    if (dir == NULL) return perror(path), 1;
    int failed = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        char file[4096];
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        failed |= replay_file(file);
        (*ran)++;
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned ran = 0;
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            failed |= replay_folder(argv[i], &ran);
        } else {
            failed |= replay_file(argv[i]);
            ran++;
        }
    }
    printf("%u inputs replayed\n", ran);
    return failed || ran == 0;
}
