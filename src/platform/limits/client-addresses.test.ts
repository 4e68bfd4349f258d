import { describe, expect, test } from 'vitest';
import { readConfig } from '../config/config.js';
import { addressKey, ClientAddresses } from './client-addresses.js';

function addressOf(proxies: string, remoteAddress: string, forwarded?: string): string {
  const addresses = new ClientAddresses(readConfig({ TRUST_PROXY: proxies }));
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return addresses.of({ headers, socket: { remoteAddress } });
}

describe("A client's address", () => {
  test.each([
    ['without TRUST_PROXY is the peer, whatever it says', '', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
    ['from a peer that is not trusted is the peer', '10.0.0.0/8', '203.0.113.9', '1.2.3.4', '203.0.113.9'],
    [
      'behind a trusted peer is the last that it saw',
      '10.0.0.0/8',
      '10.1.1.1',
      '6.6.6.6, 1.2.3.4',
      '1.2.3.4',
    ],
    [
      'skips every proxy that is trusted',
      'loopback,10.0.0.0/8',
      '127.0.0.1',
      '6.6.6.6, 1.2.3.4, 10.2.2.2',
      '1.2.3.4',
    ],
    ['behind one hop is the last word', '1', '203.0.113.9', '6.6.6.6, 1.2.3.4', '1.2.3.4'],
    ['behind two hops is the last but one', '2', '203.0.113.9', '6.6.6.6, 1.2.3.4, 10.2.2.2', '1.2.3.4'],
    ['with fewer words than hops is the first word', '5', '203.0.113.9', '1.2.3.4', '1.2.3.4'],
    ['stops at what is no address', 'loopback', '127.0.0.1', '1.2.3.4, <script>', '127.0.0.1'],
    [
      'after text that is no address is not believed',
      '3',
      '203.0.113.9',
      '1.2.3.4, unknown, 10.2.2.2',
      '10.2.2.2',
    ],
    ['by a name of networks', 'uniquelocal', '192.168.1.1', '1.2.3.4, fd00::7', '1.2.3.4'],
    ['with a zone may be a proxy', 'linklocal', 'fe80::1%eth0', '1.2.3.4', '1.2.3.4'],
    ['with no word is the proxy', 'loopback', '127.0.0.1', undefined, '127.0.0.1'],
    [
      'that was mapped into IPv6 is an IPv4 address',
      'loopback',
      '::ffff:127.0.0.1',
      '::ffff:1.2.3.4',
      '1.2.3.4',
    ],
    ['may be of IPv6', '::1', '::1', '2001:db8::7', '2001:db8::7'],
    ['may have a port', 'loopback', '127.0.0.1', '203.0.113.7:5432', '203.0.113.7'],
    ['may stand in brackets', 'loopback', '127.0.0.1', '[2001:db8::1]', '2001:db8::1'],
    ['may stand in brackets with a port', 'loopback', '127.0.0.1', '[2001:db8::1]:443', '2001:db8::1'],
    ['may stand in quotes', 'loopback', '127.0.0.1', '"[2001:db8::1]:443"', '2001:db8::1'],
    ['in brackets may have a zone', 'loopback', '127.0.0.1', '[fe80::1%eth0]:80', 'fe80::1%eth0'],
    ['may be mapped and have a port', 'loopback', '127.0.0.1', '::ffff:1.2.3.4:80', '1.2.3.4'],
    ['may be mapped in brackets', 'loopback', '127.0.0.1', '[::ffff:1.2.3.4]:80', '1.2.3.4'],
    ['may be mapped in hex', 'loopback', '127.0.0.1', '::ffff:cb00:7107', '203.0.113.7'],
    [
      'is found where every hop has a port',
      'loopback,10.0.0.0/8',
      '127.0.0.1',
      '6.6.6.6:1, 203.0.113.7:5432, 10.2.2.2:80',
      '203.0.113.7',
    ],
    [
      'is counted by hops where they have ports',
      '2',
      '10.0.0.9',
      '6.6.6.6:1, 1.2.3.4:2, 10.2.2.2:3',
      '1.2.3.4',
    ],
    ['passes over empty elements', 'loopback', '127.0.0.1', '6.6.6.6, 1.2.3.4, ,', '1.2.3.4'],
    ['with text for a port is not believed', 'loopback', '127.0.0.1', '1.2.3.4:http', '127.0.0.1'],
    ['in brackets must be an address', 'loopback', '127.0.0.1', '[1.2.3.4]:80', '127.0.0.1'],
    ['in brackets must be closed', 'loopback', '127.0.0.1', '[2001:db8::1', '127.0.0.1'],
  ])('%s', (_what, proxies, peer, forwarded, expected) => {
    expect(addressOf(proxies, peer, forwarded)).toBe(expected);
  });

  test('is empty where the peer has gone', () => {
    expect(new ClientAddresses(readConfig({})).of({ headers: {}, socket: {} })).toBe('');
    const forwarded = { headers: { 'x-forwarded-for': '1.2.3.4' }, socket: {} };
    expect(new ClientAddresses(readConfig({ TRUST_PROXY: 'loopback' })).of(forwarded)).toBe('');
  });
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::7', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('Limits count %s as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});
