import { Logger } from '@nestjs/common';
import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Tracer as OtelTracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider, RandomIdGenerator } from '@opentelemetry/sdk-trace-node';
import type { Span, SpanStart, Tracer } from './tracer.js';
import { traceIdOf, type RequestContext } from './request-context.js';

export interface OtelOptions {
  /** Base URL of the collector, without `/v1/traces`. */
  endpoint: string;
  serviceName: string;
  nodeId: string;
  /** Share of the traces started here that are recorded, 0 to 1. */
  ratio: number;
}

/** Timeout of one export, also of the last one at shutdown, in milliseconds. */
const EXPORT_MS = 3000;
const COMPLAIN_EVERY_MS = 60_000;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

/**
 * Sends spans to an OpenTelemetry collector, in batches. Spans that the collector does not accept are dropped, with a
 * log line at most once a minute.
 */
export class OpenTelemetryTracer implements Tracer {
  private readonly ids = new WorkIds();
  private readonly provider: NodeTracerProvider;
  private readonly tracer: OtelTracer;

  constructor({ endpoint, serviceName, nodeId, ratio }: OtelOptions) {
    diag.setLogger(complaints(), { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
    const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS });
    this.provider = new NodeTracerProvider({
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.instance.id': nodeId }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      idGenerator: this.ids,
      spanProcessors: [new BatchSpanProcessor(exporter, { exportTimeoutMillis: EXPORT_MS })],
    });
    this.tracer = this.provider.getTracer('streamgate');
  }

  begin(name: string, { kind, context, attributes = {} }: SpanStart): Span {
    this.ids.next = traceIdOf(context.id);
    const span = this.tracer.startSpan(name, { kind: KINDS[kind], attributes }, parentOf(context));
    const { traceId, spanId, traceFlags } = span.spanContext();
    const flags = traceFlags.toString(16).padStart(2, '0');
    return {
      context: context.under(`00-${traceId}-${spanId}-${flags}`),
      end: (fault, more = {}) => {
        span.setAttributes(more);
        if (fault !== undefined) {
          span.setStatus({ code: SpanStatusCode.ERROR });
          span.setAttribute('error.type', fault);
        }
        span.end();
      },
    };
  }

  /** Sends the remaining spans, for a few seconds at most. Never rejects. */
  async close(): Promise<void> {
    await this.provider.shutdown().catch(() => {});
    diag.disable();
  }
}

/** Gives a trace that starts here the id of its request context, so that log and trace share an id. */
class WorkIds extends RandomIdGenerator {
  next = '';
  override generateTraceId = (): string => this.next;
}

function parentOf(context: RequestContext): Context {
  if (!context.isTraced) return ROOT_CONTEXT;
  const [, traceId = '', spanId = '', flags = ''] = context.traceparent.split('-');
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return trace.setSpanContext(ROOT_CONTEXT, parent);
}

function complaints() {
  const logger = new Logger('Tracing');
  let quietUntil = 0;
  const ignore = (): void => {};
  const error = (message: string): void => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + COMPLAIN_EVERY_MS;
    logger.warn('spans could not be sent to OTEL_EXPORTER_OTLP_ENDPOINT', { reason: message.slice(0, 200) });
  };
  return { error, warn: ignore, info: ignore, debug: ignore, verbose: ignore };
}
