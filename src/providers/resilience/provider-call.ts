import { DomainError } from '../../common/domain-error.js';
import type { Delta, ProviderRequest } from '../provider.js';
import type { GuardedProvider } from './guarded-provider.js';
import type { ProviderMetrics } from './provider-metrics.js';

/** Who is asked, and for which of its models. */
export interface Choice {
  provider: GuardedProvider;
  model: string;
}

/** An answer whose first delta is there. */
export interface OpenedCall {
  /** Who gives it. */
  provider: string;
  model: string;
  /** Whether that is another than who was asked. */
  usedFallback: boolean;
  deltas: AsyncIterable<Delta>;
}

/** Who gives one answer: whom it was asked of, or before its first delta the fallback. */
export class ProviderCall {
  private answering: Choice;

  constructor(
    private readonly asked: Choice,
    private readonly fallback: Choice | undefined,
    private readonly metrics: ProviderMetrics,
  ) {
    this.answering = asked;
  }

  /** As `Provider.canContinue`, of who answers. */
  get canContinue(): boolean {
    return this.answering.provider.canContinue;
  }

  /**
   * Resolves when the first delta is there. The fallback is asked where `mayFallBack` and the first provider failed for good;
   * when it fails too, the first one's failure counts. @throws {DomainError} as `GuardedProvider.open`.
   */
  async open(request: Omit<ProviderRequest, 'model'>, mayFallBack: boolean): Promise<OpenedCall> {
    try {
      return await this.ask(this.asked, request);
    } catch (error) {
      const { fallback, asked } = this;
      if (!mayFallBack || !fallback || !(error instanceof DomainError)) throw error;
      const answer = await this.ask(fallback, request).catch((fault: unknown) => {
        throw fault instanceof DomainError ? error : fault;
      });
      this.answering = fallback;
      this.metrics.fallback(asked.provider.name);
      return answer;
    }
  }

  private async ask(choice: Choice, request: Omit<ProviderRequest, 'model'>): Promise<OpenedCall> {
    const { provider, model } = choice;
    const deltas = await provider.open({ ...request, model });
    return { provider: provider.name, model, usedFallback: choice !== this.asked, deltas };
  }
}
