import { Module } from '@nestjs/common';
import { ProviderRegistry } from './provider-registry.js';

/** Who produces answers: gives the {@link ProviderRegistry}. Needs the configuration. */
@Module({ providers: [ProviderRegistry], exports: [ProviderRegistry] })
export class ProvidersModule {}
