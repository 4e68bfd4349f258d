/** The functions of `proxy-addr` that are used here. The package has no types of its own. */
declare module 'proxy-addr' {
  import type { IncomingMessage } from 'node:http';

  type Trust = (address: string, hop: number) => boolean;

  /** Returns the peer's address, then those of X-Forwarded-For from the right, up to the first that is not trusted. */
  export function all(request: IncomingMessage, trust: Trust): (string | undefined)[];

  /** Compiles addresses, networks and names such as `loopback` into a check. */
  export function compile(proxies: string[]): Trust;
}
