/* An LSTM whose recurrent weights are diagonal: 64 units, N steps; the sum of squares of the last output, and its gradient
   in the weights of the inputs, the weights of the outputs and the biases of the four gates (each 4 x 64). */

#include <math.h>

#include "work.h"

#define M 64

void value_and_gradient(void **buffers) {
    const double *restrict w = buffers[0], *restrict u = buffers[1], *restrict b = buffers[2], *restrict x = buffers[3];
    double *restrict value = buffers[4], *restrict gw = buffers[5], *restrict gu = buffers[6], *restrict gb = buffers[7];
    WORK(kept, 7L * M * N);
    double h[M] = {0}, c[M] = {0}, ch[M], cc[M] = {0};
    for (long t = 0; t < N; t++) {
        double *restrict k = kept + 7 * M * t;
        const double *restrict xt = x + M * t;
        for (int g = 0; g < 4; g++)
            for (int j = 0; j < M; j++) k[g * M + j] = w[g * M + j] * xt[j] + u[g * M + j] * h[j] + b[g * M + j];
        for (int j = 0; j < 3 * M; j++) k[j] = 1 / (1 + exp(-k[j]));
        for (int j = 3 * M; j < 4 * M; j++) k[j] = tanh(k[j]);
        for (int j = 0; j < M; j++) {
            k[4 * M + j] = c[j];
            k[5 * M + j] = h[j];
            c[j] = k[M + j] * c[j] + k[j] * k[3 * M + j];
        }
        for (int j = 0; j < M; j++) k[6 * M + j] = tanh(c[j]);
        for (int j = 0; j < M; j++) h[j] = k[2 * M + j] * k[6 * M + j];
    }
    *value = 0;
    for (int j = 0; j < M; j++) *value += h[j] * h[j], ch[j] = 2 * h[j];
    for (int j = 0; j < 4 * M; j++) gw[j] = gu[j] = gb[j] = 0;
    for (long t = N - 1; t >= 0; t--) {
        const double *restrict k = kept + 7 * M * t;
        const double *restrict xt = x + M * t;
        for (int j = 0; j < M; j++) {
            double i = k[j], f = k[M + j], o = k[2 * M + j], g = k[3 * M + j], tc = k[6 * M + j], hh = k[5 * M + j];
            double c1 = cc[j] + ch[j] * o * (1 - tc * tc);
            double zi = c1 * g * i * (1 - i), zf = c1 * k[4 * M + j] * f * (1 - f);
            double zo = ch[j] * tc * o * (1 - o), zg = c1 * i * (1 - g * g);
            cc[j] = c1 * f;
            ch[j] = zi * u[j] + zf * u[M + j] + zo * u[2 * M + j] + zg * u[3 * M + j];
            gw[j] += zi * xt[j], gw[M + j] += zf * xt[j], gw[2 * M + j] += zo * xt[j], gw[3 * M + j] += zg * xt[j];
            gu[j] += zi * hh, gu[M + j] += zf * hh, gu[2 * M + j] += zo * hh, gu[3 * M + j] += zg * hh;
            gb[j] += zi, gb[M + j] += zf, gb[2 * M + j] += zo, gb[3 * M + j] += zg;
        }
    }
    DONE(kept);
}
