import { Ajv, type ValidateFunction } from 'ajv';
import { createParser } from 'eventsource-parser';
import { closed, withFormats } from './event-schemas.js';

/** The parts of an OpenAPI document that tests look at. */
export interface RoutesDocument {
  openapi: string;
  paths: Record<string, Record<string, DescribedRoute>>;
  components: { schemas: Record<string, object>; headers: Record<string, DescribedHeader> };
}

interface DescribedRoute {
  requestBody?: object;
  security?: object[];
  responses: Record<string, DescribedAnswer>;
}

interface DescribedAnswer {
  headers: Record<string, DescribedHeader & { $ref?: string }>;
  content?: Record<string, { schema?: object; 'x-itemSchema'?: object }>;
}

interface DescribedHeader {
  required?: boolean;
  schema: object;
}

/** What came back. */
export interface Answered {
  status: number;
  headers: Headers;
  body: string;
}

/** What a document says of `route`; undefined where it does not have it. */
export function routeIn({ paths }: RoutesDocument, route: string): DescribedRoute | undefined {
  const { method, path } = placeOf(route);
  return paths[path]?.[method];
}

/** Where a document has `route`, such as `GET /api/conversations/:id`. */
export function placeOf(route: string): { method: string; path: string } {
  const [method = '', path = ''] = route.split(' ');
  return { method: method.toLowerCase(), path: path.replaceAll(/:(\w+)/g, '{$1}') };
}

/** Names the faults of what was really sent and answered, from a document. Keys that the document does not have are faults. */
export class RouteChecker {
  private readonly ajv = withFormats(new Ajv({ strict: false, allErrors: true }));
  private readonly checks = new Map<string, ValidateFunction>();

  constructor(private readonly document: RoutesDocument) {
    this.ajv.addSchema({ $id: 'routes', ...(closed(document) as object) });
  }

  /** Of the body of a request. */
  sent(route: string, body: unknown): string[] {
    const { method, path } = placeOf(route);
    const at = ['paths', path, method, 'requestBody', 'content', 'application/json', 'schema'];
    return this.faults(at, body).map((fault) => `${route}: ${fault}`);
  }

  /** Of the answer to a request: status, headers, media type and body. */
  answered(route: string, { status, headers, body }: Answered): string[] {
    const { method, path } = placeOf(route);
    const described = routeIn(this.document, route);
    if (!described) return [`${route} is not in the document`];
    const key = String(status) in described.responses ? String(status) : 'default';
    const answer = described.responses[key];
    if (!answer || (key === 'default' && status < 400)) return [`${route} has no answer ${status}`];
    const at = ['paths', path, method, 'responses', key];
    return [...this.headerFaults(answer, headers), ...this.bodyFaults(answer, at, { headers, body })].map(
      (fault) => `${route} ${status}: ${fault}`,
    );
  }

  private headerFaults({ headers: described }: DescribedAnswer, headers: Headers): string[] {
    return Object.entries(described).flatMap(([name, given]) => {
      const component = given.$ref?.split('/').at(-1);
      const { required, schema } = component ? this.document.components.headers[component]! : given;
      const value = headers.get(name);
      if (value === null) return required ? [`${name} is missing`] : [];
      const read = 'type' in schema && schema.type === 'integer' ? Number(value) : value;
      return this.ajv.validate(schema, read) ? [] : [`${name} is ${value}`];
    });
  }

  private bodyFaults(
    { content }: DescribedAnswer,
    at: string[],
    { headers, body }: Omit<Answered, 'status'>,
  ): string[] {
    if (!content) return body === '' ? [] : [`there is a body: ${body}`];
    const mediaType = headers.get('content-type')?.split(';')[0] ?? 'none';
    if (!(mediaType in content)) return [`the media type is ${mediaType}`];
    const schema = [...at, 'content', mediaType, 'schema'];
    const item = [...at, 'content', mediaType, 'x-itemSchema'];
    if (mediaType.endsWith('json') && !mediaType.endsWith('ndjson')) {
      return this.faults(schema, JSON.parse(body));
    }
    if (mediaType === 'text/event-stream') return this.eventFaults(item, body);
    if (!content[mediaType]?.['x-itemSchema']) return this.faults(schema, body);
    return linesOf(body).flatMap((line) => this.faults(item, JSON.parse(line)));
  }

  private eventFaults(at: string[], body: string): string[] {
    const events: object[] = [];
    const parser = createParser({ onEvent: ({ id, event, data }) => events.push({ id, event, data }) });
    parser.feed(body);
    if (events.length === 0) return ['there is no event'];
    return events.flatMap((event) => [
      ...this.faults(at, event),
      ...this.faults(
        [...at, 'properties', 'data', 'contentSchema'],
        JSON.parse((event as { data: string }).data),
      ),
    ]);
  }

  private faults(at: string[], value: unknown): string[] {
    const pointer = at
      .map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const check = this.checks.get(pointer) ?? this.ajv.compile({ $ref: `routes#/${pointer}` });
    this.checks.set(pointer, check);
    if (check(value)) return [];
    return (check.errors ?? []).map(({ instancePath, message, params }) =>
      [instancePath, message, JSON.stringify(params)].join(' '),
    );
  }
}

function linesOf(body: string): string[] {
  return body.split('\n').filter((line) => line !== '');
}
