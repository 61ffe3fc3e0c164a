/* The heat equation on M cells, N explicit steps in place; the sum of squares at the end, and its gradient in the
   initial state u and the diffusivity k. */

#include <string.h>

#include "work.h"

#define M 1000

/* For a sum that is vectorised without -ffast-math. */
typedef double V __attribute__((vector_size(64), aligned(8)));

void value_and_gradient(void **buffers) {
    const double *restrict initial = buffers[0];
    const double k = *(const double *)buffers[1];
    double *restrict value = buffers[2], *restrict gu = buffers[3], *restrict gk = buffers[4];
    WORK(states, (N + 1L) * M);
    memcpy(states, initial, sizeof(double) * M);
    for (long t = 0; t < N; t++) {
        const double *restrict u = states + t * M;
        double *restrict v = states + (t + 1) * M;
        v[0] = u[0];
        for (int i = 1; i < M - 1; i++) v[i] = u[i] + k * (u[i + 1] - 2 * u[i] + u[i - 1]);
        v[M - 1] = u[M - 1];
    }
    const double *restrict u = states + (long)N * M;
    double sum = 0, total = 0, old[M], new[M];
    for (int i = 0; i < M; i++) sum += u[i] * u[i], old[i] = 2 * u[i];
    for (long t = N - 1; t >= 0; t--) {
        u = states + t * M;
        V part = {0};
        int i = 1;
        for (; i + 8 <= M - 1; i += 8)
            part += *(const V *)(old + i) * (*(const V *)(u + i + 1) - 2 * *(const V *)(u + i) + *(const V *)(u + i - 1));
        for (; i < M - 1; i++) total += old[i] * (u[i + 1] - 2 * u[i] + u[i - 1]);
        for (int j = 0; j < 8; j++) total += part[j];
        /* Only the interior cells give something to their neighbours. */
        new[0] = old[0] + k * old[1];
        new[1] = old[1] + k * (old[2] - 2 * old[1]);
        for (i = 2; i < M - 2; i++) new[i] = old[i] + k * (old[i + 1] - 2 * old[i] + old[i - 1]);
        new[M - 2] = old[M - 2] + k * (old[M - 3] - 2 * old[M - 2]);
        new[M - 1] = old[M - 1] + k * old[M - 2];
        memcpy(old, new, sizeof(old));
    }
    memcpy(gu, old, sizeof(old));
    *value = sum;
    *gk = total;
    DONE(states);
}
