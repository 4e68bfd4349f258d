import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** Texts that must not be found again: each is its own, says where it was put, and stands nowhere else. */
export class Canaries {
  private readonly texts: string[] = [];

  /** A new text of letters and digits, to be put into `place`. */
  put(place: string): string {
    return this.keep(`Canary${place}${Math.random().toString(36).slice(2, 10)}`);
  }

  /** Also `text`, such as a token that the server made; of a token each part but the header, which is the same for all. */
  keep(whole: string): string {
    const parts = whole.split('.').filter((part) => part.length > 8 && !part.startsWith('eyJhbGci'));
    this.texts.push(...parts);
    return whole;
  }

  /** Those that stand in `output`, as they are or encoded. */
  foundIn(output: string): string[] {
    return this.texts.filter((canary) => formsOf(canary).some((form) => output.includes(form)));
  }
}

function formsOf(canary: string): string[] {
  const bytes = Buffer.from(canary);
  return [canary, canary.toLowerCase(), encodeURIComponent(canary), bytes.toString('hex')];
}

export interface Collector {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  /** All that it was sent so far. */
  said(): string;
  close(): void;
}

/** A collector of OpenTelemetry. */
export async function startCollector(): Promise<Collector> {
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    said: () => bodies.join('\n'),
    close: () => void server.close(),
  };
}
