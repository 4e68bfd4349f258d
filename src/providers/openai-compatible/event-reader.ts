/** What a server sent at once. */
export interface ServerEvent {
  /** From the field `event`; empty where there is none. */
  name: string;
  /** `text` parsed; undefined where it is not JSON. */
  value: unknown;
  text: string;
}

/**
 * Reads server-sent events, and what servers send in their place, whatever its content type: events separated by single
 * line ends, JSON objects one a line (NDJSON), a single JSON body on one line or many. Feed it decoded text.
 */
export class EventReader {
  private line = '';
  /** The last text ended with a carriage return, and a line feed may follow. */
  private isAfterCr = false;
  private name = '';
  /** Lines of `data` that wait for the end of their event. */
  private data = '';
  /** Lines of JSON that are not the data of an event. */
  private body = '';

  constructor(
    private readonly maxChars: number,
    private readonly onEvent: (event: ServerEvent) => void,
    private readonly onTooLarge: () => void,
  ) {}

  push(text: string): void {
    const lines = this.normalize(text).split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) {
      const whole = this.line + line;
      this.line = '';
      this.take(whole);
    }
    this.line += rest;
    if (this.line.length + this.data.length + this.body.length > this.maxChars) this.onTooLarge();
  }

  /** Reads what is left: llama.cpp sends no empty line after its last event. */
  end(): void {
    const { line } = this;
    this.line = '';
    this.take(line);
    this.endEvent();
    if (this.body !== '') this.emitBody(parse(this.body));
  }

  private normalize(text: string): string {
    const from = this.isAfterCr && text.startsWith('\n') ? 1 : 0;
    if (text !== '') this.isAfterCr = text.endsWith('\r');
    return from === 0 && !text.includes('\r') ? text : text.slice(from).replace(/\r\n?/g, '\n');
  }

  private take(line: string): void {
    const field = line.startsWith('data:');
    if (field) return this.addData(line.slice(line[5] === ' ' ? 6 : 5));
    if (line === '') return this.body === '' ? this.endEvent() : undefined;
    if (this.body !== '' || /^\s*[{[]/.test(line)) return this.addBody(line);
    if (line.startsWith('event:')) this.name = line.slice(6).trim();
    // llama.cpp of 2025 and before sends its errors in a field of that name. The standard wants other fields ignored.
    else if (line.startsWith('error:')) this.emit('error', line.slice(6).trim());
  }

  private addData(text: string): void {
    if (this.body !== '') this.emitBody(undefined);
    if (text.trim() === '') return;
    if (looksLikeJson(this.data)) {
      this.data += `\n${text}`;
      return;
    }
    const value = looksLikeJson(text) ? parse(text) : undefined;
    if (value === undefined && !isDone(text)) {
      this.data += this.data === '' ? text : `\n${text}`;
      return;
    }
    const { name } = this;
    // Without empty lines between events, words that are no JSON are an event of their own.
    if (this.data !== '') this.endEvent();
    this.onEvent({ name, value, text });
    this.name = '';
  }

  private addBody(line: string): void {
    if (isDone(line)) return this.emit('', line);
    const isFirst = this.body === '';
    this.body += isFirst ? line : `\n${line}`;
    // Parsing after each line would be quadratic: the end of a JSON text on several lines is not indented.
    const value = isFirst || /^[}\]]/.test(line) ? parse(this.body) : undefined;
    if (value !== undefined) this.emitBody(value);
  }

  private endEvent(): void {
    const { data, name } = this;
    this.data = '';
    this.name = '';
    if (data !== '') this.emit(name, data);
  }

  private emitBody(value: unknown): void {
    const { body: text, name } = this;
    this.body = '';
    this.name = '';
    this.onEvent({ name, value, text });
  }

  private emit(name: string, text: string): void {
    this.onEvent({ name, value: looksLikeJson(text) ? parse(text) : undefined, text });
  }
}

/** Whether `text` is the sign for the end of all events. */
export function isDone(text: string): boolean {
  return text.length < 16 && text.trim() === '[DONE]';
}

/** Whether `text` begins like a JSON object or array. Where it is neither, it is broken. */
export function looksLikeJson(text: string): boolean {
  return /^\s*[{[]/.test(text) && !isDone(text);
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
