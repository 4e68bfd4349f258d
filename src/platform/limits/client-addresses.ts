import { Inject, Injectable } from '@nestjs/common';
import { isIP } from 'node:net';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { all, compile } from 'proxy-addr';
import { CONFIG, type Config } from '../config/config.js';
import type { TrustedProxies } from '../config/limit-fields.js';

/** The part of a request that contains its address. */
interface Origin {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

type Trust = (address: string, hop: number) => boolean;

/**
 * Finds the client address of a request. No other code reads `X-Forwarded-For`, which is trusted only as far as `TRUST_PROXY`
 * allows.
 * `Forwarded` (RFC 7239) is not read.
 */
@Injectable()
export class ClientAddresses {
  private readonly isTrusted: Trust;

  constructor(@Inject(CONFIG) { TRUST_PROXY }: Config) {
    this.isTrusted = trustOf(TRUST_PROXY ?? 0);
  }

  /**
   * Returns the nearest address that is not a trusted proxy. An IPv4 address is written as such. Empty if the peer has
   * disconnected.
   */
  of(origin: Origin): string {
    const chain = all(withPlainAddresses(origin) as IncomingMessage, this.isTrusted).map((address = '') =>
      plain(address),
    );
    // A trusted proxy may forward text that is not an address. Anything beyond it cannot be trusted.
    const end = chain.findIndex((address, hop) => hop > 0 && isIP(address) === 0);
    return chain.at(end === -1 ? -1 : end - 1) ?? '';
  }

  /** Returns the key that limits count a request by: its address, or for IPv6 its /64 network, which one customer has. */
  keyOf(origin: Origin): string {
    return addressKey(this.of(origin));
  }
}

/** Returns the form of an address that limits count: for IPv6 its first 64 bits. */
export function addressKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = (address.split('%')[0] as string).split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

function trustOf(proxies: TrustedProxies): Trust {
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies;
  const isListed = compile([...proxies]);
  return (address, hop) => isIP(address) !== 0 && isListed(address, hop);
}

/** Returns an IPv4-mapped IPv6 address as the IPv4 address, also where it is written in hex; others as they are. */
function plain(address: string): string {
  const [, dotted, high, low] =
    /^(?:0:0:0:0:0|:):ffff:(?:(\d+\.\d+\.\d+\.\d+)|([\da-f]{1,4}):([\da-f]{1,4}))$/i.exec(address) ?? [];
  if (high === undefined || low === undefined) return dotted ?? address;
  return [high, low].flatMap((part) => bytesOf(Number.parseInt(part, 16))).join('.');
}

function bytesOf(part: number): number[] {
  return [part >> 8, part & 0xff];
}

/** Returns `origin` with addresses alone in its `X-Forwarded-For`, and without the empty elements of the list (RFC 9110, 5.6.1). */
function withPlainAddresses(origin: Origin): Origin {
  const forwarded = origin.headers['x-forwarded-for'];
  if (forwarded === undefined) return origin;
  const words = String(forwarded)
    .split(',')
    .map((word) => withoutPort(word.trim()))
    .filter((word) => word !== '');
  return { headers: { 'x-forwarded-for': words.join(', ') }, socket: origin.socket };
}

/**
 * Returns the address of `1.2.3.4:5432`, `[2001:db8::1]`, `[2001:db8::1]:443` and the same in quotes, as Azure and IIS write
 * them; other words as they are.
 */
function withoutPort(word: string): string {
  const node = /^"(.*)"$/.exec(word)?.[1] ?? word;
  const [, bracketed, dotted] =
    /^(?:\[([^\]]+)\]|((?:::ffff:)?\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/i.exec(node) ?? [];
  return dotted ?? (isIP(bracketed ?? '') === 6 ? (bracketed as string) : word);
}
