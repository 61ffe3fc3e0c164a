/* Lotka-Volterra equations by N steps of the classical Runge-Kutta method, and the gradient of x^2 + y^2 at the end in
   the four parameters: the states are stored on the way, the stages are computed again on the way back. */

#include "work.h"

#define H 1e-3

static inline void slope(const double *p, double x, double y, double *out) {
    out[0] = p[0] * x - p[1] * x * y;
    out[1] = p[3] * x * y - p[2] * y;
}

/* Add the cotangents (cx, cy) of a slope at (x, y) to those of the parameters; return those of the point in `back`. */
static inline void slope_adjoint(const double *p, double x, double y, double cx, double cy, double *g, double *back) {
    g[0] += cx * x;
    g[1] -= cx * x * y;
    g[2] -= cy * y;
    g[3] += cy * x * y;
    back[0] = cx * (p[0] - p[1] * y) + cy * p[3] * y;
    back[1] = cy * (p[3] * x - p[2]) - cx * p[1] * x;
}

void value_and_gradient(void **buffers) {
    const double *p = buffers[0];
    double *value = buffers[1], *gradient = buffers[2];
    WORK(states, 2 * N);
    double x = 1.0, y = 1.0, k[4][2];
    for (long i = 0; i < N; i++) {
        states[2 * i] = x;
        states[2 * i + 1] = y;
        slope(p, x, y, k[0]);
        slope(p, x + H / 2 * k[0][0], y + H / 2 * k[0][1], k[1]);
        slope(p, x + H / 2 * k[1][0], y + H / 2 * k[1][1], k[2]);
        slope(p, x + H * k[2][0], y + H * k[2][1], k[3]);
        x += H / 6 * (k[0][0] + 2 * k[1][0] + 2 * k[2][0] + k[3][0]);
        y += H / 6 * (k[0][1] + 2 * k[1][1] + 2 * k[2][1] + k[3][1]);
    }
    *value = x * x + y * y;
    double cx = 2 * x, cy = 2 * y, g[4] = {0, 0, 0, 0};
    for (long i = N - 1; i >= 0; i--) {
        x = states[2 * i];
        y = states[2 * i + 1];
        slope(p, x, y, k[0]);
        double x1 = x + H / 2 * k[0][0], y1 = y + H / 2 * k[0][1];
        slope(p, x1, y1, k[1]);
        double x2 = x + H / 2 * k[1][0], y2 = y + H / 2 * k[1][1];
        slope(p, x2, y2, k[2]);
        double x3 = x + H * k[2][0], y3 = y + H * k[2][1];
        double b3[2], b2[2], b1[2], b0[2];
        slope_adjoint(p, x3, y3, H / 6 * cx, H / 6 * cy, g, b3);
        slope_adjoint(p, x2, y2, H / 3 * cx + H * b3[0], H / 3 * cy + H * b3[1], g, b2);
        slope_adjoint(p, x1, y1, H / 3 * cx + H / 2 * b2[0], H / 3 * cy + H / 2 * b2[1], g, b1);
        slope_adjoint(p, x, y, H / 6 * cx + H / 2 * b1[0], H / 6 * cy + H / 2 * b1[1], g, b0);
        cx += b0[0] + b1[0] + b2[0] + b3[0];
        cy += b0[1] + b1[1] + b2[1] + b3[1];
    }
    for (int j = 0; j < 4; j++) gradient[j] = g[j];
    DONE(states);
}
