import { optionalInteger, optionalText } from '../fields.js';

/** Metrics for Prometheus. */
export const METRICS = {
  METRICS_PORT: optionalInteger(
    'A port of its own for the [metrics](operations.md#metrics-for-prometheus); `0` takes a free one. Unset: they are at `/metrics` on `PORT`.',
    { max: 65_535 },
  ),
  METRICS_TOKEN: optionalText(
    'Bearer token with which Prometheus reads the metrics, at least 16 characters. Without it they are for admins on `PORT`, and for everybody who reaches it on `METRICS_PORT`.',
    (token) => {
      if (!/^[!-~]{16,}$/.test(token)) {
        throw new Error('must have at least 16 characters, printable ASCII without spaces');
      }
    },
  ),
} as const;
