// Congestion marks on decapsulation (RFC 6040 section 4.2): the outer header's ECN field is combined with the inner.

import { combineEcn, EcnDrop } from '../wire/ecn.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Batch } from './batch.ts';
import type { PacketMemory } from './memory.ts';
import { Verdict } from './verdict.ts';

const ECN = 3;

export const settleEcn = (batch: Batch, { view }: PacketMemory): void => {
  for (let i = 0; i < batch.count; i++) {
    const outer = batch.outerEcn[i];
    if (outer === 0 || batch.verdict[i] !== Verdict.pending) continue;
    const inner = batch.tos[i] & ECN;
    const combined = combineEcn(inner, outer);
    if (combined === EcnDrop) {
      batch.verdict[i] = Verdict.ecn;
    } else if (combined !== inner) {
      batch.tos[i] = (batch.tos[i] & ~ECN) | combined;
      if (batch.family[i] === 4) ipv4.changeTos(view, batch.offset[i], batch.tos[i]);
      else ipv6.setTrafficClass(view, batch.offset[i], batch.tos[i]);
    }
  }
};
