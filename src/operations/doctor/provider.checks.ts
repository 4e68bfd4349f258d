import { DomainError } from '../../common/domain-error.js';
import type { Config } from '../../platform/config/config.js';
import { MetricsRegistry } from '../../platform/metrics/registry.js';
import { ProviderRegistry } from '../../providers/provider-registry.js';
import { ProviderMetrics } from '../../providers/resilience/provider-metrics.js';
import { fail, ok, type Finding } from './finding.js';

const TIMEOUT_MS = 20_000;

/** Checks that the default provider answers a short question and knows its model. A language model may charge a few tokens. */
export async function checkProvider(config: Config, timeoutMs = TIMEOUT_MS): Promise<Finding[]> {
  const limits = {
    ...{ LLM_TIMEOUT_MS: timeoutMs, LLM_FIRST_TOKEN_TIMEOUT_MS: timeoutMs, LLM_IDLE_TIMEOUT_MS: timeoutMs },
    // The model is asked once, and the operator may read all that its server says.
    ...{ PROVIDER_RETRIES: 0, NODE_ENV: 'development' as const },
  };
  const registry = new ProviderRegistry({ ...config, ...limits }, new ProviderMetrics(new MetricsRegistry()));
  const name = registry.describe();
  try {
    const unknown = (await registry.unknownModels(AbortSignal.timeout(timeoutMs))) ?? [];
    if (unknown.length > 0) {
      const message = `The server of LLM_BASE_URL does not list ${unknown.join(', ')}.`;
      return [fail('provider', message, 'Correct LLM_MODEL and LLM_MODELS, or load the model there.')];
    }
    await firstText(registry);
    return [ok('provider', `It answers: ${name}.`)];
  } catch (error) {
    return [fail('provider', `It does not answer (${name}): ${(error as Error).message}`, remedyFor(error))];
  } finally {
    await registry.onApplicationShutdown();
  }
}

function remedyFor(error: unknown): string {
  if (error instanceof DomainError && error.code === 'provider_timeout')
    return 'If it is loading the model, try again when it has; answers wait for LLM_FIRST_TOKEN_TIMEOUT_MS.';
  return 'Check that it runs, and correct LLM_BASE_URL, LLM_API_KEY and LLM_MODEL.';
}

/** Reads up to the first text and stops, so that the provider produces no more. */
async function firstText(registry: ProviderRegistry): Promise<void> {
  const { provider, model } = registry.resolve();
  const { signal } = new AbortController();
  const messages = [{ role: 'user', content: 'What is Streamgate? Answer in one word.' }] as const;
  for await (const delta of await provider.open({ model, messages, signal })) {
    if (delta.type !== 'finish') return;
  }
  throw new Error('The answer was empty.');
}
