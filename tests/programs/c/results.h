/* What system calls gave, as text that does not depend on the numbers of errors. */
#ifndef RESULTS_H
#define RESULTS_H
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* good until seven more have been asked for */
static const char *name(long result) {
    static char text[8][32];
    static int next;
    char *here = text[next++ % 8];
    if (result < 0) snprintf(here, 32, "%s", strerrorname_np(errno));
    else snprintf(here, 32, "%ld", result);
    return here;
}

#endif
