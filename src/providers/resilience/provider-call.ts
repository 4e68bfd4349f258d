import { DomainError } from '../../common/domain-error.js';
import type { Delta, ProviderRequest } from '../provider.js';
import type { GuardedProvider } from './guarded-provider.js';
import type { ProviderMetrics } from './provider-metrics.js';

/** A provider and one of its models. */
export interface Choice {
  provider: GuardedProvider;
  model: string;
}

/** An answer whose first delta is there. */
export interface OpenedCall {
  /** Name of the provider that answers. */
  provider: string;
  model: string;
  /** Whether the fallback answers in place of the requested provider. */
  usedFallback: boolean;
  deltas: AsyncIterable<Delta>;
}

/** One answer's provider: the requested one, or the fallback if that fails before its first delta. */
export class ProviderCall {
  private answering: Choice;

  constructor(
    private readonly requested: Choice,
    private readonly fallback: Choice | undefined,
    private readonly metrics: ProviderMetrics,
  ) {
    this.answering = requested;
  }

  /** `Provider.canContinue` of the provider that answers. */
  get canContinue(): boolean {
    return this.answering.provider.canContinue;
  }

  /**
   * Resolves when the first delta is there. If the requested provider fails for good and `mayFallBack` is set, calls the
   * fallback; if that fails too, throws the first failure. @throws {DomainError} as `GuardedProvider.open`.
   */
  async open(request: Omit<ProviderRequest, 'model'>, mayFallBack: boolean): Promise<OpenedCall> {
    try {
      return await this.call(this.requested, request);
    } catch (error) {
      const { fallback, requested } = this;
      if (!mayFallBack || !fallback || !(error instanceof DomainError)) throw error;
      const opened = await this.call(fallback, request).catch((fault: unknown) => {
        throw fault instanceof DomainError ? error : fault;
      });
      this.answering = fallback;
      this.metrics.fallback(requested.provider.name);
      return opened;
    }
  }

  private async call(choice: Choice, request: Omit<ProviderRequest, 'model'>): Promise<OpenedCall> {
    const { provider, model } = choice;
    const deltas = await provider.open({ ...request, model });
    return { provider: provider.name, model, usedFallback: choice !== this.requested, deltas };
  }
}
