/* The sum of all s[i] = a[i] s[i - 1] + b[i], i < N, and its gradient in a and b. */

#include "work.h"

void value_and_gradient(void **buffers) {
    const double *restrict a = buffers[0], *restrict b = buffers[1];
    double *restrict value = buffers[2], *restrict ga = buffers[3], *restrict gb = buffers[4];
    WORK(s, N);
    double last = 0, sum = 0;
    for (long i = 0; i < N; i++) {
        last = a[i] * last + b[i];
        s[i] = last;
        sum += last;
    }
    *value = sum;
    double ct = 0;
    for (long i = N - 1; i > 0; i--) {
        ct += 1;
        gb[i] = ct;
        ga[i] = ct * s[i - 1];
        ct *= a[i];
    }
    gb[0] = ct + 1;
    ga[0] = 0;
    DONE(s);
}
