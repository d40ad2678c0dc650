// Packets that crossed only virtual interfaces can arrive with their transport checksum not computed ("partial").
// They are not corrupt; they are recognised here, so that whoever takes them next completes or passes on what is open.

import { type Batch, Gso, Ingress } from '../batch.ts';
import type { PacketMemory } from '../memory.ts';
import { Verdict } from '../verdict.ts';
import { isPartial } from './transport-checksum.ts';

const TCP = 6;
const UDP = 17;

/** Marks TCP and UDP packets of an underlay batch whose checksum field holds only the pseudo-header's sum. */
export const recognisePartial = (batch: Batch, memory: PacketMemory): void => {
  if (batch.ingress !== Ingress.underlay) return;
  for (let i = 0; i < batch.count; i++) {
    if (batch.verdict[i] !== Verdict.pending || batch.fragment[i] !== 0 || batch.gso[i] !== Gso.none)
      continue;
    const protocol = batch.protocol[i];
    if (protocol !== TCP && protocol !== UDP) continue;
    if (
      isPartial(memory, batch.family[i], batch.offset[i], batch.headerLength[i], batch.length[i], protocol)
    ) {
      batch.partial[i] = 1;
    }
  }
};
