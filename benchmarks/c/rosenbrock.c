/* Derivatives of sum(100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2). N is given by the compiler's command line. */

#include <string.h>

void gradient(void **buffers) {
    const double *restrict x = buffers[0];
    double *restrict g = buffers[1];
    double carried = 0.0; /* the part of g[i] that comes from the term before */
    for (int i = 0; i < N - 1; i++) {
        double gap = 200.0 * (x[i + 1] - x[i] * x[i]);
        g[i] = carried - 2.0 * gap * x[i] - 2.0 * (1.0 - x[i]);
        carried = gap;
    }
    g[N - 1] = carried;
}

void hessian(void **buffers) {
    const double *restrict x = buffers[0];
    double *restrict h = buffers[1];
    memset(h, 0, sizeof(double) * N * N);
    for (int i = 0; i < N; i++) {
        double diagonal = i > 0 ? 200.0 : 0.0;
        if (i < N - 1) {
            diagonal += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0;
            h[i * N + i + 1] = h[(i + 1) * N + i] = -400.0 * x[i];
        }
        h[i * N + i] = diagonal;
    }
}

void hessian_vector_product(void **buffers) {
    const double *restrict x = buffers[0], *restrict v = buffers[1];
    double *restrict out = buffers[2];
    out[0] = (1200.0 * x[0] * x[0] - 400.0 * x[1] + 2.0) * v[0] - 400.0 * x[0] * v[1];
    for (int i = 1; i < N - 1; i++)
        out[i] = (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 202.0) * v[i] - 400.0 * (x[i - 1] * v[i - 1] + x[i] * v[i + 1]);
    out[N - 1] = 200.0 * v[N - 1] - 400.0 * x[N - 2] * v[N - 2];
}
