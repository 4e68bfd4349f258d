import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets the deletion of a conversation find its answers without reading all answers ever given. */
export class StreamsOfConversation1764000000010 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index streams_conversation on streams (conversation_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index streams_conversation');
  }
}
