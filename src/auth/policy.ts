import { DomainError, notFound } from '../common/domain-error.js';
import type { MemberRole } from '../protocol/index.js';
import type { Principal } from './principal.js';

/** How a principal can stand to what it asks for. */
type Who = 'self' | 'acquaintance' | 'member' | 'asker' | 'owner' | 'admin';

interface Rule {
  /** Any of these may. */
  readonly who: readonly Who[];
  /** Others get `not_found` unless they are members, who see that it is there (P10). Otherwise `forbidden`. */
  readonly hidden: boolean;
}

/**
 * What principals may do: the one table that services, controllers and event handlers ask. What is not in it anybody may
 * do who has a token: with what is their own, or new. The statements that change members and conversations hold the
 * rules of these once more, since roles may change meanwhile; their answers become refusals here.
 */
const POLICY = {
  'conversation:read': { who: ['member'], hidden: true },
  'message:send': { who: ['member'], hidden: true },
  'conversation:change': { who: ['owner'], hidden: true },
  'conversation:delete': { who: ['owner'], hidden: true },
  'member:add': { who: ['owner'], hidden: true },
  'member:remove': { who: ['self', 'owner'], hidden: true },
  'stream:read': { who: ['member'], hidden: true },
  'stream:see': { who: ['member', 'admin'], hidden: true },
  'stream:control': { who: ['asker', 'owner', 'admin'], hidden: true },
  'conversation:observe': { who: ['member', 'admin'], hidden: true },
  'presence:see': { who: ['self', 'acquaintance', 'admin'], hidden: true },
  'presence:watch': { who: ['self', 'acquaintance'], hidden: true },
  'presence:list': { who: ['admin'], hidden: false },
  'connections:see': { who: ['self', 'admin'], hidden: true },
  'connection:close': { who: ['self', 'admin'], hidden: true },
  'queue:see': { who: ['self', 'admin'], hidden: true },
  'queue:clear': { who: ['self', 'admin'], hidden: true },
  'streams:observe': { who: ['admin'], hidden: false },
  'figures:see': { who: ['admin'], hidden: false },
  'system:send': { who: ['admin'], hidden: false },
  'token:revoke': { who: ['admin'], hidden: false },
} as const satisfies Record<string, Rule>;

/** What a principal can want to do. */
export type Action = keyof typeof POLICY;

/** What is known of the thing that an action is about. */
export interface AccessFacts {
  /** What the principal is in its conversation; null or undefined where it is no member, or there is none. */
  readonly role?: MemberRole | null | undefined;
  /** The user whom it is about, or whose it is. */
  readonly userId?: string;
  /** Whether that user shares a conversation with the principal. */
  readonly isAcquainted?: boolean | undefined;
  /** The user whose question it answers. */
  readonly askerId?: string;
}

type Test = (principal: Principal, facts: AccessFacts) => boolean;

const TESTS: Readonly<Record<Who, Test>> = {
  self: ({ userId }, facts) => facts.userId === userId,
  acquaintance: (_, { isAcquainted }) => isAcquainted === true,
  member: (_, { role }) => Boolean(role),
  asker: ({ userId }, { role, askerId }) => Boolean(role) && askerId === userId,
  owner: (_, { role }) => role === 'owner',
  admin: ({ isAdmin }) => isAdmin,
};

const NAMES: Readonly<Record<Who, string>> = {
  self: 'the user whom it is about',
  acquaintance: 'who shares a conversation with the user',
  member: 'members',
  asker: 'who asked',
  owner: 'the owner of the conversation',
  admin: 'admins',
};

const LIST = new Intl.ListFormat('en');

/** Whether `principal` may do `action`. */
export function can(principal: Principal, action: Action, facts: AccessFacts = {}): boolean {
  return POLICY[action].who.some((who) => TESTS[who](principal, facts));
}

/** @throws {DomainError} `not_found` or `forbidden` where `principal` may not do `action`. */
export function authorize(principal: Principal, action: Action, facts: AccessFacts = {}): void {
  if (!can(principal, action, facts)) throw denied(action, facts);
}

/** The refusal for who may not do `action`. */
export function denied(action: Action, { role }: Pick<AccessFacts, 'role'> = {}): DomainError {
  const { who, hidden } = POLICY[action];
  if (hidden && !role) return notFound();
  const names = who.map((one) => NAMES[one]);
  return new DomainError('forbidden', `Only ${LIST.format(names)} may do this.`);
}
