import { optionalUrl, text, type Field } from '../fields.js';

const ratio: Field<number> = {
  defaultText: '1',
  doc: 'Share of the traces that are recorded, 0 to 1. A trace that a caller began with `traceparent` follows the caller’s decision.',
  parse: (value) => {
    const share = /^(0|1|0?\.\d+|1\.0+|0\.\d+)$/.test(value) ? Number(value) : Number.NaN;
    if (!(share >= 0 && share <= 1)) throw new Error('must be a number from 0 to 1');
    return share;
  },
};

/** Export of traces. */
export const TRACING = {
  OTEL_EXPORTER_OTLP_ENDPOINT: optionalUrl(
    ['http:', 'https:'],
    'Base URL of an OpenTelemetry collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`. Unset: nothing is [traced](monitoring.md#traces-opentelemetry).',
  ),
  OTEL_SERVICE_NAME: text('streamgate', 'Name of this service in traces.'),
  OTEL_TRACES_SAMPLER_ARG: ratio,
};
