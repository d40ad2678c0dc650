/** Which next hop whom is told. */
import { describe, expect, test } from 'vitest';
import { nextHopFor } from '../../../routing/rib/next-hop.ts';
import type { RibPeer } from '../../../routing/rib/peer.ts';
import { formatAddress, parseAddress } from '../../../wire/address.ts';
import { parsePrefix } from '../../../wire/prefix.ts';
import { peer } from '../../support/rib.ts';

type Action = Parameters<typeof nextHopFor>[4];
const tell = (
  nextHop: string,
  to: Partial<RibPeer>,
  { family = 4 as 4 | 6, reflected = false, action = undefined as Action } = {},
): string => {
  const result = nextHopFor(family, parseAddress(nextHop), reflected, peer(2, to), action);
  if (typeof result === 'string') return result;
  const { nextHop: told, linkLocal } = result;
  return [told, ...(linkLocal === undefined ? [] : [linkLocal])].map(formatAddress).join(' ');
};
const SELF4 = '10.0.2.254';
const SELF6 = '2001:db8:2::254';
const internal = { source: 'internal' } as const;
/** A session over link-local addresses. */
const unnumbered: Partial<RibPeer> = {
  address: parseAddress('fe80::1'),
  localAddress: parseAddress('fe80::254'),
  nextHops: {},
  extendedNextHop: true,
};

describe('external peers', () => {
  test('are told the own address', () => {
    expect(tell('192.0.2.1', {})).toBe(SELF4);
    expect(tell('2001:db8:f::1', {}, { family: 6 })).toBe(SELF6);
  });

  test('a third party on their subnet is told as it is, they themselves are not', () => {
    const link = { link: parsePrefix('10.0.2.0/24') };
    expect(tell('10.0.2.77', link)).toBe('10.0.2.77');
    expect(tell('10.0.2.1', link)).toBe(SELF4);
    expect(tell('10.0.3.77', link)).toBe(SELF4);
  });

  test('unchanged where that is wanted', () => {
    expect(tell('192.0.2.1', { options: { nextHopUnchanged: true } })).toBe('192.0.2.1');
    expect(tell('192.0.2.1', {}, { action: 'unchanged' })).toBe('192.0.2.1');
    // Nobody else knows what these mean.
    expect(tell('fe80::7', { options: { nextHopUnchanged: true } }, { family: 6 })).toBe(SELF6);
    expect(tell('0.0.0.0', { options: { nextHopUnchanged: true } })).toBe(SELF4);
  });
});

describe('internal peers', () => {
  test('are told it as it is, or the own address where that is wanted', () => {
    expect(tell('192.0.2.1', internal)).toBe('192.0.2.1');
    expect(tell('192.0.2.1', { ...internal, options: { nextHopSelf: true } })).toBe(SELF4);
    expect(tell('0.0.0.0', internal)).toBe(SELF4);
    expect(tell('10.0.2.1', internal)).toBe('its next hop is the peer itself');
  });

  test('reflected: only "all" changes it (RFC 4456 section 10)', () => {
    const reflected = true;
    expect(tell('192.0.2.1', { ...internal, options: { nextHopSelf: true } }, { reflected })).toBe(
      '192.0.2.1',
    );
    expect(tell('192.0.2.1', { ...internal, options: { nextHopSelf: 'all' } }, { reflected })).toBe(SELF4);
  });

  test('what is link-local to us is nothing to them', () => {
    expect(tell('fe80::7', internal)).toBe(SELF4);
  });
});

test('policy has the last word', () => {
  expect(tell('192.0.2.1', internal, { action: 'self' })).toBe(SELF4);
  expect(tell('192.0.2.1', {}, { action: 'peer' })).toBe('10.0.2.1');
  expect(tell('192.0.2.1', {}, { action: parseAddress('198.51.100.1') })).toBe('198.51.100.1');
  expect(tell('::1:1', {}, { family: 6, action: parseAddress('198.51.100.1') })).toContain('IPv4 next hop');
});

describe('IPv4 over IPv6 (RFC 8950)', () => {
  test('only where agreed; else the own IPv4 address stands in', () => {
    expect(tell('2001:db8:f::1', internal)).toBe(SELF4);
    expect(tell('2001:db8:f::1', { ...internal, extendedNextHop: true })).toBe('2001:db8:f::1');
    expect(tell('192.0.2.1', {}, { action: parseAddress('2001:db8::9') })).toContain('RFC 8950');
  });

  test('over an IPv6 session the own IPv6 address, or a set IPv4 one, or none', () => {
    const over6 = { localAddress: parseAddress('2001:db8:2::254'), address: parseAddress('2001:db8:2::1') };
    expect(tell('192.0.2.1', { ...over6, extendedNextHop: true })).toBe('2001:db8:2::254');
    expect(tell('192.0.2.1', { ...over6, nextHops: { 4: parseAddress('10.0.2.254') } })).toBe(SELF4);
    expect(tell('192.0.2.1', { ...over6, nextHops: {} })).toContain('no own IPv4 address');
  });
});

describe('IPv6', () => {
  test('over an IPv4 session the address that was set, or none', () => {
    expect(tell('::1:1', { nextHops: {} }, { family: 6 })).toContain('no own IPv6 address');
  });

  test('on a link the link-local address beside the global one (RFC 2545 section 3)', () => {
    const linked = { localAddress: parseAddress(SELF6), localLinkLocal: parseAddress('fe80::254') };
    expect(tell('2001:db8:f::1', linked, { family: 6 })).toBe(`${SELF6} fe80::254`);
    expect(tell('2001:db8:f::1', { ...linked, ...internal }, { family: 6 })).toBe('2001:db8:f::1');
  });

  test('unnumbered: the link-local address alone, twice', () => {
    expect(tell('192.0.2.1', unnumbered)).toBe('fe80::254 fe80::254');
    expect(tell('2001:db8:f::1', unnumbered, { family: 6 })).toBe('fe80::254 fe80::254');
    const nextHops = { 6: parseAddress(SELF6) };
    expect(tell('2001:db8:f::1', { ...unnumbered, nextHops }, { family: 6 })).toBe(`${SELF6} fe80::254`);
  });
});
