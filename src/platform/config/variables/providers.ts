import { validateHeaderName, validateHeaderValue } from 'node:http';
import {
  choice,
  flag,
  integer,
  jsonObject,
  list,
  MINUTE,
  optionalChoice,
  optionalHeaderValue,
  optionalInteger,
  optionalNumber,
  optionalText,
  optionalUrl,
  type Field,
} from '../fields.js';

/** Fields of a request that a setting must not replace. */
const OWN_FIELDS = ['model', 'messages', 'stream'];

/** The address of a proxy, with or without `http://`. */
function proxy(doc: string): Field<string | undefined> {
  const parse = (value: string): string => {
    const url = /^\w+:\/\//.test(value) ? value : `http://${value}`;
    if (!/^https?:/.test(url) || !URL.canParse(url))
      throw new Error('must be a URL that begins with http:// or https://');
    return url;
  };
  return { ...optionalText(doc), parse };
}

/** The providers of answers, and the model server. */
export const PROVIDERS = {
  PROVIDER: optionalChoice(
    ['guide', 'openai-compatible'],
    '`guide` or `openai-compatible`. Unset: `openai-compatible` if `LLM_BASE_URL` is set, else `guide`.',
  ),
  PROVIDER_FALLBACK: optionalChoice(
    ['guide', 'openai-compatible'],
    'Provider that answers if the first one fails before its first word. Chunk 0 then has `usedFallback: true`. Unset: none.',
  ),
  PROVIDER_RETRIES: integer(
    2,
    'Retries after a provider fails before its first word: the first after 250 to 500 ms, each further one after twice as long. A `Retry-After` of up to 5 seconds is respected.',
    { max: 10 },
  ),
  PROVIDER_BREAKER_FAILURES: integer(
    5,
    'Failures in a row after which the circuit breaker of a provider opens. Refused requests and cancels do not count.',
    { min: 1 },
  ),
  PROVIDER_BREAKER_OPEN_MS: integer(
    10_000,
    'How long the circuit breaker stays open. Then one request is let through, and its outcome decides.',
    { min: 100 },
  ),
  PROVIDER_MAX_CONCURRENT: integer(
    2000,
    'Concurrent requests to one provider. Four times as many may wait; further ones are refused.',
    { min: 1, max: 100_000 },
  ),
  LLM_BASE_URL: optionalUrl(
    ['https:', 'http:'],
    'Base URL of a chat completions API, such as `http://127.0.0.1:11434/v1` for Ollama.',
    ({ username, password }) => {
      if (username || password) throw new Error('must not contain a user or password: use LLM_API_KEY');
    },
  ),
  LLM_API_KEY: optionalHeaderValue('API key for that server, if it needs one.'),
  LLM_MODEL: optionalText('Default model. Required with `LLM_BASE_URL`.'),
  LLM_MODELS: list('Further models that clients may ask for, separated by commas.'),
  LLM_TIMEOUT_MS: integer(
    5 * MINUTE,
    'Longest time for one answer of the model from its first word on. The time that a reader takes does not count.',
    {
      min: 100,
    },
  ),
  LLM_FIRST_TOKEN_TIMEOUT_MS: integer(
    5 * MINUTE,
    'Longest silence before the first word of an answer, with all retries: a large model may have to be loaded, and aborting would restart that. No other time limit applies meanwhile. A keep-alive comment restarts the time, at most until `LLM_TIMEOUT_MS` more has passed.',
    { min: 100 },
  ),
  LLM_IDLE_TIMEOUT_MS: integer(
    60_000,
    'Longest silence between two words. A keep-alive comment counts as a word.',
    { min: 100 },
  ),
  LLM_MAX_TOKENS: optionalInteger(
    'Longest answer in tokens, sent as `max_tokens`. Unset: the default of the server. If the server uses another name for it, use `LLM_BODY`.',
    { min: 1 },
  ),
  LLM_TEMPERATURE: optionalNumber('Sent as `temperature`. Unset: the default of the server.', {
    min: 0,
    max: 2,
  }),
  LLM_HEADERS: jsonObject<string>(
    'Further headers of each request, as JSON: `{"api-key": "..."}`. They replace headers of the same name.',
    (name, value) => {
      validateHeaderName(name);
      if (typeof value !== 'string') throw new Error('must have strings as values');
      validateHeaderValue(name, value);
    },
  ),
  LLM_BODY: jsonObject(
    'Further fields of each request, as JSON: `{"top_p": 0.9, "reasoning_effort": "low"}`. They replace fields of the same name; `null` removes a field.',
    (name) => {
      if (OWN_FIELDS.includes(name)) throw new Error(`must not contain ${OWN_FIELDS.join(', ')}`);
    },
  ),
  LLM_ORGANIZATION: optionalHeaderValue('Sent as `OpenAI-Organization`.'),
  LLM_PROJECT: optionalHeaderValue('Sent as `OpenAI-Project`.'),
  LLM_STREAM_OPTIONS: choice(
    ['auto', 'on', 'off'],
    'auto',
    'Whether requests ask for usage by `stream_options`. `auto`: until the server refuses it.',
  ),
  LLM_THINK_TAGS: choice(
    ['auto', 'open', 'off'],
    'auto',
    'How to find thinking within the text, such as `<think>…</think>`. `auto`: at the beginning of an answer. `open`: also if the opening tag is missing because the chat template has it (DeepSeek R1, QwQ). `off`: it stays in the text.',
  ),
  LLM_CHECK_AT_START: flag(
    true,
    'Whether the server asks the model once after each start, for its list of models or one word, and logs the result.',
  ),
  HTTPS_PROXY: proxy('Proxy for model servers with `https://`. Also read as `https_proxy`.'),
  HTTP_PROXY: proxy('Proxy for model servers with `http://`. Also read as `http_proxy`.'),
  NO_PROXY: optionalText(
    'Hosts to reach without a proxy, separated by commas; `*`: all. This machine is always among them. Also read as `no_proxy`.',
  ),
  LLM_CONTINUE: flag(
    false,
    "Whether the model continues a last message of the assistant. If so, an interrupted answer is continued from its text so far; otherwise it ends with an error. Check your model's server: not all do.",
  ),
  GUIDE_WORDS_PER_SECOND: integer(40, 'Pace of the built-in guide. `0`: as fast as possible.', {
    max: 100_000,
  }),
};
