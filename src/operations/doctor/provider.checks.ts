import type { Config } from '../../platform/config/config.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import { ProviderMetrics } from '../../providers/resilience/provider-metrics.js';
import { fail, ok, type Finding } from './finding.js';

const TIMEOUT_MS = 20_000;
const MODELS_TIMEOUT_MS = 5000;

/** Checks that the default provider answers a short question and knows its model. A language model may charge a few tokens. */
export async function checkProvider(config: Config, timeoutMs = TIMEOUT_MS): Promise<Finding[]> {
  const limits = { LLM_TIMEOUT_MS: timeoutMs, LLM_IDLE_TIMEOUT_MS: timeoutMs };
  const registry = new ProviderRegistry({ ...config, ...limits }, new ProviderMetrics(new MetricsRegistry()));
  const name = registry.describe();
  try {
    const unknown = await unknownModels(config);
    if (unknown.length > 0) {
      const message = `The server of LLM_BASE_URL does not list ${unknown.join(', ')}.`;
      return [fail('provider', message, 'Correct LLM_MODEL and LLM_MODELS, or load the model there.')];
    }
    await firstText(registry, AbortSignal.timeout(timeoutMs));
    return [ok('provider', `It answers: ${name}.`)];
  } catch (error) {
    const remedy = 'Check that it runs, and correct LLM_BASE_URL, LLM_API_KEY and LLM_MODEL.';
    return [fail('provider', `It does not answer (${name}): ${(error as Error).message}`, remedy)];
  } finally {
    await registry.onApplicationShutdown();
  }
}

/** Reads up to the first text and stops, so that the provider produces no more. */
async function firstText(registry: ProviderRegistry, signal: AbortSignal): Promise<void> {
  const { provider, model } = registry.resolve();
  const messages = [{ role: 'user', content: 'What is Streamgate? Answer in one word.' }] as const;
  for await (const delta of await provider.open({ model, messages, signal })) {
    if (delta.type !== 'finish') return;
  }
  throw new Error('The answer was empty.');
}

/** Returns the configured models that the server does not list; none if it has no list. */
async function unknownModels(config: Config): Promise<string[]> {
  const { PROVIDER, LLM_BASE_URL, LLM_API_KEY, LLM_MODEL, LLM_MODELS } = config;
  if (PROVIDER === 'guide' || !LLM_BASE_URL) return [];
  const url = new URL(LLM_BASE_URL);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/models`;
  const headers = LLM_API_KEY ? { authorization: `Bearer ${LLM_API_KEY}` } : {};
  const list = await fetch(url, { headers, signal: AbortSignal.timeout(MODELS_TIMEOUT_MS) })
    .then((response) => (response.ok ? (response.json() as Promise<{ data?: { id: string }[] }>) : undefined))
    .catch(() => undefined);
  if (!Array.isArray(list?.data) || list.data.length === 0) return [];
  const known = new Set(list.data.flatMap(({ id }) => [id, id.replace(/:latest$/, '')]));
  return [LLM_MODEL ?? '', ...LLM_MODELS].filter((model) => model !== '' && !known.has(model));
}
