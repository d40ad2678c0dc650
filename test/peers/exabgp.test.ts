import { PEERS } from './columns.ts';
import { testPeer } from './test-peer.ts';

testPeer(PEERS.exabgp);
