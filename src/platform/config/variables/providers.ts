import { flag, integer, list, optionalChoice, optionalText, optionalUrl } from '../fields.js';
import { MINUTE } from './durations.js';

/** Who answers. */
export const PROVIDERS = {
  PROVIDER: optionalChoice(
    ['guide', 'openai-compatible'],
    '`guide` or `openai-compatible`. Unset means `openai-compatible` where `LLM_BASE_URL` is set, else `guide`.',
  ),
  PROVIDER_FALLBACK: optionalChoice(
    ['guide', 'openai-compatible'],
    'Who answers instead where a provider fails before its first word; chunk 0 then says `usedFallback: true`. Unset: nobody.',
  ),
  PROVIDER_RETRIES: integer(
    2,
    'How often a provider is asked again that fails before its first word, after 250 to 500 ms, then twice as long. A `Retry-After` up to 5 seconds is waited for.',
    { max: 10 },
  ),
  PROVIDER_BREAKER_FAILURES: integer(
    5,
    'Failures in a row after which a provider is left alone (its breaker is open). Refused requests and cancels are none.',
    { min: 1 },
  ),
  PROVIDER_BREAKER_OPEN_MS: integer(
    10_000,
    'How long it is left alone; then one answer is asked of it, and what comes of that decides.',
    { min: 100 },
  ),
  PROVIDER_MAX_CONCURRENT: integer(
    2000,
    'Answers that one provider is asked for at once; four times as many may wait for their turn, the rest is refused.',
    { min: 1, max: 100_000 },
  ),
  LLM_BASE_URL: optionalUrl(
    ['https:', 'http:'],
    'Base URL of a chat completions API, such as `http://127.0.0.1:11434/v1` for Ollama.',
    ({ username, password }) => {
      if (username || password) throw new Error('must not contain a user or password: use LLM_API_KEY');
    },
  ),
  LLM_API_KEY: optionalText('The key for it, where it wants one.'),
  LLM_MODEL: optionalText('The model to ask by default; needed with `LLM_BASE_URL`.'),
  LLM_MODELS: list('Further models that clients may ask for, separated by commas.'),
  LLM_TIMEOUT_MS: integer(5 * MINUTE, 'Longest time to wait for one whole answer of the model.', {
    min: 100,
  }),
  LLM_IDLE_TIMEOUT_MS: integer(
    60_000,
    'Longest silence of the model, before its first word and between any two. A comment that keeps the connection alive counts as a word.',
    { min: 100 },
  ),
  LLM_CONTINUE: flag(
    false,
    "Whether the model goes on behind a last message of the assistant. Then an interrupted answer is continued by giving the model what is there of it; otherwise it is ended with an error. Ask your model's server: not all do.",
  ),
  GUIDE_WORDS_PER_SECOND: integer(40, 'Pace of the embedded guide; `0` is as fast as it can.', {
    max: 100_000,
  }),
};
