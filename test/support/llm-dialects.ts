/** A response; its parts arrive one by one. */
export interface Dialect {
  /** `''`: the response has no content type. */
  contentType?: string;
  contentEncoding?: string;
  parts: (string | Buffer)[];
  /** Whether the connection stays open after the last part. */
  staysOpen?: boolean;
}

export const DONE = 'data: [DONE]\n\n';
export const STOP = chunk({ index: 0, delta: {}, finish_reason: 'stop' });
const SMILE = Buffer.from(says('smile 😀 again'));

/** Dialects of real servers. Each answer says `smile 😀 again`, except the failures. */
export const DIALECTS: Record<string, Dialect> = {
  /** Carriage returns, split between the two characters of a line's end. */
  crlf: {
    parts: [...(says('smile 😀 again') + STOP + DONE).replaceAll('\n', '\r\n').split(/(?<=\r)/)],
  },
  /** A code point of four bytes in two TCP segments. */
  utf8: {
    parts: [SMILE.subarray(0, SMILE.indexOf(0xf0) + 2), SMILE.subarray(SMILE.indexOf(0xf0) + 2), STOP, DONE],
  },
  /** Python's json.dumps: escapes, and an emoji's two halves in two chunks. */
  escapes: {
    parts: [
      says('smile 😀 again').replace('😀', '\\ud83d'),
      says('!').replace('!', '\\ude00 again'),
      STOP,
      DONE,
    ].map((text, index) => (index === 0 ? text.replace(' again', '') : text)),
  },
  /** Comments that keep the connection alive, empty data, other fields. */
  comments: {
    parts: [': ping\n\n', 'id: 1\nretry: 10\ndata:\n\n', says('smile 😀 again'), ':\n', STOP, DONE],
  },
  /** Azure's content filter first, vLLM's role, a null text, tool calls, empty strings for no reason, another model. */
  azure: {
    parts: [
      'data: {"choices":[],"prompt_filter_results":[],"model":""}\n\n',
      chunk({ index: 0, delta: { role: 'assistant', content: null }, finish_reason: '' }),
      says('smile 😀'),
      chunk({ index: 0, delta: { content: null, tool_calls: [{ index: 0, function: { name: 'f' } }] } }),
      says(' again'),
      'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":null}\n\n',
      DONE,
    ],
  },
  /** No [DONE] after the finish reason. */
  nodone: { parts: [says('smile 😀 again'), STOP] },
  /** No empty line after the last event. */
  'llama-end': { parts: [says('smile 😀 again'), STOP.trimEnd()] },
  length: {
    parts: [chunk({ index: 0, delta: { content: 'smile 😀 again' }, finish_reason: 'length' }), DONE],
  },
  filter: {
    parts: [says('smile 😀 again'), chunk({ index: 0, delta: {}, finish_reason: 'content_filter' }), DONE],
  },
  /** The name that Ollama and newer vLLM use for it. */
  reasoning: {
    parts: [chunk({ index: 0, delta: { reasoning: 'Hm.' } }), says('smile 😀 again'), STOP, DONE],
  },
  /** Usage in every chunk: the last counts. */
  'usage-always': {
    parts: [1, 2].map(
      (n) =>
        `data: {"choices":[{"index":0,"delta":{"content":"${n === 1 ? 'smile ' : '😀 again'}"},"finish_reason":${n === 1 ? 'null' : '"stop"'}}],"usage":{"prompt_tokens":3,"completion_tokens":${n}}}\n\n`,
    ),
  },
  /** The whole answer at once, although a stream was requested. */
  json: {
    contentType: 'application/json; charset=utf-8',
    parts: [
      '{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"smile 😀 again"},',
      '"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}',
    ],
  },
  'json-error': { contentType: 'application/json', parts: ['{"error":"model not loaded"}'] },
  'json-endless': {
    contentType: 'application/json',
    parts: Array.from({ length: 40 }, () => 'x'.repeat(65_536)),
  },
  /** A field `error` in the place of `data`. */
  'llama-error': { parts: ['error: {"code":400,"message":"the request exceeds the context"}\n\n', DONE] },
  'vllm-error': { parts: ['data: {"object":"error","message":"the engine died","code":500}\n\n', DONE] },
  'lm-studio-error': { parts: ['event: error\ndata: {"error":{"message":"model crashed"}}\n\n'] },
  /** OpenRouter, when the model failed. */
  'finish-error': { parts: ['data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n', DONE] },
};

/** An event with this content. */
export function says(content: string): string {
  return chunk({ index: 0, delta: { content }, finish_reason: null });
}

/** An event with this choice. */
export function chunk(choice: object): string {
  const envelope = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'test' };
  return `data: ${JSON.stringify({ ...envelope, choices: [choice] })}\n\n`;
}
