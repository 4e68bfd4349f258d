import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { SystemClock } from '../common/clock.js';
import { DomainError } from '../common/domain-error.js';
import { CONFIG, type Config } from '../config/config.js';
import { GuideProvider } from './guide.provider.js';
import { OpenAiCompatibleProvider } from './openai-compatible.provider.js';
import type { Provider } from './provider.js';

/** The providers that the configuration gives; `guide` is always among them. */
@Injectable()
export class ProviderRegistry implements OnApplicationShutdown {
  private readonly guide: GuideProvider;
  private readonly openAiCompatible: OpenAiCompatibleProvider | undefined;

  constructor(@Inject(CONFIG) private readonly config: Config) {
    this.guide = new GuideProvider({ wordsPerSecond: config.GUIDE_WORDS_PER_SECOND });
    this.openAiCompatible = openAiCompatible(config);
  }

  /**
   * Who answers a request that names `provider` and `model`; by default `PROVIDER` and its first model.
   * @throws {DomainError} `invalid_payload` for a provider that is not configured or a model that it does not offer.
   */
  resolve(provider: string = this.config.PROVIDER, model?: string): { provider: Provider; model: string } {
    const configured: Provider[] = [this.guide, ...(this.openAiCompatible ? [this.openAiCompatible] : [])];
    const found = configured.find(({ name }) => name === provider);
    if (!found)
      throw notOffered(
        'provider',
        provider,
        configured.map(({ name }) => name),
      );
    if (model !== undefined && !found.models.includes(model)) throw notOffered('model', model, found.models);
    return { provider: found, model: model ?? found.models[0] };
  }

  /** The default provider in one line for the operator; no keys, no passwords. */
  describe(): string {
    const { PROVIDER, LLM_BASE_URL } = this.config;
    if (PROVIDER === 'guide' || !LLM_BASE_URL) {
      return LLM_BASE_URL ? 'guide (embedded)' : 'guide (embedded; set LLM_BASE_URL for a model)';
    }
    const { origin, pathname } = new URL(LLM_BASE_URL);
    return `${PROVIDER} at ${origin}${pathname}, model ${this.resolve().model}`;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.openAiCompatible?.close();
  }
}

function openAiCompatible(config: Config): OpenAiCompatibleProvider | undefined {
  const { LLM_BASE_URL, LLM_MODEL, LLM_MODELS, LLM_API_KEY, LLM_TIMEOUT_MS, LLM_IDLE_TIMEOUT_MS } = config;
  if (!LLM_BASE_URL || !LLM_MODEL) return undefined;
  return new OpenAiCompatibleProvider({
    baseUrl: LLM_BASE_URL,
    apiKey: LLM_API_KEY,
    models: [LLM_MODEL, ...LLM_MODELS.filter((model) => model !== LLM_MODEL)],
    timeoutMs: LLM_TIMEOUT_MS,
    idleTimeoutMs: LLM_IDLE_TIMEOUT_MS,
    canContinue: config.LLM_CONTINUE,
    clock: new SystemClock(),
  });
}

function notOffered(what: string, name: string, offered: readonly string[]): DomainError {
  const shown = name.slice(0, 64);
  return new DomainError(
    'invalid_payload',
    `There is no ${what} “${shown}” here: ask for ${offered.join(' or ')}.`,
  );
}
