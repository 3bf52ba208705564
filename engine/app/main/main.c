/* main.c - the process: everything else is in engine/app. */
#include "engine/app/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
