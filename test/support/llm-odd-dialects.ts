import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { chunk, DONE, says, STOP, type Dialect } from './llm-dialects.js';

const TEXT = 'smile 😀 again';
const STREAM = says('smile 😀') + says(' again') + STOP + DONE;
const ANSWER = { index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' };
const BODY = JSON.stringify({ object: 'chat.completion', choices: [ANSWER] });
const THOUGHT = chunk({ index: 0, delta: { reasoning_content: 'Hm.' } });

/** What servers and proxies do beside the standard. */
export const ODD_DIALECTS: Record<string, Dialect> = {
  // Keep-alives.
  'ping-data': { parts: ['data: {"type":"ping"}\n\n', STREAM] },
  'ping-event': { parts: ['event: ping\ndata: {"type": "ping"}\n\n', 'event: ping\ndata\n\n', STREAM] },
  'ping-processing': { parts: [': OPENROUTER PROCESSING\n\n', 'data: : PROCESSING\n\n', STREAM] },
  'ping-words': {
    parts: ['data: ping\n\n', says('smile 😀'), 'event: keepalive\ndata: 1\n\n', says(' again'), STOP, DONE],
  },
  'unknown-objects': {
    parts: ['data: {"id":"1","status":"queued"}\n\n', 'data: null\n\n', 'data: {"choices":null}\n\n', STREAM],
  },
  'no-error': {
    parts: ['{}', '""', 'false', 'null', '[]', '{"message":"","code":null}']
      .map((error, index, all) =>
        says(index === 0 ? 'smile 😀' : index === all.length - 1 ? ' again' : '').replace(
          '"choices"',
          `"error":${error},"choices"`,
        ),
      )
      .concat(STOP, DONE),
  },

  // Thinking.
  'think-whole': { parts: [says(`<think>\nHm.</think>\n\n${TEXT}`), STOP, DONE] },
  'think-split': { parts: [...[...`<think>Hm.</think>\n\n${TEXT}`].map((text) => says(text)), STOP, DONE] },
  'think-close': { parts: [says('</think>\n\nsmile 😀'), says(' again'), THOUGHT, STOP, DONE] },
  'think-lone': { parts: [says(`Hm.</think>\n\n${TEXT}`), STOP, DONE] },
  'think-json': { contentType: 'application/json', parts: [BODY.replace(TEXT, `Hm.</think>${TEXT}`)] },
  'think-kimi': { parts: [says('◁thi'), says('nk▷Hm.◁/think▷'), says(TEXT), STOP, DONE] },
  'think-empty-field': {
    parts: [
      chunk({ index: 0, delta: { reasoning_content: '', reasoning: 'Hm.', content: '' } }),
      ...[says(TEXT), STOP, DONE],
    ],
  },
  'think-parts': {
    parts: [
      chunk({
        index: 0,
        delta: { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] }] },
      }),
      ...[says(TEXT), STOP, DONE],
    ],
  },
  /** MiniMax: each piece of thinking in a field, and in the text. */
  'think-twice': {
    parts: [
      chunk({ index: 0, delta: { reasoning_content: 'H', content: '<think>H' } }),
      chunk({ index: 0, delta: { reasoning_content: 'm.', content: 'm.</think>' } }),
      ...[says(TEXT), STOP, DONE],
    ],
  },
  'think-quoted': { parts: [says('The tag `<think>` ends with `</think>`.'), STOP, DONE] },
  'think-late': { parts: [says('H'), says('m.</th'), says('ink>\n'), says(TEXT), STOP, DONE] },
  'think-open': { parts: [says('H'), says('m.</th'), says(`ink>\n${TEXT}`), STOP, DONE] },

  // Forms and content types.
  'parts-json': {
    contentType: 'application/json',
    parts: [
      BODY.replace(
        `"${TEXT}"`,
        JSON.stringify([
          { type: 'text', text: 'smile 😀' },
          { type: 'text', text: ' again' },
        ]),
      ),
    ],
  },
  'parts-stream': {
    parts: [
      chunk({ index: 0, delta: { content: [{ type: 'text', text: 'smile 😀' }] } }),
      ...[chunk({ index: 0, delta: { content: { type: 'text', text: ' again' } } }), STOP, DONE],
    ],
  },
  'json-untyped': { contentType: '', parts: [BODY] },
  'json-plain': { contentType: 'text/plain; charset=utf-8', parts: [BODY] },
  'json-as-events': { parts: [BODY] },
  'json-pretty': { contentType: 'text/plain', parts: [JSON.stringify(JSON.parse(BODY), null, 2)] },
  'json-no-reason': { contentType: 'application/json', parts: [BODY.replace(',"finish_reason":"stop"', '')] },
  'events-as-json': { contentType: 'application/json', parts: [STREAM] },
  'events-as-octets': { contentType: 'application/octet-stream', parts: [STREAM] },
  'single-ends': { parts: [STREAM.replaceAll('\n\n', '\n')] },
  'single-ends-cr': { parts: [`data: ping\n\n${STREAM}`.replaceAll('\n\n', '\r')] },
  'many-data-lines': {
    parts: [`data: ${JSON.stringify(JSON.parse(BODY), null, 1).replaceAll('\n', '\ndata: ')}\n\n`],
  },
  ndjson: {
    contentType: 'application/x-ndjson',
    parts: [STREAM.replaceAll('data: ', '').replaceAll('\n\n', '\n')],
  },
  'ndjson-end': { parts: [(says(TEXT) + STOP).replaceAll('data: ', '').replaceAll('\n\n', '\n').trimEnd()] },
  'byte-order-mark': { parts: [`\uFEFF${STREAM}`] },
  'roles-again': {
    parts: [
      chunk({ index: 0, delta: { role: 'assistant', content: 'smile 😀' } }),
      ...[chunk({ index: 0, delta: { role: 'assistant', content: ' again' } }), STOP, DONE],
    ],
  },
  'usage-first': {
    parts: ['data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}\n\n', STREAM],
  },
  /** MiniMax sends the whole message after its deltas. */
  'whole-again': { parts: [says('smile 😀'), says(' again'), `data: ${BODY}\n\n`, DONE] },
  /** With `n` above 1: LiteLLM and OpenAI interleave the answers. */
  'several-answers': {
    parts: [
      ...[says('smile 😀'), other({ delta: { content: 'Another' } }), says(' again')],
      ...[other({ delta: {}, finish_reason: 'stop' }), STOP, DONE],
    ],
  },
  'several-answers-at-once': {
    parts: [
      `data: ${JSON.stringify({ choices: [{ index: 1, delta: { content: 'Another' } }, { ...ANSWER }] })}\n\n`,
      DONE,
    ],
  },
  'text-choice': {
    parts: ['data: {"choices":[{"text":"smile 😀 again","finish_reason":"stop"}]}\n\n', DONE],
  },

  // Compression that was not asked for.
  gzip: { contentEncoding: 'gzip', parts: halves(gzipSync(STREAM)) },
  br: { contentEncoding: 'br', parts: halves(brotliCompressSync(STREAM)) },
  deflate: { contentEncoding: 'deflate', parts: halves(deflateSync(STREAM)) },
  'deflate-raw': { contentEncoding: 'deflate', parts: halves(deflateRawSync(STREAM)) },
  'gzip-json': { contentType: 'application/json', contentEncoding: 'gzip', parts: halves(gzipSync(BODY)) },
  'gzip-twice': { contentEncoding: 'gzip, br', parts: halves(brotliCompressSync(gzipSync(STREAM))) },
  lzma: { contentEncoding: 'lzma', parts: ['?'] },

  // Ends.
  'no-end': { parts: [says(TEXT), STOP], staysOpen: true },
  'gzip-no-end': { contentEncoding: 'gzip', parts: halves(gzipSync(says(TEXT) + STOP)), staysOpen: true },
  'ends-max': { parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'MAX_TOKENS' }), DONE] },
  'ends-safety': { parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'SAFETY' }), DONE] },
  'ends-odd': { parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'Time Limit' }), DONE] },
  'ends-eos': { parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'eos_token' }), DONE] },
  'only-thinking': { parts: [THOUGHT, chunk({ index: 0, delta: {}, finish_reason: 'length' }), DONE] },
  'only-thinking-stop': { parts: [THOUGHT, STOP, DONE] },
  'only-tools': {
    parts: [
      chunk({ index: 0, delta: { tool_calls: [{ index: 0, function: { name: 'f' } }] } }),
      ...[chunk({ index: 0, delta: {}, finish_reason: 'tool_calls' }), DONE],
    ],
  },
  'only-tools-stop': {
    parts: [chunk({ index: 0, delta: { tool_calls: [{ index: 0, function: { name: 'f' } }] } }), STOP, DONE],
  },
  'only-refusal': {
    parts: [
      chunk({ index: 0, delta: { refusal: "I can't" } }),
      ...[chunk({ index: 0, delta: { refusal: ' help.' } }), STOP, DONE],
    ],
  },
  'only-refusal-json': {
    contentType: 'application/json',
    parts: [BODY.replace(`"${TEXT}"`, 'null,"refusal":"I can\'t help."')],
  },
  'only-filter': { parts: [chunk({ index: 0, delta: {}, finish_reason: 'content_filter' }), DONE] },
  'only-end': { parts: [chunk({ index: 0, delta: { content: ' ' } }), STOP, DONE] },
  'resources-gone': {
    parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'insufficient_system_resource' }), DONE],
  },

  /** vLLM, whose engine gave the request up: it ends like a whole one. */
  'ends-abort': { parts: [says(TEXT), chunk({ index: 0, delta: {}, finish_reason: 'abort' }), DONE] },

  // Errors.
  'error-json-as-events': { parts: ['{"error":{"message":"no such model","code":404}}'] },
  'error-gemini': {
    contentType: 'application/json',
    parts: ['[{\n  "error": {\n', '    "code": 400,\n    "message": "too long"\n  }\n}\n]\n'],
  },
  'error-string-code': {
    parts: ['data: {"error":{"code":"rate_limit_exceeded","message":"slow down"}}\n\n'],
  },
  'error-digits': { parts: ['data: {"error":{"code":"503","message":"loading"}}\n\n'] },
  'error-event': { parts: ['event: error\ndata: {"message":"the model crashed"}\n\n'] },
  'error-event-words': { parts: ['event: error\ndata: the model crashed\n\n'] },
  'error-data': {
    parts: ['data: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'],
  },

  // Usage.
  'usage-zeros': {
    parts: [
      says(TEXT),
      STOP,
      'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n',
      DONE,
    ],
  },
  'usage-half': {
    parts: [
      says(TEXT),
      STOP,
      'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}\n\n',
      DONE,
    ],
  },
  'usage-then-zeros': {
    parts: [3, 0].map((n) =>
      chunk({ index: 0, delta: { content: n ? TEXT : '' }, finish_reason: n ? null : 'stop' }).replace(
        '"choices"',
        `"usage":{"prompt_tokens":${n},"completion_tokens":${n}},"choices"`,
      ),
    ),
  },
  'usage-groq': {
    parts: [
      says(TEXT),
      'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":3}}}\n\n',
      DONE,
    ],
  },
};

/** An event of the second of several answers. */
function other(choice: object): string {
  return chunk({ index: 1, ...choice });
}

function halves(bytes: Buffer): Buffer[] {
  const middle = Math.floor(bytes.length / 2);
  return [bytes.subarray(0, middle), bytes.subarray(middle)];
}
