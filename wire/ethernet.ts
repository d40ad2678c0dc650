// Ethernet header (IEEE 802.3, RFC 894) as functions over (view, offset); LENGTH bytes are known to be there.
//
//   0                      6                      12            14
//   | destination address  |    source address    |  EtherType  |

import type { Mac } from './mac.ts';

export const LENGTH = 14;
export const EtherType = { ipv4: 0x0800, ipv6: 0x86dd, arp: 0x0806, vlan: 0x8100 } as const;

const HALF = 65536;

const address = (v: DataView, o: number): Mac => (v.getUint32(o) * HALF + v.getUint16(o + 4)) as Mac;
const setAddress = (v: DataView, o: number, mac: Mac): void => {
  v.setUint32(o, Math.floor(mac / HALF));
  v.setUint16(o + 4, mac % HALF);
};

/** Whether the destination is the address of these halves (macHigh, macLow). */
export const isTo = (v: DataView, o: number, high: number, low: number): boolean =>
  v.getInt32(o) === high && v.getUint16(o + 4) === low;
export const destination = (v: DataView, o: number): Mac => address(v, o);
export const source = (v: DataView, o: number): Mac => address(v, o + 6);
export const type = (v: DataView, o: number): number => v.getUint16(o + 12);

export const write = (v: DataView, o: number, to: Mac, from: Mac, etherType: number): void => {
  setAddress(v, o, to);
  setAddress(v, o + 6, from);
  v.setUint16(o + 12, etherType);
};
