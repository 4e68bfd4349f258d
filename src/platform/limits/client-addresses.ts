import { Inject, Injectable } from '@nestjs/common';
import { BlockList, isIP } from 'node:net';
import type { IncomingHttpHeaders } from 'node:http';
import { CONFIG, type Config } from '../config/config.js';
import { PROXY_NAMES, type TrustedProxies } from '../config/limit-fields.js';

/** What of a request tells where it comes from. */
interface Origin {
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
}

/** Where requests come from: the one place that believes `X-Forwarded-For`, and only as far as `TRUST_PROXY` says. */
@Injectable()
export class ClientAddresses {
  private readonly isTrusted: (address: string, hop: number) => boolean;

  constructor(@Inject(CONFIG) { TRUST_PROXY }: Config) {
    this.isTrusted = trustOf(TRUST_PROXY ?? 0);
  }

  /** The nearest address that is no trusted proxy; an IPv4 address is written as such. Empty where the peer has gone. */
  of({ headers, socket }: Origin): string {
    let address = plain(socket.remoteAddress ?? '');
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',').toReversed();
    for (const [hop, word] of forwarded.entries()) {
      const next = plain(word.trim());
      if (isIP(next) === 0 || !this.isTrusted(address, hop)) return address;
      address = next;
    }
    return address;
  }

  /** What limits count a request by: its address; of IPv6 the network of 64 bits, all of which one customer has. */
  keyOf(origin: Origin): string {
    return addressKey(this.of(origin));
  }
}

/** An address as limits count it: of IPv6 its first 64 bits. */
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

function trustOf(proxies: TrustedProxies): (address: string, hop: number) => boolean {
  if (typeof proxies === 'number') return (_address, hop) => hop < proxies;
  const list = new BlockList();
  for (const network of proxies.flatMap((word) => PROXY_NAMES[word] ?? [word])) {
    const [address = '', prefix] = network.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    list.addSubnet(address, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family);
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** An IPv4 address that was mapped into IPv6 as itself. */
function plain(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  return mapped ?? address;
}
