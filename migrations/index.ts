import type { MigrationInterface } from 'typeorm';
import { Tables1764000000000 } from './1764000000000-tables.js';
import { Revocations1764000000003 } from './1764000000003-revocations.js';
import { Users1764000000004 } from './1764000000004-users.js';
import { FunctionFiles1764000000008 } from './1764000000008-function-files.js';
import { WriteProbes1764000000009 } from './1764000000009-write-probes.js';
import { StreamsOfConversation1764000000010 } from './1764000000010-streams-of-conversation.js';

/** Every migration, oldest first. */
export const migrations: (new () => MigrationInterface)[] = [
  Tables1764000000000,
  retired('MessageFunctions1764000000001'),
  retired('StreamFunctions1764000000002'),
  Revocations1764000000003,
  Users1764000000004,
  retired('GatheredReads1764000000005'),
  retired('Prompts1764000000006'),
  retired('LinearBatches1764000000007'),
  FunctionFiles1764000000008,
  WriteProbes1764000000009,
  StreamsOfConversation1764000000010,
];

/**
 * A migration that only created functions, which are files now (`src/platform/database/functions`). It does nothing; its
 * name stays because existing databases have it on record.
 */
function retired(name: string): new () => MigrationInterface {
  return class implements MigrationInterface {
    readonly name = name;
    async up(): Promise<void> {}
    async down(): Promise<void> {}
  };
}
