import { useTracer } from './tracer.js';
import type { Config } from '../config/config.js';

/**
 * Starts tracing where a collector is configured. Otherwise nothing of OpenTelemetry's SDK is loaded.
 * @returns a function that ends tracing and resolves when all spans are sent.
 */
export async function startTracing(config: Config, nodeId: string): Promise<() => Promise<void>> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = config;
  if (endpoint === undefined) return async () => {};
  const { OpenTelemetryTracer } = await import('./otel-tracer.js');
  const { OTEL_SERVICE_NAME: serviceName, OTEL_TRACES_SAMPLER_ARG: ratio } = config;
  const tracer = new OpenTelemetryTracer({ endpoint, serviceName, nodeId, ratio });
  useTracer(tracer);
  return async () => {
    useTracer(undefined);
    await tracer.close();
  };
}
