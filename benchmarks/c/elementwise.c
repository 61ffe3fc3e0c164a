/* sum(tanh(x) exp(-x^2) + log1p(x^2)) and its gradient, in one loop. N is given by the compiler's command line. */

#include <math.h>

void value_and_gradient(void **buffers) {
    const double *restrict x = buffers[0];
    double *value = buffers[1];
    double *restrict gradient = buffers[2];
    double total = 0.0;
    for (int i = 0; i < N; i++) {
        double square = x[i] * x[i];
        double t = tanh(x[i]), e = exp(-square);
        total += t * e + log1p(square);
        gradient[i] = e * (1.0 - t * t - 2.0 * x[i] * t) + 2.0 * x[i] / (1.0 + square);
    }
    *value = total;
}
