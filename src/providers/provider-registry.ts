import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { SystemClock } from '../common/clock.js';
import type { DomainError } from '../common/domain-error.js';
import { invalid } from '../platform/validation/payload.js';
import { CONFIG, type Config } from '../platform/config/config.js';
import { GuideProvider } from './guide.provider.js';
import { OpenAiCompatibleProvider, type OpenAiCompatibleOptions } from './openai-compatible.provider.js';
import type { Provider } from './provider.js';
import { ProviderCall, type Choice } from './resilience/provider-call.js';
import type { BreakerState } from './resilience/breaker.js';
import { GuardedProvider, type GuardLimits } from './resilience/guarded-provider.js';
import { ProviderMetrics } from './resilience/provider-metrics.js';

/** Shortest wait before the second try. */
const BACKOFF_MS = 250;

/** Builds the configured providers, each guarded, and resolves them by name. The `guide` is always among them. */
@Injectable()
export class ProviderRegistry implements OnApplicationShutdown {
  private readonly logger = new Logger(ProviderRegistry.name);
  private readonly closing = new AbortController();
  private readonly openAiCompatible: OpenAiCompatibleProvider | undefined;
  private readonly configured: readonly GuardedProvider[];

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly metrics: ProviderMetrics,
  ) {
    const guide = new GuideProvider({ wordsPerSecond: config.GUIDE_WORDS_PER_SECOND });
    this.openAiCompatible = openAiCompatible(config);
    const limits: GuardLimits = {
      retries: config.PROVIDER_RETRIES,
      backoffMs: BACKOFF_MS,
      failures: config.PROVIDER_BREAKER_FAILURES,
      openMs: config.PROVIDER_BREAKER_OPEN_MS,
      maxConcurrent: config.PROVIDER_MAX_CONCURRENT,
      firstTokenTimeoutMs: config.LLM_FIRST_TOKEN_TIMEOUT_MS,
    };
    const providers: Provider[] = [guide, ...(this.openAiCompatible ? [this.openAiCompatible] : [])];
    this.configured = providers.map((provider) => new GuardedProvider(provider, limits, metrics));
  }

  /**
   * Resolves the provider and model that a request names; by default `PROVIDER` and its first model.
   * @throws {DomainError} `invalid_payload` for a provider that is not configured or a model that it does not offer.
   */
  resolve(provider: string = this.config.PROVIDER, model?: string): Choice {
    const names = this.configured.map(({ name }) => name);
    const found = this.configured.find(({ name }) => name === provider);
    if (!found) throw notOffered('provider', provider, names);
    if (model !== undefined && !found.models.includes(model)) throw notOffered('model', model, found.models);
    return { provider: found, model: model ?? found.models[0] };
  }

  /** Prepares a call to this provider and model, with `PROVIDER_FALLBACK` as its fallback. @throws as {@link resolve}. */
  call(provider: string, model: string): ProviderCall {
    const { PROVIDER_FALLBACK: fallback } = this.config;
    const other = fallback !== undefined && fallback !== provider ? this.resolve(fallback) : undefined;
    return new ProviderCall(this.resolve(provider, model), other, this.metrics);
  }

  /** Returns the configured models that the model's server does not list; null without such a server, or a list. */
  async unknownModels(signal: AbortSignal): Promise<string[] | null> {
    return (await this.openAiCompatible?.unknownModels(signal)) ?? null;
  }

  /** Asks the model's server once, for its list of models or one word, and logs whether it answers. Never rejects. */
  async logCheck(): Promise<void> {
    if (!this.openAiCompatible) return;
    const server = new URL(this.config.LLM_BASE_URL ?? '').origin;
    const { signal } = this.closing;
    try {
      const unknown = await this.openAiCompatible.unknownModels(signal);
      if (unknown === null) await this.openAiCompatible.askOneWord(signal);
      if (unknown === null || unknown.length === 0) this.logger.log('model server answers', { server });
      else this.logger.warn('model server does not list a configured model', { server, unknown });
    } catch (error) {
      if (signal.aborted) return;
      const { message: advice, cause } = error as Error;
      this.logger.warn('model server does not answer', { server, advice }, cause);
    }
  }

  /** State of the default provider's breaker. */
  get breakerState(): BreakerState {
    return this.resolve().provider.breakerState;
  }

  /** Describes the default provider in one line for the operator, without keys and passwords. */
  describe(): string {
    const { PROVIDER, LLM_BASE_URL } = this.config;
    if (PROVIDER === 'guide' || !LLM_BASE_URL) {
      return LLM_BASE_URL ? 'guide (embedded)' : 'guide (embedded; set LLM_BASE_URL for a model)';
    }
    const { origin, pathname } = new URL(LLM_BASE_URL);
    return `${PROVIDER} at ${origin}${pathname}, model ${this.resolve().model}`;
  }

  async onApplicationShutdown(): Promise<void> {
    this.closing.abort();
    await this.openAiCompatible?.close();
  }
}

function openAiCompatible(config: Config): OpenAiCompatibleProvider | undefined {
  const options = openAiCompatibleOptions(config);
  return options && new OpenAiCompatibleProvider(options);
}

/** Returns the settings of the model's server; undefined where none is configured. */
function openAiCompatibleOptions(config: Config): OpenAiCompatibleOptions | undefined {
  const { LLM_BASE_URL, LLM_MODEL, LLM_MODELS } = config;
  if (!LLM_BASE_URL || !LLM_MODEL) return undefined;
  const { LLM_MAX_TOKENS, LLM_TEMPERATURE, LLM_ORGANIZATION, LLM_PROJECT } = config;
  return {
    baseUrl: LLM_BASE_URL,
    apiKey: config.LLM_API_KEY,
    models: [LLM_MODEL, ...LLM_MODELS.filter((model) => model !== LLM_MODEL)],
    timeoutMs: config.LLM_TIMEOUT_MS,
    firstTokenTimeoutMs: config.LLM_FIRST_TOKEN_TIMEOUT_MS,
    idleTimeoutMs: config.LLM_IDLE_TIMEOUT_MS,
    canContinue: config.LLM_CONTINUE,
    clock: new SystemClock(),
    headers: {
      ...(LLM_ORGANIZATION !== undefined && { 'openai-organization': LLM_ORGANIZATION }),
      ...(LLM_PROJECT !== undefined && { 'openai-project': LLM_PROJECT }),
      ...config.LLM_HEADERS,
    },
    body: {
      ...(LLM_MAX_TOKENS !== undefined && { max_tokens: LLM_MAX_TOKENS }),
      ...(LLM_TEMPERATURE !== undefined && { temperature: LLM_TEMPERATURE }),
      ...config.LLM_BODY,
    },
    streamOptions: config.LLM_STREAM_OPTIONS,
    thinkTags: config.LLM_THINK_TAGS,
    quotesFailures: config.NODE_ENV !== 'production',
    proxies: { httpProxy: config.HTTP_PROXY, httpsProxy: config.HTTPS_PROXY, noProxy: config.NO_PROXY },
  };
}

function notOffered(what: string, name: string, offered: readonly string[]): DomainError {
  const shown = name.slice(0, 64);
  return invalid([`there is no ${what} “${shown}” here: use ${offered.join(' or ')}`]);
}
