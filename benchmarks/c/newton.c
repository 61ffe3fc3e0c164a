/* Kepler's equation E - e sin E = m by Newton's iteration until |change| <= 1e-12, for N pairs (e, m); the sum of the
   solutions, and its gradient in e and m by the reverse sweep through the iterations. */

#include <math.h>

#include "work.h"

#define MOST 100

void value_and_gradient(void **buffers) {
    const double *restrict es = buffers[0], *restrict ms = buffers[1];
    double *restrict value = buffers[2], *restrict ge = buffers[3], *restrict gm = buffers[4];
    double sum = 0, s[MOST], c[MOST], x[MOST];
    for (long j = 0; j < N; j++) {
        double e = es[j], m = ms[j], E = m, change = 1;
        int n = 0;
        while (fabs(change) > 1e-12 && n < MOST) {
            x[n] = E;
            s[n] = sin(E);
            c[n] = cos(E);
            change = (E - e * s[n] - m) / (1 - e * c[n]);
            E -= change;
            n++;
        }
        sum += E;
        double cE = 1, ce = 0, cm = 0;
        while (n-- > 0) {
            double d = 1 / (1 - e * c[n]), q = (x[n] - e * s[n] - m) * d, cf = -cE * d, cd = cE * q * d;
            /* E' = E - f/g with f = E - e s - m, g = 1 - e c */
            cm -= cf;
            ce -= cf * s[n] + cd * c[n];
            cE += cf * (1 - e * c[n]) + cd * e * s[n];
        }
        ge[j] = ce;
        gm[j] = cm + cE; /* the iteration starts at m */
    }
    *value = sum;
}
