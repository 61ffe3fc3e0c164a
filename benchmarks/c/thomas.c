/* Solution x of a tridiagonal system (lower diagonal a, diagonal b, upper diagonal c, right-hand side d; N unknowns) by
   Thomas' algorithm; the sum of squares of x, and its gradient in a, b, c and d, by the adjoint of the algorithm. */

#include "work.h"

void value_and_gradient(void **buffers) {
    const double *restrict a = buffers[0], *restrict b = buffers[1], *restrict c = buffers[2], *restrict d = buffers[3];
    double *restrict value = buffers[4];
    double *restrict ga = buffers[5], *restrict gb = buffers[6], *restrict gc = buffers[7], *restrict gd = buffers[8];
    WORK(e, N);       /* c', upper diagonal after elimination */
    WORK(f, N);       /* d', right-hand side after elimination */
    WORK(inverse, N); /* 1/m for the pivots m */
    WORK(x, N);
    WORK(ge, N);
    WORK(gf, N);
    inverse[0] = 1 / b[0];
    e[0] = c[0] * inverse[0];
    f[0] = d[0] * inverse[0];
    for (long i = 1; i < N; i++) {
        inverse[i] = 1 / (b[i] - a[i] * e[i - 1]);
        e[i] = c[i] * inverse[i];
        f[i] = (d[i] - a[i] * f[i - 1]) * inverse[i];
    }
    double sum = x[N - 1] = f[N - 1];
    sum *= sum;
    for (long i = N - 2; i >= 0; i--) {
        x[i] = f[i] - e[i] * x[i + 1];
        sum += x[i] * x[i];
    }
    *value = sum;
    double cx = 0; /* what x[i - 1] gives to the cotangent of x[i] */
    for (long i = 0; i < N - 1; i++) {
        cx += 2 * x[i];
        gf[i] = cx;
        ge[i] = -cx * x[i + 1];
        cx = -cx * e[i];
    }
    gf[N - 1] = cx + 2 * x[N - 1];
    ge[N - 1] = 0;
    double cf = gf[N - 1], ce = ge[N - 1];
    for (long i = N - 1; i > 0; i--) {
        double r = inverse[i], cd = cf * r, cm = -(cf * f[i] + ce * e[i]) * r;
        gd[i] = cd;
        gc[i] = ce * r;
        gb[i] = cm;
        ga[i] = -cm * e[i - 1] - cd * f[i - 1];
        cf = gf[i - 1] - cd * a[i];
        ce = ge[i - 1] - cm * a[i];
    }
    gd[0] = cf * inverse[0];
    gc[0] = ce * inverse[0];
    gb[0] = -(cf * f[0] + ce * e[0]) * inverse[0];
    ga[0] = 0;
    DONE(e), DONE(f), DONE(inverse), DONE(x), DONE(ge), DONE(gf);
}
