/* The 2 x 15 Jacobian block of a pinhole camera with radial distortion, for N observations. N is given by the compiler's
   command line.

   The camera is 3 numbers of rotation r (an axis times an angle a), 3 of centre c, focal length f, principal point (2)
   and radial distortion k (2); the point is x, the weight w:

       u = x - c
       y = cos(a) u + A (r x u) + B (r . u) r,     A = sin(a)/a,  B = (1 - cos(a))/a^2      (Rodrigues)
       p = (y1, y2)/y3,  s = p . p,  L = 1 + k1 s + k2 s^2
       projection = w (f L p + principal point)

   The derivatives of y in r follow from cos(a)' = -A r, A' = (cos(a) - A)/a^2 r and B' = (A - 2 B)/a^2 r. */

#include <math.h>

static inline void cross(const double *a, const double *b, double *out) {
    out[0] = a[1] * b[2] - a[2] * b[1];
    out[1] = a[2] * b[0] - a[0] * b[2];
    out[2] = a[0] * b[1] - a[1] * b[0];
}

void jacobian(void **buffers) {
    const double *restrict cameras = buffers[0], *restrict points = buffers[1], *restrict weights = buffers[2];
    double *restrict by_camera = buffers[3], *restrict by_point = buffers[4], *restrict by_weight = buffers[5];
    for (int n = 0; n < N; n++) {
        const double *r = cameras + 11 * n, *centre = r + 3, *principal = r + 7, *k = r + 9, *x = points + 3 * n;
        double f = r[6], w = weights[n];
        double *jc = by_camera + 22 * n, *jx = by_point + 6 * n, *jw = by_weight + 2 * n;

        double a2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2], a = sqrt(a2), inverse = 1.0 / a2;
        double cosine = cos(a), A = sin(a) / a, B = (1.0 - cosine) * inverse;
        double u[3] = {x[0] - centre[0], x[1] - centre[1], x[2] - centre[2]}, turned[3], y[3];
        cross(r, u, turned);
        double along = r[0] * u[0] + r[1] * u[1] + r[2] * u[2];
        for (int i = 0; i < 3; i++) y[i] = cosine * u[i] + A * turned[i] + B * along * r[i];

        /* dy/dr = (...) r^T + A [e_j x u] + B (along I + r u^T), and dy/du, the rotation matrix */
        double dA = (cosine - A) * inverse, dB = (A - 2.0 * B) * inverse, common[3], by_r[3][3], by_u[3][3];
        for (int i = 0; i < 3; i++) common[i] = -A * u[i] + dA * turned[i] + dB * along * r[i];
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++) {
                by_r[i][j] = common[i] * r[j] + B * r[i] * u[j];
                by_u[i][j] = B * r[i] * r[j];
            }
        for (int i = 0; i < 3; i++) {
            int j = (i + 1) % 3, l = (i + 2) % 3;
            by_r[i][i] += B * along;
            by_r[i][j] += A * u[l];
            by_r[i][l] -= A * u[j];
            by_u[i][i] += cosine;
            by_u[i][j] -= A * r[l];
            by_u[i][l] += A * r[j];
        }

        double depth = 1.0 / y[2], p[2] = {y[0] * depth, y[1] * depth};
        double s = p[0] * p[0] + p[1] * p[1], L = 1.0 + s * (k[0] + s * k[1]), dL = 2.0 * (k[0] + 2.0 * k[1] * s);
        for (int i = 0; i < 2; i++) {
            /* the row of d(projection)/dp, then of d(projection)/dy */
            double row[3];
            for (int j = 0; j < 2; j++) row[j] = w * f * (dL * p[i] * p[j] + (i == j ? L : 0.0)) * depth;
            row[2] = -(row[0] * p[0] + row[1] * p[1]);
            for (int j = 0; j < 3; j++) {
                double rotation = 0.0, shift = 0.0;
                for (int l = 0; l < 3; l++) {
                    rotation += row[l] * by_r[l][j];
                    shift += row[l] * by_u[l][j];
                }
                jc[11 * i + j] = rotation;
                jc[11 * i + 3 + j] = -shift;
                jx[3 * i + j] = shift;
            }
            jc[11 * i + 6] = w * L * p[i];
            jc[11 * i + 7] = i == 0 ? w : 0.0;
            jc[11 * i + 8] = i == 1 ? w : 0.0;
            jc[11 * i + 9] = w * f * p[i] * s;
            jc[11 * i + 10] = w * f * p[i] * s * s;
            jw[i] = f * L * p[i] + principal[i];
        }
    }
}
