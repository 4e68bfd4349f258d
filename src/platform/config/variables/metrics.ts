import { optionalInteger, optionalText } from '../fields.js';

/** Metrics for Prometheus. */
export const METRICS = {
  METRICS_PORT: optionalInteger(
    'A separate port for the [metrics](monitoring.md#metrics-for-prometheus); `0` takes a free one. Unset: the metrics are at `/metrics` on `PORT`.',
    { max: 65_535 },
  ),
  METRICS_TOKEN: optionalText(
    'Bearer token with which Prometheus reads the metrics, at least 16 characters. On `PORT`, admins may read them too. On `METRICS_PORT`, only this token may; without it, everybody who reaches the port.',
    (token) => {
      if (!/^[!-~]{16,}$/.test(token)) {
        throw new Error('must have at least 16 characters, printable ASCII without spaces');
      }
    },
  ),
} as const;
