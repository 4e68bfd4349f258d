import { describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../platform/metrics/registry.js';
import { readConfig } from '../platform/config/config.js';
import { ProviderRegistry } from './provider-registry.js';
import { ProviderMetrics } from './resilience/provider-metrics.js';

const LLM = {
  LLM_BASE_URL: 'http://127.0.0.1:11434/v1?key=hidden',
  LLM_MODEL: 'small',
  LLM_MODELS: 'large, small',
  LLM_API_KEY: 'sk-hidden',
};

function registry(env: Record<string, string> = {}): ProviderRegistry {
  return new ProviderRegistry(readConfig(env), new ProviderMetrics(new MetricsRegistry()));
}

describe('ProviderRegistry', () => {
  it('gives the guide where nothing is configured', () => {
    const { provider, model } = registry().resolve();
    expect([provider.name, model]).toEqual(['guide', 'guide']);
    expect(registry().describe()).toBe('guide (embedded; set LLM_BASE_URL for a model)');
  });

  it('gives the language model where one is configured, and the guide beside it', () => {
    const both = registry(LLM);
    expect(both.resolve().provider.name).toBe('openai-compatible');
    expect(both.resolve().model).toBe('small');
    expect(both.resolve().provider.models).toEqual(['small', 'large']);
    expect(both.resolve(undefined, 'large').model).toBe('large');
    expect(both.resolve('guide').provider.name).toBe('guide');
  });

  it('describes the language model without its secrets', () => {
    expect(registry(LLM).describe()).toBe('openai-compatible at http://127.0.0.1:11434/v1, model small');
    expect(registry({ ...LLM, PROVIDER: 'guide' }).describe()).toBe('guide (embedded)');
  });

  it('refuses what is not configured with invalid_payload', () => {
    const invalid = expect.objectContaining({ code: 'invalid_payload' }) as Error;
    expect(() => registry().resolve('openai-compatible')).toThrow(invalid);
    expect(() => registry(LLM).resolve(undefined, 'huge')).toThrow(invalid);
    expect(() => registry(LLM).resolve('guide', 'small')).toThrow(invalid);
    expect(() => registry(LLM).resolve('constructor')).toThrow(invalid);
  });
});
