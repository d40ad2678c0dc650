import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WEFT_PROTOCOL } from '../../control/protocol.ts';
import { openUnderlay, type Underlay, type UnderlayOptions } from '../../control/underlay.ts';
import { formatAddress, parseAddress } from '../../wire/address.ts';
import { formatPrefix } from '../../wire/prefix.ts';
import { enterNamespace, makeNamespace, type TestNamespace } from '../support/pod-namespace.ts';

let node: TestNamespace;
let leave: () => void;
let opened: Underlay[];
const ip = (command: string) => node.run('ip', ...command.split(' '));

beforeEach(() => {
  node = makeNamespace();
  leave = enterNamespace(node.path);
  opened = [];
  ip('link set lo up');
  ip('link add u0 type veth peer name u1');
  ip('link set u1 up');
  ip('link set u0 up mtu 1500');
  ip('addr add 192.168.77.1/24 dev u0');
  ip('-6 addr add fd00:77::1/64 dev u0 nodad');
});
afterEach(() => {
  for (const underlay of opened) underlay.close();
  leave();
  node.delete();
});

function open(options: Partial<UnderlayOptions> = {}): Underlay {
  const underlay = openUnderlay({ addresses: 'auto', hostInterface: 'weft0', ...options });
  opened.push(underlay);
  return underlay;
}
const both = ['192.168.77.1', 'fd00:77::1'].map(parseAddress);
const shown = ({ addresses }: Underlay) =>
  addresses.map((a) => `${formatAddress(a.address)} ${a.interface} ${a.mtu} ${formatPrefix(a.subnet)}`);
const mtu = (underlay: Underlay, via: string) => underlay.mtu(parseAddress(via));

describe('openUnderlay', () => {
  it('finds interface, MTU and subnet of the addresses configured, in their order', () => {
    expect(shown(open({ addresses: both }))).toEqual([
      '192.168.77.1 u0 1500 192.168.77.0/24',
      'fd00:77::1 u0 1500 fd00:77::/64',
    ]);
  });

  it('takes the source address of the default route', () => {
    ip('addr add 192.168.77.9/24 dev u0');
    ip('-6 route add default via fd00:77::fe');
    expect(shown(open())).toEqual(['fd00:77::1 u0 1500 fd00:77::/64']);
    ip('route add default via 192.168.77.254 metric 100');
    expect(shown(open())).toEqual(['192.168.77.1 u0 1500 192.168.77.0/24']);
    ip('route add default via 192.168.77.254 src 192.168.77.9');
    expect(shown(open())).toEqual(['192.168.77.9 u0 1500 192.168.77.0/24']);
  });

  it('takes the address of an interface that is the default route itself', () => {
    ip('route add default dev u0');
    expect(shown(open())).toEqual(['192.168.77.1 u0 1500 192.168.77.0/24']);
  });

  it('says what is missing', () => {
    expect(() => open()).toThrow(/node.address: this node has no default route/);
    expect(() => open({ addresses: [parseAddress('192.168.77.2')] })).toThrow(
      /192\.168\.77\.2 is not an address of this node, which has 127\.0\.0\.1 \(lo\), 192\.168\.77\.1 \(u0\)/,
    );
  });
});

describe('mtu', () => {
  it('is that of the interface, or of the route where it says', () => {
    const underlay = open({ addresses: both });
    ip('route add 192.168.99.0/24 via 192.168.77.254 mtu 1400');
    expect([
      mtu(underlay, '192.168.77.2'),
      mtu(underlay, '192.168.99.2'),
      mtu(underlay, 'fd00:77::2'),
    ]).toEqual([1500, 1400, 1500]);
  });

  it('is that of the underlay where there is no route, or one into the fabric', () => {
    ip('tuntap add mode tun name weft0');
    ip('link set weft0 up mtu 900');
    ip('route add 10.0.0.0/8 dev weft0');
    const underlay = open({ addresses: both });
    expect([mtu(underlay, '203.0.113.1'), mtu(underlay, '10.1.1.1')]).toEqual([1500, 1500]);
  });
});

describe('onLink', () => {
  it('is what the subnets contain', () => {
    const underlay = open({ addresses: both });
    const onLink = (text: string) => underlay.onLink(parseAddress(text));
    expect([
      onLink('192.168.77.200'),
      onLink('192.168.78.1'),
      onLink('fd00:77::ff'),
      onLink('fd00:78::1'),
    ]).toEqual([true, false, true, false]);
  });
});

describe('changed', () => {
  it('sees MTU, address and route changes, and none where there is none', () => {
    const underlay = open({ addresses: both });
    mtu(underlay, '192.168.77.2');
    expect(underlay.changed()).toBeUndefined();
    ip('link set u0 mtu 1400');
    expect(underlay.changed()).toBe('links');
    expect(underlay.changed()).toBeUndefined();
    expect([mtu(underlay, '192.168.77.2'), underlay.addresses[0].mtu]).toEqual([1400, 1400]);
    ip('route add 192.168.99.0/24 via 192.168.77.254 mtu 1300');
    expect(underlay.changed()).toBe('routes');
    expect(mtu(underlay, '192.168.99.2')).toBe(1300);
  });

  it('does not see the routes of Weft itself', () => {
    const underlay = open({ addresses: both });
    ip(`route add 10.2.0.0/16 via 192.168.77.2 proto ${WEFT_PROTOCOL}`);
    expect(underlay.changed()).toBeUndefined();
  });

  it('keeps what was known of an address that is lost', () => {
    const underlay = open({ addresses: both });
    ip('addr del 192.168.77.1/24 dev u0');
    expect(underlay.changed()).toBe('links');
    expect(shown(underlay)).toHaveLength(2);
  });

  it('says what has become of an address, until it is back', () => {
    const underlay = open({ addresses: both.slice(0, 1) });
    const problemAfter = (command: string) => {
      ip(command);
      expect(underlay.changed()).toBe('links');
      return underlay.problem();
    };
    expect(underlay.problem()).toBeUndefined();
    expect(problemAfter('link set u0 down')).toBe('the interface u0 of 192.168.77.1 is down');
    expect(problemAfter('link set u0 up')).toBeUndefined();
    expect(problemAfter('addr del 192.168.77.1/24 dev u0')).toBe(
      '192.168.77.1 is no longer an address of this node',
    );
    expect(problemAfter('addr add 192.168.77.1/24 dev u0')).toBeUndefined();
  });
});
