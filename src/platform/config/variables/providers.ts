import { flag, integer, list, optionalChoice, optionalText, optionalUrl } from '../fields.js';
import { MINUTE } from './durations.js';

/** Who answers. */
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
  LLM_API_KEY: optionalText('API key for that server, if it needs one.'),
  LLM_MODEL: optionalText('Default model. Required with `LLM_BASE_URL`.'),
  LLM_MODELS: list('Further models that clients may ask for, separated by commas.'),
  LLM_TIMEOUT_MS: integer(5 * MINUTE, 'Longest time for one whole answer of the model.', {
    min: 100,
  }),
  LLM_IDLE_TIMEOUT_MS: integer(
    60_000,
    'Longest silence of the model, before its first word and between two words. A keep-alive comment counts as a word.',
    { min: 100 },
  ),
  LLM_CONTINUE: flag(
    false,
    "Whether the model continues a last message of the assistant. If so, an interrupted answer is continued from its text so far; otherwise it ends with an error. Check your model's server: not all do.",
  ),
  GUIDE_WORDS_PER_SECOND: integer(40, 'Pace of the built-in guide. `0`: as fast as possible.', {
    max: 100_000,
  }),
};
