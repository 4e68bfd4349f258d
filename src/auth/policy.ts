import { DomainError, notFound } from '../common/domain-error.js';
import type { MemberRole } from '../protocol/index.js';
import type { Principal } from './principal.js';

/** Relation of a principal to the object of an action. */
type Relation = 'self' | 'acquaintance' | 'member' | 'asker' | 'owner' | 'admin';

interface Rule {
  /** Any of these relations suffices. */
  readonly allowed: readonly Relation[];
  /** Whether others get `not_found` (P10), unless they are members, who know that it exists and get `forbidden`. */
  readonly hidden: boolean;
}

/**
 * What principals may do: the one table for services, controllers and event handlers. Everybody with a token may do what is
 * not in it, with objects that are new or their own. The SQL functions that change members and conversations check their
 * rules again, because roles can change in between; {@link denied} turns their outcome into an error.
 */
const POLICY = {
  'conversation:read': { allowed: ['member'], hidden: true },
  'message:send': { allowed: ['member'], hidden: true },
  'conversation:change': { allowed: ['owner'], hidden: true },
  'conversation:delete': { allowed: ['owner'], hidden: true },
  'member:add': { allowed: ['owner'], hidden: true },
  'member:remove': { allowed: ['self', 'owner'], hidden: true },
  'stream:read': { allowed: ['member'], hidden: true },
  'stream:see': { allowed: ['member', 'admin'], hidden: true },
  'stream:control': { allowed: ['asker', 'owner', 'admin'], hidden: true },
  'conversation:observe': { allowed: ['member', 'admin'], hidden: true },
  'presence:see': { allowed: ['self', 'acquaintance', 'admin'], hidden: true },
  'presence:watch': { allowed: ['self', 'acquaintance'], hidden: true },
  'presence:list': { allowed: ['admin'], hidden: false },
  'connections:see': { allowed: ['self', 'admin'], hidden: true },
  'connection:close': { allowed: ['self', 'admin'], hidden: true },
  'queue:see': { allowed: ['self', 'admin'], hidden: true },
  'queue:clear': { allowed: ['self', 'admin'], hidden: true },
  'streams:observe': { allowed: ['admin'], hidden: false },
  'figures:see': { allowed: ['admin'], hidden: false },
  'system:send': { allowed: ['admin'], hidden: false },
  'token:revoke': { allowed: ['admin'], hidden: false },
} as const satisfies Record<string, Rule>;

/** An action that the policy controls. */
export type Action = keyof typeof POLICY;

/** Facts about the object of an action. */
export interface AccessFacts {
  /** The principal's role in the conversation; null or undefined when it is not a member, or there is no conversation. */
  readonly role?: MemberRole | null | undefined;
  /** The user whom the object is about or belongs to. */
  readonly userId?: string;
  /** Whether that user shares a conversation with the principal. */
  readonly isAcquainted?: boolean | undefined;
  /** The user whose question the stream answers. */
  readonly askerId?: string;
}

type Test = (principal: Principal, facts: AccessFacts) => boolean;

const TESTS: Readonly<Record<Relation, Test>> = {
  self: ({ userId }, facts) => facts.userId === userId,
  acquaintance: (_, { isAcquainted }) => isAcquainted === true,
  member: (_, { role }) => Boolean(role),
  asker: ({ userId }, { role, askerId }) => Boolean(role) && askerId === userId,
  owner: (_, { role }) => role === 'owner',
  admin: ({ isAdmin }) => isAdmin,
};

const NAMES: Readonly<Record<Relation, string>> = {
  self: 'the user concerned',
  acquaintance: 'users who share a conversation with that user',
  member: 'members',
  asker: 'the member who asked',
  owner: 'the owner of the conversation',
  admin: 'admins',
};

const LIST = new Intl.ListFormat('en');

/** Whether `principal` may do `action`. */
export function can(principal: Principal, action: Action, facts: AccessFacts = {}): boolean {
  return POLICY[action].allowed.some((relation) => TESTS[relation](principal, facts));
}

/** @throws {DomainError} `not_found` or `forbidden` where `principal` may not do `action`. */
export function authorize(principal: Principal, action: Action, facts: AccessFacts = {}): void {
  if (!can(principal, action, facts)) throw denied(action, facts);
}

/** Makes the error for a principal that may not do `action`. */
export function denied(action: Action, { role }: Pick<AccessFacts, 'role'> = {}): DomainError {
  const { allowed, hidden } = POLICY[action];
  if (hidden && !role) return notFound();
  const names = allowed.map((relation) => NAMES[relation]);
  return new DomainError('forbidden', `Only ${LIST.format(names)} may do this.`);
}
