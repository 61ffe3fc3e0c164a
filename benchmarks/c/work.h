/* Memory for intermediate results: there once and for all, or, with -DALLOCATE, allocated by every call. */

#include <stdlib.h>

#ifdef ALLOCATE
#define WORK(name, count) double *restrict name = malloc(sizeof(double) * (count))
#define DONE(name) free(name)
#else
#define WORK(name, count) static double name[count]
#define DONE(name) ((void)0)
#endif
